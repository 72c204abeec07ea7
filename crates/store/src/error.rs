//! Everything that can go wrong in a store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::table::Table;

/// Why a store did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data directory open.
    #[error("another process uses the data directory, stop it or choose another directory: {}", .0.display())]
    Locked(PathBuf),
    /// The data directory was written by a newer version.
    #[error(
        "the data directory has format {found} and this version knows up to {known}, \
         use a newer tachograph or another directory: {}", directory.display()
    )]
    NewerFormat {
        /// The data directory.
        directory: PathBuf,
        /// Format found there.
        found: u32,
        /// Newest format that this version knows.
        known: u32,
    },
    /// The data directory cannot be created or written.
    #[error(
        "cannot write to the data directory, choose another or give this user the right to write ({source}): {}",
        directory.display()
    )]
    NotWritable {
        /// The data directory.
        directory: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// A file of the store is damaged so that the store cannot be opened.
    #[error("{reason}, restore the file from a copy or move the directory away: {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Reading or writing a file failed.
    #[error("cannot {doing} ({source}): {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says; `StorageFull` where the disk is full.
        source: Arc<io::Error>,
    },
    /// More was written than can be kept in memory until it is on disk. Nothing of this write was kept.
    #[error("the store is busy, {bytes} bytes wait for the disk, try again in a second")]
    Busy {
        /// Bytes waiting.
        bytes: u64,
    },
    /// One frame is larger than the log takes.
    #[error("the export has {bytes} bytes and the limit is {limit}, send smaller batches")]
    FrameTooLarge {
        /// Bytes of the payload.
        bytes: u64,
        /// Largest payload taken.
        limit: u64,
    },
    /// A batch does not have the schema of its table: a fault of the caller.
    #[error("the batch does not have the schema of its table, build it from `Table::schema`: {0}")]
    Schema(Table),
    /// The statement is not one `SELECT`.
    #[error("only one SELECT statement is allowed: {0}")]
    NotSelect(String),
    /// The statement is wrong: syntax, an unknown column, a type.
    #[error("the query is wrong: {0}")]
    Query(String),
    /// The result has too many rows.
    #[error("the result has more than {0} rows, add a LIMIT or filter more")]
    TooManyRows(usize),
    /// The query needs too much memory.
    #[error("the query needs more than {0} bytes of memory, filter more or group less")]
    TooMuchMemory(usize),
    /// The query takes too long.
    #[error("the query took longer than {} s, filter by time", .0.as_secs_f64())]
    TooSlow(Duration),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The engine failed at something that is not the caller's fault.
    #[error("the store failed: {0}")]
    Internal(String),
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        StoreError::Io { doing, path: path.to_owned(), source: Arc::new(source) }
    }
}
