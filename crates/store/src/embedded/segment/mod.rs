//! Segments: Parquet files, written once, sorted by time, removed whole.

mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use write::{SegmentWriter, chunk_rows, write_sorted};

use crate::embedded::disk;
use crate::embedded::manifest::SegmentEntry;

/// Name of the directory of segments below the store's; each table has one below it.
pub(crate) const DIRECTORY: &str = "segments";

/// A segment that the manifest names. Its file goes when nobody reads it any more and [`Segment::doom`] was called.
#[derive(Debug)]
pub(crate) struct Segment {
    entry: SegmentEntry,
    path: PathBuf,
    doomed: AtomicBool,
}

impl Segment {
    /// The segment of `entry` in the store at `directory`.
    pub(crate) fn new(directory: &Path, entry: SegmentEntry) -> Self {
        Segment { path: directory.join(&entry.file), entry, doomed: AtomicBool::new(false) }
    }

    /// What the manifest says about it.
    pub(crate) fn entry(&self) -> &SegmentEntry {
        &self.entry
    }

    /// Lets the file be removed once the last query that knows it has ended. The manifest no longer names it.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if *self.doomed.get_mut() {
            disk::discard(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::table::Table;

    fn segment(directory: &Path) -> Segment {
        let entry = SegmentEntry {
            table: Table::Logs,
            id: 1,
            file: "a.parquet".into(),
            rows: 1,
            bytes: 1,
            arrow_bytes: 1,
            min_time: 0,
            max_time: 0,
        };
        std::fs::write(directory.join(&entry.file), "x").unwrap();
        Segment::new(directory, entry)
    }

    #[test]
    fn a_doomed_segment_stays_on_disk_until_nobody_knows_it() {
        let directory = tempfile::tempdir().unwrap();
        let segment = segment(directory.path());
        let path = segment.path.clone();
        segment.doom();
        assert!(path.exists());
        drop(segment);
        assert!(!path.exists());
    }

    #[test]
    fn a_segment_that_is_not_doomed_outlives_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let segment = segment(directory.path());
        let path = segment.path.clone();
        drop(segment);
        assert!(path.exists());
    }
}
