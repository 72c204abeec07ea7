//! What the writer, the flusher and the queries share: the rows in memory and the list of segments.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use datafusion::arrow::record_batch::RecordBatch;
use parking_lot::RwLock;

use crate::embedded::by_table::ByTable;
use crate::embedded::config::EmbeddedConfig;
use crate::embedded::hot::Hot;
use crate::embedded::segment::Segment;
use crate::error::StoreError;
use crate::frame::Tables;
use crate::store::{Recovery, Stats};
use crate::table::Table;

/// The segments of each table, oldest first.
pub(crate) type Segments = ByTable<Vec<Arc<Segment>>>;

/// The state of an open store.
pub(crate) struct Shared {
    /// The store's directory.
    pub(crate) directory: PathBuf,
    /// Its settings.
    pub(crate) config: EmbeddedConfig,
    rows: RwLock<Rows>,
    pending_bytes: AtomicU64,
    wal_bytes: AtomicU64,
    flush_failures: AtomicU64,
    closing: AtomicBool,
    recovery: Recovery,
}

struct Rows {
    active: Hot,
    sealed: Option<Arc<Hot>>,
    segments: Arc<Segments>,
}

/// Everything that a query sees: it does not change, and its segments stay on disk while it lives.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Rows in memory.
    pub(crate) hot: ByTable<Vec<RecordBatch>>,
    /// Rows on disk.
    pub(crate) segments: Arc<Segments>,
}

impl Shared {
    /// The state after recovery.
    pub(crate) fn new(
        directory: PathBuf,
        config: EmbeddedConfig,
        active: Hot,
        segments: Segments,
        wal_bytes: u64,
        recovery: Recovery,
    ) -> Self {
        Shared {
            directory,
            config,
            rows: RwLock::new(Rows { active, sealed: None, segments: Arc::new(segments) }),
            pending_bytes: AtomicU64::new(0),
            wal_bytes: AtomicU64::new(wal_bytes),
            flush_failures: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            recovery,
        }
    }

    /// A view of all rows at this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let rows = self.rows.read();
        let mut hot = ByTable::<Vec<RecordBatch>>::default();
        for table in Table::ALL {
            let sealed = rows.sealed.iter().flat_map(|sealed| sealed.batches(table));
            hot[table] = sealed.chain(rows.active.batches(table)).cloned().collect();
        }
        Snapshot { hot, segments: Arc::clone(&rows.segments) }
    }

    /// Takes `bytes` out of the budget until the admission is dropped.
    ///
    /// # Errors
    /// `Busy`: the budget is used up. Alone, a write of any size is let in, or it could never be.
    pub(crate) fn admit(self: &Arc<Self>, bytes: u64) -> Result<Admission, StoreError> {
        let pending = self.pending_bytes.fetch_add(bytes, Ordering::AcqRel);
        let admission = Admission { shared: Arc::clone(self), bytes };
        let waiting = pending + self.hot_bytes();
        if waiting > 0 && waiting + bytes > self.config.hot_budget_bytes {
            return Err(StoreError::Busy { bytes: waiting });
        }
        Ok(admission)
    }

    /// Makes rows that are in the log visible.
    pub(crate) fn push<'a>(&self, frames: impl Iterator<Item = &'a Tables>) {
        let mut rows = self.rows.write();
        for tables in frames {
            rows.active.push(tables);
        }
    }

    /// What is known about the rows that are not being flushed.
    pub(crate) fn active<T>(&self, ask: impl FnOnce(&Hot) -> T) -> T {
        ask(&self.rows.read().active)
    }

    /// Starts a new set of hot rows and returns the old, which stays visible until [`Shared::publish`].
    pub(crate) fn seal(&self) -> Arc<Hot> {
        let mut rows = self.rows.write();
        let sealed = Arc::new(std::mem::take(&mut rows.active));
        rows.sealed = Some(Arc::clone(&sealed));
        sealed
    }

    /// The segments.
    pub(crate) fn segments(&self) -> Arc<Segments> {
        Arc::clone(&self.rows.read().segments)
    }

    /// Replaces the list of segments; with `flushed` the sealed rows go in the same moment.
    pub(crate) fn publish(&self, segments: Segments, flushed: bool) {
        let mut rows = self.rows.write();
        rows.segments = Arc::new(segments);
        if flushed {
            rows.sealed = None;
        }
    }

    /// Counts bytes appended to the log.
    pub(crate) fn add_wal_bytes(&self, bytes: u64) {
        self.wal_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Counts bytes removed from the log.
    pub(crate) fn remove_wal_bytes(&self, bytes: u64) {
        self.wal_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Counts a failed flush.
    pub(crate) fn count_flush_failure(&self) {
        self.flush_failures.fetch_add(1, Ordering::AcqRel);
    }

    /// Asks long work that can be done again to end.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Whether long work that can be done again should end.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// What is stored.
    pub(crate) fn stats(&self) -> Stats {
        let rows = self.rows.read();
        let mut stats = Stats {
            hot_bytes: rows.active.bytes() + rows.sealed.as_ref().map_or(0, |sealed| sealed.bytes()),
            wal_bytes: self.wal_bytes.load(Ordering::Acquire),
            flush_failures: self.flush_failures.load(Ordering::Acquire),
            recovery: self.recovery,
            ..Stats::default()
        };
        for (table, segments) in rows.segments.iter() {
            let hot = rows.active.rows(table) + rows.sealed.as_ref().map_or(0, |sealed| sealed.rows(table));
            let stored: u64 = segments.iter().map(|segment| segment.entry().rows).sum();
            stats.rows.insert(table, hot + stored);
            stats.segments += segments.len() as u64;
            stats.segment_bytes += segments.iter().map(|segment| segment.entry().bytes).sum::<u64>();
        }
        stats
    }

    fn hot_bytes(&self) -> u64 {
        let rows = self.rows.read();
        rows.active.bytes() + rows.sealed.as_ref().map_or(0, |sealed| sealed.bytes())
    }
}

/// A part of the budget, given back when dropped.
pub(crate) struct Admission {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.shared.pending_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
