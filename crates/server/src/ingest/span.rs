//! Spans to rows of `spans` and `content`.

mod columns;

use datafusion::arrow::error::ArrowError;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tachograph_schema::{attribute, otlp};

use super::content::ContentColumns;
use super::promoted::Promoted;
use super::resource::Shared;
use super::{Decoded, Rejected, nanos};
use crate::api::wire::RequestStatus;
use columns::SpanColumns;

/// Operations whose entry spans are requests.
const OPERATIONS: [&str; 5] = ["chat", "text_completion", "embeddings", "rerank", "generate_content"];

/// Why a span is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// An id of the wrong length or all zero.
    Id,
    /// An end before the start.
    End,
}

/// A span that is kept.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) span: &'a Span,
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) parent_span_id: Option<[u8; 8]>,
    pub(super) scope: &'a str,
    /// Index of the resource in the export.
    pub(super) resource: usize,
    pub(super) promoted: Promoted<'a>,
    /// Whether it is the entry span of an operation.
    pub(super) is_request: bool,
}

impl<'a> Row<'a> {
    fn new(span: &'a Span, scope: &'a str, resource: usize) -> Result<Self, Invalid> {
        let parent_span_id = match span.parent_span_id.as_slice() {
            [] => None,
            id => Some(<[u8; 8]>::try_from(id).map_err(|_| Invalid::Id)?).filter(|id| *id != [0; 8]),
        };
        if span.end_time_unix_nano != 0 && span.end_time_unix_nano < span.start_time_unix_nano {
            return Err(Invalid::End);
        }
        let promoted = Promoted::new(&span.attributes);
        let is_request = span.name != attribute::span::REQUEST
            && promoted.operation.as_ref().is_some_and(|o| OPERATIONS.contains(&o.as_ref()));
        Ok(Self {
            span,
            trace_id: id(&span.trace_id)?,
            span_id: id(&span.span_id)?,
            parent_span_id,
            scope,
            resource,
            promoted,
            is_request,
        })
    }

    /// Nanoseconds from start to end, 0 where the end is missing.
    fn duration_ns(&self) -> i64 {
        nanos(self.span.end_time_unix_nano.saturating_sub(self.span.start_time_unix_nano))
    }

    fn status(&self) -> StatusCode {
        self.span.status.as_ref().map_or(StatusCode::Unset, |s| s.code())
    }

    /// How it ended: every request has an answer, other spans only where the sender says.
    fn outcome(&self) -> Option<&str> {
        let promoted = &self.promoted;
        promoted.outcome.as_deref().or_else(|| {
            let error = self.status() == StatusCode::Error;
            let derive = || RequestStatus::derive(promoted.http_status, promoted.finish_reasons.as_deref(), error);
            self.is_request.then(|| derive().name())
        })
    }
}

/// An id of exactly `N` bytes with one that is not zero.
fn id<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Invalid> {
    bytes.try_into().ok().filter(|id| *id != [0; N]).ok_or(Invalid::Id)
}

/// Rows of an export of traces.
pub(super) fn decode(request: &ExportTraceServiceRequest) -> Result<Decoded, ArrowError> {
    let mut rejected = Rejected::default();
    let mut rows = Vec::new();
    let shared: Vec<Shared> = request.resource_spans.iter().map(|r| Shared::new(r.resource.as_ref())).collect();
    for (resource, group) in request.resource_spans.iter().enumerate() {
        for scope_spans in &group.scope_spans {
            let scope = scope_spans.scope.as_ref().map_or("", |s| s.name.as_str());
            for span in &scope_spans.spans {
                match Row::new(span, scope, resource) {
                    Ok(row) => rows.push(row),
                    Err(reason) => rejected.add(reason),
                }
            }
        }
    }
    let mut spans = SpanColumns::new(rows.len());
    let mut content = ContentColumns::default();
    for row in &rows {
        if let Some(shared) = shared.get(row.resource) {
            spans.append(row, shared)?;
        }
        content.append(row)?;
    }
    let mut decoded = Decoded { rows: rows.len() as u64, rejected, ..Decoded::default() };
    if !rows.is_empty() {
        decoded.tables.spans = Some(spans.finish()?);
        decoded.tables.content = content.finish()?;
    }
    Ok(decoded)
}

/// Whether an attribute stays among the attributes: message content and token times have a place of their own.
pub(super) fn stays(key: &str) -> bool {
    !matches!(
        key,
        attribute::INPUT_MESSAGES
            | attribute::OUTPUT_MESSAGES
            | attribute::SYSTEM_INSTRUCTIONS
            | attribute::TOOL_DEFINITIONS
            | attribute::TOKEN_OFFSETS
    )
}

/// Text of a content attribute.
pub(super) fn content_text<'a>(span: &'a Span, key: &str) -> Option<std::borrow::Cow<'a, str>> {
    otlp::find(&span.attributes, key).map(crate::value::text)
}
