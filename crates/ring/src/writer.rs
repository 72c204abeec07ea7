//! The engine's side: makes the file, then writes without waiting or failing.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use nix::errno::Errno;
use nix::fcntl::posix_fallocate;

use crate::clock::Anchor;
use crate::error::RingError;
use crate::header::{FORMAT_VERSION, HEADER_LEN, MAGIC};
use crate::map::Map;
use crate::process;
use crate::producer::{Producer, Store, Word};
use crate::record::Record;
use crate::{FILE_SUFFIX, MAX_CAPACITY, MIN_CAPACITY};

/// Suffix while the file is being made.
const UNFINISHED_SUFFIX: &str = ".part";

/// Owner only: a ring may hold message text.
const MODE: u32 = 0o600;

/// Signals may interrupt the reservation of space; after so many the signals are the problem.
const RESERVE_ATTEMPTS: u32 = 16;

/// The one writer of a ring.
///
/// Dropping it marks the ring as closed and leaves the file for the recorder.
pub struct Writer {
    /// `None` only inside [`Writer::forget`].
    producer: Option<Producer<Map>>,
    path: PathBuf,
}

impl Writer {
    /// Makes a ring of `capacity` bytes for this process in `dir` and reserves all of its space.
    ///
    /// # Errors
    /// The capacity is not a power of two in range, the directory is missing, full or read-only, memory is
    /// short, or /proc is not mounted. Nothing is left behind then.
    pub fn create(dir: &Path, capacity: usize) -> Result<Self, RingError> {
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) {
            return Err(RingError::Capacity(capacity));
        }
        let pid = std::process::id();
        let random = RandomState::new().hash_one(pid);
        let path = dir.join(format!("{pid}-{random:016x}{FILE_SUFFIX}"));
        let mut unfinished = path.clone().into_os_string();
        unfinished.push(UNFINISHED_SUFFIX);
        let unfinished = PathBuf::from(unfinished);
        let made = make(dir, &unfinished, pid, capacity).and_then(|map| {
            fs::rename(&unfinished, &path).map_err(|source| RingError::Create { dir: dir.to_owned(), source })?;
            Ok(map)
        });
        match made {
            Ok(map) => Ok(Self { producer: Some(Producer::new(map)), path }),
            Err(error) => {
                // The reason of the failure is worth more than that of a failed clean-up.
                let _ = fs::remove_file(&unfinished);
                Err(error)
            }
        }
    }

    /// The ring's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one record. False when it was dropped, for want of room or because it is longer than a quarter
    /// of the ring, or suppressed because recording is switched off; then it is counted in the header.
    pub fn write(&mut self, record: &Record<'_>) -> bool {
        self.producer.as_mut().is_some_and(|p| p.write(record))
    }

    /// Records handed to [`Writer::write`] so far, but for the suppressed ones.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.producer.as_ref().map_or(0, Producer::produced)
    }

    /// Records dropped so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.producer.as_ref().map_or(0, Producer::lost)
    }

    /// Records suppressed so far.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.producer.as_ref().map_or(0, Producer::suppressed)
    }

    /// Whether the reader switched recording off. Cheap: a caller may ask before it makes a record.
    #[must_use]
    pub fn is_suppressed(&self) -> bool {
        self.producer.as_ref().is_some_and(Producer::is_suppressed)
    }

    /// Lets go of a ring that belongs to the parent process: after fork, without a mark in the file.
    pub fn forget(mut self) {
        self.producer = None;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(producer) = &mut self.producer {
            producer.close();
        }
    }
}

impl Store for Map {
    fn capacity(&self) -> usize {
        Map::capacity(self)
    }

    fn tail(&self) -> u64 {
        // Acquire: the reader's copies are over before their room is written again.
        self.header().reader.tail.load(Acquire)
    }

    #[inline]
    fn is_suppressed(&self) -> bool {
        // Relaxed: it guards nothing; a record or two after the switch do no harm.
        self.header().control.suppress.load(Relaxed) != 0
    }

    #[inline]
    fn set(&mut self, position: u64, byte: u8) {
        Map::set(self, position, byte);
    }

    #[inline]
    fn copy_in(&mut self, position: u64, bytes: &[u8]) {
        Map::copy_in(self, position, bytes);
    }

    fn publish(&mut self, word: Word, value: u64) {
        let words = &self.header().writer;
        let word = match word {
            Word::Head => &words.head,
            Word::Produced => &words.produced,
            Word::Lost => &words.lost,
            Word::LostBytes => &words.lost_bytes,
            Word::Closed => &words.closed,
            Word::Suppressed => &words.suppressed,
        };
        word.store(value, Release);
    }
}

/// Makes the whole file in `dir` under its unfinished name.
fn make(dir: &Path, path: &Path, pid: u32, capacity: usize) -> Result<Map, RingError> {
    let start_ticks = process::own_start_ticks().map_err(RingError::Proc)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .map_err(|source| RingError::Create { dir: dir.to_owned(), source })?;
    let bytes = (HEADER_LEN + capacity) as u64;
    reserve(&file, bytes).map_err(|source| RingError::Space { dir: dir.to_owned(), bytes, source })?;
    let map = Map::new(&file, capacity).map_err(|source| RingError::Map { path: path.to_owned(), source })?;
    let anchor = Anchor::now();
    let identity = &map.header().identity;
    identity.version.store(FORMAT_VERSION, Relaxed);
    identity.capacity.store(capacity as u64, Relaxed);
    identity.pid.store(u64::from(pid), Relaxed);
    identity.start_ticks.store(start_ticks, Relaxed);
    identity.mono_ns.store(anchor.mono_ns, Relaxed);
    identity.wall_ns.store(anchor.wall_ns, Relaxed);
    identity.magic.store(MAGIC, Release);
    Ok(map)
}

/// Really allocates the file: a sparse one on a full tmpfs would kill the engine with SIGBUS later.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    let len = i64::try_from(bytes).map_err(io::Error::other)?;
    for _ in 0..RESERVE_ATTEMPTS {
        match posix_fallocate(file, 0, len) {
            Ok(()) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Errno::EINTR.into())
}
