//! Grafana Tempo's API for one trace (<https://grafana.com/docs/tempo/latest/api_docs/>), so that Grafana's data
//! source shows our traces. Its JSON is that of protobuf: ids in base64, 64-bit integers as text, enums by name.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message;
use serde_json::{Map, Value as Json, json};
use tachograph_schema::attribute;

use super::Api;
use super::error::Failure;
use super::route::trace_id_of;
use crate::query::{QueryError, TraceSpan, spans};

/// Grafana's test of the data source.
pub(super) async fn echo() -> &'static str {
    "echo"
}

/// `GET /api/traces/{id}`: `{"batches": […]}`, or the protobuf `Trace` where it is accepted.
pub(super) async fn trace_v1(api: State<Api>, id: Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let trace = trace(api, id).await?;
    if accepts_protobuf(&headers) {
        return Ok(protobuf(trace.encode_to_vec()));
    }
    Ok(axum::Json(json!({ "batches": batches(&trace) })).into_response())
}

/// `GET /api/v2/traces/{id}`: `{"trace": {"resourceSpans": […]}}`, or the protobuf `TraceByIDResponse`.
pub(super) async fn trace_v2(api: State<Api>, id: Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let trace = trace(api, id).await?;
    if accepts_protobuf(&headers) {
        return Ok(protobuf(TraceByIdResponse { trace: Some(trace) }.encode_to_vec()));
    }
    Ok(axum::Json(json!({ "trace": { "resourceSpans": batches(&trace) } })).into_response())
}

/// `tempopb.TraceByIDResponse`, of which we set the first field.
#[derive(Clone, PartialEq, Message)]
struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
}

fn accepts_protobuf(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "application/protobuf")
}

fn protobuf(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/protobuf"))], bytes).into_response()
}

async fn trace(State(api): State<Api>, Path(id): Path<String>) -> Result<TracesData, Failure> {
    let rows = api.store.trace(trace_id_of(&id)?).await?;
    let spans = spans(&rows).map_err(QueryError::from)?;
    if spans.is_empty() {
        let hint = "it may be past its retention or not sent yet";
        return Err(Failure::not_found(format!("no such trace: {id}"), hint));
    }
    Ok(otlp(spans))
}

/// The spans as they came: by resource, then by scope.
fn otlp(spans: Vec<TraceSpan>) -> TracesData {
    let mut resource_spans: Vec<ResourceSpans> = Vec::new();
    for mut span in spans {
        let resource = Some(std::mem::take(&mut span.resource));
        let at = resource_spans.iter().position(|r| r.resource == resource).unwrap_or(resource_spans.len());
        if at == resource_spans.len() {
            resource_spans.push(ResourceSpans { resource, ..ResourceSpans::default() });
        }
        let Some(group) = resource_spans.get_mut(at) else { continue };
        let scope = Some(InstrumentationScope { name: span.scope.clone(), ..InstrumentationScope::default() });
        let at = group.scope_spans.iter().position(|s| s.scope == scope).unwrap_or(group.scope_spans.len());
        if at == group.scope_spans.len() {
            group.scope_spans.push(ScopeSpans { scope, ..ScopeSpans::default() });
        }
        if let Some(scope) = group.scope_spans.get_mut(at) {
            scope.spans.push(otlp_span(span));
        }
    }
    TracesData { resource_spans }
}

fn otlp_span(span: TraceSpan) -> Span {
    let mut attributes = span.attributes;
    let content = span.content;
    let texts = [
        (attribute::INPUT_MESSAGES, content.input),
        (attribute::OUTPUT_MESSAGES, content.output),
        (attribute::SYSTEM_INSTRUCTIONS, content.system),
        (attribute::TOOL_DEFINITIONS, content.tools),
    ];
    attributes.extend(texts.into_iter().filter_map(|(key, text)| Some(key_value(key, Value::StringValue(text?)))));
    attributes.extend(span.token_offsets.map(|packed| key_value(attribute::TOKEN_OFFSETS, Value::BytesValue(packed))));
    let start = u64::try_from(span.start_ns).unwrap_or_default();
    Span {
        trace_id: span.trace_id,
        span_id: span.span_id,
        trace_state: span.trace_state,
        parent_span_id: span.parent_span_id.unwrap_or_default(),
        name: span.name,
        kind: span.kind.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(u64::try_from(span.duration_ns).unwrap_or_default()),
        attributes,
        events: span.events,
        dropped_events_count: span.dropped_events,
        links: span.links,
        status: Some(Status { message: span.status_message, code: span.status.into() }),
        ..Span::default()
    }
}

fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A JSON object without the fields that have their default, as protobuf's JSON leaves them out.
struct Fields(Map<String, Json>);

impl Fields {
    fn new() -> Self {
        Self(Map::new())
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.put(name, !text.is_empty(), || text.into())
    }

    fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        self.put(name, !bytes.is_empty(), || STANDARD.encode(bytes).into())
    }

    fn time(self, name: &str, ns: u64) -> Self {
        self.put(name, ns != 0, || ns.to_string().into())
    }

    fn number(self, name: &str, n: u32) -> Self {
        self.put(name, n != 0, || n.into())
    }

    fn list<T>(self, name: &str, items: &[T], of: impl Fn(&T) -> Json) -> Self {
        self.put(name, !items.is_empty(), || items.iter().map(of).collect())
    }

    fn put(mut self, name: &str, present: bool, value: impl FnOnce() -> Json) -> Self {
        if present {
            self.0.insert(name.to_owned(), value());
        }
        self
    }
}

fn batches(trace: &TracesData) -> Json {
    let batch = |group: &ResourceSpans| {
        let attributes = group.resource.as_ref().map(|r| r.attributes.as_slice()).unwrap_or_default();
        let resource = Fields::new().list("attributes", attributes, attribute_json).0;
        Json::Object(
            Fields::new()
                .put("resource", true, || Json::Object(resource))
                .list("scopeSpans", &group.scope_spans, scope_json)
                .0,
        )
    };
    trace.resource_spans.iter().map(batch).collect()
}

fn scope_json(scope: &ScopeSpans) -> Json {
    let name = scope.scope.as_ref().map_or("", |s| s.name.as_str());
    let named = Fields::new().text("name", name).0;
    Json::Object(Fields::new().put("scope", true, || Json::Object(named)).list("spans", &scope.spans, span_json).0)
}

fn span_json(span: &Span) -> Json {
    let kind = SpanKind::try_from(span.kind).unwrap_or(SpanKind::Unspecified);
    let status = span.status.as_ref().map(status_json);
    Json::Object(
        Fields::new()
            .bytes("traceId", &span.trace_id)
            .bytes("spanId", &span.span_id)
            .text("traceState", &span.trace_state)
            .bytes("parentSpanId", &span.parent_span_id)
            .text("name", &span.name)
            .put("kind", kind != SpanKind::Unspecified, || kind.as_str_name().into())
            .time("startTimeUnixNano", span.start_time_unix_nano)
            .time("endTimeUnixNano", span.end_time_unix_nano)
            .list("attributes", &span.attributes, attribute_json)
            .list("events", &span.events, event_json)
            .number("droppedEventsCount", span.dropped_events_count)
            .list("links", &span.links, link_json)
            .put("status", true, || status.unwrap_or_default())
            .0,
    )
}

fn status_json(status: &Status) -> Json {
    let code = status.code();
    Json::Object(
        Fields::new()
            .text("message", &status.message)
            .put("code", code != SpanStatus::Unset, || code.as_str_name().into())
            .0,
    )
}

fn event_json(event: &Event) -> Json {
    Json::Object(
        Fields::new()
            .time("timeUnixNano", event.time_unix_nano)
            .text("name", &event.name)
            .list("attributes", &event.attributes, attribute_json)
            .number("droppedAttributesCount", event.dropped_attributes_count)
            .0,
    )
}

fn link_json(link: &Link) -> Json {
    Json::Object(
        Fields::new()
            .bytes("traceId", &link.trace_id)
            .bytes("spanId", &link.span_id)
            .text("traceState", &link.trace_state)
            .list("attributes", &link.attributes, attribute_json)
            .0,
    )
}

fn attribute_json(attribute: &KeyValue) -> Json {
    json!({ "key": attribute.key, "value": value_json(attribute.value.as_ref()) })
}

fn value_json(value: Option<&AnyValue>) -> Json {
    match value.and_then(|v| v.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => json!({}),
        Some(Value::StringValue(s)) => json!({ "stringValue": s }),
        Some(Value::BoolValue(b)) => json!({ "boolValue": b }),
        Some(Value::IntValue(i)) => json!({ "intValue": i.to_string() }),
        Some(Value::DoubleValue(d)) if d.is_finite() => json!({ "doubleValue": d }),
        Some(Value::DoubleValue(d)) => json!({ "doubleValue": non_finite(*d) }),
        Some(Value::BytesValue(b)) => json!({ "bytesValue": STANDARD.encode(b) }),
        Some(Value::ArrayValue(a)) => {
            let values: Vec<Json> = a.values.iter().map(|v| value_json(Some(v))).collect();
            json!({ "arrayValue": { "values": values } })
        }
        Some(Value::KvlistValue(l)) => {
            let values: Vec<Json> = l.values.iter().map(attribute_json).collect();
            json!({ "kvlistValue": { "values": values } })
        }
    }
}

/// A double that JSON has no number for, as protobuf's JSON says it.
fn non_finite(d: f64) -> &'static str {
    match d {
        d if d.is_nan() => "NaN",
        d if d > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}
