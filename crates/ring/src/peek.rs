//! A look at a ring from outside, while its writer and its reader are at work.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use crate::error::RingError;
use crate::map::HeaderMap;
use crate::process;
use crate::reader::{Counters, Info, capacity_of, identify, not_a_ring};

/// What the header of a ring says at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Who made it.
    pub info: Info,
    /// What became of its records.
    pub counters: Counters,
    /// Whether recording is switched off.
    pub suppressed: bool,
    /// Whether the process that made it still runs.
    pub writer_alive: bool,
}

impl Peek {
    /// Reads the header of a ring; neither its writer nor its reader notices.
    ///
    /// # Errors
    /// The file is missing, not ours, no ring, or of another format.
    pub fn at(path: &Path) -> Result<Self, RingError> {
        let failed = |source| RingError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let capacity = capacity_of(len).ok_or_else(|| not_a_ring(path, "its size is not a ring's"))?;
        let map = HeaderMap::new(&file).map_err(|source| RingError::Map { path: path.to_owned(), source })?;
        let header = map.header();
        let info = identify(&header.identity, capacity, path)?;
        let tail = header.reader.tail.load(Acquire);
        let counters = Counters::of(&header.writer, tail, header.reader.drained.load(Relaxed), capacity);
        let suppressed = header.control.suppress.load(Relaxed) != 0;
        Ok(Self { info, counters, suppressed, writer_alive: process::is_alive(info.pid, info.start_ticks) })
    }
}
