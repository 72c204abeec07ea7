//! A ring against a model of it, one process playing both sides.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tachograph_ring::record::{Fault, HttpBody, Record, SequenceAbort, SequenceKey};
use tachograph_ring::{MIN_CAPACITY, Peek, Reader, RingError, Writer};

/// A record that is `n` bytes of body and says which one it is.
fn chunk(id: u64, body: &[u8]) -> Record<'_> {
    Record::HttpChunk(HttpBody { t_ns: 7, http_id: id, len: body.len() as u64, bytes: body })
}

/// A record of the model.
#[derive(Debug, PartialEq)]
struct Entry {
    id: u64,
    body: Vec<u8>,
    keys: bool,
}

impl Entry {
    fn new(id: u64, len: usize, keys: bool) -> Self {
        Self { id, body: (0..len as u64).map(|i| (i * 31 + id) as u8).collect(), keys }
    }

    fn record(&self) -> Record<'_> {
        if !self.keys {
            return chunk(self.id, &self.body);
        }
        let keys = self.body.iter().map(|byte| SequenceKey(u64::from(*byte) << 32)).collect();
        Record::SequenceAbort(SequenceAbort { t_ns: self.id, keys })
    }

    fn read(record: &Record<'_>) -> Self {
        match record {
            Record::HttpChunk(c) => Self { id: c.http_id, body: c.bytes.to_vec(), keys: false },
            Record::SequenceAbort(a) => {
                Self { id: a.t_ns, body: a.keys.iter().map(|key| (key.0 >> 32) as u8).collect(), keys: true }
            }
            other => panic!("not written: {other:?}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// A body of so many bytes, which are copied at once.
    Write(usize),
    /// So many keys, which are stored byte by byte.
    WriteKeys(usize),
    Drain(usize),
    /// The recorder dies and another one takes over.
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..400usize).prop_map(Act::Write),
        1 => (400..3000usize).prop_map(Act::Write),
        3 => (0..140usize).prop_map(Act::WriteKeys),
        4 => (0..12usize).prop_map(Act::Drain),
        1 => Just(Act::Reopen),
    ];
    proptest::collection::vec(act, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_comes_out_once_in_order_or_is_counted_as_lost(acts in acts()) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
        let mut reader = Reader::open(writer.path()).unwrap();
        let mut model = VecDeque::new();
        let (mut produced, mut lost, mut drained) = (0, 0, 0);
        for act in acts {
            match act {
                Act::Write(len) | Act::WriteKeys(len) => {
                    let entry = Entry::new(produced, len, matches!(act, Act::WriteKeys(_)));
                    if writer.write(&entry.record()) {
                        model.push_back(entry);
                    } else {
                        lost += 1;
                        // 4 bytes of length, and at most 12 beside the body or the keys.
                        let most = 16 + if entry.keys { 8 * len } else { len };
                        let inside = reader.counters().inside_bytes as usize;
                        prop_assert!(most > MIN_CAPACITY / 4 || inside + most > MIN_CAPACITY);
                    }
                    produced += 1;
                }
                Act::Drain(max) => {
                    let expected: Vec<_> = model.drain(..max.min(model.len())).collect();
                    let mut got = Vec::new();
                    let result = reader.drain(max, |record| got.push(Entry::read(&record)));
                    drained += expected.len() as u64;
                    prop_assert_eq!(result.records, expected.len());
                    prop_assert_eq!((result.corrupt_bytes, result.undecodable), (0, 0));
                    prop_assert_eq!(got, expected);
                }
                Act::Reopen => {
                    drop(reader);
                    reader = Reader::open(writer.path()).unwrap();
                }
            }
            let counters = reader.counters();
            prop_assert_eq!((counters.produced, counters.lost, counters.drained), (produced, lost, drained));
            prop_assert_eq!(counters.produced, counters.drained + counters.lost + model.len() as u64);
            prop_assert_eq!((writer.produced(), writer.lost()), (produced, lost));
        }
    }
}

#[test]
fn a_full_ring_drops_the_newest_counts_it_and_takes_records_again_once_drained() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
    let mut reader = Reader::open(writer.path()).unwrap();
    let body = [1; 500];
    let kept = (0..20).filter(|i| writer.write(&chunk(*i, &body))).count();
    assert_eq!(kept, 8, "8 frames of 4 + 1 + 1 + 1 + 2 + 2 + 500 bytes fit into 4096");
    let counters = reader.counters();
    assert_eq!((counters.produced, counters.lost, counters.lost_bytes), (20, 12, 12 * 511));
    let mut ids = Vec::new();
    reader.drain(usize::MAX, |r| {
        if let Record::HttpChunk(c) = r {
            ids.push(c.http_id);
        }
    });
    assert_eq!(ids, (0..8).collect::<Vec<_>>());
    assert!(writer.write(&chunk(20, &body)));
}

