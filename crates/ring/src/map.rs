//! The ring's file in memory. All reads and writes of shared bytes are here.

use std::fs::File;
use std::io;

use memmap2::{MmapOptions, MmapRaw};

use crate::header::{HEADER_LEN, Header};

/// The header of a ring alone, mapped to be looked at.
pub(crate) struct HeaderMap(MmapRaw);

impl HeaderMap {
    /// Maps the first page of a file that has one; it must not shrink while it is mapped.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        Ok(Self(MmapOptions::new().len(HEADER_LEN).map_raw_read_only(file)?))
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: as in `Map::header`. The mapping can only be read, and nothing but loads is done by those who look.
        unsafe { &*self.0.as_ptr().cast::<Header>() }
    }
}

/// A mapped ring: the header, and `capacity` bytes of data addressed by ever-growing positions.
pub(crate) struct Map {
    raw: MmapRaw,
    /// Bytes of data: a power of two, and exactly what the mapping holds behind the header.
    capacity: usize,
}

impl Map {
    /// Maps a file of `HEADER_LEN + capacity` bytes. The capacity is a power of two; the file must not shrink
    /// while it is mapped.
    pub(crate) fn new(file: &File, capacity: usize) -> io::Result<Self> {
        debug_assert!(capacity.is_power_of_two());
        // Populated, so that a record never pays for a page's first touch.
        let raw = MmapOptions::new().len(HEADER_LEN + capacity).populate().map_raw(file)?;
        Ok(Self { raw, capacity })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the mapping starts at a page boundary, so it is aligned, and is longer than HEADER_LEN >=
        // size_of::<Header>(). A header is atomics only: any bytes are valid, and other processes may store
        // to it meanwhile. The reference lives no longer than the mapping that `self` owns.
        unsafe { &*self.raw.as_ptr().cast::<Header>() }
    }

    /// Stores one byte at a position.
    #[inline]
    pub(crate) fn set(&self, position: u64, byte: u8) {
        // SAFETY: `offset` is below `capacity`, so the byte lies inside the mapping (see `data`). Nobody else
        // touches it: there is one writer, and a reader reads only below the head, which is published after.
        unsafe { self.data().add(self.offset(position)).write(byte) }
    }

    /// Stores bytes from a position on, at most `capacity`.
    #[inline]
    pub(crate) fn copy_in(&self, position: u64, bytes: &[u8]) {
        let bytes = bytes.get(..self.capacity).unwrap_or(bytes);
        let offset = self.offset(position);
        let first = bytes.len().min(self.capacity - offset);
        // SAFETY: `first` bytes from `offset` end at `capacity` at the latest; the rest, at most `capacity -
        // first` bytes, goes to the front: both lie inside the mapping. Source and mapping do not overlap, for
        // no slice of the mapping is ever made. Exclusive as in `set`.
        unsafe {
            self.data().add(offset).copy_from_nonoverlapping(bytes.as_ptr(), first);
            self.data().copy_from_nonoverlapping(bytes.as_ptr().add(first), bytes.len() - first);
        }
    }

    /// Fills `into` with the bytes from a position on, at most `capacity` of them.
    pub(crate) fn copy_out(&self, position: u64, into: &mut [u8]) {
        let len = into.len().min(self.capacity);
        let offset = self.offset(position);
        let first = len.min(self.capacity - offset);
        // SAFETY: bounds as in `copy_in`. The bytes lie between tail and head: the writer published them with
        // Release, the reader saw the head with Acquire, and the writer does not touch them before the tail
        // has passed. They are copied before they are judged, so a broken writer can only spoil the copy.
        unsafe {
            let to = into.as_mut_ptr();
            self.data().add(offset).cast_const().copy_to_nonoverlapping(to, first);
            self.data().cast_const().copy_to_nonoverlapping(to.add(first), len - first);
        }
    }

    /// The first byte of the data.
    #[inline]
    fn data(&self) -> *mut u8 {
        // SAFETY: the mapping is HEADER_LEN + capacity bytes long.
        unsafe { self.raw.as_mut_ptr().add(HEADER_LEN) }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the remainder by a usize fits a usize")]
    fn offset(&self, position: u64) -> usize {
        (position & (self.capacity as u64 - 1)) as usize
    }
}
