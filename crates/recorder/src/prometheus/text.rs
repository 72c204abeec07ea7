//! OTLP's metrics in the text format.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint, metric::Data};
use prometheus::TextEncoder;
use prometheus::proto;

use super::Scraped;
use super::name::{family, labels};

/// What [`text`] is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A scrape's answer. A metric without points is left out: the format has no way to say it.
#[must_use]
pub fn text(scraped: &Scraped) -> String {
    let mut families: Vec<proto::MetricFamily> = scraped.metrics.iter().filter_map(of_metric).collect();
    families.push(target(&scraped.resource.attributes));
    let mut text = String::new();
    for family in families {
        // One that cannot be written must not keep the others from being read.
        if let Err(error) = TextEncoder::new().encode_utf8(&[family], &mut text) {
            tracing::debug!("a metric is left out of a scrape: {error}");
        }
    }
    text
}

fn of_metric(metric: &Metric) -> Option<proto::MetricFamily> {
    let (kind, points) = match metric.data.as_ref()? {
        Data::Gauge(gauge) => (proto::MetricType::GAUGE, numbers(&gauge.data_points, gauge_point)),
        Data::Sum(sum) if sum.is_monotonic => (proto::MetricType::COUNTER, numbers(&sum.data_points, counter_point)),
        Data::Sum(sum) => (proto::MetricType::GAUGE, numbers(&sum.data_points, gauge_point)),
        Data::Histogram(histogram) => {
            (proto::MetricType::HISTOGRAM, histogram.data_points.iter().map(histogram_point).collect())
        }
        _ => return None,
    };
    (!points.is_empty()).then(|| of_points(family(metric), &metric.description, kind, points))
}

fn of_points(name: String, help: &str, kind: proto::MetricType, points: Vec<proto::Metric>) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(name);
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(points);
    family
}

/// `target_info`: the resource, as the rules want it.
fn target(resource: &[KeyValue]) -> proto::MetricFamily {
    let point = gauge_point(resource, 1.0);
    of_points("target_info".to_owned(), "the application that is observed", proto::MetricType::GAUGE, vec![point])
}

fn numbers(points: &[NumberDataPoint], point: fn(&[KeyValue], f64) -> proto::Metric) -> Vec<proto::Metric> {
    let value = |p: &NumberDataPoint| match p.value {
        Some(Value::AsInt(n)) => n as f64,
        Some(Value::AsDouble(x)) => x,
        None => f64::NAN,
    };
    points.iter().map(|p| point(&p.attributes, value(p))).collect()
}

fn gauge_point(attributes: &[KeyValue], value: f64) -> proto::Metric {
    let mut gauge = proto::Gauge::default();
    gauge.set_value(value);
    let mut metric = labelled(attributes);
    metric.set_gauge(gauge);
    metric
}

fn counter_point(attributes: &[KeyValue], value: f64) -> proto::Metric {
    let mut counter = proto::Counter::default();
    counter.set_value(value);
    let mut metric = labelled(attributes);
    metric.set_counter(counter);
    metric
}

fn histogram_point(point: &HistogramDataPoint) -> proto::Metric {
    let mut below = 0;
    let buckets = point.explicit_bounds.iter().zip(&point.bucket_counts).map(|(bound, count)| {
        below += count;
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(point.count);
    histogram.set_sample_sum(point.sum.unwrap_or(0.0));
    let mut metric = labelled(&point.attributes);
    metric.set_histogram(histogram);
    metric
}

fn labelled(attributes: &[KeyValue]) -> proto::Metric {
    let pair = |(name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name(name);
        pair.set_value(value);
        pair
    };
    let mut metric = proto::Metric::default();
    metric.set_label(labels(attributes).into_iter().map(pair).collect());
    metric
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use opentelemetry_proto::tonic::metrics::v1::{Histogram, Sum};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use tachograph_schema::otlp::Attributes;

    use super::*;

    fn attributes(pairs: &[(&'static str, &str)]) -> Vec<KeyValue> {
        let mut attributes = Attributes::default();
        pairs.iter().for_each(|(key, value)| {
            attributes.set(key, *value);
        });
        attributes.0
    }

    fn metric(name: &str, data: Data) -> Metric {
        Metric {
            name: name.into(),
            description: "what\nit is".into(),
            unit: "s".into(),
            data: Some(data),
            ..Metric::default()
        }
    }

    #[test]
    fn a_scrape_has_help_type_escaped_labels_cumulative_buckets_and_the_target() {
        let point = NumberDataPoint {
            attributes: attributes(&[("modelName", "a\"b\\c\nd")]),
            value: Some(Value::AsInt(3)),
            ..NumberDataPoint::default()
        };
        let sum = Sum { data_points: vec![point], is_monotonic: true, ..Sum::default() };
        let bucketed = HistogramDataPoint {
            count: 6,
            sum: Some(2.5),
            bucket_counts: vec![1, 2, 3],
            explicit_bounds: vec![0.1, 1.0],
            ..HistogramDataPoint::default()
        };
        let histogram = Histogram { data_points: vec![bucketed], ..Histogram::default() };
        let scraped = Scraped {
            metrics: vec![
                metric("gen_ai_server_request_duration", Data::Sum(sum)),
                metric("gen_ai.server.request.duration", Data::Histogram(histogram)),
                metric("tachograph.lag", Data::Sum(Sum::default())),
            ],
            resource: Resource { attributes: attributes(&[("service.name", "shop")]), ..Resource::default() },
        };
        expect![[r#"
            # HELP gen_ai_server_request_duration what\nit is
            # TYPE gen_ai_server_request_duration counter
            gen_ai_server_request_duration{modelName="a\"b\\c\nd"} 3
            # HELP gen_ai_server_request_duration_seconds what\nit is
            # TYPE gen_ai_server_request_duration_seconds histogram
            gen_ai_server_request_duration_seconds_bucket{le="0.1"} 1
            gen_ai_server_request_duration_seconds_bucket{le="1"} 3
            gen_ai_server_request_duration_seconds_bucket{le="+Inf"} 6
            gen_ai_server_request_duration_seconds_sum 2.5
            gen_ai_server_request_duration_seconds_count 6
            # HELP target_info the application that is observed
            # TYPE target_info gauge
            target_info{service_name="shop"} 1
        "#]]
        .assert_eq(&text(&scraped));
    }
}
