//! Each signal through each door in each encoding ends in the store.

use std::io::Write;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use serde::Serialize;
use tonic::codec::CompressionEncoding;

use crate::generate::{Request, T0_NS, gauge, labels, metrics, point};
use crate::running::Running;

fn traces() -> ExportTraceServiceRequest {
    ExportTraceServiceRequest { resource_spans: vec![Request::default().spans()] }
}

fn points() -> ExportMetricsServiceRequest {
    let points = vec![point(&labels("llama", 0), 0, T0_NS, 3.0), point(&labels("llama", 1), 0, T0_NS, 4.0)];
    let metric = gauge("gen_ai_vllm_num_requests_running", points);
    ExportMetricsServiceRequest { resource_metrics: vec![metrics("a", vec![metric])] }
}

fn logs() -> ExportLogsServiceRequest {
    let body = Some(AnyValue { value: Some(Value::StringValue("started".to_owned())) });
    let record = LogRecord { time_unix_nano: T0_NS, body, ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record; 3], ..Default::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }
}

pub(crate) fn compress(encoding: &str, plain: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(plain, 1).unwrap(),
        _ => plain.to_vec(),
    }
}

async fn post(server: &Running, path: &str, kind: &str, encoding: &str, body: &[u8]) {
    let mut request = server.client.post(server.otlp(path)).header("content-type", kind);
    if !encoding.is_empty() {
        request = request.header("content-encoding", encoding);
    }
    let response = request.body(compress(encoding, body)).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path} {kind} {encoding}");
    assert_eq!(response.headers()["content-type"], kind);
    let expected = if kind == "application/json" { "{}" } else { "" };
    assert_eq!(response.text().await.unwrap(), expected);
}

async fn over_http(message: &(impl Message + Serialize), path: &str, table: &str, rows: u64) {
    let server = Running::start().await;
    let json = serde_json::to_vec(message).unwrap();
    let mut expected = 0;
    for encoding in ["", "identity", "gzip", "zstd"] {
        post(&server, path, "application/x-protobuf", encoding, &message.encode_to_vec()).await;
        post(&server, path, "application/json", encoding, &json).await;
        expected += 2 * rows;
        let status = server.json("/api/status").await;
        assert_eq!(status["received"][table], expected, "{encoding} {status}");
        assert_eq!(status["stored"][table], expected, "{encoding} {status}");
    }
}

#[tokio::test]
async fn traces_over_http_in_protobuf_and_json_plain_and_compressed_are_stored() {
    over_http(&traces(), "/v1/traces", "spans", 6).await;
}

#[tokio::test]
async fn metrics_over_http_in_protobuf_and_json_plain_and_compressed_are_stored() {
    over_http(&points(), "/v1/metrics", "points", 2).await;
}

#[tokio::test]
async fn logs_over_http_in_protobuf_and_json_plain_and_compressed_are_stored() {
    over_http(&logs(), "/v1/logs", "logs", 3).await;
}

#[tokio::test]
async fn each_signal_over_grpc_plain_and_compressed_is_stored() {
    let server = Running::start().await;
    let channel = tonic::transport::Endpoint::new(format!("http://{}", server.addresses.grpc)).unwrap().connect_lazy();
    let mut rounds = 0;
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        macro_rules! send {
            ($client:ident, $message:expr) => {{
                let client = $client::new(channel.clone());
                let mut client = match encoding {
                    Some(encoding) => client.send_compressed(encoding),
                    None => client,
                };
                let response = client.export($message).await.unwrap().into_inner();
                assert_eq!(response.partial_success, None);
            }};
        }
        send!(TraceServiceClient, traces());
        send!(MetricsServiceClient, points());
        send!(LogsServiceClient, logs());
        rounds += 1;
        let status = server.json("/api/status").await;
        for (table, rows) in [("spans", 6), ("points", 2), ("logs", 3)] {
            assert_eq!(status["stored"][table], rows * rounds, "{encoding:?} {status}");
        }
    }
}

#[tokio::test]
async fn json_as_the_specification_writes_it_is_understood() {
    // https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hex of either case, integers as text.
    let body = r#"{"resourceSpans":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"scope":{"name":"lib"},"spans":[{
        "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"chat llama","kind":1,
        "startTimeUnixNano":"1795489200000000000","endTimeUnixNano":"1795489201000000000","unknownField":1,
        "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
        {"key":"gen_ai.usage.input_tokens","value":{"intValue":"17"}}]}]}]}]}"#;
    let server = Running::start().await;
    post(&server, "/v1/traces", "application/json", "", body.as_bytes()).await;
    let page = server.json("/api/requests?from=2026-11-24T03:00:00Z&to=2026-11-24T03:01:00Z").await;
    assert_eq!(page["rows"][0]["trace_id"], "5b8efff798038103d269b633813fc60c");
    assert_eq!(page["rows"][0]["input_tokens"], 17);
}

#[tokio::test]
async fn an_export_without_rows_is_taken_and_stores_nothing() {
    let server = Running::start().await;
    post(&server, "/v1/traces", "application/x-protobuf", "", b"").await;
    post(&server, "/v1/metrics", "application/json", "", b"{}").await;
    let status = server.json("/api/status").await;
    assert_eq!(status["received"]["spans"], 0);
    assert_eq!(status["refused"], serde_json::json!({}));
    assert_eq!(status["last_received_ms"], serde_json::Value::Null);
}
