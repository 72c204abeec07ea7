use std::time::Duration;

use tachograph_store::{Embedded, QueryLimit, Signal, Store, StoreError};
use tempfile::TempDir;

use crate::toy::{open, write};

async fn thousand() -> (TempDir, Embedded) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..1000).await.unwrap();
    store.flush().await.unwrap();
    (directory, store)
}

#[tokio::test]
async fn too_many_rows_are_an_error_and_not_a_cut() {
    let (_directory, store) = thousand().await;
    let limit = QueryLimit { rows: 999, ..QueryLimit::default() };
    let error = store.sql("SELECT span_id FROM spans", limit).await.unwrap_err();
    assert_eq!(error.to_string(), "the result has more than 999 rows, add a LIMIT or filter more");
    assert!(store.sql("SELECT span_id FROM spans LIMIT 999", limit).await.is_ok());
}

#[tokio::test]
async fn too_much_memory_is_an_error() {
    let (_directory, store) = thousand().await;
    let limit = QueryLimit { rows: 1_000_000, memory_bytes: 100_000, ..QueryLimit::default() };
    for statement in [
        "SELECT a.span_id FROM spans a CROSS JOIN spans b ORDER BY b.span_id, a.start",
        "SELECT span_id, count(*) FROM spans GROUP BY span_id, name, attributes, duration_ns",
        "SELECT * FROM spans",
    ] {
        let error = store.sql(statement, limit).await.unwrap_err();
        assert!(matches!(error, StoreError::TooMuchMemory(100_000)), "{statement}: {error}");
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_stopped_and_gives_its_place_back() {
    let (_directory, store) = thousand().await;
    let limit = QueryLimit { time: Duration::from_millis(300), ..QueryLimit::default() };
    let endless = "SELECT count(*) FROM spans a, spans b, spans c
                   WHERE sqrt(a.duration_ns + b.duration_ns) + sqrt(c.duration_ns) < 0";
    for _ in 0..6 {
        let error = store.sql(endless, limit).await.unwrap_err();
        assert!(matches!(error, StoreError::TooSlow(_)), "{error}");
    }
    assert!(store.sql("SELECT count(*) FROM spans", QueryLimit::default()).await.is_ok());
}
