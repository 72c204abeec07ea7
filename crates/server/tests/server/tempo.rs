//! What Grafana's Tempo data source asks for.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message;
use serde_json::{Value, json};

use crate::generate::{Request, T0_NS};
use crate::running::Running;

async fn started() -> (Running, Request) {
    let server = Running::start().await;
    let request = Request { error_type: Some("timeout"), outcome: "failed", ..Request::default() };
    let mut group = request.spans();
    let entry = group.scope_spans[0].spans.iter_mut().find(|s| s.name == "chat llama").unwrap();
    entry.links = vec![Link { trace_id: vec![7; 16], span_id: vec![8; 8], ..Default::default() }];
    entry.trace_state = "a=b".to_owned();
    server.spans(vec![group]).await;
    (server, request)
}

fn span<'a>(batches: &'a Value, name: &str) -> &'a Value {
    let spans = batches[0]["scopeSpans"][0]["spans"].as_array().unwrap();
    spans.iter().find(|s| s["name"] == name).unwrap()
}

#[tokio::test]
async fn version_1_answers_batches_in_protobufs_json() {
    let (server, request) = started().await;
    let answer = server.json(&format!("/api/traces/{}", request.trace_hex())).await;
    let batches = &answer["batches"];
    assert_eq!(batches[0]["scopeSpans"][0]["scope"], json!({"name": "tachograph"}));
    assert_eq!(
        batches[0]["resource"]["attributes"][0],
        json!({"key": "service.name", "value": {"stringValue": "assistant"}})
    );
    let entry = span(batches, "chat llama");
    assert_eq!(entry["traceId"], "AQEBAQEBAQEBAQEBAQEBAQ==", "base64, as protobuf's JSON has bytes");
    assert_eq!(
        (entry["spanId"].as_str(), entry["parentSpanId"].as_str()),
        (Some("AQAAAAAAAAI="), Some("AQAAAAAAAAE="))
    );
    assert_eq!(entry["kind"], "SPAN_KIND_INTERNAL");
    assert_eq!(entry["startTimeUnixNano"], (T0_NS + 2).to_string());
    assert_eq!(entry["status"], json!({"code": "STATUS_CODE_ERROR", "message": "timeout"}));
    assert_eq!(entry["links"][0]["spanId"], "CAgICAgICAg=");
    assert_eq!(entry["traceState"], "a=b");
    let attribute = |key: &str| {
        let attributes = entry["attributes"].as_array().unwrap();
        attributes.iter().find(|a| a["key"] == key).unwrap_or_else(|| panic!("{key} is missing"))["value"].clone()
    };
    assert_eq!(attribute("gen_ai.usage.input_tokens"), json!({"intValue": "10"}));
    assert_eq!(attribute("gen_ai.request.stream"), json!({"boolValue": true}));
    assert_eq!(attribute("gen_ai.input.messages"), json!({"stringValue": request.input}));
    assert_eq!(span(batches, "POST /v1/chat/completions")["kind"], "SPAN_KIND_SERVER");
    assert_eq!(span(batches, "wait")["status"], json!({}));
}

#[tokio::test]
async fn version_2_answers_a_trace_of_resource_spans() {
    let (server, request) = started().await;
    let v1 = server.json(&format!("/api/traces/{}", request.trace_hex())).await;
    let v2 = server.json(&format!("/api/v2/traces/{}", request.trace_hex())).await;
    assert_eq!(v2["trace"]["resourceSpans"], v1["batches"]);
}

#[derive(Clone, PartialEq, Message)]
struct TraceById {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
}

#[tokio::test]
async fn protobuf_is_answered_where_it_is_accepted_and_is_what_was_sent() {
    let (server, request) = started().await;
    let ask = |path: &str| {
        let call = server.client.get(server.api(&format!("{path}/{}", request.trace_hex())));
        async {
            let response = call.header("accept", "application/protobuf").send().await.unwrap();
            assert_eq!(response.headers()["content-type"], "application/protobuf");
            response.bytes().await.unwrap()
        }
    };
    let v1 = TracesData::decode(ask("/api/traces").await).unwrap();
    let v2 = TraceById::decode(ask("/api/v2/traces").await).unwrap().trace.unwrap();
    assert_eq!(v1, v2);
    let sorted = |group: &opentelemetry_proto::tonic::trace::v1::ResourceSpans| {
        let mut spans = group.scope_spans[0].spans.clone();
        for span in &mut spans {
            span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            span.status.get_or_insert_default();
        }
        spans.sort_by(|a, b| a.span_id.cmp(&b.span_id));
        spans
    };
    let mut sent = request.spans();
    let entry = sent.scope_spans[0].spans.iter_mut().find(|s| s.name == "chat llama").unwrap();
    entry.links = vec![Link { trace_id: vec![7; 16], span_id: vec![8; 8], ..Default::default() }];
    entry.trace_state = "a=b".to_owned();
    assert_eq!(v1.resource_spans[0].resource, sent.resource);
    assert_eq!(sorted(&v1.resource_spans[0]), sorted(&sent));
    let has_packed_times = |s: &Span| {
        let bytes = s.attributes.iter().find(|kv| kv.key == "tachograph.token.offsets");
        matches!(bytes.unwrap().value.as_ref().unwrap().value, Some(Any::BytesValue(_)))
    };
    assert!(v1.resource_spans[0].scope_spans[0].spans.iter().filter(|s| s.name == "llm_request").all(has_packed_times));
}

#[tokio::test]
async fn ids_may_lack_zeros_in_front_and_unknown_or_broken_ones_are_told_apart() {
    let server = Running::start().await;
    let request = Request::default();
    let mut group = request.spans();
    for span in &mut group.scope_spans[0].spans {
        span.trace_id = [vec![0; 14], vec![0x0a, 0xbc]].concat();
    }
    server.spans(vec![group]).await;
    for id in ["abc", "0abc", "00000000000000000000000000000abc", "ABC"] {
        assert_eq!(server.get(&format!("/api/traces/{id}")).await.0, 200, "{id}");
    }
    assert_eq!(server.get("/api/traces/abd").await.0, 404);
    assert_eq!(server.get("/api/v2/traces/abd").await.0, 404);
    for id in ["xyz", "000000000000000000000000000000abc", "%20"] {
        assert_eq!(server.get(&format!("/api/traces/{id}")).await.0, 400, "{id}");
    }
}

#[tokio::test]
async fn grafanas_test_of_the_data_source_succeeds() {
    let server = Running::start().await;
    let response = server.client.get(server.api("/api/echo")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, "echo"));
}
