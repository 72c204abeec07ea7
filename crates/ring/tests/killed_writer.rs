//! Two real processes: one writes at full speed and is killed, the other reads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tachograph_ring::record::{HttpBody, Record};
use tachograph_ring::{FILE_SUFFIX, Reader, Writer};

/// Tells the test program that it is the writer, and where.
const DIR: &str = "TACHOGRAPH_TEST_RING_DIR";
const CAPACITY: usize = 64 << 10;
const DEADLINE: Duration = Duration::from_secs(20);

/// The body of record `n`: length and bytes follow from `n`, so a reader can check every one of them.
fn body(n: u64) -> Vec<u8> {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let len = state >> 32 & 0x1ff;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

#[test]
#[ignore = "the writer's process of the tests below"]
fn writer() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut writer = Writer::create(Path::new(&dir), CAPACITY).unwrap();
    let start = Instant::now();
    // Should the test be gone, the writer goes too.
    for n in (0..).take_while(|_| start.elapsed() < DEADLINE) {
        let body = body(n);
        writer.write(&Record::HttpChunk(HttpBody { t_ns: n, http_id: n, len: body.len() as u64, bytes: &body }));
    }
}

/// The writer's process; does not outlive a test that fails.
struct Victim(Child);

impl Victim {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "writer"]).env(DIR, dir).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The ring in `dir`, as soon as there is one.
fn find_ring(dir: &Path) -> PathBuf {
    let start = Instant::now();
    loop {
        let mut paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        if let Some(path) = paths.find(|path| is_ring(path)) {
            return path;
        }
        assert!(start.elapsed() < DEADLINE, "the writer did not start");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_ring(path: &Path) -> bool {
    path.to_str().unwrap().ends_with(FILE_SUFFIX)
}

/// Checks every record and remembers how many of them there were and which came last.
#[derive(Default)]
struct Log {
    records: u64,
    last: Option<u64>,
}

impl Log {
    fn read(&mut self, reader: &mut Reader, max: usize) {
        let drained = reader.drain(max, |record| {
            let Record::HttpChunk(chunk) = record else { panic!("not written: {record:?}") };
            assert!(self.last.is_none_or(|last| last < chunk.http_id), "order");
            assert_eq!((chunk.t_ns, chunk.len), (chunk.http_id, chunk.bytes.len() as u64));
            assert_eq!(chunk.bytes, body(chunk.http_id), "record {} is torn", chunk.http_id);
            self.records += 1;
            self.last = Some(chunk.http_id);
        });
        assert_eq!((drained.corrupt_bytes, drained.undecodable), (0, 0));
    }
}

/// Kills the writer while a reader with these habits reads, and accounts for every record.
fn kill_while_reading(life: Duration, batch: usize, pause: Duration, recorder_dies: bool) {
    let dir = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(dir.path());
    let path = find_ring(dir.path());
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.info().pid, victim.0.id());
    let mut log = Log::default();
    let start = Instant::now();
    // The writer may not have come to its first record yet.
    while start.elapsed() < life || log.records == 0 {
        log.read(&mut reader, batch);
        assert!(reader.writer_alive() && start.elapsed() < DEADLINE);
        if recorder_dies {
            drop(reader);
            reader = Reader::open(&path).unwrap();
        }
        std::thread::sleep(pause);
    }
    victim.0.kill().unwrap();
    while reader.writer_alive() {
        assert!(start.elapsed() < DEADLINE, "a killed process counts as dead before it is waited for");
    }
    assert!(!reader.is_closed(), "it did not end in order");

    log.read(&mut reader, usize::MAX);
    let counters = reader.counters();
    assert_eq!((counters.drained, counters.inside_bytes), (log.records, 0));
    let torn = counters.produced - log.records - counters.lost;
    assert!(torn <= 1, "{counters:?}");
    assert!(log.last.unwrap() < counters.produced, "a record is counted before it is committed");
    reader.remove().unwrap();
}

#[test]
fn a_writer_killed_at_full_speed_leaves_intact_records_and_an_exact_account() {
    for round in 0..12 {
        // Anything from a few records to several times round the ring.
        kill_while_reading(Duration::from_micros(300 + round * 3_137), usize::MAX, Duration::ZERO, false);
    }
}

#[test]
fn a_reader_that_cannot_keep_up_loses_only_what_the_writer_counted() {
    for round in 0..4 {
        kill_while_reading(Duration::from_millis(15 + round * 7), 50, Duration::from_millis(2), false);
    }
}

#[test]
fn a_new_reader_goes_on_where_the_last_one_stopped_while_the_writer_runs() {
    for round in 0..4 {
        kill_while_reading(Duration::from_millis(15 + round * 7), 100, Duration::ZERO, true);
    }
}
