//! One engine sequence: what happened to it, as a machine of its stages.
//!
//! waiting → prefill → decode, back to waiting at a preemption, and an end. Every transition takes
//! the time of the record that caused it; a record out of order or lost bends no interval below zero.

use tachograph_ring::record::{FinishReason, SamplingParams, SequenceAdd, SequenceKey, SequenceKind};

use crate::token::Tokens;

/// Longest list of stages kept of one kind: a sequence preempted more often than this is thrashing, and
/// its totals go on being right.
pub const MAX_STAGES: usize = 512;
/// Most chunks kept of one prefill: the documented default of span events.
pub const MAX_CHUNKS: usize = 128;

/// An interval of monotonic time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Start.
    pub start_ns: u64,
    /// End, never before the start.
    pub end_ns: u64,
}

impl Interval {
    fn new(start_ns: u64, end_ns: u64) -> Self {
        Self { start_ns, end_ns: end_ns.max(start_ns) }
    }

    fn len(self) -> u64 {
        self.end_ns - self.start_ns
    }
}

/// A part of the prompt computed in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Start of the step.
    pub t_ns: u64,
    /// Number of the step.
    pub step: u64,
    /// Tokens scheduled.
    pub tokens: u32,
}

/// One computation of the prompt, or one recomputation after a preemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefill {
    /// From the start of its first step to its first token, the preemption or the end.
    pub interval: Interval,
    /// Its chunks, at most [`MAX_CHUNKS`].
    pub chunks: Vec<Chunk>,
    /// Chunks that were left out.
    pub chunks_left_out: u32,
}

/// Where a sequence is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { since_ns: u64 },
    Prefill(Prefill),
    Decode { since_ns: u64 },
    Ended,
}

/// Sampling parameters, owned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// `n` of the request.
    pub n: u32,
    /// Longest output in tokens.
    pub max_tokens: Option<u32>,
    /// Temperature.
    pub temperature: Option<f64>,
    /// Nucleus size.
    pub top_p: Option<f64>,
    /// Top-k.
    pub top_k: Option<i64>,
    /// Seed.
    pub seed: Option<i64>,
    /// Frequency penalty.
    pub frequency_penalty: Option<f64>,
    /// Presence penalty.
    pub presence_penalty: Option<f64>,
    /// Stop strings.
    pub stop: Vec<String>,
}

impl From<&SamplingParams<'_>> for Params {
    fn from(p: &SamplingParams<'_>) -> Self {
        Self {
            n: p.n,
            max_tokens: p.max_tokens,
            temperature: p.temperature,
            top_p: p.top_p,
            top_k: p.top_k,
            seed: p.seed,
            frequency_penalty: p.frequency_penalty,
            presence_penalty: p.presence_penalty,
            stop: p.stop.iter().map(|&s| s.to_owned()).collect(),
        }
    }
}

/// How a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The engine or the front end gave a reason.
    Reason(FinishReason),
    /// The engine's process died.
    Died,
    /// No record told.
    Unknown,
}

/// Something that happened to a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It entered the waiting queue behind `depth` others.
    Queued {
        /// Sequences before it.
        depth: u32,
    },
    /// It is part of a step.
    Member {
        /// Number of the step.
        step: u64,
        /// Tokens scheduled.
        tokens: u32,
        /// The scheduler's own time in the step, nanoseconds.
        schedule_ns: u32,
    },
    /// It lost its KV blocks.
    Preempted,
    /// A step gave it tokens, or its end.
    Output {
        /// Number of the step.
        step: u64,
        /// New tokens.
        tokens: u32,
        /// Prompt tokens from the cache.
        cached: Option<u32>,
        /// It ended here.
        finish: Option<FinishReason>,
        /// Sequences in the step.
        batch: u32,
        /// Sequences waiting at the step.
        waiting: u32,
    },
    /// The scheduler ended it outside a step.
    Finished(FinishReason),
    /// The front end saw its end (a stop string is seen only there).
    FrontFinish(FinishReason),
    /// The front end asked for its end.
    AbortAsked,
}

