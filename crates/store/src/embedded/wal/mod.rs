//! The write-ahead log: numbered files of frames, appended by one thread, synced before a write is acknowledged.
//!
//! A file is never appended to after a restart; the next one starts at the next number. So only the newest file can
//! end in a torn write, and every other irregularity is damage.

mod record;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

pub(crate) use record::{Piece, split};

use crate::embedded::disk;
use crate::error::StoreError;
use crate::frame::Frame;

/// Name of the log's directory below the store's.
pub(crate) const DIRECTORY: &str = "wal";
/// Largest payload taken, 256 MiB: far above what a receiver lets through, far below what a length field holds.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 256 << 20;
/// The buffer that a group of frames is encoded in is given back above this size: one giant export must not be paid
/// for in memory ever after.
const KEPT_BUFFER_BYTES: usize = 4 << 20;

/// The log open for writing.
pub(crate) struct Log {
    directory: PathBuf,
    next: u64,
    file: Option<OpenFile>,
    buffer: Vec<u8>,
}

struct OpenFile {
    number: u64,
    path: PathBuf,
    file: File,
    /// Bytes that are synced.
    length: u64,
    /// Whether there may be bytes after `length` that a failed write left.
    dirty: bool,
}

impl Log {
    /// The log in `directory`, whose next file is number `next`.
    pub(crate) fn new(directory: PathBuf, next: u64) -> Self {
        Log { directory, next, file: None, buffer: Vec::new() }
    }

    /// Appends the frames and syncs. After an error none of them is in the log.
    pub(crate) fn append<'a>(&mut self, frames: impl Iterator<Item = &'a Frame>) -> Result<u64, StoreError> {
        self.buffer.clear();
        for frame in frames {
            let length = frame.payload.len();
            let too_large = StoreError::FrameTooLarge { bytes: length as u64, limit: MAX_PAYLOAD_BYTES as u64 };
            let length = u32::try_from(length).ok().filter(|l| *l as usize <= MAX_PAYLOAD_BYTES).ok_or(too_large)?;
            record::encode(frame, length, &mut self.buffer);
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.create()?,
        };
        let result = file.append(&self.buffer);
        let written = self.buffer.len() as u64;
        self.file = Some(file);
        if self.buffer.capacity() > KEPT_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
        result.map(|()| written)
    }

    /// Bytes in the file that is being written.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.length)
    }

    /// Ends the current file and says the number of the first file that holds nothing of what was written so far.
    ///
    /// # Errors
    /// Bytes of a failed write could not be taken back: the file is not ended.
    pub(crate) fn rotate(&mut self) -> Result<u64, StoreError> {
        if let Some(file) = &mut self.file {
            file.take_back()?;
            self.next = file.number + 1;
            self.file = None;
        }
        Ok(self.next)
    }

    fn create(&mut self) -> Result<OpenFile, StoreError> {
        let number = self.next;
        let path = self.directory.join(file_name(number));
        // An earlier try may have left it behind, empty.
        let opened = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        let file = opened.map_err(|e| StoreError::io("create a file of the write-ahead log", &path, e))?;
        disk::sync_directory(&self.directory)?;
        Ok(OpenFile { number, path, file, length: 0, dirty: false })
    }
}

impl OpenFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.take_back()?;
        self.dirty = true;
        let written = self.file.write_all_at(bytes, self.length).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Now if possible, else before the next write: half a frame must not stay in front of a whole one.
            if let Err(second) = self.take_back() {
                tracing::warn!("the log keeps bytes of a failed write for now: {second}");
            }
            return Err(StoreError::io("write to the write-ahead log", &self.path, error));
        }
        self.length += bytes.len() as u64;
        self.dirty = false;
        Ok(())
    }

    fn take_back(&mut self) -> Result<(), StoreError> {
        if self.dirty {
            let result = self.file.set_len(self.length).and_then(|()| self.file.sync_all());
            result.map_err(|e| StoreError::io("take back a failed write to the log", &self.path, e))?;
            self.dirty = false;
        }
        Ok(())
    }
}

/// One file of the log on disk.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    /// Its number.
    pub(crate) number: u64,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its length.
    pub(crate) bytes: u64,
}

/// The files of the log, oldest first.
pub(crate) fn files(directory: &Path) -> Result<Vec<LogFile>, StoreError> {
    let error = |e| StoreError::io("list the write-ahead log", directory, e);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(error)? {
        let entry = entry.map_err(error)?;
        let number = entry.file_name().to_str().and_then(file_number);
        if let Some(number) = number {
            let bytes = entry.metadata().map_err(error)?.len();
            files.push(LogFile { number, path: entry.path(), bytes });
        }
    }
    files.sort_by_key(|file| file.number);
    Ok(files)
}

impl LogFile {
    /// Its pieces. The whole file is read: its size is bounded by the rotation and one frame.
    pub(crate) fn pieces(&self) -> Result<Vec<Piece>, StoreError> {
        let content = fs::read(&self.path).map_err(|e| StoreError::io("read the write-ahead log", &self.path, e))?;
        Ok(split(&Bytes::from(content)))
    }

    /// Cuts `bytes` off the end.
    pub(crate) fn cut(&self, bytes: u64) -> Result<(), StoreError> {
        let cut = || -> io::Result<()> {
            let file = OpenOptions::new().write(true).open(&self.path)?;
            file.set_len(self.bytes.saturating_sub(bytes))?;
            file.sync_all()
        };
        cut().map_err(|e| StoreError::io("cut a torn write off the log", &self.path, e))
    }

    /// Keeps a second name for the file, so that its damaged bytes can be looked at when the log is done with it.
    pub(crate) fn keep_aside(&self) -> Result<PathBuf, StoreError> {
        let aside = self.path.with_extension("damaged");
        match fs::hard_link(&self.path, &aside) {
            Ok(()) => Ok(aside),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(aside),
            Err(e) => Err(StoreError::io("keep a damaged log file", &aside, e)),
        }
    }
}

/// Removes the files below `floor`; returns the bytes freed.
pub(crate) fn remove_below(directory: &Path, floor: u64) -> Result<u64, StoreError> {
    let mut freed = 0;
    for file in files(directory)?.iter().filter(|file| file.number < floor) {
        fs::remove_file(&file.path).map_err(|e| StoreError::io("remove an old log file", &file.path, e))?;
        freed += file.bytes;
    }
    Ok(freed)
}

fn file_name(number: u64) -> String {
    format!("{number:020}.log")
}

fn file_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    digits.parse().ok()
}
