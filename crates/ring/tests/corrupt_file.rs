//! Whatever is in the file, nothing panics, loops or takes what is not there.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tachograph_ring::record::{HttpBody, Record};
use tachograph_ring::{Drained, MIN_CAPACITY, Reader, RingError, Writer};

const HEADER: u64 = 4096;
/// Where the header's words lie, as the reader's module says: identity, writer's, reader's.
const MAGIC: u64 = 0;
const VERSION: u64 = 8;
const CAPACITY: u64 = 16;
const HEAD: u64 = 128;
const TAIL: u64 = 256;
const SUPPRESS: u64 = 384;

fn ring_of(dir: &Path, records: u64) -> (Writer, PathBuf) {
    let mut writer = Writer::create(dir, MIN_CAPACITY).unwrap();
    for n in 0..records {
        writer.write(&Record::HttpChunk(HttpBody { t_ns: 1, http_id: n, len: 60, bytes: &[7; 60] }));
    }
    let path = writer.path().to_owned();
    (writer, path)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

/// Drains in small steps until nothing is left; every step must get somewhere.
fn drain_all(reader: &mut Reader) -> Drained {
    let mut total = Drained::default();
    let frames_at_most = MIN_CAPACITY / 4 + 1;
    for _ in 0..=frames_at_most {
        let step = reader.drain(1, |_| ());
        if step == Drained::default() {
            assert_eq!(reader.counters().inside_bytes, 0, "nothing taken means nothing left");
            return total;
        }
        total.records += step.records;
        total.bytes += step.bytes;
        total.corrupt_bytes += step.corrupt_bytes;
        total.undecodable += step.undecodable;
    }
    unreachable!("more frames than the ring can hold");
}

fn read_whatever(path: &Path) -> Result<Drained, RingError> {
    let mut reader = Reader::open(path)?;
    let info = reader.info();
    let _ = (info.wall_ns(0), info.wall_ns(u64::MAX), reader.writer_alive(), reader.is_closed(), reader.counters());
    Ok(drain_all(&mut reader))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_with_any_bytes_overwritten_is_read_to_its_end(
        patches in prop::collection::vec((
            prop_oneof![0..56u64, HEAD..HEAD + 48, TAIL..TAIL + 16, SUPPRESS..SUPPRESS + 8, HEADER..HEADER + 4096],
            prop::collection::vec(any::<u8>(), 1..9),
        ), 1..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (_writer, path) = ring_of(dir.path(), 30);
        for (at, bytes) in patches {
            overwrite(&path, at.min(HEADER + 4096 - bytes.len() as u64), &bytes);
        }
        if let Ok(total) = read_whatever(&path) {
            prop_assert!(total.bytes + total.corrupt_bytes <= MIN_CAPACITY as u64);
        }
    }

    #[test]
    fn a_ring_of_random_data_between_any_head_and_tail_is_read_to_its_end(
        data in prop::collection::vec(any::<u8>(), MIN_CAPACITY),
        tail in prop_oneof![any::<u64>(), 0..8192u64],
        used in prop_oneof![any::<u64>(), 0..=4096u64],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (_writer, path) = ring_of(dir.path(), 0);
        overwrite(&path, HEADER, &data);
        overwrite(&path, TAIL, &tail.to_ne_bytes());
        overwrite(&path, HEAD, &tail.wrapping_add(used).to_ne_bytes());
        let total = read_whatever(&path).unwrap();
        prop_assert_eq!(total.bytes + total.corrupt_bytes, used.min(MIN_CAPACITY as u64));
    }

    #[test]
    fn a_file_of_random_bytes_is_no_ring(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1-2.ring");
        fs::write(&path, bytes).unwrap();
        let refused = matches!(Reader::open(&path), Err(RingError::NotARing { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn a_tail_that_cannot_be_true_makes_the_writer_drop_and_count(tail in any::<u64>()) {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, path) = ring_of(dir.path(), 30);
        prop_assert_eq!(writer.lost(), 0);
        overwrite(&path, TAIL, &tail.to_ne_bytes());
        let kept = (0..100).filter(|n| {
            writer.write(&Record::HttpChunk(HttpBody { t_ns: 1, http_id: *n, len: 60, bytes: &[7; 60] }))
        });
        prop_assert_eq!(kept.count() as u64, 100 - writer.lost());
        let head = u64::from_ne_bytes(fs::read(&path).unwrap()[HEAD as usize..][..8].try_into().unwrap());
        prop_assert!(writer.lost() > 0 && head <= 30 * 70 + MIN_CAPACITY as u64);
    }

    #[test]
    fn a_switch_of_any_value_costs_no_more_than_the_records_that_are_counted(value in any::<u64>()) {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, path) = ring_of(dir.path(), 10);
        overwrite(&path, SUPPRESS, &value.to_ne_bytes());
        writer.write(&Record::HttpChunk(HttpBody { t_ns: 1, http_id: 0, len: 0, bytes: b"" }));
        let suppressed = u64::from(value != 0);
        prop_assert_eq!((writer.produced(), writer.suppressed(), writer.lost()), (11 - suppressed, suppressed, 0));
        prop_assert_eq!(read_whatever(&path).unwrap().records as u64, 11 - suppressed);
    }
}

#[test]
fn a_length_that_cannot_be_true_costs_the_rest_of_the_ring_which_is_counted_and_then_goes_on() {
    let longest = u32::try_from(tachograph_ring::longest_record(MIN_CAPACITY)).unwrap();
    for (records, bad_len) in [
        (10, u32::MAX),
        // More than any record's, with so much behind it.
        (30, longest + 1),
        // Beyond the head by one byte.
        (4, 66),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, path) = ring_of(dir.path(), records);
        let mut reader = Reader::open(&path).unwrap();
        let frame = reader.counters().inside_bytes / records;
        assert_eq!(frame, 4 + 65);
        overwrite(&path, HEADER + 3 * frame, &bad_len.to_le_bytes());
        let drained = reader.drain(usize::MAX, |_| ());
        let corrupt_bytes = (records - 3) * frame;
        assert_eq!(drained, Drained { records: 3, bytes: 3 * frame, corrupt_bytes, undecodable: 0 }, "{bad_len}");
        writer.write(&Record::HttpChunk(HttpBody { t_ns: 1, http_id: 10, len: 0, bytes: b"" }));
        assert_eq!(reader.drain(usize::MAX, |_| ()).records, 1, "{bad_len}");
    }
}

#[test]
fn a_frame_that_is_no_record_is_counted_and_the_next_one_read() {
    let dir = tempfile::tempdir().unwrap();
    let (_writer, path) = ring_of(dir.path(), 4);
    let mut reader = Reader::open(&path).unwrap();
    let frame = reader.counters().inside_bytes / 4;
    overwrite(&path, HEADER + frame + 4, &[0xee]);
    // A body that says it is one byte shorter: a byte is left over.
    overwrite(&path, HEADER + 2 * frame + 4 + 4, &[59]);
    let mut ids = Vec::new();
    let drained = reader.drain(usize::MAX, |record| {
        if let Record::HttpChunk(chunk) = record {
            ids.push(chunk.http_id);
        }
    });
    assert_eq!(drained, Drained { records: 2, bytes: 4 * frame, corrupt_bytes: 0, undecodable: 2 });
    assert_eq!(ids, [0, 3]);
}

#[test]
fn a_header_that_does_not_fit_names_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, path) = ring_of(dir.path(), 1);
    writer.forget();
    let reason = || Reader::open(&path).err().unwrap().to_string();
    overwrite(&path, CAPACITY, &8192u64.to_ne_bytes());
    assert!(reason().starts_with("not a ring (its size is not the one in its header)"), "{}", reason());
    overwrite(&path, VERSION, &77u64.to_ne_bytes());
    assert!(reason().starts_with("ring format 77 is not 2, use the recorder of the same release: "), "{}", reason());
    overwrite(&path, MAGIC, &[0]);
    assert!(reason().starts_with("not a ring (its first bytes are not a ring's)"), "{}", reason());
    fs::write(&path, b"").unwrap();
    assert!(reason().starts_with("not a ring (its size is not a ring's)"), "{}", reason());
    fs::remove_file(&path).unwrap();
    assert!(reason().starts_with("cannot open the ring (No such file or directory"), "{}", reason());
}
