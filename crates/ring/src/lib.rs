//! The shared-memory ring between an engine's process and the recorder, and the record format.
//!
//! One memory-mapped file per process: one [`Writer`] (the probe inside the engine), one [`Reader`] (the
//! recorder). Neither ever waits for the other. When the ring is full the writer drops the record and
//! counts it; when the writer dies, every committed record is still there to be read.
//!
//! This crate knows bytes and records. It joins nothing, exports nothing and starts no thread; which
//! directory holds the rings and when they are read is the caller's business.

mod clock;
mod error;
mod frame;
mod header;
mod map;
mod peek;
mod process;
mod producer;
mod reader;
pub mod record;
mod writer;

pub use clock::{Anchor, now_ns};
pub use error::RingError;
pub use frame::longest_record;
pub use peek::Peek;
pub use reader::{Counters, Drained, Info, Reader};
pub use record::Record;
pub use writer::Writer;

/// Capacity of a ring in bytes unless told otherwise: seconds of a busy engine, small beside its memory.
pub const DEFAULT_CAPACITY: usize = 8 << 20;

/// Smallest capacity in bytes: one page, so that tests can fill a ring quickly.
pub const MIN_CAPACITY: usize = 4 << 10;

/// Largest capacity in bytes: more would only hide a recorder that does not keep up.
pub const MAX_CAPACITY: usize = 1 << 30;

/// Suffix of a ring's file name. A file still being made has another one and is to be ignored.
pub const FILE_SUFFIX: &str = ".ring";
