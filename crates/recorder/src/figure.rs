//! Key figures of a sequence and of a request: each has one meaning, used by spans and metrics alike.

use std::collections::HashSet;

use crate::clock::seconds;
use crate::request::Request;
use crate::sequence::Sequence;

/// Figures of one sequence. Durations are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SequenceFigures {
    /// Arrival to the last token, or to the end where there was none.
    pub e2e: f64,
    /// Arrival to the first token.
    pub ttft: Option<f64>,
    /// (e2e − TTFT) / (tokens − 1).
    pub tpot: Option<f64>,
    /// All waits.
    pub queue: f64,
    /// All computations of the prompt, first scheduled to first token.
    pub prefill: f64,
    /// All generation, first to last token.
    pub decode: f64,
    /// The scheduler's own time in its steps.
    pub scheduler: f64,
}

impl SequenceFigures {
    /// Of a sequence.
    #[must_use]
    pub fn of(s: &Sequence) -> Self {
        let last_ns = s.tokens.last_ns().unwrap_or(s.end_ns);
        let e2e = seconds(s.arrival_ns, last_ns);
        let ttft = s.tokens.first_ns().map(|first_ns| seconds(s.arrival_ns, first_ns));
        let later = s.tokens.count().saturating_sub(1);
        Self {
            e2e,
            ttft,
            tpot: ttft.filter(|_| later > 0).map(|ttft| (e2e - ttft).max(0.0) / later as f64),
            queue: seconds(0, s.wait_ns),
            prefill: seconds(0, s.prefill_ns),
            decode: seconds(0, s.decode_ns),
            scheduler: seconds(0, s.schedule_ns),
        }
    }

    /// Prefill and decode together.
    #[must_use]
    pub fn inference(&self) -> f64 {
        self.prefill + self.decode
    }
}

/// Figures of a request with all its choices.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RequestFigures {
    /// First token of any choice.
    pub ttft: Option<f64>,
    /// Mean over the choices.
    pub tpot: Option<f64>,
    /// The choice that took longest: its end-to-end time and its parts, which belong to one timeline.
    pub slowest: Option<SequenceFigures>,
    /// Prompt tokens, each prompt counted once.
    pub input_tokens: Option<u64>,
    /// Prompt tokens from the cache, by the first choice of each prompt.
    pub cached_tokens: Option<u64>,
    /// Generated tokens of all choices.
    pub output_tokens: Option<u64>,
    /// Generated tokens spent on reasoning, as the engine says.
    pub reasoning_tokens: Option<u64>,
}

impl RequestFigures {
    /// Of a request. The engine's own counts come before those of the response's body.
    #[must_use]
    pub fn of(r: &Request) -> Self {
        let all: Vec<_> = r.sequences.iter().map(SequenceFigures::of).collect();
        let tpots: Vec<f64> = all.iter().filter_map(|f| f.tpot).collect();
        // Choices of one prompt name one parent and follow each other; so do the prompts of a batch in SGLang, where
        // n says how many choices each of them has. A prompt of its own names no parent.
        let mut known_prompts: HashSet<(&str, u32)> = HashSet::new();
        let mut prompts: Vec<&Sequence> = Vec::new();
        for s in &r.sequences {
            let place = (s.parent_id.as_str(), s.index / s.params.n.max(1));
            if s.parent_id.is_empty() || known_prompts.insert(place) {
                prompts.push(s);
            }
        }
        let usage = r.answer.usage;
        let known = !r.sequences.is_empty();
        let cached = prompts.iter().filter_map(|s| s.cached_tokens).map(u64::from).reduce(|a, b| a + b);
        Self {
            ttft: all.iter().filter_map(|f| f.ttft).reduce(f64::min),
            tpot: (!tpots.is_empty()).then(|| tpots.iter().sum::<f64>() / tpots.len() as f64),
            slowest: all.iter().copied().reduce(|a, b| if b.e2e > a.e2e { b } else { a }),
            input_tokens: known.then(|| prompts.iter().map(|s| u64::from(s.prompt_tokens)).sum()).or(usage.prompt()),
            cached_tokens: cached.or_else(|| usage.cached()),
            output_tokens: known
                .then(|| r.sequences.iter().map(|s| s.tokens.count()).sum())
                .or(usage.completion_tokens),
            reasoning_tokens: usage.reasoning(),
        }
    }
}
