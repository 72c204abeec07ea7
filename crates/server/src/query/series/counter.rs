//! What engines count: steps, tokens, cache hits. Cumulative and delta points, resets understood.
//!
//! An increase happened somewhere between two points; it is spread evenly over that time, so that a rate is right also
//! where points are further apart than buckets.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;
use tachograph_store::{Store, literal};

use super::{Groups, LOOKBACK_NS, Rows, SeriesQuery, Stat, label_columns, label_names, limit, request};
use crate::query::QueryError;
use crate::query::column::{column, get, whole};

/// What a counter of a kind is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The value of a sum, the number of observations of a histogram.
    Count,
    /// The sum of the observations of a histogram.
    Sum,
}

impl Part {
    fn sql(self) -> &'static str {
        match self {
            Self::Count => "coalesce(value, CAST(count AS DOUBLE))",
            Self::Sum => "sum",
        }
    }
}

/// One increase of one series of a metric, between two times.
#[derive(Clone, Debug)]
struct Increase {
    name: String,
    labels: Vec<String>,
    series: String,
    from_ns: i64,
    to_ns: i64,
    amount: f64,
}

/// Increases of all metrics that are read for them.
#[derive(Debug, Default)]
pub(super) struct Increases {
    counts: Vec<Increase>,
    sums: Vec<Increase>,
}

/// The increases that the series asked for need.
pub(super) async fn increases(store: &dyn Store, query: &SeriesQuery) -> Result<Increases, QueryError> {
    let names: BTreeSet<&str> = query.wanted.iter().flat_map(|w| w.quantity.counter_names(w.stat)).collect();
    let means = query.wanted.iter().filter(|w| w.stat == Stat::Mean && w.name.starts_with("metric."));
    let means: BTreeSet<&str> = means.flat_map(|w| w.quantity.counter_names(w.stat)).collect();
    let (counts, sums) =
        futures::try_join!(read(store, query, &names, Part::Count), read(store, query, &means, Part::Sum))?;
    Ok(Increases { counts, sums })
}

async fn read(
    store: &dyn Store,
    query: &SeriesQuery,
    names: &BTreeSet<&str>,
    part: Part,
) -> Result<Vec<Increase>, QueryError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let answer = store.sql(&sql(query, names, part), limit()).await?;
    Ok(match whole(&answer)? {
        Some(batch) => rows(query, &batch)?,
        None => Vec::new(),
    })
}

/// Increases of each series, those that end in one bucket as one.
fn sql(query: &SeriesQuery, names: &BTreeSet<&str>, part: Part) -> String {
    const DELTA: u8 = 1;
    let grid = &query.grid;
    let (from, to) = (grid.first_ns() - LOOKBACK_NS, grid.to_ns() + LOOKBACK_NS);
    let labels = label_names(query);
    // The first point of a cumulative series counts from its own start, where that is in sight.
    let amount = format!(
        "CASE WHEN temporality = {DELTA} THEN v WHEN pv IS NULL THEN CASE WHEN since >= {from} THEN v END \
         WHEN v < pv THEN v ELSE v - pv END"
    );
    let begin = format!("CASE WHEN temporality = {DELTA} OR pv IS NULL THEN coalesce(since, pt, at) ELSE pt END");
    format!(
        "SELECT name, series{labels}, min(begin) AS begin, max(at) AS at, sum(amount) AS amount FROM (\
           SELECT name, series{labels}, at, {begin} AS begin, {amount} AS amount FROM (\
             SELECT *, lag(v) OVER w AS pv, lag(at) OVER w AS pt FROM (\
               SELECT name, concat(service, chr(1), instance, chr(1), labels) AS series{}, temporality, \
                 CAST(time AS BIGINT) AS at, CAST(start AS BIGINT) AS since, {} AS v FROM points \
               WHERE time >= {} AND time < {} AND name IN ({}) AND {}) \
             WHERE v IS NOT NULL WINDOW w AS (PARTITION BY name, series ORDER BY at))) \
         WHERE amount IS NOT NULL GROUP BY name, series{labels}, (at - {from}) / {}",
        label_columns(query, Rows::Points),
        part.sql(),
        literal::time(from),
        literal::time(to),
        names.iter().map(|n| literal::text(n)).collect::<Vec<_>>().join(", "),
        query.filter.on_points(),
        grid.step_ns(),
    )
}

