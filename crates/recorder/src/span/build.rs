//! Parts that all spans share: ids, times inside the parent, status.

use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::SpanKind};

use tachograph_schema::attribute as name;
use tachograph_schema::otlp::Attributes;

use crate::clock::Clock;
use crate::figure::SequenceFigures;
use crate::request::{Request, Trace};

/// The span's flags say whether its parent is remote (OTLP `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`).
const KNOWS_IF_REMOTE: u32 = 0x100;
/// It is (OTLP `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`).
pub(super) const PARENT_IS_REMOTE: u32 = 0x200;

/// An interval of monotonic time that a span takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
}

impl Frame {
    /// The part of an interval that lies inside: a child is never outside of its parent.
    pub(super) fn clip(self, start_ns: u64, end_ns: u64) -> Self {
        let start_ns = start_ns.clamp(self.start_ns, self.end_ns);
        Self { start_ns, end_ns: end_ns.clamp(start_ns, self.end_ns) }
    }
}

/// Makes the spans of one request.
pub(super) struct Builder<'a> {
    trace: &'a Trace,
    clock: Clock,
}

impl<'a> Builder<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        Self { trace: &request.trace, clock: request.clock }
    }

    /// The id of a span in this request: a hash of what it is, never zero.
    pub(super) fn id(&self, what: &str, sequence: usize, number: usize) -> [u8; 8] {
        let place = [sequence as u64, number as u64].map(u64::to_le_bytes).concat();
        let bytes = [self.trace.trace_id.as_slice(), &self.trace.span_id, what.as_bytes(), &place].concat();
        rapidhash::v3::rapidhash_v3(&bytes).max(1).to_be_bytes()
    }

    /// An internal span without attributes.
    pub(super) fn span(&self, title: &str, id: [u8; 8], parent: Option<[u8; 8]>, frame: Frame) -> Span {
        Span {
            trace_id: self.trace.trace_id.to_vec(),
            span_id: id.to_vec(),
            trace_state: self.trace.state.clone(),
            parent_span_id: parent.map(|p| p.to_vec()).unwrap_or_default(),
            flags: u32::from(self.trace.flags) | KNOWS_IF_REMOTE,
            name: title.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: self.clock.wall(frame.start_ns),
            end_time_unix_nano: self.clock.wall(frame.end_ns),
            ..Span::default()
        }
    }

    /// Wall time.
    pub(super) fn wall(&self, mono_ns: u64) -> u64 {
        self.clock.wall(mono_ns)
    }
}

/// Set the status of a span to an error of that class.
pub(super) fn fail(span: &mut Span, class: &str) {
    span.status = Some(Status { message: class.to_owned(), code: StatusCode::Error.into() });
}

/// `gen_ai.latency.*`, of one sequence or of a request: the same names with the same meaning.
pub(super) fn latencies(attributes: &mut Attributes, figures: &SequenceFigures) {
    attributes
        .set(name::E2E, figures.e2e)
        .set(name::TTFT, figures.ttft)
        .set(name::TPOT, figures.tpot)
        .set(name::QUEUE, figures.queue)
        .set(name::SCHEDULER, figures.scheduler)
        .set(name::PREFILL, figures.prefill)
        .set(name::DECODE, figures.decode)
        .set(name::INFERENCE, figures.inference());
}
