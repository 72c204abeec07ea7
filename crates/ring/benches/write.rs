//! What a record costs the engine's thread, from the encoding to the ring: `cargo xtask bench probe` prints it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::borrow::Cow;

use divan::{Bencher, black_box};
use tachograph_ring::record::{HttpBody, Member, Record, SequenceKey, Step, StepOutput, StepOutputs};
use tachograph_ring::{Reader, Writer};

/// Records between two looks of the reader: they fit, so none is lost, which would be cheaper.
const ROUND: usize = 256;
const CAPACITY: usize = 1 << 20;
const BATCHES: [usize; 3] = [1, 16, 64];

fn main() {
    divan::main();
}

/// Time of [`ROUND`] records; the reader makes room outside the measured time.
fn write(bencher: Bencher<'_, '_>, record: &Record<'_>) {
    let dir = tempfile::tempdir().unwrap();
    let writer = std::cell::RefCell::new(Writer::create(dir.path(), CAPACITY).unwrap());
    let reader = std::cell::RefCell::new(Reader::open(writer.borrow().path()).unwrap());
    bencher
        .counter(divan::counter::ItemsCount::new(ROUND))
        .with_inputs(|| while reader.borrow_mut().drain(ROUND, |_| ()).records > 0 {})
        .bench_local_values(|()| {
            let mut writer = writer.borrow_mut();
            for _ in 0..ROUND {
                writer.write(black_box(record));
            }
        });
    assert_eq!(writer.borrow().lost(), 0, "a record that is lost is cheaper than one that is written");
}

fn key(n: usize) -> SequenceKey {
    SequenceKey(n as u64)
}

#[divan::bench(args = BATCHES)]
fn step(bencher: Bencher<'_, '_>, batch: usize) {
    let members: Vec<_> = (0..batch).map(|n| Member { key: key(n), tokens: 1 }).collect();
    let step = Step {
        t_ns: tachograph_ring::now_ns(),
        schedule_ns: 300_000,
        engine_index: 0,
        step: 1_000_000,
        running: 64,
        waiting: 3,
        deferred: 0,
        kv_usage: 0.5,
        members: Cow::Owned(members),
    };
    write(bencher, &Record::Step(step));
}

#[divan::bench(args = BATCHES)]
fn step_outputs(bencher: Bencher<'_, '_>, batch: usize) {
    let outputs: Vec<_> =
        (0..batch).map(|n| StepOutput { key: key(n), tokens: 1, cached_tokens: None, finish: None }).collect();
    let outputs = StepOutputs {
        t_ns: tachograph_ring::now_ns(),
        engine_index: 0,
        step: 1_000_000,
        prefix_queries: 0,
        prefix_hits: 0,
        outputs: Cow::Owned(outputs),
    };
    write(bencher, &Record::StepOutputs(outputs));
}

/// A chunk of a stream, as vLLM sends one for each token.
#[divan::bench(args = [200, 2000])]
fn http_chunk(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = vec![b'x'; bytes];
    let chunk = HttpBody { t_ns: tachograph_ring::now_ns(), http_id: 1, len: bytes as u64, bytes: &body };
    write(bencher, &Record::HttpChunk(chunk));
}
