//! One attempt to send an export, over gRPC or HTTP.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::config::{Endpoint, Protocol};
use crate::error::Error;

/// Longest error text kept of a response.
const MAX_ERROR_CHARS: usize = 300;

/// An export.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// Spans.
    Traces(ExportTraceServiceRequest),
    /// Metrics.
    Metrics(ExportMetricsServiceRequest),
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It may succeed later.
    #[error("{message}")]
    Retry {
        /// The pause that the other side asks for.
        after: Option<Duration>,
        /// What happened.
        message: String,
    },
    /// It will not.
    #[error("{message}, which is final: check the endpoint, the protocol and the key")]
    Final {
        /// What happened.
        message: String,
    },
}

/// A connection to an endpoint, made when it is first used, and again when it is lost.
pub(super) struct Transport {
    target: String,
    way: Way,
}

enum Way {
    Grpc { channel: Channel, metadata: MetadataMap, gzip: bool },
    Http { client: reqwest::Client, headers: HeaderMap, gzip: bool },
}

impl Transport {
    /// For an endpoint; nothing is connected yet.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, Error> {
        // An error means that one is installed already, by another part of this process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let way = match endpoint.protocol {
            Protocol::Grpc => grpc(endpoint)?,
            Protocol::Http => http(endpoint)?,
        };
        Ok(Self { target: endpoint.url.clone(), way })
    }

    /// The endpoint's URL.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Send; returns how many entries the other side rejected.
    pub(super) async fn send(&self, payload: &Payload) -> Result<u64, Failure> {
        match &self.way {
            Way::Grpc { channel, metadata, gzip } => send_grpc(channel, metadata, *gzip, payload).await,
            Way::Http { client, headers, gzip } => send_http(client, &self.target, headers, *gzip, payload).await,
        }
    }
}

fn unusable(reason: &dyn std::error::Error) -> Error {
    let mut text = reason.to_string();
    let mut cause = reason.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    Error::Setting {
        variable: "the OTLP endpoint or certificate".to_owned(),
        reason: text,
        next: "check OTEL_EXPORTER_OTLP_ENDPOINT, _CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY (PEM)",
    }
}

fn grpc(endpoint: &Endpoint) -> Result<Way, Error> {
    let mut builder = Channel::from_shared(endpoint.url.clone())
        .map_err(|e| unusable(&e))?
        .timeout(endpoint.timeout)
        .connect_timeout(endpoint.timeout);
    if endpoint.url.starts_with("https") {
        let mut tls = ClientTlsConfig::new();
        tls = match &endpoint.tls.ca {
            Some(ca) => tls.ca_certificate(Certificate::from_pem(ca)),
            None => tls.with_native_roots(),
        };
        if let Some((certificate, key)) = &endpoint.tls.identity {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        builder = builder.tls_config(tls).map_err(|e| unusable(&e))?;
    }
    let metadata = MetadataMap::from_headers(endpoint.headers.clone());
    Ok(Way::Grpc { channel: builder.connect_lazy(), metadata, gzip: endpoint.gzip })
}

fn http(endpoint: &Endpoint) -> Result<Way, Error> {
    let mut builder = reqwest::Client::builder().timeout(endpoint.timeout);
    if let Some(ca) = &endpoint.tls.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(ca).map_err(|e| unusable(&e))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some((certificate, key)) = &endpoint.tls.identity {
        let pem = [certificate.as_slice(), b"\n", key].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(|e| unusable(&e))?);
    }
    let client = builder.build().map_err(|e| unusable(&e))?;
    Ok(Way::Http { client, headers: endpoint.headers.clone(), gzip: endpoint.gzip })
}

async fn send_grpc(channel: &Channel, metadata: &MetadataMap, gzip: bool, payload: &Payload) -> Result<u64, Failure> {
    fn request<T>(message: &T, metadata: &MetadataMap) -> Request<T>
    where
        T: Clone,
    {
        let mut request = Request::new(message.clone());
        *request.metadata_mut() = metadata.clone();
        request
    }
    let rejected = match payload {
        Payload::Traces(message) => {
            let mut client = TraceServiceClient::new(channel.clone());
            if gzip {
                client = client.send_compressed(CompressionEncoding::Gzip);
            }
            client.export(request(message, metadata)).await.map(|r| rejected_spans(&r.into_inner()))
        }
        Payload::Metrics(message) => {
            let mut client = MetricsServiceClient::new(channel.clone());
            if gzip {
                client = client.send_compressed(CompressionEncoding::Gzip);
            }
            client.export(request(message, metadata)).await.map(|r| rejected_points(&r.into_inner()))
        }
    };
    rejected.map_err(|status| judge_grpc(&status))
}

fn rejected_spans(response: &ExportTraceServiceResponse) -> u64 {
    response.partial_success.as_ref().map_or(0, |p| u64::try_from(p.rejected_spans).unwrap_or(0))
}

fn rejected_points(response: &ExportMetricsServiceResponse) -> u64 {
    response.partial_success.as_ref().map_or(0, |p| u64::try_from(p.rejected_data_points).unwrap_or(0))
}

/// Which codes may be tried again: <https://opentelemetry.io/docs/specs/otlp/#failures>.
fn judge_grpc(status: &Status) -> Failure {
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let text: String = status.message().chars().take(MAX_ERROR_CHARS).collect();
    let message = format!("{:?}: {text}", status.code());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Failure::Retry { after, message },
        Code::ResourceExhausted if after.is_some() => Failure::Retry { after, message },
        _ => Failure::Final { message },
    }
}

async fn send_http(
    client: &reqwest::Client,
    url: &str,
    headers: &HeaderMap,
    gzip: bool,
    payload: &Payload,
) -> Result<u64, Failure> {
    let bytes = match payload {
        Payload::Traces(message) => message.encode_to_vec(),
        Payload::Metrics(message) => message.encode_to_vec(),
    };
    let mut request = client.post(url).headers(headers.clone()).header(CONTENT_TYPE, "application/x-protobuf");
    let body = if gzip {
        request = request.header(CONTENT_ENCODING, "gzip");
        compress(&bytes).map_err(|e| Failure::Final { message: e.to_string() })?
    } else {
        bytes
    };
    let failed = |e: reqwest::Error| Failure::Retry { after: None, message: e.without_url().to_string() };
    let response = request.body(body).send().await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(judge_http(status.as_u16(), response.headers().get(RETRY_AFTER)));
    }
    // An answer that cannot be read is an answer all the same: the status says that the export was taken.
    let answer = response.bytes().await.unwrap_or_default();
    Ok(match payload {
        Payload::Traces(_) => ExportTraceServiceResponse::decode(answer).as_ref().map_or(0, rejected_spans),
        Payload::Metrics(_) => ExportMetricsServiceResponse::decode(answer).as_ref().map_or(0, rejected_points),
    })
}

fn judge_http(status: u16, retry_after: Option<&HeaderValue>) -> Failure {
    let message = format!("HTTP status {status}");
    let seconds = retry_after.and_then(|v| v.to_str().ok()?.trim().parse().ok());
    match status {
        429 | 502 | 503 | 504 => Failure::Retry { after: seconds.map(Duration::from_secs), message },
        _ => Failure::Final { message },
    }
}

fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