/// A sequence and all that is known of it. Times are monotonic nanoseconds.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Its key.
    pub key: SequenceKey,
    /// The engine's internal id.
    pub internal_id: String,
    /// The id that the client is told.
    pub external_id: String,
    /// Internal id of the parent where n > 1.
    pub parent_id: String,
    /// Index among its siblings.
    pub index: u32,
    /// Length of the prompt.
    pub prompt_tokens: u32,
    /// Generates or pools.
    pub kind: SequenceKind,
    /// Model.
    pub model: String,
    /// Sampling parameters.
    pub params: Params,
    /// When it arrived in the front end.
    pub arrival_ns: u64,
    /// Rank of its engine.
    pub engine_index: Option<u32>,
    /// Sequences waiting before it.
    pub queue_depth: Option<u32>,
    /// Intervals of waiting.
    pub waits: Vec<Interval>,
    /// Computations of the prompt.
    pub prefills: Vec<Prefill>,
    /// Intervals of generation.
    pub decodes: Vec<Interval>,
    /// Total of all waits, also of those left out.
    pub wait_ns: u64,
    /// Total of all prefills.
    pub prefill_ns: u64,
    /// Total of all decodes.
    pub decode_ns: u64,
    /// Stages that were left out of the lists.
    pub stages_left_out: u32,
    /// Preemptions.
    pub preemptions: u32,
    /// Steps it was part of.
    pub steps: u32,
    /// The scheduler's own time in these steps.
    pub schedule_ns: u64,
    /// Output tokens.
    pub tokens: Tokens,
    /// Tokens that the engine made and threw away: it runs ahead of the front end, which alone sees a stop string.
    pub surplus_tokens: u64,
    /// Prompt tokens from the cache.
    pub cached_tokens: Option<u32>,
    /// How it ended.
    pub end: Option<End>,
    /// When it ended.
    pub end_ns: u64,
    abort_asked: bool,
    phase: Phase,
}

impl Sequence {
    /// A sequence that the front end hands to the engine. `stop`: whether stop strings may be kept.
    #[must_use]
    pub fn new(add: &SequenceAdd<'_>, arrival_ns: u64, keep_stop: bool) -> Self {
        let mut params = Params::from(&add.params);
        if !keep_stop {
            params.stop.clear();
        }
        Self {
            key: SequenceKey::of(add.internal_id),
            internal_id: add.internal_id.to_owned(),
            external_id: add.external_id.to_owned(),
            parent_id: add.parent_id.to_owned(),
            index: add.index,
            prompt_tokens: add.prompt_tokens,
            kind: add.kind,
            model: add.model.to_owned(),
            params,
            arrival_ns: arrival_ns.min(add.t_ns),
            engine_index: None,
            queue_depth: None,
            waits: Vec::new(),
            prefills: Vec::new(),
            decodes: Vec::new(),
            wait_ns: 0,
            prefill_ns: 0,
            decode_ns: 0,
            stages_left_out: 0,
            preemptions: 0,
            steps: 0,
            schedule_ns: 0,
            tokens: Tokens::default(),
            surplus_tokens: 0,
            cached_tokens: None,
            end: None,
            end_ns: add.t_ns,
            abort_asked: false,
            phase: Phase::Waiting { since_ns: add.t_ns },
        }
    }

