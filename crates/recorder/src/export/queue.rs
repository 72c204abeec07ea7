//! The queue of one signal: bounded in entries and bytes, taken in batches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::signal::Item;
use crate::health::{Health, Unit};

/// Bounds of a queue and of the batches taken from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) queue_items: usize,
    pub(super) queue_bytes: usize,
    pub(super) batch_items: usize,
    pub(super) batch_bytes: usize,
    /// How long the first entry waits for others.
    pub(super) delay: Duration,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// When the oldest entry came.
    since: Option<Instant>,
    closed: bool,
}

/// A queue, shared between the one who fills it and the worker who empties it.
pub(super) struct Queue<T> {
    unit: Unit,
    limits: Limits,
    health: Health,
    state: Arc<Mutex<State<T>>>,
    changed: Arc<Notify>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        let Self { unit, limits, health, state, changed } = self;
        Self {
            unit: *unit,
            limits: *limits,
            health: health.clone(),
            state: Arc::clone(state),
            changed: Arc::clone(changed),
        }
    }
}

impl<T: Item> Queue<T> {
    pub(super) fn new(unit: Unit, limits: Limits, health: Health) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, since: None, closed: false };
        Self { unit, limits, health, state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    /// Append; the oldest entries make room.
    pub(super) fn push(&self, item: T) {
        let (bytes, points) = (item.bytes(), item.units());
        let mut dropped = 0;
        let mut state = self.lock();
        while state.items.len() >= self.limits.queue_items || state.bytes + bytes > self.limits.queue_bytes {
            let Some((oldest, bytes)) = state.items.pop_front() else { break };
            state.bytes -= bytes;
            dropped += oldest.units();
        }
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        state.since = state.since.or_else(|| Some(Instant::now()));
        drop(state);
        self.changed.notify_one();
        self.health.update(|c| {
            *c.produced.entry(self.unit).or_default() += points;
            let queued = c.queued.entry(self.unit).or_default();
            *queued = (*queued + points).saturating_sub(dropped);
        });
        self.health.drop(self.unit, "queue_full", dropped);
    }

    /// No more entries come: batches no longer wait to be full.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Wait until it is closed, at most for `time`.
    pub(super) async fn closed_within(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_closed() && tokio::time::timeout_at(until, self.changed.notified()).await.is_ok() {}
    }

    /// The next batch: full, or as old as the delay; none when closed and empty.
    pub(super) async fn batch(&self) -> Option<Vec<T>> {
        loop {
            let wait = {
                let mut state = self.lock();
                match state.since {
                    None if state.closed => return None,
                    None => None,
                    Some(since) => {
                        let full =
                            state.items.len() >= self.limits.batch_items || state.bytes >= self.limits.batch_bytes;
                        let due = since + self.limits.delay;
                        if full || state.closed || due <= Instant::now() {
                            return Some(self.cut(&mut state));
                        }
                        Some(due)
                    }
                }
            };
            match wait {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn cut(&self, state: &mut State<T>) -> Vec<T> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some((item, size)) = state.items.pop_front() {
            if !batch.is_empty() && bytes + size > self.limits.batch_bytes {
                state.items.push_front((item, size));
                break;
            }
            bytes += size;
            state.bytes -= size;
            batch.push(item);
            if batch.len() >= self.limits.batch_items {
                break;
            }
        }
        state.since = (!state.items.is_empty()).then(Instant::now);
        batch
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
