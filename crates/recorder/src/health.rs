//! The recorder's own counts: whatever is dropped is counted by its reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a drop is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Records of the rings.
    Records,
    /// Requests.
    Requests,
    /// Token times and stages of sequences.
    Details,
    /// Spans.
    Spans,
    /// Metric points.
    Points,
}

impl Unit {
    /// Value of the attribute `tachograph.unit`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Requests => "requests",
            Self::Details => "details",
            Self::Spans => "spans",
            Self::Points => "points",
        }
    }
}

/// Counts since the recorder's start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Records handed to the writers of all rings seen, lost ones among them.
    pub records_produced: u64,
    /// Records not written since recording was switched off; not among those produced.
    pub records_suppressed: u64,
    /// Records read and decoded.
    pub records_read: u64,
    /// Requests whose end was built, by outcome.
    pub requests: BTreeMap<&'static str, u64>,
    /// Spans and points made for export.
    pub produced: BTreeMap<Unit, u64>,
    /// Spans and points that the other side acknowledged.
    pub sent: BTreeMap<Unit, u64>,
    /// Spans and points waiting for export.
    pub queued: BTreeMap<Unit, u64>,
    /// Attempts that had to be repeated.
    pub retries: BTreeMap<Unit, u64>,
    /// What was dropped, by reason.
    pub dropped: BTreeMap<(Unit, &'static str), u64>,
    /// When the other side last took an export, Unix nanoseconds.
    pub last_success_ns: BTreeMap<Unit, u64>,
    /// Why the last attempt to export failed, where it did.
    pub last_error: BTreeMap<Unit, String>,
    /// Longest time from a record's own to its reading since the last look, seconds.
    pub lag_s: f64,
}

/// The counts, shared between the tasks of one recorder.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Counts>>);

impl Health {
    /// Change the counts.
    pub fn update<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Count a drop.
    pub fn drop(&self, unit: Unit, reason: &'static str, n: u64) {
        if n > 0 {
            self.update(|c| *c.dropped.entry((unit, reason)).or_default() += n);
        }
    }

    /// Note how an attempt to export ended; `now_ns` is Unix time.
    pub fn attempt(&self, unit: Unit, now_ns: u64, error: Option<String>) {
        self.update(|c| match error {
            Some(error) => {
                c.last_error.insert(unit, error);
            }
            None => {
                c.last_error.remove(&unit);
                c.last_success_ns.insert(unit, now_ns);
            }
        });
    }

    /// The counts now.
    #[must_use]
    pub fn snapshot(&self) -> Counts {
        self.update(|c| c.clone())
    }
}
