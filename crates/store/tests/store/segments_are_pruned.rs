//! A pruned segment is not opened: its file may be gone and the query does not notice.

use std::fs;

use tachograph_store::{Embedded, Signal, Store, Table, literal};
use tempfile::TempDir;

use crate::toy::{number, open, time_of, try_sql, write};

/// Ten segments a table of 100 rows each, in order of time. All but the fourth are gone.
async fn only_the_fourth() -> (TempDir, Embedded) {
    let directory = tempfile::tempdir().unwrap();
    let config = tachograph_store::EmbeddedConfig { merge_segments: 100, ..crate::toy::quiet() };
    let store = crate::toy::open_with(directory.path(), config);
    for start in (0..1000).step_by(100) {
        write(&store, Signal::Traces, start..start + 100).await.unwrap();
        store.flush().await.unwrap();
    }
    for table in ["spans", "content"] {
        let segments = crate::toy::files(&directory.path().join("segments").join(table), ".parquet");
        assert_eq!(segments.len(), 10);
        segments.iter().enumerate().filter(|(index, _)| *index != 3).for_each(|(_, p)| fs::remove_file(p).unwrap());
    }
    (directory, store)
}

#[tokio::test]
async fn a_range_of_time_opens_only_the_segments_that_it_touches() {
    let (_directory, store) = only_the_fourth().await;
    let (from, to) = (literal::time(time_of(310)), literal::time(time_of(320)));
    for range in [
        format!("start >= {from} AND start < {to}"),
        format!("start BETWEEN {from} AND {to} AND service <> 'x'"),
        format!("({to} > start AND {from} <= start) OR start = {from}"),
        format!("start >= to_timestamp_nanos({}) AND start < {to}", time_of(310)),
    ] {
        let rows = number(&store, &format!("SELECT count(*) FROM spans WHERE {range}")).await;
        assert!((10..=11).contains(&rows), "{range}: {rows}");
    }
    assert!(try_sql(&store, "SELECT sum(duration_ns) FROM spans").await.is_err(), "the others are gone");
}

#[tokio::test]
async fn hot_rows_are_found_without_opening_any_segment() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..10).await.unwrap();
    store.flush().await.unwrap();
    write(&store, Signal::Traces, 10..20).await.unwrap();
    crate::toy::files(directory.path(), ".parquet").iter().for_each(|path| fs::remove_file(path).unwrap());
    let from = literal::time(time_of(10));
    assert_eq!(number(&store, &format!("SELECT count(*) FROM spans WHERE start >= {from}")).await, 10);
    assert!(try_sql(&store, "SELECT span_id FROM spans").await.is_err());
}

#[tokio::test]
async fn a_count_of_all_rows_opens_no_segment() {
    let (_directory, store) = only_the_fourth().await;
    write(&store, Signal::Traces, 1000..1010).await.unwrap();
    assert_eq!(number(&store, "SELECT count(*) FROM spans").await, 1010);
    assert_eq!(store.stats().rows[&Table::Spans], 1010);
}
