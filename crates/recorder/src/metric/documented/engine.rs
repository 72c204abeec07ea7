//! What is known of one engine: its levels now, and its sums since they began.

use std::collections::BTreeMap;

use tachograph_ring::record::{FinishReason, Quantity, Sample, SequenceKind, Step, StepOutputs};

use super::rate::Rate;
use crate::clock::seconds;
use crate::figure::SequenceFigures;
use crate::join::Source;
use crate::request::finish_name;
use crate::sequence::{End, Sequence};

/// Sums and levels of one engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Engine {
    /// The process that says how many run and wait.
    pub(super) source: Option<Source>,
    pub(super) model: String,
    pub(super) running: u64,
    pub(super) waiting: u64,
    pub(super) kv_usage: f64,
    /// Levels that only some engines have.
    pub(super) levels: BTreeMap<Quantity, f64>,
    /// Tokens of the last seconds.
    pub(super) generated: Rate,
    pub(super) sums: Sums,
}

/// What is summed up.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) iterations: u64,
    pub(super) prefix_queries: u64,
    pub(super) prefix_hits: u64,
    pub(super) preemptions: u64,
    pub(super) prompt_tokens: u64,
    /// Prompt tokens as the engine's steps computed them, again after a preemption.
    pub(super) computed_tokens: u64,
    pub(super) generation_tokens: u64,
    /// Of these, what the engine threw away.
    pub(super) surplus_tokens: u64,
    /// Prompt tokens from the cache, of sequences that ended.
    pub(super) cached_tokens: u64,
    pub(super) told_tokens: u64,
    pub(super) stat_reports: u64,
    pub(super) params_n: u64,
    pub(super) params_max_tokens: u64,
    pub(super) sequences: u64,
    pub(super) success: BTreeMap<&'static str, u64>,
    pub(super) ttft: f64,
    pub(super) tpot: f64,
    pub(super) itl: f64,
    pub(super) e2e: f64,
    pub(super) queue: f64,
    pub(super) prefill: f64,
    pub(super) decode: f64,
    pub(super) inference: f64,
}

impl Engine {
    pub(super) fn step(&mut self, source: Source, step: &Step<'_>) {
        self.source = Some(source);
        self.running = step.running.into();
        self.waiting = u64::from(step.waiting) + u64::from(step.deferred);
        self.kv_usage = step.kv_usage.into();
        // An engine that looks and finds nothing to do makes no iteration.
        if !step.members.is_empty() {
            self.sums.iterations += 1;
        }
    }

    pub(super) fn outputs(&mut self, outputs: &StepOutputs<'_>) {
        self.sums.prefix_queries += outputs.prefix_queries;
        self.sums.prefix_hits += outputs.prefix_hits;
        let tokens = outputs.outputs.iter().map(|o| u64::from(o.tokens)).sum::<u64>();
        self.sums.generation_tokens += tokens;
        self.generated.add(outputs.t_ns, tokens);
    }

    pub(super) fn sample(&mut self, sample: &Sample<'_>) {
        for figure in sample.figures.iter().filter(|figure| figure.value.is_finite()) {
            match figure.quantity {
                Quantity::PromptTokens => self.sums.computed_tokens += count(figure.value),
                Quantity::StatReports => self.sums.stat_reports += count(figure.value),
                level => {
                    self.levels.insert(level, figure.value);
                }
            }
        }
    }

    pub(super) fn ended(&mut self, sequence: &Sequence) {
        if self.model.is_empty() {
            sequence.model.clone_into(&mut self.model);
        }
        let reason = match sequence.end {
            Some(End::Reason(reason)) => reason,
            _ => FinishReason::Error,
        };
        let figures = SequenceFigures::of(sequence);
        let sums = &mut self.sums;
        sums.sequences += 1;
        sums.params_n += 1;
        sums.cached_tokens += u64::from(sequence.cached_tokens.unwrap_or(0));
        sums.surplus_tokens += sequence.surplus_tokens;
        *sums.success.entry(finish_name(reason)).or_default() += 1;
        sums.params_max_tokens += u64::from(sequence.params.max_tokens.unwrap_or(0));
        // A pooled prompt is computed once it is answered: there is no first token that could tell.
        if sequence.kind == SequenceKind::Pool && !matches!(reason, FinishReason::Abort | FinishReason::Error) {
            sums.prompt_tokens += u64::from(sequence.prompt_tokens);
        }
        if let (Some(first_ns), Some(last_ns)) = (sequence.tokens.first_ns(), sequence.tokens.last_ns()) {
            sums.itl += seconds(first_ns, last_ns);
        }
        sums.ttft += figures.ttft.unwrap_or(0.0);
        sums.tpot += figures.tpot.unwrap_or(0.0);
        sums.e2e += figures.e2e;
        sums.queue += figures.queue;
        sums.prefill += figures.prefill;
        sums.decode += figures.decode;
        sums.inference += figures.inference();
    }

    /// Nothing runs or waits in a process that is gone.
    pub(super) fn gone(&mut self) {
        (self.running, self.waiting, self.kv_usage) = (0, 0, 0.0);
        self.levels.clear();
    }

    /// Fix what is told of the tokens generated, as the engines count them: without those that nobody was given. What
    /// was told before is never taken back.
    pub(super) fn tell(&mut self) {
        let sums = &mut self.sums;
        sums.told_tokens = sums.told_tokens.max(sums.generation_tokens.saturating_sub(sums.surplus_tokens));
    }

    /// A level, 0 where the engine never told it, as its own gauge is.
    pub(super) fn level(&self, quantity: Quantity) -> f64 {
        self.levels.get(&quantity).copied().unwrap_or(0.0)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is what a count should")]
fn count(value: f64) -> u64 {
    value.max(0.0).round() as u64
}
