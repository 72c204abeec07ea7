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
    Suppressed,
}

/// Where a producer's stores go: the map, or a test's map that dies.
pub(crate) trait Store {
    /// Bytes of data.
    fn capacity(&self) -> usize;
    /// Bytes consumed by the reader, with all that the reader did before.
    fn tail(&self) -> u64;
    /// Whether the reader switched recording off.
    fn is_suppressed(&self) -> bool;
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
/// one produced record that is neither. While recording is switched off a record is only counted, as `suppressed`.
pub(crate) struct Producer<S: Store> {
    store: S,
    head: u64,
    /// The tail as last seen; the real one is never behind it.
    tail: u64,
    produced: u64,
    lost: u64,
    lost_bytes: u64,
    suppressed: u64,
}

impl<S: Store> Producer<S> {
    /// A producer for a new, empty ring.
    pub(crate) fn new(store: S) -> Self {
        Self { store, head: 0, tail: 0, produced: 0, lost: 0, lost_bytes: 0, suppressed: 0 }
    }

    /// Writes one record; false when it was dropped or suppressed, and counted.
    pub(crate) fn write(&mut self, record: &Record<'_>) -> bool {
        if self.store.is_suppressed() && !record.describes_process() {
            self.suppressed += 1;
            self.store.publish(Word::Suppressed, self.suppressed);
            return false;
        }
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

    pub(crate) fn suppressed(&self) -> u64 {
        self.suppressed
    }

    pub(crate) fn is_suppressed(&self) -> bool {
        self.store.is_suppressed()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]
    use std::fs::OpenOptions;
    use std::path::Path;

    use super::*;
    use crate::map::Map;
    use crate::record::HttpBody;
    use crate::{MIN_CAPACITY, Reader, Writer};

    /// The writer's process: dies after so many stores of a byte or a word. What it would have stored then
    /// does not happen.
    struct Mortal {
        map: Map,
        left: usize,
        stores: usize,
        /// Heads that were stored.
        commits: usize,
        losses: usize,
    }

    impl Mortal {
        fn lives(&mut self) -> bool {
            self.stores += 1;
            let lives = self.left > 0;
            self.left = self.left.saturating_sub(1);
            lives
        }
    }

    impl Store for Mortal {
        fn capacity(&self) -> usize {
            self.map.capacity()
        }

        fn tail(&self) -> u64 {
            Store::tail(&self.map)
        }

        fn is_suppressed(&self) -> bool {
            Store::is_suppressed(&self.map)
        }

        fn set(&mut self, position: u64, byte: u8) {
            if self.lives() {
                self.map.set(position, byte);
            }
        }

        fn copy_in(&mut self, position: u64, bytes: &[u8]) {
            for (position, byte) in (position..).zip(bytes) {
                self.set(position, *byte);
            }
        }

        fn publish(&mut self, word: Word, value: u64) {
            if self.lives() {
                self.commits += usize::from(matches!(word, Word::Head));
                self.losses += usize::from(matches!(word, Word::Lost));
                self.map.publish(word, value);
            }
        }
    }

    fn chunk(id: u64, body: &[u8]) -> Record<'_> {
        Record::HttpChunk(HttpBody { t_ns: 1, http_id: id, len: body.len() as u64, bytes: body })
    }

    /// A ring of which the next record wraps, with old bytes all over it, and its producer.
    fn worn_ring(dir: &Path, lifetime: usize) -> (Producer<Mortal>, Reader) {
        let made = Writer::create(dir, MIN_CAPACITY).unwrap();
        let path = made.path().to_owned();
        made.forget();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let map = Map::new(&file, MIN_CAPACITY).unwrap();
        let store = Mortal { map, left: usize::MAX, stores: 0, commits: 0, losses: 0 };
        let mut producer = Producer::new(store);
        let mut reader = Reader::open(&path).unwrap();
        for id in 0..13 {
            // 13 * 311 bytes: 53 are left before the end.
            assert!(producer.write(&chunk(id, &[0xff; 300])));
            assert_eq!(reader.drain(1, |_| ()).records, 1);
        }
        producer.store = Mortal { left: lifetime, stores: 0, commits: 0, losses: 0, ..producer.store };
        (producer, reader)
    }

    /// What the process was about to do when it died: a record that wraps, one that is too long, two more.
    fn last_acts(producer: &mut Producer<Mortal>) {
        producer.write(&chunk(100, &[1; 130]));
        producer.write(&chunk(101, &[2; MIN_CAPACITY]));
        producer.write(&Record::Preempted(crate::record::Preempted {
            t_ns: u64::MAX,
            key: crate::record::SequenceKey(7),
            engine_index: 3,
        }));
        producer.write(&chunk(102, &[3; 40]));
        producer.close();
    }

    #[test]
    fn a_writer_that_dies_after_any_store_leaves_exactly_its_committed_records() {
        let dir = tempfile::tempdir().unwrap();
        let (mut whole, reader) = worn_ring(dir.path(), usize::MAX);
        last_acts(&mut whole);
        let stores = whole.store.stores;
        assert!(stores > 200, "the payload goes byte by byte: {stores}");
        reader.remove().unwrap();

        for lifetime in 0..=stores {
            let (mut producer, mut reader) = worn_ring(dir.path(), lifetime);
            last_acts(&mut producer);
            let mut seen = Vec::new();
            let drained = reader.drain(usize::MAX, |record| match record {
                Record::HttpChunk(c) => {
                    let fill = [1, 2, 3][(c.http_id - 100) as usize];
                    assert!(c.bytes.iter().all(|byte| *byte == fill), "torn after {lifetime} stores");
                    assert_eq!(c.bytes.len() as u64, c.len);
                    seen.push(c.http_id);
                }
                Record::Preempted(p) => {
                    assert_eq!((p.t_ns, p.key.0, p.engine_index), (u64::MAX, 7, 3));
                    seen.push(0);
                }
                other => panic!("not written: {other:?}"),
            });
            assert_eq!((drained.corrupt_bytes, drained.undecodable), (0, 0), "after {lifetime} stores");
            assert_eq!(seen, [100, 0, 102][..producer.store.commits], "after {lifetime} stores");
            let counters = reader.counters();
            assert_eq!((counters.drained, counters.inside_bytes), (13 + seen.len() as u64, 0));
            assert_eq!(counters.lost, producer.store.losses as u64);
            let torn = counters.produced - counters.drained - counters.lost;
            assert!(torn <= 1, "{torn} records unaccounted for after {lifetime} stores");
            assert!(torn == 0 || lifetime < stores, "a writer that lives leaves nothing torn");
            assert_eq!(reader.is_closed(), lifetime == stores);
            reader.remove().unwrap();
        }
    }
}
