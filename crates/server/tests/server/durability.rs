//! What was acknowledged is there after a crash.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tachograph_store::EmbeddedConfig;

use crate::generate::{Request, T0_MS};
use crate::running::{Running, config};

/// A copy of the data directory at the moment of the acknowledgement is what a crash would leave.
#[tokio::test]
async fn an_acknowledged_export_survives_a_crash_right_after_the_answer() {
    let server = Running::start().await;
    server.spans(vec![Request::default().spans()]).await;
    let left = tempfile::tempdir().unwrap();
    copy(&server.data(), left.path());
    let reopened = Running::start_in(left).await;
    let page = reopened.json(&format!("/api/requests?from={T0_MS}&to={}", T0_MS + 1000)).await;
    assert_eq!(page["rows"][0]["trace_id"], Request::default().trace_hex());
    let detail = reopened.json(&format!("/api/requests/{}", Request::default().trace_hex())).await;
    assert_eq!(detail["spans"].as_array().map(Vec::len), Some(6));
    assert_eq!(detail["messages"]["input"][0]["role"], "user");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart_and_answers_the_same() {
    let server = Running::start().await;
    server.spans((1..20).map(|number| Request { number, ..Request::default() }.spans()).collect()).await;
    let questions = [
        format!("/api/requests?from={T0_MS}&to={}&sort=-ttft", T0_MS + 1000),
        format!("/api/requests/{}", Request::default().trace_hex()),
        format!("/api/traces/{}", Request::default().trace_hex()),
        format!("/api/facets?from={T0_MS}&to={}", T0_MS + 1000),
        format!("/api/series?series=requests:count,ttft:p95&from={T0_MS}&to={}&step=1", T0_MS + 5000),
        format!("/api/requests?from={T0_MS}&to={}&q=weather", T0_MS + 1000),
    ];
    let mut before = Vec::new();
    for question in &questions {
        before.push(server.json(question).await);
    }
    let (stopped, data) = server.stop().await;
    stopped.unwrap();
    let server = Running::start_in(data).await;
    for (question, before) in questions.iter().zip(before) {
        assert_eq!(server.json(question).await, before, "{question}");
    }
}

#[tokio::test]
async fn a_full_store_says_busy_with_the_time_to_come_back_and_keeps_what_it_took() {
    let data = tempfile::tempdir().unwrap();
    let mut tight = config(data.path());
    tight.store = EmbeddedConfig { hot_budget_bytes: 1, ..EmbeddedConfig::default() };
    let server = tachograph_server::serve(tight, std::future::pending()).await.unwrap();
    let addresses = server.addresses();
    let resource_spans = vec![Request::default().spans()];
    let message = ExportTraceServiceRequest { resource_spans };
    let client = crate::running::client();
    let post = || {
        let post = client.post(format!("http://{}/v1/traces", addresses.otlp_http));
        post.header("content-type", "application/x-protobuf").body(message.encode_to_vec()).send()
    };
    assert_eq!(post().await.unwrap().status(), 200, "the first is let in, whatever its size");
    let response = post().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    let status = client.get(format!("http://{}/api/status", addresses.api)).send().await.unwrap();
    let status: serde_json::Value = serde_json::from_str(&status.text().await.unwrap()).unwrap();
    assert_eq!((status["refused"]["busy"].as_u64(), status["stored"]["spans"].as_u64()), (Some(1), Some(6)));

    let channel = tonic::transport::Endpoint::new(format!("http://{}", addresses.grpc)).unwrap().connect_lazy();
    let mut grpc = TraceServiceClient::new(channel);
    let status = grpc.export(message).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    let retry_info = b"type.googleapis.com/google.rpc.RetryInfo";
    assert!(status.details().windows(retry_info.len()).any(|w| w == retry_info), "{status:?}");
}
