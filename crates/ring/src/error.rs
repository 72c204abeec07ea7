use std::io;
use std::path::PathBuf;

use crate::{MAX_CAPACITY, MIN_CAPACITY};

/// Why a ring could not be made or opened. Nothing fails after that.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The capacity is not usable.
    #[error("ring capacity must be a power of two from {MIN_CAPACITY} to {MAX_CAPACITY} bytes: {0}")]
    Capacity(usize),
    /// The file could not be made: no such directory, not writable.
    #[error("cannot create the ring ({source}), choose a directory that exists and is writable: {}", dir.display())]
    Create {
        /// Where the ring should have been.
        dir: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The space could not be reserved: the file system is full, or a quota is.
    #[error(
        "cannot reserve {bytes} bytes for the ring ({source}), free space or choose another directory: {}",
        dir.display()
    )]
    Space {
        /// Where the ring should have been.
        dir: PathBuf,
        /// Size of the file that was asked for.
        bytes: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// The file could not be mapped into memory.
    #[error("cannot map the ring into memory ({source}), check the process's memory limit: {}", path.display())]
    Map {
        /// The ring.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file could not be opened for reading and writing.
    #[error("cannot open the ring ({source}), run as the user who made it: {}", path.display())]
    Open {
        /// The ring.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another reader has the ring.
    #[error("another recorder reads this ring, stop that one first: {}", path.display())]
    InUse {
        /// The ring.
        path: PathBuf,
    },
    /// The file is not a ring, or its header and its size disagree.
    #[error("not a ring ({reason}), remove the file: {}", path.display())]
    NotARing {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Written by another release.
    #[error("ring format {found} is not {expected}, use the recorder of the same release: {}", path.display())]
    Version {
        /// The ring.
        path: PathBuf,
        /// The file's format version.
        found: u64,
        /// The version that this release reads and writes.
        expected: u64,
    },
    /// The process's start time could not be read.
    #[error("cannot read the process's start time, check that /proc is mounted: {0}")]
    Proc(#[source] io::Error),
    /// The file could not be removed.
    #[error("cannot remove the ring ({source}), remove it by hand: {}", path.display())]
    Remove {
        /// The ring.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
