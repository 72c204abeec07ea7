//! A crash between any two steps of a flush: segments written, manifest replaced, old log removed.

use std::fs;
use std::path::Path;

use tachograph_store::{Signal, Store, Table};
use tempfile::TempDir;

use crate::toy::{copy, files, ids, open, write};

/// A directory before a flush of rows 10 to 20, and the same directory after it. Rows 0 to 10 are in segments in both.
async fn before_and_after() -> (TempDir, TempDir) {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(after.path());
    write(&store, Signal::Traces, 0..10).await.unwrap();
    store.flush().await.unwrap();
    write(&store, Signal::Traces, 10..20).await.unwrap();
    copy(after.path(), before.path());
    store.close().await.unwrap();
    (before, after)
}

async fn assert_whole(directory: &Path) {
    for _ in 0..2 {
        let store = open(directory);
        assert_eq!(ids(&store, Table::Spans).await, (0..20).collect::<Vec<_>>());
        assert_eq!(ids(&store, Table::Content).await.len(), 10);
        store.close().await.unwrap();
        assert_eq!(files(directory, ".log").len(), 0);
        assert_eq!(files(directory, ".parquet").len(), 4);
    }
}

#[tokio::test]
async fn a_segment_that_the_manifest_does_not_name_is_removed_and_its_rows_come_from_the_log() {
    let (before, after) = before_and_after().await;
    copy(&after.path().join("segments"), &before.path().join("segments"));
    assert_eq!(files(before.path(), ".parquet").len(), 4);
    assert_whole(before.path()).await;
}

#[tokio::test]
async fn half_a_segment_does_no_harm() {
    let (before, after) = before_and_after().await;
    copy(&after.path().join("segments"), &before.path().join("segments"));
    let newest = files(&before.path().join("segments/spans"), ".parquet").pop().unwrap();
    fs::write(&newest, b"PAR1 half").unwrap();
    assert_whole(before.path()).await;
}

#[tokio::test]
async fn half_a_new_manifest_does_no_harm() {
    let (before, _after) = before_and_after().await;
    fs::write(before.path().join("manifest.new"), b"{\"format\": 1, \"wal_fl").unwrap();
    assert_whole(before.path()).await;
}

#[tokio::test]
async fn log_files_below_the_floor_of_the_manifest_are_removed_and_not_replayed() {
    let (before, after) = before_and_after().await;
    copy(&before.path().join("wal"), &after.path().join("wal"));
    assert_eq!(files(after.path(), ".log").len(), 1);
    assert_whole(after.path()).await;
}

#[tokio::test]
async fn segments_that_were_merged_but_not_removed_do_not_count_twice() {
    let (_, after) = before_and_after().await;
    let kept = tempfile::tempdir().unwrap();
    copy(after.path(), kept.path());
    // The flush of a third set makes three segments a table, which the merge of three turns into one.
    let config = tachograph_store::EmbeddedConfig { merge_segments: 3, ..crate::toy::quiet() };
    let store = crate::toy::open_with(after.path(), config);
    write(&store, Signal::Traces, 20..30).await.unwrap();
    store.flush().await.unwrap();
    while store.stats().segments > 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    store.close().await.unwrap();
    copy(&kept.path().join("segments"), &after.path().join("segments"));
    let store = open(after.path());
    assert_eq!(ids(&store, Table::Spans).await, (0..30).collect::<Vec<_>>());
    assert_eq!(files(after.path(), ".parquet").len(), 2);
}
