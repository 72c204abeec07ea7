//! What the server counts about itself: nothing is refused or kept without a number that says so.

use std::array;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tachograph_store::Signal;

use crate::receive::Reason;

/// Counters since the start.
#[derive(Debug)]
pub(crate) struct Health {
    start_ms: f64,
    received: Counters<3>,
    refused: Counters<{ Reason::ALL.len() }>,
    /// Unix nanoseconds of the newest export with spans, 0 before there was one.
    last_spans_ns: AtomicU64,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self {
            start_ms: millis(now_ns()),
            received: Counters::default(),
            refused: Counters::default(),
            last_spans_ns: AtomicU64::new(0),
        }
    }

    /// Rows that the store acknowledged.
    pub(crate) fn received(&self, signal: Signal, rows: u64, received_ns: u64) {
        self.received.add(signal_index(signal), rows);
        if signal == Signal::Traces && rows > 0 {
            self.last_spans_ns.fetch_max(received_ns, Ordering::Relaxed);
        }
    }

    /// An export, or `n` rows of one, was refused.
    pub(crate) fn refused(&self, reason: Reason, n: u64) {
        self.refused.add(reason as usize, n);
    }

    pub(crate) fn start_ms(&self) -> f64 {
        self.start_ms
    }

    pub(crate) fn received_by_table(&self) -> BTreeMap<String, u64> {
        self.received.named(["spans", "points", "logs"])
    }

    /// The reasons that occurred.
    pub(crate) fn refused_by_reason(&self) -> BTreeMap<String, u64> {
        let mut refused = self.refused.named(Reason::ALL.map(Reason::name));
        refused.retain(|_, n| *n > 0);
        refused
    }

    pub(crate) fn last_received_ms(&self) -> Option<f64> {
        let ns = self.last_spans_ns.load(Ordering::Relaxed);
        (ns > 0).then(|| millis(ns))
    }
}

/// One counter for each of a fixed set of names.
#[derive(Debug)]
struct Counters<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counters<N> {
    /// Add to the counter at `index`; an index out of range counts nowhere.
    fn add(&self, index: usize, n: u64) {
        if let Some(counter) = self.0.get(index) {
            counter.fetch_add(n, Ordering::Relaxed);
        }
    }

    fn named(&self, names: [&str; N]) -> BTreeMap<String, u64> {
        names.iter().zip(&self.0).map(|(name, n)| ((*name).to_owned(), n.load(Ordering::Relaxed))).collect()
    }
}

fn signal_index(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Metrics => 1,
        Signal::Logs => 2,
    }
}

/// Unix milliseconds of Unix nanoseconds.
#[allow(clippy::cast_precision_loss)] // a double holds milliseconds of our century to 1/4096
pub(crate) fn millis(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// Now, in Unix nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
