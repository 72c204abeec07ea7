//! OTLP's points and their metrics.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, Sum, metric::Data,
};
use tachograph_schema::otlp::Attributes;

use crate::config::Temporality;

/// The interval of a collection, Unix nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) temporality: Temporality,
    /// Start of what is cumulative always.
    pub(super) born_ns: u64,
    pub(super) start_ns: u64,
    pub(super) now_ns: u64,
}

impl Window {
    pub(super) fn aggregation(self) -> i32 {
        match self.temporality {
            Temporality::Cumulative => AggregationTemporality::Cumulative.into(),
            Temporality::Delta => AggregationTemporality::Delta.into(),
        }
    }

    /// A point of a sum over the window, or of a gauge at its end.
    pub(super) fn number(self, attributes: Vec<KeyValue>, value: Value) -> NumberDataPoint {
        NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start_ns,
            time_unix_nano: self.now_ns,
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }

    pub(super) fn sum(self, points: Vec<NumberDataPoint>) -> Data {
        Data::Sum(Sum { data_points: points, aggregation_temporality: self.aggregation(), is_monotonic: true })
    }

    /// A level that is documented as a counter: there is no increase of it to tell, so it is cumulative always.
    pub(super) fn level_sum(self, points: Vec<NumberDataPoint>) -> Data {
        self.since_start(points, true)
    }

    /// A sum that may fall, cumulative always, as the OTLP exporters of OpenTelemetry's SDKs have it.
    pub(super) fn up_down(self, points: Vec<NumberDataPoint>) -> Data {
        self.since_start(points, false)
    }

    fn since_start(self, mut points: Vec<NumberDataPoint>, is_monotonic: bool) -> Data {
        points.iter_mut().for_each(|p| p.start_time_unix_nano = self.born_ns);
        let aggregation_temporality = AggregationTemporality::Cumulative.into();
        Data::Sum(Sum { data_points: points, aggregation_temporality, is_monotonic })
    }
}

pub(super) fn gauge(mut points: Vec<NumberDataPoint>) -> Data {
    points.iter_mut().for_each(|p| p.start_time_unix_nano = 0);
    Data::Gauge(Gauge { data_points: points })
}

pub(super) fn metric(name: &str, unit: &str, meaning: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: meaning.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

/// A whole number as OTLP has it.
pub(super) fn int(value: u64) -> Value {
    Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Attributes out of names and owned text.
pub(super) fn owned_labels(pairs: &[(&'static str, String)]) -> Vec<KeyValue> {
    labels(pairs.iter().map(|(key, value)| (*key, value.as_str())))
}

/// Attributes out of pairs of text.
pub(super) fn labels<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<KeyValue> {
    let mut attributes = Attributes::default();
    for (key, value) in pairs {
        attributes.set(key, value);
    }
    attributes.0
}