fn rows(query: &SeriesQuery, batch: &RecordBatch) -> Result<Vec<Increase>, QueryError> {
    let name: StringArray = column(batch, "name", &DataType::Utf8)?;
    let series: StringArray = column(batch, "series", &DataType::Utf8)?;
    let begin: Int64Array = column(batch, "begin", &DataType::Int64)?;
    let at: Int64Array = column(batch, "at", &DataType::Int64)?;
    let amount: Float64Array = column(batch, "amount", &DataType::Float64)?;
    let labels = request::labels(query, batch)?;
    let text = |array: &StringArray, row| get(array, row).unwrap_or_default().to_owned();
    let row = |row| Increase {
        name: text(&name, row),
        labels: labels.iter().map(|l| text(l, row)).collect(),
        series: text(&series, row),
        from_ns: get(&begin, row).unwrap_or_default(),
        to_ns: get(&at, row).unwrap_or_default(),
        amount: get(&amount, row).unwrap_or_default(),
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// What happened in a bucket, and in how many of its seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    amount: f64,
    seconds: f64,
}

impl Increases {
    /// Increase per second, all series added up.
    pub(super) fn rates(&self, query: &SeriesQuery, names: &[&str]) -> Groups {
        add_up(spread(query, &self.counts, names), |cell| (cell.seconds > 0.0).then(|| cell.amount / cell.seconds))
    }

    /// Increase of `part` as a share of that of `whole`.
    pub(super) fn ratio(&self, query: &SeriesQuery, part: &[&str], whole: &[&str]) -> Groups {
        let amounts = |names| add_up(spread(query, &self.counts, names), |cell| Some(cell.amount));
        divide(&amounts(part), amounts(whole))
    }

    /// Mean observation of a histogram.
    pub(super) fn mean(&self, query: &SeriesQuery, name: &str) -> Groups {
        let amounts = |of| add_up(spread(query, of, &[name]), |cell| Some(cell.amount));
        divide(&amounts(&self.sums), amounts(&self.counts))
    }
}

/// The increases of each series, by label and bucket.
fn spread(query: &SeriesQuery, increases: &[Increase], names: &[&str]) -> BTreeMap<Vec<String>, Vec<Vec<Cell>>> {
    let grid = &query.grid;
    let mut series: BTreeMap<(&[String], &str, &str), Vec<Cell>> = BTreeMap::new();
    for one in increases.iter().filter(|i| names.contains(&i.name.as_str())) {
        let key = (one.labels.as_slice(), one.name.as_str(), one.series.as_str());
        let cells = series.entry(key).or_insert_with(|| vec![Cell::default(); grid.buckets()]);
        // A point that does not say since when it counts is taken to stand for one step.
        let from_ns = if one.from_ns < one.to_ns { one.from_ns } else { one.to_ns - grid.step_ns() };
        for bucket in grid.touched(from_ns, one.to_ns) {
            let (start, end) = grid.bounds_ns(bucket);
            let overlap = (end.min(one.to_ns) - start.max(from_ns)).max(0);
            if let Some(cell) = cells.get_mut(bucket) {
                #[allow(clippy::cast_precision_loss)] // intervals of days at most
                let (overlap, width) = (overlap as f64, (one.to_ns - from_ns) as f64);
                cell.amount += one.amount * overlap / width;
                cell.seconds += overlap / 1e9;
            }
        }
    }
    let mut groups: BTreeMap<Vec<String>, Vec<Vec<Cell>>> = BTreeMap::new();
    for ((labels, _, _), cells) in series {
        groups.entry(labels.to_vec()).or_default().push(cells);
    }
    groups
}

fn add_up(groups: BTreeMap<Vec<String>, Vec<Vec<Cell>>>, value: impl Fn(&Cell) -> Option<f64>) -> Groups {
    let known = |cell: &Cell| if cell.seconds > 0.0 { value(cell) } else { None };
    let column = |series: &[Vec<Cell>], bucket: usize| {
        series.iter().filter_map(|cells| cells.get(bucket).and_then(&known)).reduce(|a, b| a + b)
    };
    let row = |series: Vec<Vec<Cell>>| {
        let buckets = series.first().map_or(0, Vec::len);
        (0..buckets).map(|bucket| column(&series, bucket)).collect()
    };
    groups.into_iter().map(|(labels, series)| (labels, row(series))).collect()
}

fn divide(parts: &Groups, wholes: Groups) -> Groups {
    let share = |labels: &Vec<String>, wholes: Vec<Option<f64>>| {
        let parts = parts.get(labels).map(Vec::as_slice).unwrap_or_default();
        let part = |bucket: usize| parts.get(bucket).copied().flatten();
        let of =
            |(bucket, whole): (usize, Option<f64>)| whole.filter(|w| *w > 0.0).and_then(|w| Some(part(bucket)? / w));
        wholes.into_iter().enumerate().map(of).collect()
    };
    wholes.into_iter().map(|(labels, whole)| (labels.clone(), share(&labels, whole))).collect()
}
