//! The file: written whole or not at all, read with suspicion.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{FORMAT, RecorderStatus, Status};

/// Name of the file in the launch's directory.
pub const FILE_NAME: &str = "status.json";
/// Where it is made before it takes its name.
const DRAFT_NAME: &str = "status.json.new";
/// Shortest time between two writes: people look at it, and it costs a rename.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Longest file that is read: a hundred times what a launch with many processes has.
const MAX_BYTES: u64 = 4 << 20;

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No recorder writes one here, or it ended in order.
    #[error("no recorder is at work here: {path} does not exist")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is there and cannot be read.
    #[error("the recorder's status cannot be read, check its owner and mode: {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what this version writes.
    #[error("the recorder's status is of another version or broken, use the tachograph that records: {path}: {reason}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Read the status of the launch in `dir`.
///
/// # Errors
/// There is none, or none that this version understands.
pub fn read(dir: &Path) -> Result<Status, ReadError> {
    let path = dir.join(FILE_NAME);
    let mut text = String::new();
    let file = match fs::File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::Missing { path }),
        other => other,
    };
    match file.and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(source) => return Err(ReadError::Unreadable { path, source }),
    }
    let status: Status = match serde_json::from_str(&text) {
        Ok(status) => status,
        Err(error) => return Err(ReadError::Foreign { path, reason: error.to_string() }),
    };
    if status.format != FORMAT {
        let reason = format!("format {}, not {FORMAT}", status.format);
        return Err(ReadError::Foreign { path, reason });
    }
    Ok(status)
}

/// Remove the file of the launch in `dir`, where there is one.
pub fn remove(dir: &Path) {
    for name in [FILE_NAME, DRAFT_NAME] {
        // Gone already, or with the whole directory: all the same.
        let _ = fs::remove_file(dir.join(name));
    }
}

/// Writes the file when something changed, at most once a second.
#[derive(Debug)]
pub struct StatusFile {
    dir: PathBuf,
    next: Option<Instant>,
    written: Option<Status>,
    failed: bool,
}

impl StatusFile {
    /// The file of the launch in `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), next: None, written: None, failed: false }
    }

    /// Whether the last write was long enough ago.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// Write it, unless nothing but the recorder's own use of CPU and memory changed. A failure is told once: nothing
    /// depends on the file.
    pub fn write(&mut self, status: &Status, now: Instant) {
        self.next = Some(now + WRITE_INTERVAL);
        if self.written.as_ref().is_some_and(|written| is_same(written, status)) {
            return;
        }
        match put(&self.dir, status) {
            Ok(()) => self.written = Some(status.clone()),
            Err(error) if !self.failed => {
                self.failed = true;
                tracing::warn!("the recorder's status is not written, recording goes on: {error}");
            }
            Err(_) => {}
        }
    }
}

fn is_same(a: &Status, b: &Status) -> bool {
    let without_use = |status: &Status| Status { recorder: RecorderStatus::default(), lag_s: 0.0, ..status.clone() };
    without_use(a) == without_use(b)
}

fn put(dir: &Path, status: &Status) -> io::Result<()> {
    let draft = dir.join(DRAFT_NAME);
    // What a killed recorder left would keep its own mode.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&serde_json::to_vec(status)?)?;
    fs::rename(&draft, dir.join(FILE_NAME))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn status(model: &str) -> Status {
        Status { format: FORMAT, model: Some(model.to_owned()), ..Status::default() }
    }

    #[test]
    fn what_is_written_is_read_again_and_is_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        StatusFile::new(dir.path()).write(&status("a"), Instant::now());
        assert_eq!(read(dir.path()).unwrap(), status("a"));
        let mode = fs::metadata(dir.path().join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        remove(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn it_is_due_once_a_second_and_written_only_when_something_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, t) = (StatusFile::new(dir.path()), Instant::now());
        assert!(file.is_due(t));
        file.write(&status("a"), t);
        assert!(!file.is_due(t) && file.is_due(t + WRITE_INTERVAL));
        fs::remove_file(dir.path().join(FILE_NAME)).unwrap();
        let mut same = status("a");
        same.recorder.cpu_s = 7.0;
        file.write(&same, t);
        assert!(matches!(read(dir.path()), Err(ReadError::Missing { .. })));
        file.write(&status("b"), t);
        assert_eq!(read(dir.path()).unwrap().model.as_deref(), Some("b"));
    }

    #[test]
    fn a_file_that_is_broken_or_of_another_format_is_an_error_that_says_so() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", r#"{"format":1}"#, &serde_json::to_string(&Status::default()).unwrap()] {
            fs::write(dir.path().join(FILE_NAME), text).unwrap();
            assert!(matches!(read(dir.path()), Err(ReadError::Foreign { .. })), "{text}");
        }
        fs::write(dir.path().join(FILE_NAME), [0xff, 0xfe]).unwrap();
        assert!(matches!(read(dir.path()), Err(ReadError::Unreadable { .. })));
    }

    #[test]
    fn a_directory_that_is_gone_harms_nothing() {
        let mut file = StatusFile::new(Path::new("/nowhere/at/all"));
        file.write(&status("a"), Instant::now());
        file.write(&status("b"), Instant::now());
        remove(Path::new("/nowhere/at/all"));
    }
}
