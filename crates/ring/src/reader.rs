//! The recorder's side: opens a ring, takes what is committed, trusts nothing in the file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::clock::Anchor;
use crate::error::RingError;
use crate::frame::{PREFIX, longest_record};
use crate::header::{FORMAT_VERSION, HEADER_LEN, Identity, MAGIC, WriterWords};
use crate::map::Map;
use crate::process;
use crate::record::Record;
use crate::{MAX_CAPACITY, MIN_CAPACITY};

/// Who made a ring, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The writer's process id.
    pub pid: u32,
    /// Its start in clock ticks since boot; with the pid it names one process.
    pub start_ticks: u64,
    /// Bytes of data that the ring holds.
    pub capacity: usize,
    /// Both clocks when the ring was made.
    pub anchor: Anchor,
}

impl Info {
    /// The wall-clock time of a record's time, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn wall_ns(&self, mono_ns: u64) -> u64 {
        self.anchor.wall_ns(mono_ns)
    }
}

/// What happened to the ring's records since it was made.
///
/// `produced = drained + lost + inside`, and one more where the writer died inside a call; an intact ring loses
/// records in no other way. While the writer runs, the words are read one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records handed to the writer.
    pub produced: u64,
    /// Records that the writer dropped because there was no room.
    pub lost: u64,
    /// Bytes of those.
    pub lost_bytes: u64,
    /// Records taken by readers.
    pub drained: u64,
    /// Bytes committed and not yet taken.
    pub inside_bytes: u64,
    /// Records that the writer did not write because recording was switched off; not among those `produced`.
    pub suppressed: u64,
}

impl Counters {
    /// What a writer's words say beside a reader's position and count.
    pub(crate) fn of(words: &WriterWords, tail: u64, drained: u64, capacity: usize) -> Self {
        let inside_bytes = words.head.load(Acquire).wrapping_sub(tail).min(capacity as u64);
        Self {
            produced: words.produced.load(Relaxed),
            lost: words.lost.load(Relaxed),
            lost_bytes: words.lost_bytes.load(Relaxed),
            drained,
            inside_bytes,
            suppressed: words.suppressed.load(Relaxed),
        }
    }
}

/// What one call of [`Reader::drain`] took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Records handed over.
    pub records: usize,
    /// Bytes taken, frames included.
    pub bytes: u64,
    /// Bytes skipped because a length or the head cannot be true.
    pub corrupt_bytes: u64,
    /// Frames whose bytes are no record.
    pub undecodable: usize,
}

/// The one reader of a ring.
pub struct Reader {
    map: Map,
    path: PathBuf,
    info: Info,
    /// Where the next frame begins; the header's tail follows it.
    tail: u64,
    drained: u64,
    /// Holds one payload, at most a quarter of the ring.
    scratch: Vec<u8>,
    /// Holds the lock that keeps a second reader out.
    file: File,
}

