use tachograph_store::{Signal, Store, Table};

use crate::toy::{column_ids, open, trace_id, write};

#[tokio::test]
async fn a_trace_is_found_in_memory_in_segments_and_across_both() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..102).await.unwrap();
    store.flush().await.unwrap();
    write(&store, Signal::Traces, 102..200).await.unwrap();
    for (id, spans, content) in
        [(8, 8..12, vec![8, 10]), (100, 100..104, vec![100, 102]), (196, 196..200, vec![196, 198])]
    {
        let trace = store.trace(trace_id(id)).await.unwrap();
        assert_eq!(trace.spans.schema_ref(), Table::Spans.schema());
        let sorted = |table: Table, batch: &tachograph_store::arrow::record_batch::RecordBatch| {
            let mut found = column_ids(table, batch.column_by_name("span_id").unwrap());
            found.sort_unstable();
            found
        };
        assert_eq!(sorted(Table::Spans, &trace.spans), spans.collect::<Vec<_>>());
        assert_eq!(sorted(Table::Content, &trace.content), content);
    }
}

#[tokio::test]
async fn an_unknown_trace_has_no_rows() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..10).await.unwrap();
    store.flush().await.unwrap();
    let trace = store.trace([9; 16]).await.unwrap();
    assert_eq!((trace.spans.num_rows(), trace.content.num_rows()), (0, 0));
}
