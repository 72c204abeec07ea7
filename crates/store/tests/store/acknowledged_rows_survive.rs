use std::path::Path;

use proptest::prelude::*;
use tachograph_store::{Embedded, EmbeddedConfig, Signal, Store, Table};

use crate::toy::{copy, files, ids, open, open_with, quiet, write};

#[tokio::test]
async fn after_a_drop_without_close_the_rows_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..10).await.unwrap();
    drop(store);
    let store = open(directory.path());
    assert_eq!(ids(&store, Table::Spans).await, (0..10).collect::<Vec<_>>());
    assert_eq!(store.stats().recovery.frames, 1);
}

#[tokio::test]
async fn a_copy_of_the_directory_taken_while_open_has_the_rows() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..10).await.unwrap();
    store.flush().await.unwrap();
    write(&store, Signal::Traces, 10..20).await.unwrap();
    let crashed = tempfile::tempdir().unwrap();
    copy(directory.path(), crashed.path());
    let again = open(crashed.path());
    assert_eq!(ids(&again, Table::Spans).await, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_larger_than_memory_may_hold_is_replayed_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let small_files = EmbeddedConfig { wal_file_bytes: 1, ..quiet() };
    let store = open_with(directory.path(), small_files.clone());
    for id in 0..20 {
        write(&store, Signal::Logs, [id]).await.unwrap();
    }
    assert_eq!(files(directory.path(), ".log").len(), 20);
    drop(store);
    let store = open_with(directory.path(), EmbeddedConfig { flush_bytes: 1, ..small_files });
    assert_eq!(ids(&store, Table::Logs).await, (0..20).collect::<Vec<_>>());
    assert_eq!(files(directory.path(), ".log").len(), 0);
    drop(store);
    let store = open(directory.path());
    assert_eq!(ids(&store, Table::Logs).await, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_cut_at_any_byte_yields_exactly_the_frames_before_the_cut() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut ends = Vec::new();
    for id in 0..4_u64 {
        write(&store, Signal::Logs, [id; 3]).await.unwrap();
        ends.push(store.stats().wal_bytes);
    }
    for cut in (0..=ends[3]).step_by(5) {
        let crashed = tempfile::tempdir().unwrap();
        copy(directory.path(), crashed.path());
        truncate(&files(crashed.path(), ".log")[0], cut);
        let store = open(crashed.path());
        let whole = ends.iter().filter(|end| **end <= cut).count() as u64;
        let expected: Vec<u64> = (0..whole).flat_map(|id| [id; 3]).collect();
        assert_eq!(ids(&store, Table::Logs).await, expected, "cut at {cut}");
        assert_eq!(store.stats().recovery.damaged_bytes, 0);
        // What is written next is not lost behind the torn bytes.
        write(&store, Signal::Logs, [99]).await.unwrap();
        drop(store);
        let store = open(crashed.path());
        assert_eq!(ids(&store, Table::Logs).await.last(), Some(&99), "cut at {cut}");
        assert_eq!(store.stats().recovery.torn_bytes + store.stats().recovery.damaged_bytes, 0, "cut at {cut}");
    }
}

#[derive(Clone, Debug)]
enum Act {
    Write {
        signal: Signal,
        rows: u64,
    },
    Flush,
    Crash,
    Close,
    /// A write that was not acknowledged: the crash left this part of its bytes, in percent.
    TornWrite {
        rows: u64,
        kept: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let signal = prop_oneof![Just(Signal::Traces), Just(Signal::Metrics), Just(Signal::Logs)];
    prop_oneof![
        6 => (signal, 0..20_u64).prop_map(|(signal, rows)| Act::Write { signal, rows }),
        2 => Just(Act::Flush),
        2 => Just(Act::Crash),
        1 => Just(Act::Close),
        2 => (1..20_u64, 0..100_u64).prop_map(|(rows, kept)| Act::TornWrite { rows, kept }),
    ]
}

/// The store and what it was told to keep.
struct Model<'a> {
    directory: &'a Path,
    config: EmbeddedConfig,
    store: Embedded,
    next: u64,
    spans: Vec<u64>,
    points: Vec<u64>,
    logs: Vec<u64>,
}

impl Model<'_> {
    async fn step(mut self, act: Act) -> Self {
        match act {
            Act::Write { signal, rows } => {
                let numbers: Vec<u64> = (self.next..self.next + rows).collect();
                write(&self.store, signal, numbers.clone()).await.unwrap();
                match signal {
                    Signal::Traces => self.spans.extend(numbers),
                    Signal::Metrics => self.points.extend(numbers),
                    Signal::Logs => self.logs.extend(numbers),
                }
                self.next += rows;
            }
            Act::Flush => self.store.flush().await.unwrap(),
            Act::Crash => return self.reopen(),
            Act::Close => {
                self.store.close().await.unwrap();
                return self.reopen();
            }
            Act::TornWrite { rows, kept } => {
                let lengths = |directory| -> Vec<(std::path::PathBuf, u64)> {
                    files(directory, ".log").into_iter().map(|p| (p.clone(), p.metadata().unwrap().len())).collect()
                };
                let before = lengths(self.directory);
                write(&self.store, Signal::Traces, self.next..self.next + rows).await.unwrap();
                self.next += rows;
                let (newest, after) = lengths(self.directory).pop().unwrap();
                let start = before.iter().find(|(path, _)| *path == newest).map_or(0, |(_, length)| *length);
                let directory = self.directory;
                let config = self.config.clone();
                drop(self.store);
                truncate(&newest, start + (after - start) * kept / 100);
                self.store = open_with(directory, config);
            }
        }
        self
    }

    fn reopen(self) -> Self {
        let Model { directory, config, store, next, spans, points, logs } = self;
        drop(store);
        let store = open_with(directory, config.clone());
        Model { directory, config, store, next, spans, points, logs }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_acknowledged_row_is_there_exactly_once(
        acts in proptest::collection::vec(act(), 1..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let config = EmbeddedConfig { merge_segments: 2, wal_file_bytes: 500, ..quiet() };
            let mut model = Model {
                store: open_with(directory.path(), config.clone()),
                directory: directory.path(),
                config,
                next: 0,
                spans: Vec::new(),
                points: Vec::new(),
                logs: Vec::new(),
            };
            for act in acts {
                model = model.step(act).await;
            }
            let content: Vec<u64> = model.spans.iter().copied().filter(|id| id.is_multiple_of(2)).collect();
            assert_eq!(ids(&model.store, Table::Spans).await, model.spans);
            assert_eq!(ids(&model.store, Table::Content).await, content);
            assert_eq!(ids(&model.store, Table::Points).await, model.points);
            assert_eq!(ids(&model.store, Table::Logs).await, model.logs);
            let stats = model.store.stats();
            assert_eq!(stats.rows[&Table::Spans], model.spans.len() as u64);
            assert_eq!(stats.recovery.damaged_bytes, 0);
        });
    }
}

fn truncate(path: &Path, length: u64) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}
