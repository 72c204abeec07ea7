//! Whatever is sent: no panic, every valid row is there, every other is counted, and a replay gives the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test panics

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exponential_histogram_data_point::Buckets, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use tachograph_schema::attribute;
use tachograph_store::table::Table;

use super::*;

fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        "\\PC{0,12}".prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<f64>().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ];
    let wrap = |value| AnyValue { value };
    leaf.prop_map(Some).prop_map(wrap).prop_recursive(3, 12, 3, move |inner| {
        let list = vec(inner.clone(), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values }));
        let map = vec(("[a-c]", inner), 0..3).prop_map(|pairs| {
            let pair = |(key, value)| KeyValue { key, value: Some(value), ..KeyValue::default() };
            Value::KvlistValue(KeyValueList { values: pairs.into_iter().map(pair).collect() })
        });
        prop_oneof![list, map, Just(Value::StringValueStrindex(1))].prop_map(Some).prop_map(wrap)
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let names: Vec<String> = attribute::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    let key = prop_oneof![3 => prop::sample::select(names), 1 => "[a-z.]{0,8}"];
    let pair = (key, prop::option::of(value()));
    vec(pair.prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() }), 0..12)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(1..=255_u8, length), 1 => Just(vec![0; length]), 1 => vec(any::<u8>(), 0..20)]
}

prop_compose! {
    fn span()(
        trace_id in id(16), span_id in id(8), parent_span_id in prop_oneof![Just(Vec::new()), id(8)],
        name in prop_oneof![Just("llm_request".to_owned()), "[a-z ]{0,9}"], kind in any::<i32>(),
        start_time_unix_nano in any::<u64>(), end_time_unix_nano in any::<u64>(), attributes in attributes(),
        events in vec(any::<u64>().prop_map(|t| Event { time_unix_nano: t, ..Event::default() }), 0..3),
        links in vec(id(16).prop_map(|trace_id| Link { trace_id, ..Link::default() }), 0..2),
        status in prop::option::of(any::<i32>().prop_map(|code| Status { code, message: "m".to_owned() })),
        dropped_events_count in any::<u32>(),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id, name, kind, start_time_unix_nano, end_time_unix_nano, attributes,
            events, links, status, dropped_events_count, ..Span::default()
        }
    }
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    prop::option::of(attributes().prop_map(|attributes| Resource { attributes, ..Resource::default() }))
}

prop_compose! {
    fn traces()(groups in vec((resource(), vec(vec(span(), 0..4), 0..3)), 0..3)) -> ExportTraceServiceRequest {
        let scope = |spans| ScopeSpans { spans, ..ScopeSpans::default() };
        let group = |(resource, scopes): (_, Vec<Vec<Span>>)| ResourceSpans {
            resource, scope_spans: scopes.into_iter().map(scope).collect(), ..ResourceSpans::default()
        };
        ExportTraceServiceRequest { resource_spans: groups.into_iter().map(group).collect() }
    }
}

fn number() -> impl Strategy<Value = NumberDataPoint> {
    use number_data_point::Value::{AsDouble, AsInt};
    let value = prop::option::of(prop_oneof![any::<f64>().prop_map(AsDouble), any::<i64>().prop_map(AsInt)]);
    (attributes(), any::<u64>(), any::<u64>(), value, any::<u32>()).prop_map(
        |(attributes, start, time, value, flags)| NumberDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            value,
            flags,
            ..Default::default()
        },
    )
}

fn metric() -> impl Strategy<Value = (Metric, usize)> {
    let histogram = (vec(any::<f64>(), 0..4), vec(any::<u64>(), 0..4)).prop_map(|(explicit_bounds, bucket_counts)| {
        HistogramDataPoint { explicit_bounds, bucket_counts, ..Default::default() }
    });
    let exponential = (any::<i32>(), prop::option::of(vec(any::<u64>(), 0..4))).prop_map(|(scale, counts)| {
        let negative = counts.map(|bucket_counts| Buckets { offset: scale, bucket_counts });
        ExponentialHistogramDataPoint { scale, positive: negative.clone(), negative, ..Default::default() }
    });
    let data = prop_oneof![
        vec(number(), 0..4).prop_map(|p| (p.len(), metric::Data::Gauge(Gauge { data_points: p }))),
        (vec(number(), 0..4), any::<i32>()).prop_map(|(p, t)| {
            let sum = Sum { aggregation_temporality: t, is_monotonic: t > 0, data_points: p };
            (sum.data_points.len(), metric::Data::Sum(sum))
        }),
        vec(histogram, 0..4)
            .prop_map(|p| { (p.len(), metric::Data::Histogram(Histogram { data_points: p, ..Default::default() })) }),
        vec(exponential, 0..4).prop_map(|p| {
            let data = ExponentialHistogram { data_points: p, ..Default::default() };
            (data.data_points.len(), metric::Data::ExponentialHistogram(data))
        }),
        (0..4_usize).prop_map(|n| {
            (n, metric::Data::Summary(Summary { data_points: std::vec![SummaryDataPoint::default(); n] }))
        }),
    ];
    prop::option::of(data).prop_map(|data| match data {
        Some((points, data)) => (Metric { data: Some(data), ..Metric::default() }, points),
        None => (Metric::default(), 0),
    })
}

