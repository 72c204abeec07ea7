//! The commit protocol, over stores that a test can cut short at any one of them.

use crate::frame::{PREFIX, Payload, longest_record};
use crate::record::Record;

/// The header's words that a writer stores.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Head,
    Produced,
    Lost,
    LostBytes,
    Closed,
}

/// Where a producer's stores go: the map, or a test's map that dies.
pub(crate) trait Store {
    /// Bytes of data.
    fn capacity(&self) -> usize;
    /// Bytes consumed by the reader, with all that the reader did before.
    fn tail(&self) -> u64;
    /// Stores one byte of data.
    fn set(&mut self, position: u64, byte: u8);
    /// Stores bytes of data.
    fn copy_in(&mut self, position: u64, bytes: &[u8]);
    /// Stores a header word after everything stored before it.
    fn publish(&mut self, word: Word, value: u64);
}

/// Writes records: bytes first, then the head.
///
/// Every record handed in is `produced`, and then committed or `lost`. A process that dies inside a call leaves
/// one produced record that is neither.
pub(crate) struct Producer<S: Store> {
    store: S,
    head: u64,
    /// The tail as last seen; the real one is never behind it.
    tail: u64,
    produced: u64,
    lost: u64,
    lost_bytes: u64,
}

impl<S: Store> Producer<S> {
    /// A producer for a new, empty ring.
    pub(crate) fn new(store: S) -> Self {
        Self { store, head: 0, tail: 0, produced: 0, lost: 0, lost_bytes: 0 }
    }

    /// Writes one record; false when it was dropped and counted.
    pub(crate) fn write(&mut self, record: &Record<'_>) -> bool {
        self.produced += 1;
        self.store.publish(Word::Produced, self.produced);
        let start = self.head + PREFIX as u64;
        let limit = self.payload_room();
        let payload = Payload::new(&mut self.store, start, limit);
        // No record type can fail to serialise into a flavor that takes every byte; one that did is lost.
        let len = postcard::serialize_with_flavor::<_, _, u64>(record, payload).unwrap_or(u64::MAX);
        let Some(prefix) = u32::try_from(len).ok().filter(|_| len <= limit) else {
            self.lose(len.saturating_add(PREFIX as u64));
            return false;
        };
        self.store.copy_in(self.head, &prefix.to_le_bytes());
        self.head = start + len;
        self.store.publish(Word::Head, self.head);
        true
    }

    /// Says that no record will follow.
    pub(crate) fn close(&mut self) {
        self.store.publish(Word::Closed, 1);
    }

    pub(crate) fn produced(&self) -> u64 {
        self.produced
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// The longest payload that fits now.
    fn payload_room(&mut self) -> u64 {
        let capacity = self.store.capacity();
        let longest = longest_record(capacity) as u64;
        let enough = longest + PREFIX as u64;
        let mut room = room(capacity as u64, self.head, self.tail);
        if room < enough {
            self.tail = self.store.tail();
            room = self::room(capacity as u64, self.head, self.tail);
        }
        room.min(enough).saturating_sub(PREFIX as u64)
    }

    fn lose(&mut self, bytes: u64) {
        self.lost += 1;
        self.lost_bytes = self.lost_bytes.saturating_add(bytes);
        self.store.publish(Word::Lost, self.lost);
        self.store.publish(Word::LostBytes, self.lost_bytes);
    }
}

/// Free bytes. A tail that cannot be true, from a broken reader, leaves none: then records are dropped.
fn room(capacity: u64, head: u64, tail: u64) -> u64 {
    capacity.saturating_sub(head.wrapping_sub(tail))
}
