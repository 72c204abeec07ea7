//! What is not taken is said, and counted by reason.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tonic::codec::CompressionEncoding;

use crate::generate::Request;
use crate::receive::compress;
use crate::running::Running;

/// `google.rpc.Status`, as far as it is looked at.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// A span, cut in the middle.
fn broken() -> Vec<u8> {
    let whole = ExportTraceServiceRequest { resource_spans: vec![Request::default().spans()] }.encode_to_vec();
    whole[..whole.len() / 2].to_vec()
}

#[tokio::test]
async fn malformed_exports_are_answered_with_the_reason_in_the_language_of_the_request() {
    let server = Running::start().await;
    let cases: [(&str, &str, &[u8], u16, &str); 9] = [
        ("application/x-protobuf", "", &broken(), 400, "malformed"),
        ("application/json; charset=utf-8", "", b"{\"resourceSpans\":", 400, "malformed"),
        ("application/json", "", b"{\"resourceSpans\":[{\"scopeSpans\":7}]}", 400, "malformed"),
        ("application/json", "", b"[]x", 400, "malformed"),
        ("application/x-protobuf", "gzip", b"not gzip", 400, "malformed"),
        ("application/x-protobuf", "zstd", b"not zstd", 400, "malformed"),
        ("application/x-protobuf", "br", b"x", 415, "content_encoding"),
        ("text/plain", "", b"{}", 415, "content_type"),
        ("", "", b"{}", 415, "content_type"),
    ];
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for (kind, encoding, body, expected, reason) in cases {
        let mut request = server.client.post(server.otlp("/v1/traces"));
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        if !encoding.is_empty() {
            request = request.header("content-encoding", encoding);
        }
        let response = request.body(body.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), expected, "{kind} {encoding}");
        let protobuf = response.headers()["content-type"] == "application/x-protobuf";
        assert_eq!(protobuf, kind == "application/x-protobuf", "{kind}");
        let body = response.bytes().await.unwrap();
        let (code, message) = if protobuf {
            let status = RpcStatus::decode(body).unwrap();
            (status.code, status.message)
        } else {
            let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
            (i32::try_from(status["code"].as_i64().unwrap()).unwrap(), status["message"].to_string())
        };
        assert_eq!(code, 3, "INVALID_ARGUMENT: {message}");
        assert!(message.len() > 20, "{message}");
        *counts.entry(reason).or_default() += 1;
    }
    let status = server.json("/api/status").await;
    for (reason, n) in counts {
        assert_eq!(status["refused"][reason], n, "{reason}: {status}");
    }
    assert_eq!(status["stored"]["spans"], 0);
}

#[tokio::test]
async fn a_body_that_unpacks_to_more_than_the_limit_is_refused_before_it_is_whole() {
    let server = Running::start().await;
    let bomb = compress("gzip", &vec![0; 65 << 20]);
    assert!(bomb.len() < 1 << 20);
    for encoding in ["gzip", "zstd"] {
        let bomb = if encoding == "gzip" { bomb.clone() } else { compress("zstd", &vec![0; 65 << 20]) };
        let request = server.client.post(server.otlp("/v1/logs")).header("content-type", "application/x-protobuf");
        let response = request.header("content-encoding", encoding).body(bomb).send().await.unwrap();
        assert_eq!(response.status(), 413, "{encoding}");
    }
    assert_eq!(server.json("/api/status").await["refused"]["too_large"], 2);
}

#[tokio::test]
async fn grpc_says_invalid_argument_and_counts_it() {
    let server = Running::start().await;
    let endpoint = tonic::transport::Endpoint::new(format!("http://{}", server.addresses.grpc)).unwrap();
    let mut grpc = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
    grpc.ready().await.unwrap();
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export".parse().unwrap();
    // Field 1 as a number, where it is a message.
    let wrong = Wrong { field: 7 };
    let codec = tonic_prost::ProstCodec::<Wrong, ExportTraceServiceResponse>::default();
    let status = grpc.unary(tonic::Request::new(wrong), path, codec).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("not OTLP protobuf"), "{status}");
    assert_eq!(RpcStatus::decode(status.details()).unwrap().code, 3);
    assert_eq!(server.json("/api/status").await["refused"]["malformed"], 1);
}

#[derive(Clone, PartialEq, Message)]
struct Wrong {
    #[prost(int64, tag = "1")]
    field: i64,
}

#[tokio::test]
async fn grpc_refuses_a_message_over_the_limit_and_counts_it() {
    let server = Running::start().await;
    let mut client = TraceServiceClient::connect(format!("http://{}", server.addresses.grpc))
        .await
        .unwrap()
        .send_compressed(CompressionEncoding::Zstd);
    let mut spans = Request::default().spans();
    spans.schema_url = " ".repeat(65 << 20);
    let status = client.export(ExportTraceServiceRequest { resource_spans: vec![spans] }).await.unwrap_err();
    assert!(matches!(status.code(), tonic::Code::ResourceExhausted | tonic::Code::OutOfRange), "{status}");
    assert!(status.details().is_empty(), "nothing invites to retry");
    assert_eq!(server.json("/api/status").await["refused"]["too_large"], 1);
}

#[tokio::test]
async fn grpc_services_that_we_do_not_have_are_unimplemented() {
    let server = Running::start().await;
    let endpoint = tonic::transport::Endpoint::new(format!("http://{}", server.addresses.grpc)).unwrap();
    let mut grpc = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
    grpc.ready().await.unwrap();
    let path = "/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<Wrong, Wrong>::default();
    let status = grpc.unary(tonic::Request::new(Wrong { field: 1 }), path, codec).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn spans_that_cannot_be_are_left_out_with_a_partial_success_and_the_rest_is_stored() {
    let server = Running::start().await;
    let mut group = Request::default().spans();
    let spans = &mut group.scope_spans[0].spans;
    let good = spans[0].clone();
    let with = |change: fn(&mut opentelemetry_proto::tonic::trace::v1::Span)| {
        let mut span = good.clone();
        change(&mut span);
        span
    };
    spans.extend([
        with(|s| s.trace_id = vec![0; 16]),
        with(|s| s.trace_id = vec![1; 15]),
        with(|s| s.span_id = Vec::new()),
        with(|s| s.parent_span_id = vec![1; 3]),
        with(|s| s.end_time_unix_nano = s.start_time_unix_nano - 1),
        // These are odd but can be: no end, and a clock that is decades off.
        with(|s| (s.span_id, s.end_time_unix_nano) = (vec![8; 8], 0)),
        with(|s| (s.span_id, s.start_time_unix_nano, s.end_time_unix_nano) = (vec![9; 8], 0, 1)),
        with(|s| (s.span_id, s.start_time_unix_nano, s.end_time_unix_nano) = (vec![7; 8], u64::MAX - 1, u64::MAX)),
    ]);
    let body = ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec();
    let request = server.client.post(server.otlp("/v1/traces")).header("content-type", "application/x-protobuf");
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let response = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    let partial = response.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 5);
    let message = partial.error_message;
    assert!(message.contains("4 refused: trace id") && message.contains("1 refused: end before start"), "{message}");
    let status = server.json("/api/status").await;
    assert_eq!(status["stored"]["spans"], 9);
    assert_eq!(status["refused"]["span_invalid_id"], 4);
    assert_eq!(status["refused"]["span_ends_before_start"], 1);
}
