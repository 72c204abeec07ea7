//! Settings of the embedded store.

use std::time::Duration;

/// Settings of the embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// Hot rows go to a segment when they take this many bytes of Arrow. 64 MiB.
    pub flush_bytes: u64,
    /// Hot rows go to a segment when the oldest is this old. 30 s.
    pub flush_age: Duration,
    /// Most bytes of rows in memory; above it writes are refused as `Busy`. 192 MiB.
    pub hot_budget_bytes: u64,
    /// A file of the write-ahead log is closed at this size. 64 MiB.
    pub wal_file_bytes: u64,
    /// Queries that run at once; others wait within their time limit. 4.
    pub query_concurrency: usize,
    /// Segments of like size that are merged into one. 8.
    pub merge_segments: usize,
    /// Segments are not merged beyond this many bytes. 128 MiB.
    pub segment_bytes: u64,
    /// Age at which spans, points and logs go. Never by default.
    pub keep_metadata: Option<Duration>,
    /// Age at which prompts and answers go. Never by default.
    pub keep_content: Option<Duration>,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        EmbeddedConfig {
            flush_bytes: 64 << 20,
            flush_age: Duration::from_secs(30),
            hot_budget_bytes: 192 << 20,
            wal_file_bytes: 64 << 20,
            query_concurrency: 4,
            merge_segments: 8,
            segment_bytes: 128 << 20,
            keep_metadata: None,
            keep_content: None,
        }
    }
}
