//! What every store can do, whatever its engine.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::record_batch::RecordBatch;

use crate::error::StoreError;
use crate::frame::{Frame, Tables};
use crate::table::Table;

/// A place for spans, content, points and logs.
#[async_trait]
pub trait Store: Send + Sync {
    /// Keeps the rows of one frame. When this returns `Ok`, they survive a crash and queries see them.
    ///
    /// # Errors
    /// `Busy` (try again later), `Io` (the disk), `FrameTooLarge`, `Schema`, `Closed`. After an error nothing of the
    /// frame is visible, so it may be sent again.
    async fn write(&self, frame: Frame, tables: Tables) -> Result<(), StoreError>;

    /// The result of one `SELECT` over the tables `spans`, `content`, `points`, `logs` ([`Table`]).
    /// Strings may come back as dictionaries. No rows may mean no batches.
    ///
    /// # Errors
    /// `NotSelect` and `Query` are the statement's fault; `TooManyRows`, `TooMuchMemory` and `TooSlow` are the limit's.
    async fn sql(&self, sql: &str, limit: QueryLimit) -> Result<Vec<RecordBatch>, StoreError>;

    /// All rows of one trace, in no particular order.
    ///
    /// # Errors
    /// `TooManyRows`, `TooMuchMemory`, `TooSlow` as for [`QueryLimit::default`] with [`TRACE_ROWS`]; `Io`, `Internal`.
    async fn trace(&self, trace_id: [u8; 16]) -> Result<TraceRows, StoreError>;

    /// What is stored. Cheap: no disk is touched.
    fn stats(&self) -> Stats;

    /// Moves everything written so far to its final place. Not needed for durability.
    ///
    /// # Errors
    /// `Io`: the rows stay where they were, and the store tries again by itself.
    async fn flush(&self) -> Result<(), StoreError>;

    /// Flushes and lets go of the data. Later calls fail with `Closed`.
    ///
    /// # Errors
    /// As [`Store::flush`]; the store is closed all the same, and nothing acknowledged is lost.
    async fn close(&self) -> Result<(), StoreError>;
}

/// Most spans of one trace that [`Store::trace`] returns.
pub const TRACE_ROWS: usize = 200_000;

/// What one query may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimit {
    /// Most rows of the result; more is an error, never a cut.
    pub rows: usize,
    /// Most bytes held by sorts, joins and groups, and most bytes of the result.
    pub memory_bytes: usize,
    /// Longest time, waiting for a free place included.
    pub time: Duration,
}

impl Default for QueryLimit {
    /// 10,000 rows, 128 MiB, 10 s.
    fn default() -> Self {
        QueryLimit { rows: 10_000, memory_bytes: 128 << 20, time: Duration::from_secs(10) }
    }
}

/// All rows of one trace.
#[derive(Clone, Debug)]
pub struct TraceRows {
    /// Rows of [`Table::Spans`], none where the trace is unknown.
    pub spans: RecordBatch,
    /// Rows of [`Table::Content`].
    pub content: RecordBatch,
}

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows by table, all four of them.
    pub rows: BTreeMap<Table, u64>,
    /// Bytes of the write-ahead log on disk.
    pub wal_bytes: u64,
    /// Bytes of segments on disk.
    pub segment_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of Arrow in memory that are not in a segment yet.
    pub hot_bytes: u64,
    /// Flushes that failed since the store was opened; each is tried again.
    pub flush_failures: u64,
    /// What the last opening found in the write-ahead log.
    pub recovery: Recovery,
}

/// What an opening found in the write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Frames replayed.
    pub frames: u64,
    /// Bytes of half-written frames cut off the end: they were never acknowledged.
    pub torn_bytes: u64,
    /// Bytes that were skipped because they are damaged.
    pub damaged_bytes: u64,
    /// Frames that are whole but that the decoder refused.
    pub undecodable_frames: u64,
}