fn frame(signal: Signal, payload: Vec<u8>) -> Frame {
    Frame { signal, received_ns: 1, payload: payload.into() }
}

/// Whether a span can be one, said in other words than the code's.
fn is_valid(span: &Span) -> bool {
    let id = |id: &[u8], length| id.len() == length && id.iter().any(|b| *b != 0);
    let parent = span.parent_span_id.is_empty() || span.parent_span_id.len() == 8;
    let ends = span.end_time_unix_nano == 0 || span.end_time_unix_nano >= span.start_time_unix_nano;
    id(&span.trace_id, 16) && id(&span.span_id, 8) && parent && ends
}

fn schemas_fit(tables: &Tables) -> bool {
    tables.iter().all(|(table, batch)| batch.schema_ref() == table.schema() && batch.num_rows() > 0)
}

proptest! {
    #[test]
    fn spans_become_rows_or_are_counted(request in traces()) {
        let spans = request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
        let (valid, invalid): (Vec<_>, Vec<_>) = spans.partition(|s| is_valid(s));
        let frame = frame(Signal::Traces, request.encode_to_vec());
        let decoded = decode(&frame).unwrap();
        prop_assert_eq!(decoded.rows, valid.len() as u64);
        prop_assert_eq!(decoded.rejected.total(), invalid.len() as u64);
        prop_assert_eq!(decoded.tables.spans.as_ref().map_or(0, |b| b.num_rows()), valid.len());
        let content = |s: &&&Span| s.attributes.iter().any(|kv| {
            !span::stays(&kv.key) && kv.key != attribute::TOKEN_OFFSETS
                && otlp_value(&s.attributes, &kv.key)
        });
        let with_content = valid.iter().filter(content).count();
        prop_assert_eq!(decoded.tables.content.as_ref().map_or(0, |b| b.num_rows()), with_content);
        prop_assert!(schemas_fit(&decoded.tables));
        let again = OtlpDecoder.decode(&frame).unwrap();
        prop_assert_eq!(again.spans, decoded.tables.spans);
        prop_assert_eq!(again.content, decoded.tables.content);
    }

    #[test]
    fn every_point_becomes_a_row(metrics in vec(metric(), 0..5), resource in resource()) {
        let points: usize = metrics.iter().map(|(_, n)| n).sum();
        let metrics = metrics.into_iter().map(|(m, _)| m).collect();
        let scope_metrics = std::vec![ScopeMetrics { metrics, ..Default::default() }];
        let group = ResourceMetrics { resource, scope_metrics, ..Default::default() };
        let request = ExportMetricsServiceRequest { resource_metrics: std::vec![group] };
        let decoded = decode(&frame(Signal::Metrics, request.encode_to_vec())).unwrap();
        prop_assert_eq!(decoded.rows, points as u64);
        prop_assert_eq!(decoded.tables.points.as_ref().map_or(0, |b| b.num_rows()), points);
        prop_assert!(schemas_fit(&decoded.tables));
    }

    #[test]
    fn any_bytes_are_rows_or_an_error(payload in vec(any::<u8>(), 0..64)) {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            if let Ok(decoded) = decode(&frame(signal, payload.clone())) {
                prop_assert!(schemas_fit(&decoded.tables));
            }
        }
    }
}

/// Whether the first attribute of that name has a value.
fn otlp_value(attributes: &[KeyValue], key: &str) -> bool {
    tachograph_schema::otlp::find(attributes, key).is_some()
}

#[test]
fn the_columns_are_in_the_order_of_the_table() {
    let mut names: Vec<&str> = Table::Spans.schema().fields().iter().map(|f| f.name().as_str()).collect();
    // These are built from arrays of columns of one type: the types would not show that the table's order changed.
    let first = names.iter().position(|n| *n == "input_tokens").unwrap();
    let same_types = [
        "input_tokens",
        "cached_tokens",
        "output_tokens",
        "reasoning_tokens",
        "ttft_us",
        "tpot_us",
        "e2e_us",
        "queue_us",
        "prefill_us",
        "decode_us",
        "preemptions",
        "queue_depth",
        "engine_index",
    ];
    names.drain(..first);
    assert_eq!(names[..same_types.len()], same_types);
}
