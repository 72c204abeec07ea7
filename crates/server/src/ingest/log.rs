//! Log records to rows of `logs`.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
    UInt8Builder,
};
use datafusion::arrow::error::ArrowError;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use tachograph_store::table::{LOGS, SPAN_ID_BYTES, TRACE_ID_BYTES};

use super::builder::{Labels, SharedBytes, binary, encode_attributes, ids, text, times};
use super::resource::Shared;
use super::{Decoded, nanos};
use crate::value;

/// Rows of an export of logs.
pub(super) fn decode(request: &ExportLogsServiceRequest, received_ns: u64) -> Result<Decoded, ArrowError> {
    let mut columns = LogColumns::new();
    let mut rows = 0;
    for group in &request.resource_logs {
        let shared = Shared::new(group.resource.as_ref());
        for record in group.scope_logs.iter().flat_map(|s| &s.log_records) {
            columns.append(record, &shared, received_ns)?;
            rows += 1;
        }
    }
    let mut decoded = Decoded { rows, ..Decoded::default() };
    if rows > 0 {
        decoded.tables.logs = Some(columns.finish()?);
    }
    Ok(decoded)
}

/// The columns of `logs` under construction.
struct LogColumns {
    time: TimestampNanosecondBuilder,
    observed: TimestampNanosecondBuilder,
    severity: UInt8Builder,
    severity_text: Labels,
    event_name: Labels,
    body: StringBuilder,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    service: Labels,
    instance: Labels,
    attributes: BinaryBuilder,
    resource: SharedBytes,
    scratch: Vec<u8>,
}

impl LogColumns {
    fn new() -> Self {
        Self {
            time: times(0),
            observed: times(0),
            severity: UInt8Builder::new(),
            severity_text: Labels::new(),
            event_name: Labels::new(),
            body: text(0, 0),
            trace_id: ids(0, TRACE_ID_BYTES),
            span_id: ids(0, SPAN_ID_BYTES),
            service: Labels::new(),
            instance: Labels::new(),
            attributes: binary(0, 0),
            resource: SharedBytes::new(),
            scratch: Vec::new(),
        }
    }

    fn append(&mut self, record: &LogRecord, shared: &Shared, received_ns: u64) -> Result<(), ArrowError> {
        let first = |times: [u64; 2]| nanos(times.into_iter().find(|t| *t != 0).unwrap_or(received_ns));
        self.time.append_value(first([record.time_unix_nano, record.observed_time_unix_nano]));
        self.observed.append_value(first([record.observed_time_unix_nano, 0]));
        self.severity.append_value(u8::try_from(record.severity_number).unwrap_or_default());
        self.severity_text.append_option(some(&record.severity_text));
        self.event_name.append_option(some(&record.event_name));
        self.body.append_value(value::of(record.body.as_ref()).map(value::text).unwrap_or_default());
        append_id::<16>(&mut self.trace_id, &record.trace_id)?;
        append_id::<8>(&mut self.span_id, &record.span_id)?;
        self.service.append(&shared.service)?;
        self.instance.append(&shared.instance)?;
        encode_attributes(&record.attributes, |_| true, &mut self.scratch);
        self.attributes.append_value(&self.scratch);
        self.resource.append(&shared.bytes)?;
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.observed.finish()),
            Arc::new(self.severity.finish()),
            Arc::new(self.severity_text.finish()),
            Arc::new(self.event_name.finish()),
            Arc::new(self.body.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.instance.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.resource.finish()),
        ];
        RecordBatch::try_new(LOGS.clone(), columns)
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// An id of a log record is a hint: one that is missing, zero or of the wrong length is null.
fn append_id<const N: usize>(column: &mut FixedSizeBinaryBuilder, id: &[u8]) -> Result<(), ArrowError> {
    match <[u8; N]>::try_from(id) {
        Ok(id) if id != [0; N] => column.append_value(id),
        _ => {
            column.append_null();
            Ok(())
        }
    }
}
