//! Drains the rings of a directory: finds them, takes what is committed, and takes leave of dead writers.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use tachograph_ring::{Counters, FILE_SUFFIX, Info, Reader, Record};

use crate::error::Error;
use crate::health::{Health, Unit};
use crate::join::{Source, time_ns};

/// Records taken from a ring before its size in memory is looked at.
const SLICE_RECORDS: usize = 512;
/// Most bytes taken from one ring in one round; the rest stays in the ring until the next one.
const MAX_ROUND_BYTES: usize = 2 << 20;
/// Capacity of the round's buffer that is kept between rounds.
const KEEP_BYTES: usize = 1 << 20;
/// How often a file that cannot be opened is tried again before it is reported: it may still be being made.
const MAX_OPEN_ATTEMPTS: u32 = 5;

/// What a process that runs the scheduler is called.
pub const CORE_ROLE: &str = "engine_core";

/// A ring that is read.
struct Ring {
    source: Source,
    reader: Reader,
    /// Its writer is gone; one more look, and it is over.
    gone: bool,
    /// It belongs to an engine core: read after the front ends, whose records name what it speaks of.
    is_core: bool,
    /// Its counters before it was last read.
    found: Counters,
    counted: Counters,
}

/// A ring that was found.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Its number.
    pub source: Source,
    /// Its writer.
    pub info: Info,
    /// None of its records were read before.
    pub whole: bool,
}

/// What one round took, in the order of the records' times.
#[derive(Default)]
pub struct Round {
    /// Records, encoded again one behind the other: they are borrowed from their ring only while it is read, and
    /// have to be sorted over all rings before they are joined.
    bytes: Vec<u8>,
    /// Time, ring, place.
    index: Vec<(u64, Source, std::ops::Range<usize>)>,
    /// Rings that ended.
    pub ended: Vec<Source>,
    /// Whether a ring held more than one round takes.
    pub is_full: bool,
}

impl Round {
    /// Records taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether nothing was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Time of the oldest record, monotonic nanoseconds.
    #[must_use]
    pub fn oldest_ns(&self) -> Option<u64> {
        self.index.first().map(|(t_ns, ..)| *t_ns)
    }

    /// Hand over the records, oldest first; those of one ring and one time keep their order.
    pub fn for_each(&self, mut take: impl FnMut(Source, &Record<'_>)) {
        for (_, source, place) in &self.index {
            let record = self.bytes.get(place.clone()).and_then(|bytes| postcard::from_bytes::<Record<'_>>(bytes).ok());
            if let Some(record) = record {
                take(*source, &record);
            }
        }
    }

    fn clear(&mut self) {
        self.index.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BYTES);
        self.ended.clear();
        self.is_full = false;
    }

    fn push(&mut self, source: Source, record: &Record<'_>) {
        let start = self.bytes.len();
        let mut buffer = std::mem::take(&mut self.bytes);
        // Writing to memory does not fail; were it to, the record would be left out of the index.
        if postcard::to_io(record, &mut buffer).is_ok() {
            self.index.push((time_ns(record), source, start..buffer.len()));
        }
        self.bytes = buffer;
    }
}

/// The rings of a directory.
pub struct Drain {
    dir: PathBuf,
    health: Health,
    rings: Vec<Ring>,
    next: u32,
    /// Attempts to open what could not be opened.
    unopened: HashMap<PathBuf, u32>,
    /// Rings that were read to their end and could not be removed.
    left: HashSet<PathBuf>,
    round: Round,
    /// What every ring is told; see [`Drain::suppress`].
    suppressed: bool,
}

impl Drain {
    /// The rings in `dir`.
    #[must_use]
    pub fn new(dir: &Path, health: Health) -> Self {
        Self {
            dir: dir.to_owned(),
            health,
            rings: Vec::new(),
            next: 0,
            unopened: HashMap::new(),
            left: HashSet::new(),
            round: Round::default(),
            suppressed: false,
        }
    }

    /// A ring belongs to an engine core, as an earlier recorder knew.
    pub fn set_core(&mut self, source: Source) {
        self.rings.iter_mut().filter(|ring| ring.source == source).for_each(|ring| ring.is_core = true);
    }

    /// Switch the rings off or on, those found later too.
    pub fn suppress(&mut self, off: bool) {
        self.suppressed = off;
        self.rings.iter().for_each(|ring| ring.reader.suppress(off));
    }

    /// The rings that are read.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        self.rings.iter().map(|ring| ring.source)
    }

    /// Rings that are read.
    #[must_use]
    pub fn open_rings(&self) -> usize {
        self.rings.len()
    }

