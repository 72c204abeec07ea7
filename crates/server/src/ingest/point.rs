//! Metric data points to rows of `points`.

mod columns;

use datafusion::arrow::error::ArrowError;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
    number_data_point,
};
use tachograph_schema::{attribute, otlp};

use super::promoted::as_count;
use super::resource::Shared;
use super::{Decoded, nanos};
use crate::value;
use columns::PointColumns;

/// Attributes that name the model of a point: the conventions', and the two that the engines use.
const MODEL_KEYS: [&str; 3] = [attribute::REQUEST_MODEL, "model_name", "modelName"];
/// Attributes that name the data-parallel rank of a point.
const ENGINE_KEYS: [&str; 3] = [attribute::ENGINE_INDEX, "engine_index", "dp_rank"];

/// Kind of a point, as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PointKind {
    Gauge = 0,
    Sum = 1,
    Histogram = 2,
    Exponential = 3,
    Summary = 4,
}

/// What the points of one metric share.
#[derive(Clone, Copy)]
struct Instrument<'a> {
    shared: &'a Shared,
    metric: &'a Metric,
    kind: PointKind,
    monotonic: bool,
    temporality: i32,
}

/// A point of any kind.
#[derive(Default)]
struct Point<'a> {
    attributes: &'a [KeyValue],
    start_ns: u64,
    time_ns: u64,
    value: Option<f64>,
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    bounds: Option<Vec<f64>>,
    quantile_values: Option<Vec<f64>>,
    buckets: Option<&'a [u64]>,
    scale: Option<i32>,
    offset: Option<i32>,
    zero_count: Option<u64>,
    negative_offset: Option<i32>,
    negative_buckets: Option<&'a [u64]>,
}

impl Point<'_> {
    fn model(&self) -> Option<std::borrow::Cow<'_, str>> {
        MODEL_KEYS.iter().find_map(|key| otlp::find(self.attributes, key)).map(value::text)
    }

    fn engine_index(&self) -> Option<u32> {
        ENGINE_KEYS.iter().find_map(|key| otlp::find(self.attributes, key)).and_then(as_count)
    }

    /// `k=v` sorted and joined with commas.
    fn labels(&self) -> String {
        let text = |kv: &KeyValue| value::of(kv.value.as_ref()).map(|v| value::text(v).into_owned());
        let mut pairs: Vec<String> =
            self.attributes.iter().map(|kv| format!("{}={}", kv.key, text(kv).unwrap_or_default())).collect();
        pairs.sort_unstable();
        pairs.join(",")
    }
}

impl<'a> From<&'a NumberDataPoint> for Point<'a> {
    fn from(p: &'a NumberDataPoint) -> Self {
        let absent = p.flags & DataPointFlags::NoRecordedValueMask as u32 != 0;
        #[allow(clippy::cast_precision_loss)] // counters above 2^53 lose their last digits, as in every metric store
        let value = p.value.filter(|_| !absent).map(|v| match v {
            number_data_point::Value::AsDouble(d) => d,
            number_data_point::Value::AsInt(i) => i as f64,
        });
        Point {
            attributes: &p.attributes,
            start_ns: p.start_time_unix_nano,
            time_ns: p.time_unix_nano,
            value,
            ..Point::default()
        }
    }
}

impl<'a> From<&'a HistogramDataPoint> for Point<'a> {
    fn from(p: &'a HistogramDataPoint) -> Self {
        Point {
            attributes: &p.attributes,
            start_ns: p.start_time_unix_nano,
            time_ns: p.time_unix_nano,
            count: Some(p.count),
            sum: p.sum,
            min: p.min,
            max: p.max,
            bounds: Some(p.explicit_bounds.clone()),
            buckets: Some(&p.bucket_counts),
            ..Point::default()
        }
    }
}

impl<'a> From<&'a ExponentialHistogramDataPoint> for Point<'a> {
    fn from(p: &'a ExponentialHistogramDataPoint) -> Self {
        let negative = p.negative.as_ref().filter(|b| !b.bucket_counts.is_empty());
        Point {
            attributes: &p.attributes,
            start_ns: p.start_time_unix_nano,
            time_ns: p.time_unix_nano,
            count: Some(p.count),
            sum: p.sum,
            min: p.min,
            max: p.max,
            buckets: p.positive.as_ref().map(|b| b.bucket_counts.as_slice()),
            scale: Some(p.scale),
            offset: p.positive.as_ref().map(|b| b.offset),
            zero_count: Some(p.zero_count),
            negative_offset: negative.map(|b| b.offset),
            negative_buckets: negative.map(|b| b.bucket_counts.as_slice()),
            ..Point::default()
        }
    }
}

impl<'a> From<&'a SummaryDataPoint> for Point<'a> {
    fn from(p: &'a SummaryDataPoint) -> Self {
        Point {
            attributes: &p.attributes,
            start_ns: p.start_time_unix_nano,
            time_ns: p.time_unix_nano,
            count: Some(p.count),
            sum: Some(p.sum),
            bounds: Some(p.quantile_values.iter().map(|q| q.quantile).collect()),
            quantile_values: Some(p.quantile_values.iter().map(|q| q.value).collect()),
            ..Point::default()
        }
    }
}

/// Rows of an export of metrics.
pub(super) fn decode(request: &ExportMetricsServiceRequest) -> Result<Decoded, ArrowError> {
    let mut columns = PointColumns::default();
    for group in &request.resource_metrics {
        let shared = Shared::new(group.resource.as_ref());
        for metric in group.scope_metrics.iter().flat_map(|s| &s.metrics) {
            append_metric(&mut columns, &shared, metric)?;
        }
    }
    let batch = columns.finish()?;
    let mut decoded = Decoded { rows: batch.num_rows() as u64, ..Decoded::default() };
    decoded.tables.points = (batch.num_rows() > 0).then_some(batch);
    Ok(decoded)
}

fn append_metric(columns: &mut PointColumns, shared: &Shared, metric: &Metric) -> Result<(), ArrowError> {
    let instrument = |kind, monotonic, temporality| Instrument { shared, metric, kind, monotonic, temporality };
    match &metric.data {
        None => Ok(()),
        Some(Data::Gauge(g)) => append_all(columns, instrument(PointKind::Gauge, false, 0), &g.data_points),
        Some(Data::Sum(s)) => {
            append_all(columns, instrument(PointKind::Sum, s.is_monotonic, s.aggregation_temporality), &s.data_points)
        }
        Some(Data::Histogram(h)) => {
            append_all(columns, instrument(PointKind::Histogram, false, h.aggregation_temporality), &h.data_points)
        }
        Some(Data::ExponentialHistogram(h)) => {
            append_all(columns, instrument(PointKind::Exponential, false, h.aggregation_temporality), &h.data_points)
        }
        Some(Data::Summary(s)) => append_all(columns, instrument(PointKind::Summary, false, 0), &s.data_points),
    }
}

fn append_all<'a, P>(columns: &mut PointColumns, of: Instrument<'_>, points: &'a [P]) -> Result<(), ArrowError>
where
    Point<'a>: From<&'a P>,
{
    points.iter().try_for_each(|point| columns.append(of, &Point::from(point)))
}

/// The start of an interval, none where the sender does not say.
fn start(ns: u64) -> Option<i64> {
    (ns != 0).then(|| nanos(ns))
}
