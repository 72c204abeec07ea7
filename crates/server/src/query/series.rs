//! Quantities over time.
//!
//! Those of requests (rates, tokens, latencies) count a request in the bucket in which it *ended*: its tokens, its
//! latency and its outcome are known then. Percentiles are made from the requests themselves (t-digest), never from
//! other percentiles. Those of the engine (running, KV cache, steps) come from its metrics.
//!
//! Null means that nothing is known. A count is 0 only where the server was being sent something ([`coverage`]).

mod counter;
mod coverage;
mod documented;
mod grid;
mod level;
mod request;
pub(super) mod wanted;

use std::collections::BTreeMap;

use tachograph_store::{QueryLimit, Store};

use super::{Filter, QueryError};
use crate::api::wire::{Series, SeriesSet};
use counter::Increases;
pub(crate) use grid::{Grid, MAX_BUCKETS};
use level::Samples;
pub(super) use request::FINISH_REASON;
pub(crate) use wanted::Wanted;
use wanted::{Combine, Quantity, Stat};

/// Nanoseconds that a metric's last value stands for the time after it, and that anything received proves that the
/// server was being sent data: one and a half of OpenTelemetry's default export interval.
pub(super) const LOOKBACK_NS: i64 = 90_000_000_000;

/// Rows that an answer of the store may have: all buckets of 50 groups, or of 50 series of a metric.
const LIMIT_ROWS: usize = 50 * MAX_BUCKETS;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeriesQuery {
    /// The buckets.
    pub(crate) grid: Grid,
    /// What to split by, by label.
    pub(crate) by: Vec<By>,
    /// Which requests, and which engines.
    pub(crate) filter: Filter,
    /// The quantities.
    pub(crate) wanted: Vec<Wanted>,
}

/// A label that series are split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Model,
    Service,
    Instance,
    EngineIndex,
    FinishReason,
    UsageType,
    Status,
}

impl By {
    pub(crate) const ALL: [Self; 7] = [
        Self::Model,
        Self::Service,
        Self::Instance,
        Self::EngineIndex,
        Self::FinishReason,
        Self::UsageType,
        Self::Status,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Service => "service",
            Self::Instance => "instance",
            Self::EngineIndex => "engine_index",
            Self::FinishReason => "finish_reason",
            Self::UsageType => "usage_type",
            Self::Status => "status",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }

    /// Whether metric points have it too.
    pub(crate) fn of_points(self) -> bool {
        self != Self::Status
    }

    /// Whether requests have it too.
    pub(crate) fn of_requests(self) -> bool {
        self != Self::UsageType
    }

    /// Its value as text, empty where it is not known.
    fn sql(self, of: Rows) -> String {
        match (self, of) {
            (Self::FinishReason, Rows::Requests) => FINISH_REASON.to_owned(),
            (Self::FinishReason, Rows::Points) => point_label("finished_reason"),
            (Self::UsageType, _) => point_label("usageType"),
            (Self::Status, _) => "coalesce(CAST(outcome AS VARCHAR), '')".to_owned(),
            (other, _) => format!("coalesce(CAST({} AS VARCHAR), '')", other.name()),
        }
    }
}

/// Whose labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    Requests,
    Points,
}

/// An attribute of a metric point that has no column of its own, as far as its first comma.
fn point_label(key: &str) -> String {
    format!("split_part(split_part(concat(',', labels), ',{key}=', 2), ',', 1)")
}

/// Values of one quantity: for each combination of labels one for each bucket.
type Groups = BTreeMap<Vec<String>, Vec<Option<f64>>>;

/// The series asked for.
pub(crate) async fn series(store: &dyn Store, query: &SeriesQuery) -> Result<SeriesSet, QueryError> {
    let (requests, levels, increases) = futures::try_join!(
        request::groups(store, query),
        level::samples(store, query),
        counter::increases(store, query),
    )?;
    let mut series = Vec::new();
    for (index, wanted) in query.wanted.iter().enumerate() {
        let mut groups = match &wanted.quantity {
            Quantity::Events { .. } | Quantity::Total { .. } | Quantity::Latency(_) => {
                requests.get(&index).cloned().unwrap_or_default()
            }
            Quantity::Level { names, combine } => levels.combined(query, names, wanted.stat, *combine),
            Quantity::Counter { names } => increases.rates(query, names),
            Quantity::Ratio { part, whole } => increases.ratio(query, part, whole),
            Quantity::Metric(name) => metric(query, name, wanted.stat, &levels, &increases),
        };
        if groups.is_empty() && query.by.is_empty() {
            groups.insert(Vec::new(), vec![None; query.grid.buckets()]);
        }
        series.extend(groups.into_iter().map(|(labels, values)| wire(query, wanted, labels, values)));
    }
    if query.wanted.iter().any(|w| w.quantity.counts_requests()) {
        let covered = coverage::of(store, query.grid).await?;
        fill_zeros(query, &covered, &mut series);
    }
    Ok(SeriesSet { times_ms: query.grid.times_ms(), step_ms: query.grid.step_ms(), series })
}

/// A metric by its own name: of a documented sum of times the mean is that of the times.
fn metric(query: &SeriesQuery, name: &str, stat: Stat, levels: &Samples, increases: &Increases) -> Groups {
    match (stat, documented::observations(name)) {
        (Stat::Rate, _) => increases.rates(query, &[name]),
        (Stat::Mean, Some(counts)) => increases.ratio(query, &[name], counts),
        _ => {
            let groups = levels.combined(query, &[name], stat, Combine::of(name, stat));
            if groups.is_empty() { increases.mean(query, name) } else { groups }
        }
    }
}

fn wire(query: &SeriesQuery, wanted: &Wanted, labels: Vec<String>, values: Vec<Option<f64>>) -> Series {
    let names = query.by.iter().map(|by| by.name().to_owned());
    Series {
        name: wanted.name.clone(),
        stat: wanted.stat.name().to_owned(),
        labels: names.zip(labels).collect(),
        unit: wanted.unit(),
        values,
    }
}

/// Where something was received, no request means none.
fn fill_zeros(query: &SeriesQuery, covered: &[bool], series: &mut [Series]) {
    let counting = |s: &Series| {
        let mut wanted = query.wanted.iter();
        wanted.any(|w| w.name == s.name && w.stat.name() == s.stat && w.quantity.counts_requests())
    };
    for one in series.iter_mut().filter(|s| counting(s)) {
        for (value, covered) in one.values.iter_mut().zip(covered) {
            if *covered {
                value.get_or_insert(0.0);
            }
        }
    }
}

/// The label columns of a query: `…, <expression> AS l0, …`.
fn label_columns(query: &SeriesQuery, of: Rows) -> String {
    query.by.iter().enumerate().map(|(i, by)| format!(", {} AS l{i}", by.sql(of))).collect()
}

/// The names of the label columns: `, l0, l1`.
fn label_names(query: &SeriesQuery) -> String {
    (0..query.by.len()).map(|i| format!(", l{i}")).collect()
}

fn limit() -> QueryLimit {
    QueryLimit { rows: LIMIT_ROWS, ..QueryLimit::default() }
}
