//! The engine in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::record_batch::RecordBatch;

use crate::error::StoreError;
use crate::frame::{Decode, Frame, Tables};
use crate::store::{QueryLimit, Stats, Store, TraceRows};

/// Settings of the embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// Hot rows go to a segment when they take this many bytes of Arrow.
    pub flush_bytes: u64,
    /// Hot rows go to a segment when the oldest is this old.
    pub flush_age: Duration,
    /// Most bytes of rows in memory; above it writes are refused as `Busy`.
    pub hot_budget_bytes: u64,
    /// A file of the write-ahead log is closed at this size.
    pub wal_file_bytes: u64,
    /// Queries that run at once; others wait within their time limit.
    pub query_concurrency: usize,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        EmbeddedConfig {
            flush_bytes: 64 << 20,
            flush_age: Duration::from_secs(30),
            hot_budget_bytes: 256 << 20,
            wal_file_bytes: 64 << 20,
            query_concurrency: 4,
        }
    }
}

/// Write-ahead log, hot batches in memory, Parquet segments, DataFusion.
pub struct Embedded {}

impl Embedded {
    /// Opens or creates the store in `directory` and replays its write-ahead log. Blocks.
    ///
    /// # Errors
    /// `Locked`, `NewerFormat`, `NotWritable`, `Damaged`, `Io`. The directory is as it was.
    pub fn open(directory: &Path, _config: EmbeddedConfig, _decode: Arc<dyn Decode>) -> Result<Self, StoreError> {
        Err(StoreError::Internal(format!("cannot open {}", directory.display())))
    }
}

#[async_trait]
impl Store for Embedded {
    async fn write(&self, _frame: Frame, _tables: Tables) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }

    async fn sql(&self, _sql: &str, _limit: QueryLimit) -> Result<Vec<RecordBatch>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn trace(&self, _trace_id: [u8; 16]) -> Result<TraceRows, StoreError> {
        Err(StoreError::Closed)
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
