//! The first page of a ring.
//!
//! Every word is an atomic 64-bit integer in the host's byte order: any bit pattern is a value, so a
//! header may be looked at before it is known to be good.

use std::sync::atomic::AtomicU64;

/// Bytes before the data: one page.
pub(crate) const HEADER_LEN: usize = 4096;

/// First word of every ring.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"TACHRING");

/// Changes with the layout below, the frame, or any record.
pub(crate) const FORMAT_VERSION: u64 = 2;

/// Writer's and reader's words lie this far apart, so that neither takes the other's cache line away
/// (two lines: processors fetch pairs).
const LINE: usize = 128;

/// The header as it lies in the file.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    pub(crate) writer: WriterWords,
    pub(crate) reader: ReaderWords,
    pub(crate) control: ControlWords,
}

/// Written once, before the file gets its name.
#[repr(C, align(128))]
pub(crate) struct Identity {
    pub(crate) magic: AtomicU64,
    pub(crate) version: AtomicU64,
    /// Bytes of data behind the header; a power of two.
    pub(crate) capacity: AtomicU64,
    pub(crate) pid: AtomicU64,
    /// Start of the process, in clock ticks since boot.
    pub(crate) start_ticks: AtomicU64,
    /// The anchor: both clocks at one moment.
    pub(crate) mono_ns: AtomicU64,
    pub(crate) wall_ns: AtomicU64,
}

/// Stored by the writer only.
#[repr(C, align(128))]
pub(crate) struct WriterWords {
    /// Bytes committed since the ring was made; never wraps. Its Release store commits a record.
    pub(crate) head: AtomicU64,
    /// Records handed to the writer, counted before anything else is stored.
    pub(crate) produced: AtomicU64,
    /// Records dropped because there was no room.
    pub(crate) lost: AtomicU64,
    /// Bytes of those, frames included.
    pub(crate) lost_bytes: AtomicU64,
    /// 1 once the writer has ended in order.
    pub(crate) closed: AtomicU64,
    /// Records not written because recording was switched off; not among `produced`.
    pub(crate) suppressed: AtomicU64,
}

/// Stored by the reader only.
#[repr(C, align(128))]
pub(crate) struct ReaderWords {
    /// Bytes consumed since the ring was made. Its Release store gives the room back.
    pub(crate) tail: AtomicU64,
    /// Records consumed since the ring was made.
    pub(crate) drained: AtomicU64,
}

/// Stored by the reader, rarely, and read by the writer before every record: alone on its lines, so that this read
/// stays in the writer's cache.
#[repr(C, align(128))]
pub(crate) struct ControlWords {
    /// Anything but 0: recording is switched off.
    pub(crate) suppress: AtomicU64,
}

const _: () = assert!(size_of::<Header>() <= HEADER_LEN && align_of::<Header>() == LINE);
const _: () = assert!(std::mem::offset_of!(Header, writer) == LINE && std::mem::offset_of!(Header, reader) == 2 * LINE);
const _: () = assert!(std::mem::offset_of!(Header, control) == 3 * LINE);
