//! A server on free ports with an empty store.

use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;
use serde_json::Value;
use tachograph_server::{Addresses, Config, Error, Server, serve};
use tempfile::TempDir;
use tokio::sync::oneshot;

pub(crate) struct Running {
    pub(crate) addresses: Addresses,
    pub(crate) client: reqwest::Client,
    server: Server,
    stop: oneshot::Sender<()>,
    data: TempDir,
}

pub(crate) fn client() -> reqwest::Client {
    // The client's TLS wants a provider even where nobody speaks TLS; another test may have set it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Port 0 everywhere.
pub(crate) fn config(data: &Path) -> Config {
    let any = "127.0.0.1:0".parse().unwrap();
    Config { grpc_addr: any, otlp_http_addr: any, api_addr: any, ..Config::new(data) }
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn start_in(data: TempDir) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { stopped.await.unwrap_or_default() };
        let server = serve(config(data.path()), shutdown).await.unwrap();
        Self { addresses: server.addresses(), client: client(), server, stop, data }
    }

    /// Stop in good order; the data stays.
    pub(crate) async fn stop(self) -> (Result<(), Error>, TempDir) {
        self.stop.send(()).unwrap();
        (self.server.finished().await, self.data)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.data.path().to_owned()
    }

    pub(crate) fn api(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.api)
    }

    pub(crate) fn otlp(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.otlp_http)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.client.get(self.api(path)).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} is no JSON: {text}")))
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Export over HTTP; it must be taken.
    pub(crate) async fn export(&self, path: &str, message: &impl Message) {
        let request = self.client.post(self.otlp(path)).header("content-type", "application/x-protobuf");
        let response = request.body(message.encode_to_vec()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.bytes().await.unwrap(), "", "partial success");
    }

    pub(crate) async fn spans(&self, resource_spans: Vec<ResourceSpans>) {
        self.export("/v1/traces", &ExportTraceServiceRequest { resource_spans }).await;
    }

    pub(crate) async fn metrics(&self, resource_metrics: Vec<ResourceMetrics>) {
        self.export("/v1/metrics", &ExportMetricsServiceRequest { resource_metrics }).await;
    }
}
