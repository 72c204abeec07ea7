//! An OTLP receiver in this process, over gRPC and HTTP, that does what the test tells it.

#![allow(dead_code)] // each test file uses its part

use std::collections::VecDeque;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

/// What the receiver answers to the next export of spans.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Unavailable,
    Refuse,
    RejectSpans(i64),
}

/// What arrived.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) script: VecDeque<Answer>,
    pub(crate) attempts: usize,
    pub(crate) spans: Vec<Span>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) scopes: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) compressed: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Sink(pub(crate) Arc<Mutex<Seen>>);

impl Sink {
    pub(crate) fn answering(script: &[Answer]) -> Self {
        let sink = Self::default();
        sink.seen(|seen| seen.script.extend(script));
        sink
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn traces(&self, request: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, Answer> {
        self.seen(|seen| {
            seen.attempts += 1;
            let answer = seen.script.pop_front();
            if let Some(refusal @ (Answer::Unavailable | Answer::Refuse)) = answer {
                return Err(refusal);
            }
            for of_resource in request.resource_spans {
                seen.resources.extend(of_resource.resource);
                for of_scope in of_resource.scope_spans {
                    let scope = of_scope.scope.unwrap();
                    seen.scopes.push((scope.name, of_scope.schema_url));
                    seen.spans.extend(of_scope.spans);
                }
            }
            let partial_success = match answer {
                Some(Answer::RejectSpans(n)) => {
                    Some(ExportTracePartialSuccess { rejected_spans: n, error_message: "full".into() })
                }
                _ => None,
            };
            Ok(ExportTraceServiceResponse { partial_success })
        })
    }

    fn metrics(&self, request: ExportMetricsServiceRequest) {
        self.seen(|seen| {
            for of_resource in request.resource_metrics {
                seen.metrics.extend(of_resource.scope_metrics.into_iter().flat_map(|s| s.metrics));
            }
        });
    }

    /// Serve gRPC; returns the address.
    pub(crate) async fn grpc(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.grpc_on(listener);
        address
    }

    pub(crate) fn grpc_on(&self, listener: tokio::net::TcpListener) {
        let server = tonic::transport::Server::builder().add_routes(self.grpc_routes());
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    }

    pub(crate) fn grpc_routes(&self) -> tonic::service::Routes {
        let traces = TraceServiceServer::new(self.clone()).accept_compressed(CompressionEncoding::Gzip);
        let metrics = MetricsServiceServer::new(self.clone()).accept_compressed(CompressionEncoding::Gzip);
        tonic::service::Routes::new(traces).add_service(metrics)
    }

    /// Serve HTTP; returns the address.
    pub(crate) async fn http(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = self.http_routes();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }

    pub(crate) fn http_routes(&self) -> axum::Router {
        axum::Router::new()
            .route("/v1/traces", post(http_traces))
            .route("/v1/metrics", post(http_metrics))
            .with_state(self.clone())
    }

    fn note(&self, headers: &http::HeaderMap) {
        self.seen(|seen| {
            let pairs =
                headers.iter().map(|(k, v)| (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
            seen.headers = pairs.collect();
            let encodings = ["grpc-encoding", "content-encoding"];
            seen.compressed = encodings.iter().any(|name| headers.get(*name).is_some_and(|v| v == "gzip"));
        });
    }
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.note(&request.metadata().clone().into_headers());
        self.traces(request.into_inner()).map(Response::new).map_err(|refusal| match refusal {
            Answer::Unavailable => Status::new(Code::Unavailable, "not now"),
            _ => Status::new(Code::InvalidArgument, "never"),
        })
    }
}

#[tonic::async_trait]
impl MetricsService for Sink {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn unpack(headers: &HeaderMap, body: &Bytes) -> Vec<u8> {
    if headers.get("content-encoding").is_some_and(|v| v == "gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body.as_ref()).read_to_end(&mut plain).unwrap();
        plain
    } else {
        body.to_vec()
    }
}

async fn http_traces(State(sink): State<Sink>, headers: HeaderMap, body: Bytes) -> axum::response::Response {
    sink.note(&headers);
    let request = ExportTraceServiceRequest::decode(unpack(&headers, &body).as_slice()).unwrap();
    match sink.traces(request) {
        Ok(response) => response.encode_to_vec().into_response(),
        Err(Answer::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn http_metrics(State(sink): State<Sink>, headers: HeaderMap, body: Bytes) -> axum::response::Response {
    sink.metrics(ExportMetricsServiceRequest::decode(unpack(&headers, &body).as_slice()).unwrap());
    ExportMetricsServiceResponse::default().encode_to_vec().into_response()
}
