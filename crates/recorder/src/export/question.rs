//! Whether an endpoint answers, asked as it will be used: by an export with nothing in it.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use tokio::time::timeout;

use super::transport::{Payload, Transport};
use crate::config::Endpoint;

/// Longest wait for an answer, shorter where the endpoint's own timeout is: somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A signal of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric points.
    Metrics,
}

/// Send an export without spans or points to `endpoint`, with its protocol, headers and certificates.
///
/// # Errors
/// Why it was not taken, in words.
pub async fn ask(endpoint: &Endpoint, signal: Signal) -> Result<(), String> {
    let payload = match signal {
        Signal::Traces => Payload::Traces(ExportTraceServiceRequest::default()),
        Signal::Metrics => Payload::Metrics(ExportMetricsServiceRequest::default()),
    };
    let transport = Transport::new(endpoint).map_err(|error| error.to_string())?;
    match timeout(PATIENCE, transport.send(&payload)).await {
        Ok(sent) => sent.map(|_| ()).map_err(|failure| failure.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
