//! The thread that owns the manifest: it moves hot rows to segments, merges small segments, and lets old ones go.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime};

use crate::embedded::disk;
use crate::embedded::hot::Hot;
use crate::embedded::manifest::{Manifest, SegmentEntry};
use crate::embedded::merge;
use crate::embedded::query::Engine;
use crate::embedded::retention;
use crate::embedded::segment::{Segment, write_sorted};
use crate::embedded::shared::{Segments, Shared};
use crate::embedded::wal;
use crate::embedded::writer::Command;
use crate::error::StoreError;
use crate::table::Table;

/// First pause after a failed flush.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest pause between two tries.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How often segments are looked through when nothing is flushed.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// Hot rows that are to become segments.
pub(crate) struct Job {
    /// The rows.
    pub(crate) hot: Arc<Hot>,
    /// The first log file that holds none of them.
    pub(crate) floor: u64,
}

/// The thread's state.
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    engine: Arc<Engine>,
    manifest: Manifest,
    jobs: Receiver<Job>,
    writer: Sender<Command>,
}

impl Flusher {
    /// A flusher that goes on from `manifest`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        engine: Arc<Engine>,
        manifest: Manifest,
        jobs: Receiver<Job>,
        writer: Sender<Command>,
    ) -> Self {
        Flusher { shared, engine, manifest, jobs, writer }
    }

    /// Runs until the writer has ended.
    pub(crate) fn run(mut self) {
        let mut pause = MAINTENANCE;
        loop {
            match self.jobs.recv_timeout(pause) {
                Ok(job) => {
                    if !self.flush(&job) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            pause = match self.maintain() {
                Ok(true) => Duration::ZERO,
                Ok(false) => MAINTENANCE,
                Err(StoreError::Closed) => return,
                Err(e) => {
                    tracing::warn!("segments stay as they are for now: {e}");
                    MAINTENANCE
                }
            };
        }
    }

    /// Flushes, however often it takes; false when the store is closed meanwhile.
    fn flush(&mut self, job: &Job) -> bool {
        let mut pause = FIRST_RETRY;
        while let Err(error) = self.try_flush(job) {
            tracing::warn!("hot rows stay in memory and in the log, next try in {} s: {error}", pause.as_secs());
            self.shared.count_flush_failure();
            // The writer may have ended; then the channel says so below.
            let _ = self.writer.send(Command::Flushed(Err(error)));
            if let Err(RecvTimeoutError::Disconnected) = self.jobs.recv_timeout(pause) {
                return false;
            }
            pause = (pause * 2).min(LAST_RETRY);
        }
        let _ = self.writer.send(Command::Flushed(Ok(())));
        true
    }

    fn try_flush(&mut self, job: &Job) -> Result<(), StoreError> {
        let added = commit(&self.shared.directory, &mut self.manifest, &job.hot, job.floor)?;
        let mut segments = Segments::clone(&self.shared.segments());
        for entry in added {
            let table = entry.table;
            segments[table].push(Arc::new(Segment::new(&self.shared.directory, entry)));
            sort(&mut segments[table]);
        }
        self.shared.publish(segments, true);
        match release(&self.shared.directory, job.floor) {
            Ok(freed) => self.shared.remove_wal_bytes(freed),
            // Below the floor they are never replayed; the next flush or opening removes them.
            Err(e) => tracing::warn!("old log files stay for now: {e}"),
        }
        Ok(())
    }

    /// Does one piece of work on the segments; true if there may be more.
    fn maintain(&mut self) -> Result<bool, StoreError> {
        let segments = self.shared.segments();
        let old = retention::expired(&segments, &self.shared.config, SystemTime::now());
        if !old.is_empty() {
            self.replace(&segments, &old, None)?;
            return Ok(true);
        }
        let Some(inputs) = merge::pick(&segments, &self.shared.config) else { return Ok(false) };
        let id = self.manifest.take_segment_id();
        let merged = self.engine.merge(&self.shared, id, &inputs)?;
        let path = self.shared.directory.join(&merged.file);
        self.replace(&segments, &inputs, Some(merged)).inspect_err(|_| disk::discard(&path))?;
        Ok(true)
    }

    /// Puts `new` in the place of `old`, in the manifest and for queries from now on. On an error nothing changed.
    fn replace(
        &mut self,
        segments: &Segments,
        old: &[Arc<Segment>],
        new: Option<SegmentEntry>,
    ) -> Result<(), StoreError> {
        let goes = |id: u64| old.iter().any(|segment| segment.entry().id == id);
        let mut manifest = self.manifest.clone();
        manifest.segments.retain(|entry| !goes(entry.id));
        manifest.segments.extend(new.clone());
        manifest.write(&self.shared.directory)?;
        self.manifest = manifest;
        let mut left = Segments::default();
        for (table, of_table) in segments.iter() {
            left[table] = of_table.iter().filter(|segment| !goes(segment.entry().id)).cloned().collect();
        }
        if let Some(entry) = new {
            let table = entry.table;
            left[table].push(Arc::new(Segment::new(&self.shared.directory, entry)));
            sort(&mut left[table]);
        }
        self.shared.publish(left, false);
        match disk::sync_directory(&self.shared.directory) {
            Ok(()) => old.iter().for_each(|segment| segment.doom()),
            // A crash may bring the old manifest back, so its files must stay; the next opening removes them.
            Err(e) => tracing::warn!("replaced segments stay on disk for now: {e}"),
        }
        Ok(())
    }
}

/// Writes `hot` as segments and takes them and the new log floor into the manifest, in one step. On an error the
/// manifest is as it was and the files are gone.
pub(crate) fn commit(
    directory: &std::path::Path,
    manifest: &mut Manifest,
    hot: &Hot,
    floor: u64,
) -> Result<Vec<SegmentEntry>, StoreError> {
    let mut added: Vec<SegmentEntry> = Vec::new();
    let mut write = || -> Result<(), StoreError> {
        for table in Table::ALL {
            let batches: Vec<_> = hot.batches(table).collect();
            added.extend(write_sorted(directory, table, manifest.take_segment_id(), &batches)?);
        }
        let mut next = manifest.clone();
        next.segments.extend(added.iter().cloned());
        next.wal_floor = floor;
        next.write(directory)?;
        *manifest = next;
        Ok(())
    };
    match write() {
        Ok(()) => Ok(added),
        Err(error) => {
            added.iter().for_each(|entry| disk::discard(&directory.join(&entry.file)));
            Err(error)
        }
    }
}

/// Removes the log files below `floor` once the manifest that says so is certain to last; returns the bytes freed.
pub(crate) fn release(directory: &std::path::Path, floor: u64) -> Result<u64, StoreError> {
    disk::sync_directory(directory)?;
    wal::remove_below(&directory.join(wal::DIRECTORY), floor)
}

/// Oldest first.
pub(crate) fn sort(segments: &mut [Arc<Segment>]) {
    segments.sort_by_key(|segment| (segment.entry().min_time, segment.entry().id));
}