impl Reader {
    /// Opens a ring and goes on where the last reader stopped.
    ///
    /// # Errors
    /// The file is missing, not ours, no ring, of another format, or has a reader already.
    pub fn open(path: &Path) -> Result<Self, RingError> {
        let failed = |source| RingError::Open { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RingError::InUse { path: path.to_owned() },
            TryLockError::Error(source) => failed(source),
        })?;
        let len = file.metadata().map_err(failed)?.len();
        let capacity = capacity_of(len).ok_or_else(|| not_a_ring(path, "its size is not a ring's"))?;
        let map = Map::new(&file, capacity).map_err(|source| RingError::Map { path: path.to_owned(), source })?;
        let info = identify(&map.header().identity, capacity, path)?;
        let words = &map.header().reader;
        let (tail, drained) = (words.tail.load(Relaxed), words.drained.load(Relaxed));
        Ok(Self { map, path: path.to_owned(), info, tail, drained, scratch: Vec::new(), file })
    }

    /// The ring's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who made the ring.
    #[must_use]
    pub fn info(&self) -> Info {
        self.info
    }

    /// Hands over the records that are committed now, oldest first, at most `max_records` frames.
    ///
    /// A record's room is given back before `take` sees it: a record that kills the recorder does not kill the
    /// next one too. Where a length cannot be true the rest is skipped and counted, since the next frame cannot
    /// be found.
    pub fn drain(&mut self, max_records: usize, mut take: impl FnMut(Record<'_>)) -> Drained {
        let mut drained = Drained::default();
        // Acquire: pairs with the writer's Release, so all bytes below the head are visible.
        let head = self.map.header().writer.head.load(Acquire);
        while drained.records + drained.undecodable < max_records && self.tail != head {
            let used = head.wrapping_sub(self.tail);
            let Some(len) = self.next_len(used) else {
                drained.corrupt_bytes += used.min(self.info.capacity as u64);
                self.advance(head);
                break;
            };
            let mut payload = std::mem::take(&mut self.scratch);
            payload.resize(len, 0);
            self.map.copy_out(self.tail.wrapping_add(PREFIX as u64), &mut payload);
            let frame = (PREFIX + len) as u64;
            self.drained = self.drained.wrapping_add(1);
            self.advance(self.tail.wrapping_add(frame));
            drained.bytes += frame;
            match postcard::take_from_bytes::<Record<'_>>(&payload) {
                Ok((record, [])) => {
                    drained.records += 1;
                    take(record);
                }
                _ => drained.undecodable += 1,
            }
            self.scratch = payload;
        }
        drained
    }

    /// The counters now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::of(&self.map.header().writer, self.tail, self.drained, self.info.capacity)
    }

    /// Switches recording off or on, for the writer and for later readers; the writer notices with its next record.
    pub fn suppress(&self, off: bool) {
        self.map.header().control.suppress.store(u64::from(off), Relaxed);
    }

    /// Whether the process that made the ring still runs. A zombie does not.
    #[must_use]
    pub fn writer_alive(&self) -> bool {
        process::is_alive(self.info.pid, self.info.start_ticks)
    }

    /// Whether the writer ended in order. What it committed is there to be drained.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.map.header().writer.closed.load(Acquire) != 0
    }

    /// Removes the file. A writer that still runs goes on in memory, unseen.
    ///
    /// # Errors
    /// The file is gone already, or the directory is not writable.
    pub fn remove(self) -> Result<(), RingError> {
        fs::remove_file(&self.path).map_err(|source| RingError::Remove { path: self.path.clone(), source })
    }

    /// Length of the payload at the tail, if it can be true.
    fn next_len(&self, used: u64) -> Option<usize> {
        if used < PREFIX as u64 || used > self.info.capacity as u64 {
            return None;
        }
        let mut prefix = [0; PREFIX];
        self.map.copy_out(self.tail, &mut prefix);
        let len = u32::from_le_bytes(prefix) as usize;
        let fits = len <= longest_record(self.info.capacity) && (PREFIX + len) as u64 <= used;
        fits.then_some(len)
    }

    fn advance(&mut self, tail: u64) {
        self.tail = tail;
        let words = &self.map.header().reader;
        words.drained.store(self.drained, Relaxed);
        // Release: the copies above are over before the writer may use their room.
        words.tail.store(tail, Release);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Closing would do, had not a process that another thread is just starting a copy of the descriptor. If it
        // fails, closing does.
        let _ = self.file.unlock();
    }
}

/// The capacity that a file of `len` bytes must have.
pub(crate) fn capacity_of(len: u64) -> Option<usize> {
    let capacity = usize::try_from(len).ok()?.checked_sub(HEADER_LEN)?;
    (capacity.is_power_of_two() && (MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity)).then_some(capacity)
}

/// Who made the ring, where the header fits.
pub(crate) fn identify(identity: &Identity, capacity: usize, path: &Path) -> Result<Info, RingError> {
    if identity.magic.load(Acquire) != MAGIC {
        return Err(not_a_ring(path, "its first bytes are not a ring's"));
    }
    let found = identity.version.load(Relaxed);
    if found != FORMAT_VERSION {
        return Err(RingError::Version { path: path.to_owned(), found, expected: FORMAT_VERSION });
    }
    if identity.capacity.load(Relaxed) != capacity as u64 {
        return Err(not_a_ring(path, "its size is not the one in its header"));
    }
    let pid = u32::try_from(identity.pid.load(Relaxed)).map_err(|_| not_a_ring(path, "its pid cannot be one"))?;
    Ok(Info {
        pid,
        start_ticks: identity.start_ticks.load(Relaxed),
        capacity,
        anchor: Anchor { mono_ns: identity.mono_ns.load(Relaxed), wall_ns: identity.wall_ns.load(Relaxed) },
    })
}

pub(crate) fn not_a_ring(path: &Path, reason: &'static str) -> RingError {
    RingError::NotARing { path: path.to_owned(), reason }
}