#[test]
fn a_record_longer_than_a_quarter_of_the_ring_is_dropped_although_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
    let around = 1 + 1 + 1 + 2 + 2;
    assert!(writer.write(&chunk(0, &vec![0; MIN_CAPACITY / 4 - around])));
    assert!(!writer.write(&chunk(0, &vec![0; MIN_CAPACITY / 4 - around + 1])));
    let reader = Reader::open(writer.path()).unwrap();
    assert_eq!((reader.counters().lost, reader.counters().lost_bytes), (1, 4 + MIN_CAPACITY as u64 / 4 + 1));
}

#[test]
fn a_new_ring_belongs_to_its_owner_alone_is_fully_allocated_and_names_its_process() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let before = tachograph_ring::now_ns();
    let writer = Writer::create(dir.path(), 1 << 16).unwrap();
    let meta = std::fs::metadata(writer.path()).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(meta.len(), (1 << 16) + 4096);
    assert!(meta.blocks() * 512 >= meta.len(), "no hole that could raise SIGBUS");
    let name = writer.path().file_name().unwrap().to_str().unwrap();
    let pid = std::process::id();
    assert!(name.starts_with(&format!("{pid}-")) && name.ends_with(".ring"), "{name}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the unfinished file is gone");

    let reader = Reader::open(writer.path()).unwrap();
    let info = reader.info();
    assert_eq!((info.pid, info.capacity), (pid, 1 << 16));
    assert!((before..=tachograph_ring::now_ns()).contains(&info.anchor.mono_ns));
    assert_eq!(info.wall_ns(info.anchor.mono_ns + 5), info.anchor.wall_ns + 5);
    assert!(reader.writer_alive());
}

#[test]
fn dropping_the_writer_closes_the_ring_and_leaves_its_records_until_the_reader_removes_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
    let path = writer.path().to_owned();
    assert!(writer.write(&chunk(1, b"last words")));
    let mut reader = Reader::open(&path).unwrap();
    assert!(!reader.is_closed());
    drop(writer);
    assert!(reader.is_closed());
    assert_eq!(reader.drain(usize::MAX, |_| ()).records, 1);
    reader.remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_forgotten_writer_leaves_no_mark() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
    let reader = Reader::open(writer.path()).unwrap();
    writer.forget();
    assert!(!reader.is_closed());
}

#[test]
fn a_ring_has_one_reader() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
    let first = Reader::open(writer.path()).unwrap();
    assert!(matches!(Reader::open(writer.path()), Err(RingError::InUse { .. })));
    drop(first);
    assert!(Reader::open(writer.path()).is_ok());
}

#[test]
fn an_unusable_capacity_or_directory_is_an_error_with_the_value_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    for capacity in [0, MIN_CAPACITY / 2, MIN_CAPACITY + 1, usize::MAX] {
        let error = Writer::create(dir.path(), capacity).err().unwrap().to_string();
        assert!(error.ends_with(&format!(": {capacity}")), "{error}");
    }
    let missing = dir.path().join("missing");
    let error = Writer::create(&missing, MIN_CAPACITY).err().unwrap();
    assert!(matches!(error, RingError::Create { .. }));
    let said = error.to_string();
    assert!(said.contains("choose a directory that exists and is writable: "), "{said}");
    assert!(said.ends_with("/missing"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_ring_that_is_switched_off_counts_apart_what_it_does_not_take_and_takes_it_again_once_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
    let reader = Reader::open(writer.path()).unwrap();
    let fault = Record::Fault(Fault { t_ns: 1, name: "hook", error: "" });
    assert!(!writer.is_suppressed() && writer.write(&chunk(1, b"a")));

    reader.suppress(true);
    assert!(writer.is_suppressed() && !writer.write(&chunk(2, b"b")));
    assert!(writer.write(&fault), "what describes the process is told all the same");
    drop(reader);

    let mut reader = Reader::open(writer.path()).unwrap();
    assert!(!writer.write(&chunk(3, b"c")), "a recorder that was restarted changes nothing");
    reader.suppress(false);
    assert!(writer.write(&chunk(4, b"d")));

    let mut seen = Vec::new();
    reader.drain(usize::MAX, |record| {
        seen.push(if let Record::HttpChunk(c) = record { c.http_id } else { 0 });
    });
    assert_eq!(seen, [1, 0, 4]);
    let counters = reader.counters();
    assert_eq!((counters.produced, counters.lost, counters.suppressed), (3, 0, 2));
}

#[test]
fn a_look_from_outside_tells_what_the_reader_would_and_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), MIN_CAPACITY).unwrap();
    let mut reader = Reader::open(writer.path()).unwrap();
    for id in 0..100 {
        writer.write(&chunk(id, &[1; 100]));
    }
    reader.drain(10, |_| ());
    let peek = Peek::at(writer.path()).unwrap();
    assert_eq!((peek.info, peek.counters), (reader.info(), reader.counters()));
    assert!(peek.writer_alive && !peek.suppressed && peek.counters.lost > 0 && peek.counters.drained == 10);
    reader.suppress(true);
    assert!(Peek::at(writer.path()).unwrap().suppressed);
    std::fs::write(dir.path().join("x"), b"no ring").unwrap();
    assert!(matches!(Peek::at(&dir.path().join("x")), Err(RingError::NotARing { .. })));
}
