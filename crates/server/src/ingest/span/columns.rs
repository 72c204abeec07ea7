//! The columns of `spans` under construction.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Int64Builder, RecordBatch, StringBuilder,
    TimestampNanosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use datafusion::arrow::error::ArrowError;
use tachograph_store::table::{SPAN_ID_BYTES, SPANS, TRACE_ID_BYTES};

use super::{Row, stays};
use crate::ingest::builder::{Labels, SharedBytes, binary, encode_attributes, encode_field_1, ids, text, times};
use crate::ingest::nanos;
use crate::ingest::resource::Shared;

/// Bytes of attributes and of events that a span has about, to size buffers by.
const ATTRIBUTE_BYTES: usize = 256;

pub(super) struct SpanColumns {
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    parent_span_id: FixedSizeBinaryBuilder,
    start: TimestampNanosecondBuilder,
    duration_ns: Int64Builder,
    name: Labels,
    kind: UInt8Builder,
    status: UInt8Builder,
    status_message: StringBuilder,
    service: Labels,
    instance: Labels,
    scope: Labels,
    operation: Labels,
    model: Labels,
    outcome: Labels,
    error_type: Labels,
    http_status: UInt16Builder,
    stream: BooleanBuilder,
    choices: UInt32Builder,
    choice_index: UInt32Builder,
    finish_reasons: StringBuilder,
    tokens: [UInt64Builder; 4],
    times_us: [Int64Builder; 6],
    counts: [UInt32Builder; 3],
    request_id: StringBuilder,
    response_id: StringBuilder,
    is_request: BooleanBuilder,
    token_offsets: BinaryBuilder,
    attributes: BinaryBuilder,
    resource: SharedBytes,
    events: BinaryBuilder,
    links: BinaryBuilder,
    dropped_events: UInt32Builder,
    trace_state: StringBuilder,
    scratch: Vec<u8>,
}

