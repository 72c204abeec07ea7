//! `llm_request` of one sequence with its stages and tokens.

use opentelemetry_proto::tonic::trace::v1::{Span, span::Event};
use tachograph_schema::attribute as name;
use tachograph_schema::otlp::Attributes;

use super::build::{self, Builder, Frame};
use super::{Level, SpanSettings};
use crate::clock::seconds;
use crate::figure::SequenceFigures;
use crate::request::{Outcome, finish_name};
use crate::sequence::{End, Prefill, Sequence};
use tachograph_ring::record::FinishReason;

/// Add the spans of a sequence.
pub(super) fn spans(
    builder: &Builder<'_>,
    (index, sequence): (usize, &Sequence),
    settings: &SpanSettings,
    (parent, whole): ([u8; 8], Frame),
    (outcome, error): (Outcome, Option<&str>),
    out: &mut Vec<Span>,
) {
    let frame = whole.clip(sequence.arrival_ns, sequence.end_ns);
    let id = builder.id(name::span::REQUEST, index, 0);
    let mut span = builder.span(name::span::REQUEST, id, Some(parent), frame);
    let class = match sequence.end {
        Some(End::Died) => Some("engine_died"),
        Some(End::Reason(FinishReason::Error)) => Some("engine_error"),
        Some(End::Reason(FinishReason::Abort)) if outcome == Outcome::Aborted => error,
        Some(End::Reason(FinishReason::Abort)) => Some("aborted"),
        Some(End::Unknown) | None => error.filter(|_| outcome != Outcome::Refused),
        Some(End::Reason(_)) => None,
    };
    if let Some(class) = class {
        build::fail(&mut span, class);
    }
    span.attributes = key_metrics(sequence, settings, frame, class).0;
    if settings.level >= Level::Tokens {
        tokens(builder, sequence, frame, settings.event_limit, &mut span);
    }
    out.push(span);
    if settings.level >= Level::Stages {
        stages(builder, (index, sequence), settings.event_limit, (id, frame), out);
    }
}

fn key_metrics(sequence: &Sequence, settings: &SpanSettings, frame: Frame, class: Option<&str>) -> Attributes {
    let reason = match sequence.end {
        Some(End::Reason(reason)) => Some(vec![finish_name(reason).to_owned()]),
        _ => None,
    };
    let offsets = (settings.level >= Level::Stages).then(|| sequence.tokens.offsets(frame.start_ns)).flatten();
    let mut attributes = Attributes::default();
    attributes.set(name::REQUEST_ID, sequence.internal_id.as_str()).set(name::CHOICE_INDEX, sequence.index);
    build::latencies(&mut attributes, &SequenceFigures::of(sequence));
    attributes
        .set(name::INPUT_TOKENS, sequence.prompt_tokens)
        .set(name::OUTPUT_TOKENS, sequence.tokens.count())
        .set(name::CACHED_TOKENS, sequence.cached_tokens)
        .set(name::FINISH_REASONS, reason)
        .set(name::PREEMPTIONS, sequence.preemptions)
        .set(name::STEPS, sequence.steps)
        .set(name::ENGINE_INDEX, sequence.engine_index)
        .set(name::QUEUE_DEPTH, sequence.queue_depth)
        .set(name::TOKEN_OFFSETS, offsets)
        .set(name::INCOMPLETE, (sequence.end == Some(End::Unknown)).then_some(true))
        .set(name::ERROR_TYPE, class.map(str::to_owned));
    attributes
}

/// An event for each of the first tokens; the rest is a number.
fn tokens(builder: &Builder<'_>, sequence: &Sequence, frame: Frame, limit: usize, span: &mut Span) {
    let mut previous_ns = sequence.arrival_ns;
    for (index, token) in sequence.tokens.events().iter().take(limit).enumerate() {
        let mut attributes = Attributes::default();
        attributes
            .set(name::TOKEN_INDEX, index as u64)
            .set(name::TOKEN_INTERVAL, seconds(previous_ns, token.t_ns))
            .set(name::STEP, token.step)
            .set(name::BATCH_SIZE, token.batch)
            .set(name::WAITING, token.waiting);
        span.events.push(Event {
            time_unix_nano: builder.wall(token.t_ns.clamp(frame.start_ns, frame.end_ns)),
            name: name::TOKEN_EVENT.to_owned(),
            attributes: attributes.0,
            dropped_attributes_count: 0,
        });
        previous_ns = token.t_ns;
    }
    let left_out = sequence.tokens.count() - span.events.len() as u64;
    span.dropped_events_count = u32::try_from(left_out).unwrap_or(u32::MAX);
}

fn stages(
    builder: &Builder<'_>,
    (index, sequence): (usize, &Sequence),
    limit: usize,
    (parent, whole): ([u8; 8], Frame),
    out: &mut Vec<Span>,
) {
    let first = out.len();
    let stage = |title: &str, number: usize, start_ns: u64, end_ns: u64| {
        let frame = whole.clip(start_ns, end_ns);
        builder.span(title, builder.id(title, index, number), Some(parent), frame)
    };
    for (number, wait) in sequence.waits.iter().enumerate() {
        out.push(stage(name::span::WAIT, number, wait.start_ns, wait.end_ns));
    }
    for (number, prefill) in sequence.prefills.iter().enumerate() {
        let interval = prefill.interval;
        let mut span = stage(name::span::PREFILL, number, interval.start_ns, interval.end_ns);
        chunks(builder, prefill, whole, limit, &mut span);
        out.push(span);
    }
    for (number, decode) in sequence.decodes.iter().enumerate() {
        out.push(stage(name::span::DECODE, number, decode.start_ns, decode.end_ns));
    }
    if let Some(stages) = out.get_mut(first..) {
        stages.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
    }
}

fn chunks(builder: &Builder<'_>, prefill: &Prefill, whole: Frame, limit: usize, span: &mut Span) {
    for chunk in prefill.chunks.iter().take(limit) {
        let mut attributes = Attributes::default();
        attributes.set(name::STEP, chunk.step).set(name::CHUNK_TOKENS, chunk.tokens);
        span.events.push(Event {
            time_unix_nano: builder.wall(whole.clip(chunk.t_ns, chunk.t_ns).start_ns),
            name: name::CHUNK_EVENT.to_owned(),
            attributes: attributes.0,
            dropped_attributes_count: 0,
        });
    }
    let left_out = prefill.chunks.len().saturating_sub(limit);
    span.dropped_events_count = prefill.chunks_left_out.saturating_add(u32::try_from(left_out).unwrap_or(u32::MAX));
}
