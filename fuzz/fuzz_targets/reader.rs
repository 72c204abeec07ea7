//! The reader over arbitrary files: it never panics, loops or takes more than the ring can hold.
//!
//! `cargo +nightly fuzz run reader`. The first byte of an input says how much of a
//! valid ring is left standing.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tachograph_ring::{Drained, MIN_CAPACITY, Reader, Writer};
use tempfile::TempDir;

const HEADER: usize = 4096;
/// Where the writer's words begin; before them lies the identity.
const WRITER: usize = 128;
/// Where the reader's words begin.
const READER: usize = 256;

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir_in("/dev/shm").expect("a directory in memory"));
/// The bytes of an empty ring.
static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let writer = Writer::create(DIR.path(), MIN_CAPACITY).expect("room for a ring");
    let path = writer.path().to_owned();
    writer.forget();
    let bytes = fs::read(&path).expect("a ring that was just made");
    fs::remove_file(path).expect("a ring that was just made");
    bytes
});

fuzz_target!(|input: &[u8]| {
    let Some((how, input)) = input.split_first() else { return };
    let path = DIR.path().join("fuzzed.ring");
    let ring = match how % 3 {
        0 => input.to_vec(),
        1 => overwritten(input),
        _ => committed(input),
    };
    fs::write(&path, ring).expect("room");
    let Ok(mut reader) = Reader::open(&path) else { return };
    let info = reader.info();
    let _ = (info.wall_ns(0), info.wall_ns(u64::MAX), reader.is_closed(), reader.counters());
    let (mut taken, mut steps) = (0, 0);
    loop {
        let step = reader.drain(1, |_| ());
        if step == Drained::default() {
            break;
        }
        taken += step.bytes + step.corrupt_bytes;
        steps += 1;
        assert!(steps <= MIN_CAPACITY / 4, "more frames than the ring can hold");
    }
    assert!(taken <= MIN_CAPACITY as u64, "more bytes than the ring can hold");
});

/// A good identity, and the input over all that follows it.
fn overwritten(input: &[u8]) -> Vec<u8> {
    let mut ring = EMPTY.clone();
    for (byte, input) in ring[WRITER..].iter_mut().zip(input) {
        *byte = *input;
    }
    ring
}

/// A good header, and the input as data between tail and head: its first two bytes say where the tail is.
fn committed(input: &[u8]) -> Vec<u8> {
    let mut ring = EMPTY.clone();
    let [low, high, data @ ..] = input else { return ring };
    let tail = usize::from(u16::from_le_bytes([*low, *high]));
    let data = &data[..data.len().min(MIN_CAPACITY)];
    for (position, byte) in (tail..).zip(data) {
        ring[HEADER + position % MIN_CAPACITY] = *byte;
    }
    let head = (tail + data.len()) as u64;
    ring[WRITER..][..8].copy_from_slice(&head.to_ne_bytes());
    ring[READER..][..8].copy_from_slice(&(tail as u64).to_ne_bytes());
    ring
}
