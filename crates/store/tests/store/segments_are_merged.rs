use std::time::Duration;

use tachograph_store::{EmbeddedConfig, Signal, Store, Table};

use crate::toy::{batch, files, ids, open, open_with, quiet, sql, write};

#[tokio::test]
async fn small_segments_become_one_in_order_of_time_and_their_files_go() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_with(directory.path(), EmbeddedConfig { merge_segments: 4, ..quiet() });
    // Interleaved times: even rows first, odd rows after.
    for start in [0, 1, 100, 101] {
        write(&store, Signal::Traces, (start..start + 100).step_by(2)).await.unwrap();
        store.flush().await.unwrap();
    }
    // Content is only of even rows: two segments, which stay.
    while store.stats().segments > 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ids(&store, Table::Spans).await, (0..200).collect::<Vec<_>>());
    assert_eq!(files(&directory.path().join("segments/spans"), ".parquet").len(), 1);
    let rows = sql(&store, "SELECT * FROM spans").await;
    let rows = tachograph_store::arrow::compute::concat_batches(Table::Spans.schema(), &rows).unwrap();
    assert_eq!(rows, batch(Table::Spans, &(0..200).collect::<Vec<_>>()));
    let bytes: u64 = files(directory.path(), ".parquet").iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!(store.stats().segment_bytes, bytes);
    drop(store);
    assert_eq!(ids(&open(directory.path()), Table::Spans).await, (0..200).collect::<Vec<_>>());
}
