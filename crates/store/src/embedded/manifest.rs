//! What the store consists of: the segments, and from which log file on frames are not in them.
//!
//! It is replaced in one step. That step is what moves rows from the log into segments: before it the new segments
//! are orphans that the next opening removes, after it the old log files are.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::embedded::disk;
use crate::error::StoreError;
use crate::table::Table;

/// Version of the directory's layout, of the log and of the segments together.
pub(crate) const FORMAT: u32 = 1;
const FILE: &str = "manifest.json";

/// The content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`] of the writer.
    pub(crate) format: u32,
    /// Frames in log files below this number are in segments.
    pub(crate) wal_floor: u64,
    /// Id of the next segment.
    pub(crate) next_segment: u64,
    /// The segments.
    pub(crate) segments: Vec<SegmentEntry>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    /// Its table.
    pub(crate) table: Table,
    /// Unique number, never used again.
    pub(crate) id: u64,
    /// Path below the store's directory.
    pub(crate) file: String,
    /// Rows.
    pub(crate) rows: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Bytes that its rows take as Arrow, about.
    pub(crate) arrow_bytes: u64,
    /// Smallest value of the time column, Unix nanoseconds.
    pub(crate) min_time: i64,
    /// Largest value of the time column.
    pub(crate) max_time: i64,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Default for Manifest {
    fn default() -> Self {
        Manifest { format: FORMAT, wal_floor: 1, next_segment: 1, segments: Vec::new() }
    }
}

impl Manifest {
    /// The manifest of the store in `directory`, none where there is no store yet.
    ///
    /// # Errors
    /// `NewerFormat`; `Damaged`; `Io`.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join(FILE);
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(StoreError::io("read the manifest", &path, e)),
        };
        let damaged = |e: serde_json::Error| StoreError::Damaged {
            path: path.clone(),
            reason: format!("the manifest is not readable ({e})"),
        };
        // The version alone first: the rest may have another shape.
        let found = serde_json::from_slice::<FormatOnly>(&content).map_err(damaged)?.format;
        if found > FORMAT {
            return Err(StoreError::NewerFormat { directory: directory.to_owned(), found, known: FORMAT });
        }
        serde_json::from_slice(&content).map(Some).map_err(damaged)
    }

    /// A number for a new segment. Numbers of segments that were not finished are not used again.
    pub(crate) fn take_segment_id(&mut self) -> u64 {
        let id = self.next_segment;
        self.next_segment += 1;
        id
    }

    /// Replaces the manifest on disk. On an error the old one is in force.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), StoreError> {
        let content = serde_json::to_vec(self).map_err(|e| StoreError::Internal(format!("manifest: {e}")))?;
        disk::replace(&directory.join(FILE), &content)
    }
}