    /// Whether its end is known.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether a stop string or token ended it: what the engine makes after that nobody asked for.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.end == Some(End::Reason(FinishReason::Stop))
    }

    /// Whether the front end asked for its end.
    #[must_use]
    pub fn is_abort_asked(&self) -> bool {
        self.abort_asked
    }

    /// Take a fact. Returns true where it brought the first token.
    pub fn apply(&mut self, t_ns: u64, fact: &Fact, events: usize) -> bool {
        let late = self.is_ended() && t_ns > self.end_ns;
        match *fact {
            Fact::FrontFinish(reason) | Fact::Finished(reason) => self.finish(t_ns, reason),
            Fact::AbortAsked => self.abort_asked = true,
            Fact::Output { tokens, .. } if late && self.is_stopped() => self.surplus_tokens += u64::from(tokens),
            _ if late => {}
            Fact::Queued { depth } => self.queued(t_ns, depth),
            Fact::Member { step, tokens, schedule_ns } => self.member(Chunk { t_ns, step, tokens }, schedule_ns),
            Fact::Preempted => self.preempted(t_ns),
            Fact::Output { step, tokens, cached, finish, batch, waiting } => {
                let first = tokens > 0 && self.tokens.count() == 0;
                self.cached_tokens = self.cached_tokens.or(cached);
                if tokens > 0 {
                    self.generated(t_ns, step);
                    self.tokens.push(self.arrival_ns, t_ns, tokens, (step, batch, waiting), events);
                }
                if let Some(reason) = finish {
                    self.finish(t_ns, reason);
                }
                return first;
            }
        }
        false
    }

    fn queued(&mut self, t_ns: u64, depth: u32) {
        if self.queue_depth.is_none() {
            self.queue_depth = Some(depth);
            if let Phase::Waiting { since_ns } = &mut self.phase {
                *since_ns = t_ns.max(*since_ns);
            }
        }
    }

    fn member(&mut self, chunk: Chunk, schedule_ns: u32) {
        self.steps = self.steps.saturating_add(1);
        self.schedule_ns = self.schedule_ns.saturating_add(schedule_ns.into());
        match &mut self.phase {
            Phase::Waiting { since_ns } => {
                let start_ns = chunk.t_ns.max(*since_ns);
                self.leave(start_ns);
                let interval = Interval::new(start_ns, start_ns);
                self.phase = Phase::Prefill(Prefill { interval, chunks: vec![chunk], chunks_left_out: 0 });
            }
            Phase::Prefill(prefill) if prefill.chunks.len() < MAX_CHUNKS => prefill.chunks.push(chunk),
            Phase::Prefill(prefill) => prefill.chunks_left_out = prefill.chunks_left_out.saturating_add(1),
            Phase::Decode { .. } | Phase::Ended => {}
        }
    }

    fn preempted(&mut self, t_ns: u64) {
        self.preemptions = self.preemptions.saturating_add(1);
        if !matches!(self.phase, Phase::Waiting { .. } | Phase::Ended) {
            let left_ns = self.leave(t_ns);
            self.phase = Phase::Waiting { since_ns: left_ns };
        }
    }

    /// Tokens came: the prompt is computed.
    fn generated(&mut self, t_ns: u64, step: u64) {
        // A step that was decided before a preemption may end after it: its tokens begin no new stage.
        let is_late = self.preemptions > 0 && matches!(self.phase, Phase::Waiting { .. });
        if is_late || matches!(self.phase, Phase::Decode { .. } | Phase::Ended) {
            return;
        }
        if let Phase::Prefill(prefill) = &mut self.phase {
            // With asynchronous scheduling the next step is decided before this output: it is decode.
            prefill.chunks.retain(|c| c.step <= step || c.t_ns == prefill.interval.start_ns);
        }
        let left_ns = self.leave(t_ns);
        self.phase = Phase::Decode { since_ns: left_ns };
    }

    fn finish(&mut self, t_ns: u64, reason: FinishReason) {
        match self.end {
            None => self.close(t_ns, End::Reason(reason)),
            // The engine is told to abort what a stop string ended: the reason is the other one.
            Some(End::Reason(FinishReason::Abort)) if !self.abort_asked => self.end = Some(End::Reason(reason)),
            Some(_) => {}
        }
    }

    /// End it, with its open stage.
    pub fn close(&mut self, t_ns: u64, end: End) {
        if self.end.is_some() {
            return;
        }
        let last_ns = self.tokens.last_ns().unwrap_or(0);
        let end_ns = t_ns.max(last_ns).max(self.arrival_ns);
        // Decode is over with the last token; what follows it is no work of the engine.
        let stage_end_ns = if matches!(self.phase, Phase::Decode { .. }) { last_ns } else { end_ns };
        self.end_ns = self.leave(stage_end_ns).max(end_ns);
        self.phase = Phase::Ended;
        self.end = Some(end);
    }

    /// The client was told that its answer has `n` tokens: what came after them was no work for it.
    pub fn truncate(&mut self, n: u64) {
        let surplus = self.tokens.truncate(n);
        self.surplus_tokens += surplus;
        let Some(last_ns) = self.tokens.last_ns().filter(|_| surplus > 0) else { return };
        for decode in &mut self.decodes {
            let surplus_ns = decode.end_ns.saturating_sub(last_ns.max(decode.start_ns));
            decode.end_ns -= surplus_ns;
            self.decode_ns = self.decode_ns.saturating_sub(surplus_ns);
        }
        self.decodes.retain(|decode| decode.len() > 0);
    }

    /// Close the open stage at `t_ns`, or at its own start where that is later; returns when.
    fn leave(&mut self, t_ns: u64) -> u64 {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Waiting { since_ns } => {
                let interval = Interval::new(since_ns, t_ns);
                self.wait_ns += interval.len();
                keep(&mut self.waits, interval, &mut self.stages_left_out);
                interval.end_ns
            }
            Phase::Prefill(mut prefill) => {
                prefill.interval = Interval::new(prefill.interval.start_ns, t_ns);
                self.prefill_ns += prefill.interval.len();
                let end_ns = prefill.interval.end_ns;
                keep(&mut self.prefills, prefill, &mut self.stages_left_out);
                end_ns
            }
            Phase::Decode { since_ns } => {
                let interval = Interval::new(since_ns, t_ns);
                self.decode_ns += interval.len();
                if interval.len() > 0 {
                    keep(&mut self.decodes, interval, &mut self.stages_left_out);
                }
                interval.end_ns
            }
            Phase::Ended => t_ns,
        }
    }
}

fn keep<T>(list: &mut Vec<T>, item: T, left_out: &mut u32) {
    if list.len() < MAX_STAGES {
        list.push(item);
    } else {
        *left_out = left_out.saturating_add(1);
    }
}
