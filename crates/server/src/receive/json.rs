//! OTLP's JSON (ids in hex, 64-bit integers as strings) to its protobuf, which is what the log keeps.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use tachograph_store::Signal;

use super::Refusal;

/// The protobuf of an export request in JSON.
pub(super) fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Bytes, Refusal> {
    match signal {
        Signal::Traces => convert::<ExportTraceServiceRequest>(json),
        Signal::Metrics => convert::<ExportMetricsServiceRequest>(json),
        Signal::Logs => convert::<ExportLogsServiceRequest>(json),
    }
}

fn convert<M: Message + DeserializeOwned>(json: &[u8]) -> Result<Bytes, Refusal> {
    let message: M = serde_json::from_slice(json).map_err(|e| Refusal::Malformed(format!("not OTLP JSON: {e}")))?;
    Ok(message.encode_to_vec().into())
}
