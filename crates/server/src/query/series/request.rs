//! Series of requests: one row of the answer for each bucket and group.

use std::collections::HashMap;

use datafusion::arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use tachograph_store::{Store, literal};

use super::wanted::Quantity;
use super::{Groups, Rows, SeriesQuery, Stat, Wanted, label_columns, label_names, limit};
use crate::query::QueryError;
use crate::query::column::{column, get, whole};

/// Requests that run longer than this are not found by their end: what bounds the search for starts.
pub(super) const LONGEST_REQUEST_NS: i64 = 6 * 3600 * 1_000_000_000;

/// Each of the finish reasons of a request once, empty where there is none.
pub(in crate::query) const FINISH_REASON: &str = "unnest(array_distinct(CASE WHEN coalesce(finish_reasons, '') = '' \
    THEN make_array('') ELSE string_to_array(finish_reasons, ',') END))";

/// Values of the series that are made from requests, by their index among those asked for.
pub(super) async fn groups(store: &dyn Store, query: &SeriesQuery) -> Result<HashMap<usize, Groups>, QueryError> {
    let aggregates: Vec<(usize, &Wanted, String)> =
        query.wanted.iter().enumerate().filter_map(|(i, w)| Some((i, w, aggregate(w)?))).collect();
    if aggregates.is_empty() {
        return Ok(HashMap::new());
    }
    let answer = store.sql(&sql(query, &aggregates), limit()).await?;
    let mut groups = HashMap::new();
    if let Some(batch) = whole(&answer)? {
        for (index, wanted, _) in &aggregates {
            groups.insert(*index, read(query, &batch, *index, wanted)?);
        }
    }
    Ok(groups)
}

fn sql(query: &SeriesQuery, aggregates: &[(usize, &Wanted, String)]) -> String {
    let (first, to, step) = (query.grid.first_ns(), query.grid.to_ns(), query.grid.step_ns());
    let earliest = first.saturating_sub(LONGEST_REQUEST_NS);
    let end = "(CAST(start AS BIGINT) + duration_ns)";
    let values: String = aggregates.iter().map(|(i, _, sql)| format!(", {sql} AS v{i}")).collect();
    let labels = label_names(query);
    format!(
        "SELECT bucket{labels}{values} FROM (SELECT ({end} - {first}) / {step} AS bucket{}, outcome, input_tokens, \
         output_tokens, cached_tokens, preemptions, ttft_us, tpot_us, e2e_us, queue_us, prefill_us, decode_us, \
         duration_ns FROM spans WHERE start >= {} AND start < {} AND {end} >= {first} AND {end} < {to} AND {}) \
         GROUP BY bucket{labels}",
        label_columns(query, Rows::Requests),
        literal::time(earliest),
        literal::time(to),
        query.filter.on_requests(earliest, to),
    )
}

/// The aggregate of a series, none where it is not made from requests.
fn aggregate(wanted: &Wanted) -> Option<String> {
    match &wanted.quantity {
        Quantity::Events { condition, .. } => Some(format!("count(*) FILTER (WHERE {condition})")),
        Quantity::Total { column, .. } => Some(format!("coalesce(sum({column}), 0)")),
        Quantity::Latency(figure) => {
            let value = format!("CAST({} AS DOUBLE) / {:e}", figure.column(), figure.scale());
            let percentile = |p: f64| format!("approx_percentile_cont({p}) WITHIN GROUP (ORDER BY {value})");
            Some(match wanted.stat {
                Stat::P50 => percentile(0.5),
                Stat::P90 => percentile(0.9),
                Stat::P99 => percentile(0.99),
                Stat::Mean => format!("avg({value})"),
                Stat::Max => format!("max({value})"),
                _ => percentile(0.95),
            })
        }
        _ => None,
    }
}

fn read(query: &SeriesQuery, batch: &RecordBatch, index: usize, wanted: &Wanted) -> Result<Groups, ArrowError> {
    let buckets: Int64Array = column(batch, "bucket", &DataType::Int64)?;
    let values: Float64Array = column(batch, &format!("v{index}"), &DataType::Float64)?;
    let labels = labels(query, batch)?;
    let mut groups = Groups::new();
    for row in 0..batch.num_rows() {
        let bucket = get(&buckets, row).and_then(|b| usize::try_from(b).ok()).unwrap_or(usize::MAX);
        let key = labels.iter().map(|l| get(l, row).unwrap_or_default().to_owned()).collect();
        let group = groups.entry(key).or_insert_with(|| vec![None; query.grid.buckets()]);
        if let (Some(cell), Some(value)) = (group.get_mut(bucket), get(&values, row)) {
            let per = if wanted.stat == Stat::Rate { query.grid.width_s(bucket) } else { 1.0 };
            *cell = Some(value / per);
        }
    }
    Ok(groups)
}

/// The label columns of an answer.
pub(super) fn labels(query: &SeriesQuery, batch: &RecordBatch) -> Result<Vec<StringArray>, ArrowError> {
    (0..query.by.len()).map(|i| column(batch, &format!("l{i}"), &DataType::Utf8)).collect()
}
