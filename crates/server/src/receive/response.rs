//! What an export that was taken is answered with; rows that were refused make it a partial success.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::json;
use tachograph_store::Signal;

use crate::ingest::Rejected;

/// The response in protobuf.
pub(super) fn protobuf(signal: Signal, rejected: &Rejected) -> Vec<u8> {
    let Some((n, error_message)) = partial(rejected) else { return Vec::new() };
    match signal {
        Signal::Traces => {
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans: n, error_message });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Metrics => {
            let partial_success = Some(ExportMetricsPartialSuccess { rejected_data_points: n, error_message });
            ExportMetricsServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Logs => {
            let partial_success = Some(ExportLogsPartialSuccess { rejected_log_records: n, error_message });
            ExportLogsServiceResponse { partial_success }.encode_to_vec()
        }
    }
}

/// The response in JSON.
pub(super) fn json(signal: Signal, rejected: &Rejected) -> serde_json::Value {
    let Some((n, message)) = partial(rejected) else { return json!({}) };
    let field = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    json!({ "partialSuccess": { field: n.to_string(), "errorMessage": message } })
}

fn partial(rejected: &Rejected) -> Option<(i64, String)> {
    let n = rejected.total();
    (n > 0).then(|| (i64::try_from(n).unwrap_or(i64::MAX), rejected.to_string()))
}
