//! The span tree of one request, as `spec/spans.md` has it.
//!
//! A pure function of the joined request: the same records give the same spans with the same ids,
//! also after a restart of the recorder.

mod build;
mod operation;
mod sequence;

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use tachograph_schema::attribute as name;
use tachograph_schema::otlp::Attributes;

use crate::body::text::ContentPolicy;
use crate::request::{Outcome, Request};
use build::{Builder, Frame};

/// How much detail leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `llm_request` without its stages.
    Request = 0,
    /// Also wait, prefill and decode.
    Stages = 1,
    /// Also an event for each token.
    Tokens = 2,
}

/// What spans are made with.
#[derive(Clone, Debug)]
pub struct SpanSettings {
    /// Detail.
    pub level: Level,
    /// Most events on a span.
    pub event_limit: usize,
    /// `gen_ai.provider.name`.
    pub provider: String,
    /// What of text leaves.
    pub content: ContentPolicy,
}

/// The spans of a request, parents before children; empty where it is no business of a model.
#[must_use]
pub fn spans(request: &Request, settings: &SpanSettings) -> Vec<Span> {
    let Some(operation) = request.operation() else { return Vec::new() };
    let builder = Builder::new(request);
    let whole = Frame { start_ns: request.start_ns, end_ns: request.end_ns.max(request.start_ns) };
    let mut spans = Vec::with_capacity(8);
    let parent = match &request.edge.start {
        Some(start) => {
            spans.push(http(&builder, request, settings, &format!("{} {}", start.method, start.path), whole));
            Some(request.trace.span_id)
        }
        None => request.trace.parent,
    };
    let operation_id = builder.id("operation", 0, 0);
    spans.push(operation::span(&builder, request, operation, settings, (operation_id, parent), whole));
    spans.extend(operation::reasoning(&builder, request, operation_id, whole));
    let (outcome, error) = request.outcome();
    for (index, one) in request.sequences.iter().enumerate() {
        sequence::spans(
            &builder,
            (index, one),
            settings,
            (operation_id, whole),
            (outcome, error.as_deref()),
            &mut spans,
        );
    }
    spans
}

/// The span of the edge.
fn http(builder: &Builder<'_>, request: &Request, settings: &SpanSettings, title: &str, frame: Frame) -> Span {
    let trace = &request.trace;
    let mut span = builder.span(title, trace.span_id, trace.parent, frame);
    span.kind = SpanKind::Server.into();
    if trace.parent.is_some() {
        span.flags |= build::PARENT_IS_REMOTE;
    }
    let edge = &request.edge;
    let mut attributes = Attributes::default();
    if let Some(start) = &edge.start {
        let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let query = settings.content.redaction.map_or_else(|| start.query.clone(), |r| r.query(&start.query));
        let port = |port: u16| (port != 0).then_some(u32::from(port));
        attributes
            .set(name::HTTP_METHOD, start.method.as_str())
            .set(name::HTTP_ROUTE, text(&start.path))
            .set(name::URL_PATH, text(&start.path))
            .set(name::URL_QUERY, text(&query))
            .set(name::URL_SCHEME, text(&start.scheme))
            .set(name::PROTOCOL_VERSION, text(&start.http_version))
            .set(name::CLIENT_ADDRESS, text(&start.client))
            .set(name::CLIENT_PORT, port(start.client_port))
            .set(name::SERVER_ADDRESS, text(&start.server))
            .set(name::SERVER_PORT, port(start.server_port))
            .set(name::USER_AGENT, text(&start.user_agent));
    }
    let (outcome, error) = request.outcome();
    if let Some(error) = &error
        // HTTP conventions: a server's span is no error where the client is to blame.
        && matches!(outcome, Outcome::Failed | Outcome::EngineDied | Outcome::Unknown)
    {
        build::fail(&mut span, error);
    }
    attributes
        .set(name::HTTP_STATUS, edge.status.map(u32::from))
        .set(name::HTTP_REQUEST_SIZE, edge.request_bytes)
        .set(name::HTTP_RESPONSE_SIZE, (edge.response_bytes > 0).then_some(edge.response_bytes))
        .set(name::INCOMPLETE, request.incomplete.then_some(true))
        .set(name::ERROR_TYPE, error);
    span.attributes = attributes.0;
    span
}
