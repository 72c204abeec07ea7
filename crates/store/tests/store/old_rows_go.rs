use std::time::Duration;

use tachograph_store::{EmbeddedConfig, Signal, Store, Table};

use crate::toy::{files, ids, open_with, quiet, write};

#[tokio::test]
async fn content_goes_earlier_than_spans_where_the_configuration_says_so() {
    let directory = tempfile::tempdir().unwrap();
    // The rows of the toy are of 2026-11-24 and so of any age: what counts is that one limit is set and one is not.
    let config = EmbeddedConfig { keep_content: Some(Duration::ZERO), ..quiet() };
    let store = open_with(directory.path(), config);
    let long_ago = 0..10;
    write(&store, Signal::Traces, long_ago).await.unwrap();
    store.flush().await.unwrap();
    while store.stats().segments > 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ids(&store, Table::Spans).await, (0..10).collect::<Vec<_>>());
    assert_eq!(ids(&store, Table::Content).await, [0_u64; 0]);
    assert_eq!(files(directory.path(), ".parquet").len(), 1);
}
