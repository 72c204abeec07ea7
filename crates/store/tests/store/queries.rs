use tachograph_store::{Embedded, Signal, Store, Table, literal};
use tempfile::TempDir;

use crate::toy::{ids, is_dictionary, number, open, sql, strings, time_of, trace_id, write};

/// 60 spans: half in a segment, half in memory.
async fn half_and_half() -> (TempDir, Embedded) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, Signal::Traces, 0..30).await.unwrap();
    store.flush().await.unwrap();
    for id in 30..60 {
        write(&store, Signal::Traces, [id]).await.unwrap();
    }
    (directory, store)
}

#[tokio::test]
async fn dictionary_columns_filter_group_and_sort_like_strings() {
    let (_directory, store) = half_and_half().await;
    assert_eq!(number(&store, "SELECT count(*) FROM spans WHERE service = 'service-1'").await, 20);
    assert_eq!(number(&store, "SELECT count(*) FROM spans WHERE service IN ('service-1', 'service-2')").await, 40);
    assert_eq!(number(&store, "SELECT count(*) FROM spans WHERE service LIKE '%-1'").await, 20);
    assert_eq!(number(&store, "SELECT count(*) FROM spans WHERE model IS NULL").await, 20);
    let groups = sql(
        &store,
        "SELECT service, count(*) AS spans, sum(duration_ns) AS total FROM spans
         GROUP BY service ORDER BY service DESC",
    )
    .await;
    assert_eq!(groups.len(), 1);
    assert!(is_dictionary(groups[0].column(0)));
    assert_eq!(strings(groups[0].column(0)), ["service-2", "service-1", "service-0"]);
    assert_eq!(strings(groups[0].column(1)), ["20", "20", "20"]);
    assert_eq!(strings(groups[0].column(2)), ["610", "590", "570"]);
}

#[tokio::test]
async fn literals_from_outside_match_what_they_say() {
    let (_directory, store) = half_and_half().await;
    let id = literal::id(&trace_id(8));
    assert_eq!(number(&store, &format!("SELECT count(*) FROM spans WHERE trace_id = {id}")).await, 4);
    let (from, to) = (literal::time(time_of(10)), literal::time(time_of(40)));
    let range = format!("SELECT count(*) FROM spans WHERE start >= {from} AND start < {to}");
    assert_eq!(number(&store, &range).await, 30);
    let quoted = literal::text("it's' OR 1 = 1 --");
    assert_eq!(number(&store, &format!("SELECT count(*) FROM spans WHERE service = {quoted}")).await, 0);
    let service = literal::text("service-1");
    assert_eq!(number(&store, &format!("SELECT count(*) FROM spans WHERE service = {service}")).await, 20);
}

#[tokio::test]
async fn the_newest_rows_come_first_when_asked_for() {
    let (_directory, store) = half_and_half().await;
    let page = sql(&store, "SELECT duration_ns FROM spans ORDER BY start DESC LIMIT 3 OFFSET 28").await;
    assert_eq!(strings(page[0].column(0)), ["31", "30", "29"]);
}

#[tokio::test]
async fn times_are_grouped_into_buckets_with_percentiles() {
    let (_directory, store) = half_and_half().await;
    let buckets = sql(
        &store,
        "SELECT date_bin(INTERVAL '20 milliseconds', start) AS bucket, count(*),
                approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns)
         FROM spans GROUP BY bucket ORDER BY bucket",
    )
    .await;
    assert_eq!(strings(buckets[0].column(1)), ["20", "20", "20"]);
    assert_eq!(buckets.iter().map(|batch| batch.num_rows()).sum::<usize>(), 3);
}

#[tokio::test]
async fn spans_join_their_content() {
    let (_directory, store) = half_and_half().await;
    let joined = "SELECT count(*) FROM spans s JOIN content c ON s.trace_id = c.trace_id AND s.span_id = c.span_id
                  WHERE c.input LIKE 'input of 4%'";
    // 4, 40, 44, 46; every third has no input.
    assert_eq!(number(&store, joined).await, 4);
}

#[tokio::test]
async fn a_query_goes_on_over_the_rows_that_were_there_when_it_began() {
    let (_directory, store) = half_and_half().await;
    let query = ids(&store, Table::Spans);
    let flush = store.flush();
    let (rows, flushed) = tokio::join!(query, flush);
    flushed.unwrap();
    assert_eq!(rows, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_empty_store_answers() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert_eq!(number(&store, "SELECT count(*) FROM spans").await, 0);
    assert_eq!(sql(&store, "SELECT * FROM spans ORDER BY start LIMIT 3").await.len(), 0);
}
