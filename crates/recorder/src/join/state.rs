//! State of open requests and of the last steps.

use std::collections::VecDeque;

use tachograph_ring::record::FinishReason;

use super::Source;
use crate::request::{Closed, Request, Trace};
use crate::sequence::{End, Sequence};

/// Steps remembered of one engine: outputs follow their step within a few.
const MAX_STEPS: usize = 128;

/// A request that is open.
pub(super) struct Open {
    pub(super) source: Source,
    pub(super) request: Request,
    pub(super) http_end_ns: Option<u64>,
    /// Its last sign of life.
    pub(super) last_ns: u64,
}

impl Open {
    pub(super) fn new(source: Source, request: Request) -> Self {
        Self { source, http_end_ns: None, last_ns: request.start_ns, request }
    }

    /// Whether all its sequences ended.
    pub(super) fn is_over(&self) -> bool {
        let all = &self.request.sequences;
        all.iter().all(|s| s.is_ended() || is_only_parent(s, all))
    }
}

/// Whether a sequence stands for others that the engine made of it, and was never computed itself.
fn is_only_parent(sequence: &Sequence, all: &[Sequence]) -> bool {
    let untouched = sequence.parent_id.is_empty() && sequence.steps == 0 && sequence.tokens.count() == 0;
    untouched && all.len() > 1 && all.iter().any(|child| child.parent_id == sequence.internal_id)
}

/// Take out parents that only stand for their children; returns them.
pub(super) fn take_parents(sequences: &mut Vec<Sequence>) -> Vec<Sequence> {
    let (parents, computed) = sequences.iter().cloned().partition(|s| is_only_parent(s, sequences));
    *sequences = computed;
    parents
}

/// How a sequence ended for which no record says it, and whether that is known well.
pub(super) fn end_of(sequence: &Sequence, closed: Option<Closed>, disconnected: bool) -> (End, bool) {
    match closed {
        Some(Closed::EngineDied) => (End::Died, true),
        Some(Closed::Unobserved) => (End::Unknown, false),
        None if disconnected || sequence.is_abort_asked() => (End::Reason(FinishReason::Abort), true),
        None => (End::Unknown, false),
    }
}

/// A trace of its own for sequences that came without HTTP.
pub(super) fn new_trace(internal_id: &str, wall_ns: u64) -> Trace {
    let hash = |salt: u8| {
        let bytes = [internal_id.as_bytes(), &wall_ns.to_le_bytes(), &[salt]].concat();
        rapidhash::v3::rapidhash_v3(&bytes).max(1).to_be_bytes()
    };
    let mut trace_id = [0; 16];
    trace_id[..8].copy_from_slice(&hash(0));
    trace_id[8..].copy_from_slice(&hash(1));
    Trace { trace_id, span_id: hash(2), parent: None, flags: 1, state: String::new() }
}

/// The last steps of an engine: number, batch size and how many waited.
#[derive(Debug, Default)]
pub(super) struct Steps(VecDeque<(u64, u32, u32)>);

impl Steps {
    pub(super) fn push(&mut self, step: u64, batch: u32, waiting: u32) {
        if self.0.len() >= MAX_STEPS {
            self.0.pop_front();
        }
        self.0.push_back((step, batch, waiting));
    }

    /// Batch size and waiting of a step.
    pub(super) fn find(&self, step: u64) -> Option<(u32, u32)> {
        self.0.iter().rev().find(|(number, ..)| *number == step).map(|&(_, batch, waiting)| (batch, waiting))
    }
}
