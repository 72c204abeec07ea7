//! Rows move from memory to a segment and from segment to segment while queries run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tachograph_store::{EmbeddedConfig, Signal, Store, Table};

use crate::toy::{ids, open_with, quiet, trace_id, write};

const ROWS: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_rows_are_seen_once_while_they_are_flushed_and_merged() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open_with(directory.path(), EmbeddedConfig { merge_segments: 2, ..quiet() }));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let reading = tokio::spawn({
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        async move {
            let mut seen = 0;
            while seen < ROWS {
                let expected = acknowledged.load(Ordering::SeqCst);
                let rows = ids(&store, Table::Spans).await;
                seen = rows.len() as u64;
                assert!(seen >= expected, "{seen} of {expected}");
                assert_eq!(rows, (0..seen).collect::<Vec<_>>());
            }
        }
    });
    for start in (0..ROWS).step_by(10) {
        write(&store, Signal::Traces, start..start + 10).await.unwrap();
        acknowledged.store(start + 10, Ordering::SeqCst);
        store.flush().await.unwrap();
    }
    reading.await.unwrap();
    let trace = store.trace(trace_id(100)).await.unwrap();
    assert_eq!((trace.spans.num_rows(), trace.content.num_rows()), (4, 2));
}
