//! Prints what one record costs the writer, in nanoseconds: minimum and median of several rounds.
//!
//! `cargo run -p tachograph-ring --example write_cost [directory]`; the directory is /dev/shm unless told
//! otherwise. The ring is drained between rounds, outside the clock.

use std::borrow::Cow;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use tachograph_ring::record::{HttpBody, Member, Record, SequenceKey, Step};
use tachograph_ring::{DEFAULT_CAPACITY, Reader, Writer, now_ns};

const ROUNDS: usize = 101;
/// So few that the longest record's round fits into the ring.
const RECORDS_PER_ROUND: u64 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "/dev/shm".to_owned());
    let body = [b'x'; 250];
    let chunk = Record::HttpChunk(HttpBody { t_ns: now_ns(), http_id: 1000, len: 250, bytes: &body });
    let (small, large) = (members(16), members(256));
    for (name, record) in [("step of 16", step(&small)), ("step of 256", step(&large)), ("chunk of 250 bytes", chunk)] {
        let (least, median) = measure(Path::new(&dir), &record)?;
        println!("{name:20} {least:>6} ns least, {median:>6} ns median");
    }
    Ok(())
}

fn members(count: u64) -> Vec<Member> {
    (0..count).map(|i| Member { key: SequenceKey::of(&format!("chatcmpl-{i:032x}")), tokens: 1 }).collect()
}

fn step(members: &[Member]) -> Record<'_> {
    Record::Step(Step {
        t_ns: now_ns(),
        schedule_ns: 150_000,
        engine_index: 0,
        step: 1_000_000,
        running: 256,
        waiting: 10,
        deferred: 0,
        kv_usage: 0.5,
        members: Cow::Borrowed(members),
    })
}

/// Least and median of the rounds, per record.
fn measure(dir: &Path, record: &Record<'_>) -> Result<(u64, u64), Box<dyn Error>> {
    let mut writer = Writer::create(dir, DEFAULT_CAPACITY)?;
    let mut reader = Reader::open(writer.path())?;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = now_ns();
        for _ in 0..RECORDS_PER_ROUND {
            black_box(writer.write(black_box(record)));
        }
        rounds.push((now_ns() - start) / RECORDS_PER_ROUND);
        reader.drain(usize::MAX, |_| ());
    }
    let lost = reader.counters().lost;
    reader.remove()?;
    if lost > 0 {
        return Err(format!("the ring was too small, records lost: {lost}").into());
    }
    rounds.sort_unstable();
    Ok((rounds.first().copied().unwrap_or(0), rounds.get(ROUNDS / 2).copied().unwrap_or(0)))
}
