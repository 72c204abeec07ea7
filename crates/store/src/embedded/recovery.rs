//! Opening a directory: what the manifest names is kept, what it does not name goes, the log is replayed.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::embedded::config::EmbeddedConfig;
use crate::embedded::disk;
use crate::embedded::flusher::{commit, release, sort};
use crate::embedded::hot::Hot;
use crate::embedded::manifest::{Manifest, SegmentEntry};
use crate::embedded::segment::{self, Segment};
use crate::embedded::shared::Segments;
use crate::embedded::wal::{self, LogFile, Piece};
use crate::error::StoreError;
use crate::frame::{Decode, Frame, Tables};
use crate::store::Recovery;
use crate::table::Table;

/// A directory brought to a state that the store can go on from.
pub(crate) struct Recovered {
    /// The manifest.
    pub(crate) manifest: Manifest,
    /// Its segments.
    pub(crate) segments: Segments,
    /// Rows of frames that are not in segments.
    pub(crate) hot: Hot,
    /// Number of the next log file.
    pub(crate) next_log: u64,
    /// Bytes of log on disk.
    pub(crate) wal_bytes: u64,
    /// What the log was like.
    pub(crate) recovery: Recovery,
}

/// Recovers the store in `directory`, which is locked and whose format is known.
pub(crate) fn recover(
    directory: &Path,
    config: &EmbeddedConfig,
    decode: Arc<dyn Decode>,
) -> Result<Recovered, StoreError> {
    make_directories(directory)?;
    let mut manifest = match Manifest::read(directory)? {
        Some(manifest) => manifest,
        None => create(directory)?,
    };
    check_segments(directory, &manifest)?;
    remove_orphans(directory, &manifest)?;
    release(directory, manifest.wal_floor)?;
    let logs = directory.join(wal::DIRECTORY);
    let mut replay = Replay { decode, hot: Hot::default(), recovery: Recovery::default() };
    let files = wal::files(&logs)?;
    let next_log = files.last().map_or(0, |file| file.number + 1).max(manifest.wal_floor);
    for (index, file) in files.iter().enumerate() {
        replay.file(file, index + 1 == files.len())?;
        if replay.hot.bytes() >= config.flush_bytes {
            // Rows of many log files do not fit in memory at once.
            commit(directory, &mut manifest, &replay.hot, file.number + 1)?;
            release(directory, manifest.wal_floor)?;
            replay.hot = Hot::default();
        }
    }
    let wal_bytes = wal::files(&logs)?.iter().map(|file| file.bytes).sum();
    let mut segments = Segments::default();
    for entry in &manifest.segments {
        segments[entry.table].push(Arc::new(Segment::new(directory, entry.clone())));
        sort(&mut segments[entry.table]);
    }
    Ok(Recovered { manifest, segments, hot: replay.hot, next_log, wal_bytes, recovery: replay.recovery })
}

/// Makes the directories that are missing, so that later only files need to be synced into them.
fn make_directories(directory: &Path) -> Result<(), StoreError> {
    let segments = directory.join(segment::DIRECTORY);
    let of_tables = Table::ALL.map(|table| segments.join(table.name()));
    for path in of_tables.iter().chain([&directory.join(wal::DIRECTORY)]) {
        fs::create_dir_all(path).map_err(|e| StoreError::io("create a directory", path, e))?;
    }
    disk::sync_directory(&segments)?;
    disk::sync_directory(directory)
}

/// Starts an empty store. Data without a manifest is not ours to overwrite.
fn create(directory: &Path) -> Result<Manifest, StoreError> {
    if !wal::files(&directory.join(wal::DIRECTORY))?.is_empty() || !segment_files(directory)?.is_empty() {
        return Err(StoreError::Damaged {
            path: directory.to_owned(),
            reason: "the directory holds data but no manifest.json".into(),
        });
    }
    let manifest = Manifest::default();
    manifest.write(directory)?;
    disk::sync_directory(directory)?;
    Ok(manifest)
}

fn check_segments(directory: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    for SegmentEntry { file, bytes, .. } in &manifest.segments {
        let path = directory.join(file);
        let found = fs::metadata(&path).map_err(|e| StoreError::io("find a segment of the manifest", &path, e))?.len();
        if found != *bytes {
            let reason = format!("the segment has {found} bytes and the manifest says {bytes}");
            return Err(StoreError::Damaged { path, reason });
        }
    }
    Ok(())
}

/// Removes segments that a crash left before or after the manifest named them.
fn remove_orphans(directory: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let named: HashSet<PathBuf> = manifest.segments.iter().map(|entry| directory.join(&entry.file)).collect();
    for path in segment_files(directory)?.into_iter().filter(|path| !named.contains(path)) {
        fs::remove_file(&path).map_err(|e| StoreError::io("remove an orphan segment", &path, e))?;
    }
    Ok(())
}

fn segment_files(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for table in Table::ALL {
        let files = list(&directory.join(segment::DIRECTORY).join(table.name()))?;
        found.extend(files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "parquet")));
    }
    Ok(found)
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let read = || fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    read().map_err(|e| StoreError::io("list a directory", directory, e))
}

struct Replay {
    decode: Arc<dyn Decode>,
    hot: Hot,
    recovery: Recovery,
}

impl Replay {
    fn file(&mut self, file: &LogFile, newest: bool) -> Result<(), StoreError> {
        for piece in file.pieces()? {
            match piece {
                Piece::Frame(frame) => self.frame(file, &frame)?,
                Piece::Torn(bytes) if newest => {
                    tracing::info!("cut {bytes} bytes of an unfinished write: {}", file.path.display());
                    file.cut(bytes as u64)?;
                    self.recovery.torn_bytes += bytes as u64;
                }
                Piece::Torn(bytes) | Piece::Damaged(bytes) => {
                    let aside = file.keep_aside()?;
                    tracing::error!("skipped {bytes} damaged bytes of the log, they stay in: {}", aside.display());
                    self.recovery.damaged_bytes += bytes as u64;
                }
            }
        }
        Ok(())
    }

    fn frame(&mut self, file: &LogFile, frame: &Frame) -> Result<(), StoreError> {
        match self.rows(frame) {
            Ok(tables) => {
                self.recovery.frames += 1;
                self.hot.push(&tables);
            }
            Err(reason) => {
                let aside = file.keep_aside()?;
                tracing::error!("skipped a frame of the log ({reason}), it stays in: {}", aside.display());
                self.recovery.undecodable_frames += 1;
            }
        }
        Ok(())
    }

    fn rows(&self, frame: &Frame) -> Result<Tables, String> {
        let tables = self.decode.decode(frame).map_err(|e| e.to_string())?;
        tables.check().map_err(|e| e.to_string())?;
        Ok(tables)
    }
}
