use tachograph_store::arrow::compute::concat_batches;
use tachograph_store::{Signal, Store, Table};

use crate::toy::{batch, ids, open, sql, write};

#[tokio::test]
async fn a_row_is_visible_as_soon_as_its_write_returns() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, [1, 2]).await.unwrap();
    assert_eq!(ids(&store, Table::Spans).await, [1, 2]);
    assert_eq!(ids(&store, Table::Content).await, [2]);
    write(&store, Signal::Metrics, [3]).await.unwrap();
    write(&store, Signal::Logs, [4]).await.unwrap();
    assert_eq!(ids(&store, Table::Points).await, [3]);
    assert_eq!(ids(&store, Table::Logs).await, [4]);
}

#[tokio::test]
async fn every_column_comes_back_from_memory_from_the_log_and_from_segments() {
    let directory = tempfile::tempdir().unwrap();
    let numbers: Vec<u64> = (0..50).collect();
    let mut store = open(directory.path());
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        for chunk in numbers.chunks(7) {
            write(&store, signal, chunk.iter().copied()).await.unwrap();
        }
    }
    for state in ["memory", "log", "segment", "reopened segment"] {
        for table in Table::ALL {
            let expected: Vec<u64> =
                numbers.iter().copied().filter(|id| table != Table::Content || id.is_multiple_of(2)).collect();
            let rows = sql(&store, &format!("SELECT * FROM {table} ORDER BY {}", table.time_column())).await;
            let rows = concat_batches(table.schema(), &rows).unwrap();
            assert_eq!(rows, batch(table, &expected), "{table} from {state}");
        }
        match state {
            "memory" => {
                drop(store);
                store = open(directory.path());
            }
            "log" => store.flush().await.unwrap(),
            _ => {
                store.close().await.unwrap();
                store = open(directory.path());
            }
        }
    }
}

#[tokio::test]
async fn memory_and_segments_are_read_together() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..10).await.unwrap();
    store.flush().await.unwrap();
    write(&store, Signal::Traces, 10..20).await.unwrap();
    store.flush().await.unwrap();
    write(&store, Signal::Traces, 20..30).await.unwrap();
    assert_eq!(ids(&store, Table::Spans).await, (0..30).collect::<Vec<_>>());
    let stats = store.stats();
    assert_eq!(stats.rows[&Table::Spans], 30);
    assert_eq!(stats.rows[&Table::Content], 15);
    assert_eq!(stats.segments, 4);
    assert!(stats.hot_bytes > 0 && stats.wal_bytes > 0 && stats.segment_bytes > 0, "{stats:?}");
}

#[tokio::test]
async fn writes_of_many_callers_at_once_are_all_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(directory.path()));
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..20 {
        let store = std::sync::Arc::clone(&store);
        callers.spawn(async move {
            for write_number in 0..10 {
                write(&store, Signal::Logs, [caller * 100 + write_number]).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    assert_eq!(ids(&store, Table::Logs).await.len(), 200);
    assert_eq!(store.stats().rows[&Table::Logs], 200);
}

#[tokio::test]
async fn rows_move_to_segments_by_themselves_when_they_are_many_or_old() {
    use std::time::Duration;

    use tachograph_store::EmbeddedConfig;

    use crate::toy::{open_with, quiet};

    for config in [
        EmbeddedConfig { flush_bytes: 1, ..quiet() },
        EmbeddedConfig { flush_age: Duration::from_millis(50), ..quiet() },
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = open_with(directory.path(), config);
        write(&store, Signal::Logs, [1]).await.unwrap();
        while store.stats().segments == 0 || store.stats().hot_bytes > 0 || store.stats().wal_bytes > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(ids(&store, Table::Logs).await, [1]);
    }
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.close().await.unwrap();
    let errors = [
        write(&store, Signal::Logs, [1]).await.unwrap_err().to_string(),
        store.flush().await.unwrap_err().to_string(),
        store.trace([0; 16]).await.unwrap_err().to_string(),
        store.close().await.unwrap_err().to_string(),
    ];
    assert_eq!(errors, ["the store is closed"; 4]);
}

#[tokio::test]
async fn a_batch_of_another_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let frame = crate::toy::frame(Signal::Logs, [1]);
    let tables = tachograph_store::Tables { logs: Some(batch(Table::Content, &[1])), ..Default::default() };
    let error = store.write(frame, tables).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the batch does not have the schema of its table, build it from `Table::schema`: logs"
    );
    assert_eq!(store.stats().rows[&Table::Logs], 0);
}
