//! Levels that engines report: running, waiting, KV cache usage.
//!
//! A sample stands for the time after it until the next one, at most for 90 s. Engines are added up minute by minute
//! and the minutes then joined to buckets, so that one that was restarted under another name does not count twice.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use tachograph_store::{Store, literal};

use super::wanted::Combine;
use super::{Grid, Groups, LOOKBACK_NS, Rows, SeriesQuery, Stat, label_columns, label_names, limit, request};
use crate::query::QueryError;
use crate::query::column::{column, get, whole};

/// Samples of one series of a metric in one bucket.
#[derive(Clone, Copy, Debug)]
struct Sample {
    mean: f64,
    max: f64,
    last: f64,
    /// Unix nanoseconds of the last.
    last_ns: i64,
}

/// One series of a metric: its buckets, those of the time before the range included.
#[derive(Debug)]
struct MetricSeries {
    name: String,
    labels: Vec<String>,
    buckets: BTreeMap<i64, Sample>,
}

/// Samples of all metrics that are read for their level.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<MetricSeries>);

/// Longest time over which the samples of one engine are joined before engines are.
const MINUTE_NS: i64 = 60_000_000_000;

/// The samples that the series asked for need.
pub(super) async fn samples(store: &dyn Store, query: &SeriesQuery) -> Result<Samples, QueryError> {
    let names: BTreeSet<&str> = query.wanted.iter().flat_map(|w| w.quantity.level_names(w.stat)).collect();
    if names.is_empty() {
        return Ok(Samples::default());
    }
    let grid = query.grid.finer(MINUTE_NS);
    let base = grid.first_ns() - before(grid) * grid.step_ns();
    let labels = label_names(query);
    let sql = format!(
        "SELECT name, series, bucket{labels}, avg(value) AS mean, max(value) AS max, \
           last_value(value ORDER BY time) AS last, max(CAST(time AS BIGINT)) AS last_ns \
         FROM (SELECT name, concat(service, chr(1), instance, chr(1), labels) AS series, \
           (CAST(time AS BIGINT) - {base}) / {} AS bucket, time, value{} FROM points \
           WHERE time >= {} AND time < {} AND value IS NOT NULL AND name IN ({}) AND {}) \
         GROUP BY name, series, bucket{labels}",
        grid.step_ns(),
        label_columns(query, Rows::Points),
        literal::time(base),
        literal::time(grid.to_ns()),
        names.iter().map(|n| literal::text(n)).collect::<Vec<_>>().join(", "),
        query.filter.on_points(),
    );
    let answer = store.sql(&sql, limit()).await?;
    let Some(batch) = whole(&answer)? else { return Ok(Samples::default()) };
    let name: StringArray = column(&batch, "name", &DataType::Utf8)?;
    let series: StringArray = column(&batch, "series", &DataType::Utf8)?;
    let bucket: Int64Array = column(&batch, "bucket", &DataType::Int64)?;
    let figures: Vec<Float64Array> =
        ["mean", "max", "last"].iter().map(|f| column(&batch, f, &DataType::Float64)).collect::<Result<_, _>>()?;
    let last_ns: Int64Array = column(&batch, "last_ns", &DataType::Int64)?;
    let labels = request::labels(query, &batch)?;
    let mut all: BTreeMap<(String, String, Vec<String>), BTreeMap<i64, Sample>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let text = |array: &StringArray| get(array, row).unwrap_or_default().to_owned();
        let figure = |i: usize| figures.get(i).and_then(|f| get(f, row)).unwrap_or(f64::NAN);
        let key = (text(&name), text(&series), labels.iter().map(text).collect());
        let last_ns = get(&last_ns, row).unwrap_or_default();
        let sample = Sample { mean: figure(0), max: figure(1), last: figure(2), last_ns };
        all.entry(key).or_default().insert(get(&bucket, row).unwrap_or_default() - before(grid), sample);
    }
    let series = |((name, _, labels), buckets)| MetricSeries { name, labels, buckets };
    Ok(Samples(all.into_iter().map(series).collect()))
}

/// Buckets before the range whose last value may reach into it.
fn before(grid: Grid) -> i64 {
    LOOKBACK_NS / grid.step_ns() + 1
}

impl Samples {
    /// Values of the metrics of these names, by label.
    pub(super) fn combined(&self, query: &SeriesQuery, names: &[&str], stat: Stat, combine: Combine) -> Groups {
        let grid = query.grid.finer(MINUTE_NS);
        let mut groups: BTreeMap<Vec<String>, Vec<Vec<f64>>> = BTreeMap::new();
        for series in self.0.iter().filter(|s| names.contains(&s.name.as_str())) {
            let cells = groups.entry(series.labels.clone()).or_insert_with(|| vec![Vec::new(); grid.buckets()]);
            for (cell, index) in cells.iter_mut().zip(0..) {
                cell.extend(series.at(index, grid, stat));
            }
        }
        let combined = |cells: Vec<Vec<f64>>| {
            let minutes: Vec<Option<f64>> = cells.iter().map(|values| join_engines(values, stat, combine)).collect();
            join_minutes(query, grid, &minutes, stat)
        };
        groups.into_iter().map(|(labels, cells)| (labels, combined(cells))).collect()
    }
}

impl MetricSeries {
    fn at(&self, bucket: i64, grid: Grid, stat: Stat) -> Option<f64> {
        let (index, sample) = self.buckets.range(..=bucket).next_back()?;
        let value = match stat {
            _ if *index < bucket => sample.last,
            Stat::Max => sample.max,
            Stat::Last => sample.last,
            _ => sample.mean,
        };
        let start_ns = grid.first_ns().saturating_add(grid.step_ns().saturating_mul(bucket));
        let stands = start_ns.saturating_sub(sample.last_ns) < LOOKBACK_NS;
        (stands && value.is_finite()).then_some(value)
    }
}

/// Engines at one time.
fn join_engines(values: &[f64], stat: Stat, combine: Combine) -> Option<f64> {
    match (combine, stat) {
        (Combine::Add, _) => values.iter().copied().reduce(|a, b| a + b),
        (Combine::Share, Stat::Max) => values.iter().copied().reduce(f64::max),
        (Combine::Share, _) => mean(values),
    }
}

/// The times of each bucket.
fn join_minutes(query: &SeriesQuery, grid: Grid, minutes: &[Option<f64>], stat: Stat) -> Vec<Option<f64>> {
    let mut buckets: Vec<Vec<f64>> = vec![Vec::new(); query.grid.buckets()];
    for (minute, value) in minutes.iter().enumerate() {
        let (start_ns, end_ns) = grid.bounds_ns(minute);
        let bucket = query.grid.touched(start_ns, end_ns).next().and_then(|b| buckets.get_mut(b));
        if let Some(bucket) = bucket {
            bucket.extend(value);
        }
    }
    let join = |values: Vec<f64>| match stat {
        Stat::Max => values.into_iter().reduce(f64::max),
        Stat::Last => values.last().copied(),
        _ => mean(&values),
    };
    buckets.into_iter().map(join).collect()
}

#[allow(clippy::cast_precision_loss)] // engines and minutes are not counted in 2^53
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
