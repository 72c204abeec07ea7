use std::fs;

use tachograph_store::{EmbeddedConfig, Frame, Signal, Store, StoreError, Table, Tables};

use crate::toy::{batch, files, ids, open, open_with, quiet, write};

#[tokio::test]
async fn a_damaged_frame_in_the_middle_costs_its_rows_and_no_others_and_is_kept_aside() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut ends = Vec::new();
    for id in 0..3 {
        write(&store, Signal::Logs, [id]).await.unwrap();
        ends.push(store.stats().wal_bytes);
    }
    drop(store);
    let log = files(directory.path(), ".log").pop().unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let last_of_second = usize::try_from(ends[1]).unwrap() - 1;
    bytes[last_of_second] ^= 1;
    fs::write(&log, &bytes).unwrap();

    let store = open(directory.path());
    assert_eq!(ids(&store, Table::Logs).await, [0, 2]);
    assert_eq!(store.stats().recovery.damaged_bytes, ends[1] - ends[0]);
    assert_eq!(store.stats().recovery.frames, 2);
    store.close().await.unwrap();
    let aside = files(directory.path(), ".damaged");
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read(&aside[0]).unwrap(), bytes);
}

#[tokio::test]
async fn an_end_that_is_missing_in_a_file_that_is_not_the_newest_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_with(directory.path(), EmbeddedConfig { wal_file_bytes: 1, ..quiet() });
    write(&store, Signal::Logs, [0]).await.unwrap();
    write(&store, Signal::Logs, [1]).await.unwrap();
    drop(store);
    let oldest = &files(directory.path(), ".log")[0];
    let length = oldest.metadata().unwrap().len();
    fs::File::options().write(true).open(oldest).unwrap().set_len(length - 1).unwrap();
    let store = open(directory.path());
    assert_eq!(ids(&store, Table::Logs).await, [1]);
    assert_eq!((store.stats().recovery.damaged_bytes, store.stats().recovery.torn_bytes), (length - 1, 0));
}

#[tokio::test]
async fn a_frame_that_cannot_be_decoded_is_counted_and_kept_aside() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let odd = Frame { signal: Signal::Logs, received_ns: 0, payload: vec![1, 2, 3].into() };
    store.write(odd, Tables { logs: Some(batch(Table::Logs, &[5])), ..Tables::default() }).await.unwrap();
    write(&store, Signal::Logs, [6]).await.unwrap();
    drop(store);
    let store = open(directory.path());
    assert_eq!(ids(&store, Table::Logs).await, [6]);
    assert_eq!(store.stats().recovery.undecodable_frames, 1);
    assert_eq!(files(directory.path(), ".damaged").len(), 1);
}

#[tokio::test]
async fn a_damaged_manifest_and_a_changed_segment_stop_the_opening_with_the_name_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Logs, [1]).await.unwrap();
    store.close().await.unwrap();

    let segment = files(directory.path(), ".parquet").pop().unwrap();
    let content = fs::read(&segment).unwrap();
    fs::write(&segment, &content[1..]).unwrap();
    let error = crate::toy::try_open(directory.path(), quiet()).err().unwrap();
    assert!(matches!(&error, StoreError::Damaged { path, .. } if *path == segment.canonicalize().unwrap()), "{error}");
    fs::write(&segment, &content).unwrap();

    let manifest = directory.path().join("manifest.json");
    let text = fs::read(&manifest).unwrap();
    fs::write(&manifest, &text[..text.len() / 2]).unwrap();
    let error = crate::toy::try_open(directory.path(), quiet()).err().unwrap();
    assert!(matches!(&error, StoreError::Damaged { path, .. } if *path == manifest), "{error}");

    fs::remove_file(&manifest).unwrap();
    let error = crate::toy::try_open(directory.path(), quiet()).err().unwrap().to_string();
    assert!(error.starts_with("the directory holds data but no manifest.json, restore"), "{error}");
    assert_eq!(files(directory.path(), ".parquet").len(), 1);
}