impl SpanColumns {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            trace_id: ids(rows, TRACE_ID_BYTES),
            span_id: ids(rows, SPAN_ID_BYTES),
            parent_span_id: ids(rows, SPAN_ID_BYTES),
            start: times(rows),
            duration_ns: Int64Builder::with_capacity(rows),
            name: Labels::new(),
            kind: UInt8Builder::with_capacity(rows),
            status: UInt8Builder::with_capacity(rows),
            status_message: text(rows, 0),
            service: Labels::new(),
            instance: Labels::new(),
            scope: Labels::new(),
            operation: Labels::new(),
            model: Labels::new(),
            outcome: Labels::new(),
            error_type: Labels::new(),
            http_status: UInt16Builder::with_capacity(rows),
            stream: BooleanBuilder::with_capacity(rows),
            choices: UInt32Builder::with_capacity(rows),
            choice_index: UInt32Builder::with_capacity(rows),
            finish_reasons: text(rows, 0),
            tokens: std::array::from_fn(|_| UInt64Builder::with_capacity(rows)),
            times_us: std::array::from_fn(|_| Int64Builder::with_capacity(rows)),
            counts: std::array::from_fn(|_| UInt32Builder::with_capacity(rows)),
            request_id: text(rows, 0),
            response_id: text(rows, 0),
            is_request: BooleanBuilder::with_capacity(rows),
            token_offsets: binary(rows, 0),
            attributes: binary(rows, ATTRIBUTE_BYTES),
            resource: SharedBytes::new(),
            events: binary(rows, 0),
            links: binary(rows, 0),
            dropped_events: UInt32Builder::with_capacity(rows),
            trace_state: text(rows, 0),
            scratch: Vec::with_capacity(ATTRIBUTE_BYTES),
        }
    }

    pub(super) fn append(&mut self, row: &Row<'_>, shared: &Shared) -> Result<(), ArrowError> {
        let span = row.span;
        self.trace_id.append_value(row.trace_id)?;
        self.span_id.append_value(row.span_id)?;
        match row.parent_span_id {
            Some(id) => self.parent_span_id.append_value(id)?,
            None => self.parent_span_id.append_null(),
        }
        self.start.append_value(nanos(span.start_time_unix_nano));
        self.duration_ns.append_value(row.duration_ns());
        self.name.append(&span.name)?;
        self.kind.append_value(u8::try_from(span.kind).unwrap_or_default());
        self.status.append_value(row.status() as u8);
        self.status_message.append_option(span.status.as_ref().map(|s| &s.message).filter(|m| !m.is_empty()));
        self.service.append(&shared.service)?;
        self.instance.append(&shared.instance)?;
        self.scope.append(row.scope)?;
        self.is_request.append_value(row.is_request);
        self.resource.append(&shared.bytes)?;
        self.dropped_events.append_value(span.dropped_events_count);
        self.trace_state.append_option((!span.trace_state.is_empty()).then_some(&span.trace_state));
        self.append_promoted(row);
        self.append_bytes(row);
        Ok(())
    }

    fn append_promoted(&mut self, row: &Row<'_>) {
        let promoted = &row.promoted;
        self.operation.append_option(promoted.operation.as_deref());
        self.model.append_option(promoted.model());
        self.outcome.append_option(row.outcome());
        self.error_type.append_option(promoted.error_type.as_deref());
        self.http_status.append_option(promoted.http_status);
        self.stream.append_option(promoted.stream);
        self.choices.append_option(promoted.choices);
        self.choice_index.append_option(promoted.choice_index);
        self.finish_reasons.append_option(promoted.finish_reasons.as_deref());
        self.request_id.append_option(promoted.request_id.as_deref());
        self.response_id.append_option(promoted.response_id.as_deref());
        self.token_offsets.append_option(promoted.token_offsets);
        let f = &promoted.figures;
        let tokens = [f.input_tokens, f.cached_tokens, f.output_tokens, f.reasoning_tokens];
        self.tokens.iter_mut().zip(tokens).for_each(|(column, value)| column.append_option(value));
        let times = [f.ttft_us, f.tpot_us, f.e2e_us, f.queue_us, f.prefill_us, f.decode_us];
        self.times_us.iter_mut().zip(times).for_each(|(column, value)| column.append_option(value));
        let counts = [f.preemptions, f.queue_depth, f.engine_index];
        self.counts.iter_mut().zip(counts).for_each(|(column, value)| column.append_option(value));
    }

    fn append_bytes(&mut self, row: &Row<'_>) {
        let span = row.span;
        encode_attributes(&span.attributes, stays, &mut self.scratch);
        self.attributes.append_value(&self.scratch);
        self.scratch.clear();
        span.events.iter().for_each(|event| encode_field_1(event, &mut self.scratch));
        self.events.append_value(&self.scratch);
        self.scratch.clear();
        span.links.iter().for_each(|link| encode_field_1(link, &mut self.scratch));
        self.links.append_option((!span.links.is_empty()).then_some(&self.scratch));
    }

    /// The batch, in the order of the table's columns.
    pub(super) fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.parent_span_id.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.duration_ns.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.status_message.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.instance.finish()),
            Arc::new(self.scope.finish()),
            Arc::new(self.operation.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.outcome.finish()),
            Arc::new(self.error_type.finish()),
            Arc::new(self.http_status.finish()),
            Arc::new(self.stream.finish()),
            Arc::new(self.choices.finish()),
            Arc::new(self.choice_index.finish()),
            Arc::new(self.finish_reasons.finish()),
        ];
        columns.extend(self.tokens.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.extend(self.times_us.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.extend(self.counts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        let rest: [ArrayRef; 10] = [
            Arc::new(self.request_id.finish()),
            Arc::new(self.response_id.finish()),
            Arc::new(self.is_request.finish()),
            Arc::new(self.token_offsets.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.resource.finish()),
            Arc::new(self.events.finish()),
            Arc::new(self.links.finish()),
            Arc::new(self.dropped_events.finish()),
            Arc::new(self.trace_state.finish()),
        ];
        columns.extend(rest);
        RecordBatch::try_new(SPANS.clone(), columns)
    }
}
