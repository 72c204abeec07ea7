//! The newest value of each series of a metric: what an engine or an agent said last, and what it added up to.

use datafusion::arrow::array::{BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::datatypes::DataType::{Binary, Float64, Int64, UInt32, Utf8};
use datafusion::arrow::error::ArrowError;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tachograph_schema::otlp;
use tachograph_store::{QueryLimit, Store, literal};

use super::column::{Attributes, column, columns, decode, get, whole};
use super::{Filter, QueryError};
use crate::value;

/// Longest time before the end of a range that is searched, in nanoseconds: a day of what is sent every few seconds is
/// as much as one answer reads in a second or two.
const MAX_WINDOW_NS: i64 = 24 * 3600 * 1_000_000_000;

/// Whose reports, and of which time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fleet {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) filter: Filter,
}

/// One series of a metric.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest {
    pub(super) name: String,
    pub(super) service: String,
    pub(super) instance: String,
    pub(super) model: String,
    pub(super) engine_index: Option<u32>,
    /// The attributes as the store groups by them.
    pub(super) labels: String,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) resource: Resource,
    /// Times of the first and the last point, Unix nanoseconds.
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    first: f64,
    last: f64,
    /// Sum of the points of a series in delta temporality.
    added: Option<f64>,
}

columns! {
    LatestColumns {
        name: StringArray = Utf8,
        service: StringArray = Utf8,
        instance: StringArray = Utf8,
        model: StringArray = Utf8,
        engine_index: UInt32Array = UInt32,
        labels: StringArray = Utf8,
        attributes: BinaryArray = Binary,
        resource: BinaryArray = Binary,
        first_ns: Int64Array = Int64,
        last_ns: Int64Array = Int64,
        first: Float64Array = Float64,
        last: Float64Array = Float64,
        added: Float64Array = Float64,
    }
}

/// The newest value of each series of the metrics of these names in the range, or in its last day where it is longer.
pub(super) async fn latest(store: &dyn Store, fleet: &Fleet, names: &[&str]) -> Result<Vec<Latest>, QueryError> {
    let answer = store.sql(&sql(fleet, names), QueryLimit::default()).await?;
    let Some(batch) = whole(&answer)? else { return Ok(Vec::new()) };
    let columns = LatestColumns::new(&batch)?;
    Ok((0..batch.num_rows()).map(|row| columns.latest(row)).collect())
}

fn sql(fleet: &Fleet, names: &[&str]) -> String {
    const DELTA: u8 = 1;
    let from = fleet.from_ns.max(fleet.to_ns.saturating_sub(MAX_WINDOW_NS));
    let newest =
        ["model", "engine_index", "attributes", "resource"].map(|c| format!("last_value({c} ORDER BY time) AS {c}"));
    format!(
        "SELECT name, service, instance, labels, {}, CAST(min(time) AS BIGINT) AS first_ns, \
           CAST(max(time) AS BIGINT) AS last_ns, first_value(value ORDER BY time) AS first, \
           last_value(value ORDER BY time) AS last, sum(value) FILTER (WHERE temporality = {DELTA}) AS added \
         FROM points WHERE time >= {} AND time < {} AND value IS NOT NULL AND name IN ({}) AND {} \
         GROUP BY name, service, instance, labels",
        newest.join(", "),
        literal::time(from),
        literal::time(fleet.to_ns),
        names.iter().map(|n| literal::text(n)).collect::<Vec<_>>().join(", "),
        fleet.filter.on_points(),
    )
}

impl LatestColumns {
    fn latest(&self, row: usize) -> Latest {
        let text = |array: &StringArray| get(array, row).unwrap_or_default().to_owned();
        Latest {
            name: text(&self.name),
            service: text(&self.service),
            instance: text(&self.instance),
            model: text(&self.model),
            engine_index: get(&self.engine_index, row),
            labels: text(&self.labels),
            attributes: decode::<Attributes>(&self.attributes, row).items,
            resource: decode(&self.resource, row),
            first_ns: get(&self.first_ns, row).unwrap_or_default(),
            last_ns: get(&self.last_ns, row).unwrap_or_default(),
            first: get(&self.first, row).unwrap_or_default(),
            last: get(&self.last, row).unwrap_or_default(),
            added: get(&self.added, row),
        }
    }
}

impl Latest {
    /// The newest value; of a sum in delta temporality what was added in the window.
    pub(super) fn value(&self) -> f64 {
        self.added.unwrap_or(self.last)
    }

    /// What a sum grew by between the first point of the window and the last; one that was reset in between is taken
    /// to have started from nothing.
    pub(super) fn increase(&self) -> f64 {
        self.added.unwrap_or(if self.last >= self.first { self.last - self.first } else { self.last })
    }

    /// An attribute of the point as text, empty where it is not there.
    pub(super) fn attribute(&self, key: &str) -> String {
        text(&self.attributes, key).unwrap_or_default()
    }

    /// An attribute of the resource as text.
    pub(super) fn of_resource(&self, key: &str) -> Option<String> {
        text(&self.resource.attributes, key)
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    otlp::find(attributes, key).map(|v| value::text(v).into_owned()).filter(|text| !text.is_empty())
}