    /// Look for new rings.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn scan(&mut self) -> Result<Vec<Opened>, Error> {
        let dir = self.dir.clone();
        let failed = |source| Error::Directory { path: dir.clone(), source };
        let mut opened = Vec::new();
        for entry in std::fs::read_dir(&dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_ring = path.to_str().is_some_and(|p| p.ends_with(FILE_SUFFIX));
            let known = self.rings.iter().any(|r| r.reader.path() == path);
            if is_ring && !known && !self.left.contains(&path) {
                opened.extend(self.open(path));
            }
        }
        Ok(opened)
    }

    fn open(&mut self, path: PathBuf) -> Option<Opened> {
        let attempts = self.unopened.get(&path).copied().unwrap_or(0);
        match Reader::open(&path) {
            Ok(reader) => {
                self.unopened.remove(&path);
                reader.suppress(self.suppressed);
                let source = Source(self.next);
                self.next = self.next.wrapping_add(1);
                let (info, before) = (reader.info(), reader.counters());
                let whole = before.drained == 0;
                // What an earlier recorder took or saw lost is in its counts, not in ours.
                let counted = Counters { produced: before.drained + before.lost, ..before };
                self.rings.push(Ring { source, reader, gone: false, is_core: false, found: before, counted });
                Some(Opened { source, info, whole })
            }
            Err(error) => {
                if attempts == MAX_OPEN_ATTEMPTS {
                    tracing::warn!("a ring is left alone: {error}");
                }
                self.unopened.insert(path, attempts.saturating_add(1));
                None
            }
        }
    }

    /// How full each ring was when it was last read, and what became of its records.
    pub fn levels(&self) -> impl Iterator<Item = (Source, &Counters)> {
        self.rings.iter().map(|ring| (ring.source, &ring.found))
    }

    /// Ask which writers are gone; their rings end with the next round that finds them empty.
    pub fn check_writers(&mut self) {
        for ring in &mut self.rings {
            ring.gone = ring.gone || ring.reader.is_closed() || !ring.reader.writer_alive();
        }
    }

    /// Take what is committed now.
    pub fn round(&mut self) -> &Round {
        self.round.clear();
        // Front ends first: what an engine says of a sequence is then rarely earlier than its name.
        self.rings.sort_by_key(|ring| ring.is_core);
        let mut ended = Vec::new();
        for (position, ring) in self.rings.iter_mut().enumerate() {
            ring.found = ring.reader.counters();
            let (gone, full) = (ring.gone, drain_ring(ring, &mut self.round, &self.health));
            self.round.is_full |= full;
            count(ring, &self.health);
            if gone && !full {
                ended.push(position);
            }
        }
        for position in ended.into_iter().rev() {
            let ring = self.rings.remove(position);
            self.round.ended.push(ring.source);
            self.leave(ring);
        }
        self.round.index.sort_by_key(|(t_ns, ..)| *t_ns);
        &self.round
    }

    /// Remove the ring of a dead writer.
    fn leave(&mut self, ring: Ring) {
        let c = ring.reader.counters();
        // Written by halves when the writer died, or skipped since their length could not be true.
        let vanished = c.produced.saturating_sub(c.lost + c.drained);
        self.health.drop(Unit::Records, "torn", vanished);
        let path = ring.reader.path().to_owned();
        if let Err(error) = ring.reader.remove() {
            tracing::warn!("a ring that was read to its end stays on disk: {error}");
            self.left.insert(path);
        }
    }
}

/// Take what a ring holds, up to the bound of a round; returns whether there is more.
fn drain_ring(ring: &mut Ring, round: &mut Round, health: &Health) -> bool {
    let (source, start) = (ring.source, round.bytes.len());
    loop {
        let mut is_core = ring.is_core;
        let drained = ring.reader.drain(SLICE_RECORDS, |record| {
            if let Record::Process(process) = &record {
                is_core = process.role == CORE_ROLE;
            }
            round.push(source, &record);
        });
        ring.is_core = is_core;
        let taken = drained.records + drained.undecodable;
        health.update(|c| c.records_read += drained.records as u64);
        health.drop(Unit::Records, "undecodable", drained.undecodable as u64);
        if taken < SLICE_RECORDS {
            return false;
        }
        if round.bytes.len() - start >= MAX_ROUND_BYTES {
            return true;
        }
    }
}

/// Bring the ring's own counters into ours.
fn count(ring: &mut Ring, health: &Health) {
    let now = ring.reader.counters();
    let before = std::mem::replace(&mut ring.counted, now);
    if now != before {
        health.update(|c| {
            c.records_produced += now.produced.saturating_sub(before.produced);
            c.records_suppressed += now.suppressed.saturating_sub(before.suppressed);
        });
        health.drop(Unit::Records, "ring_full", now.lost.saturating_sub(before.lost));
    }
}
