//! The operation span (`chat {model}` and its like) and the reasoning span under it.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tachograph_schema::attribute as name;
use tachograph_schema::otlp::Attributes;

use super::SpanSettings;
use super::build::{self, Builder, Frame};
use crate::clock::seconds;
use crate::figure::{RequestFigures, SequenceFigures};
use crate::request::{Operation, Request, finish_name};
use crate::sequence::End;

/// The span that stands for the whole request: a list of requests needs no other one.
///
/// TTFT is the first of any choice, TPOT the mean over the choices; e2e, queue, scheduler, prefill and decode are
/// those of the choice that took longest, so that the parts belong to one timeline. Counts are sums.
pub(super) fn span(
    builder: &Builder<'_>,
    request: &Request,
    operation: Operation,
    settings: &SpanSettings,
    (id, parent): ([u8; 8], Option<[u8; 8]>),
    frame: Frame,
) -> Span {
    let title = match request.request_model() {
        Some(model) => format!("{} {model}", operation.name()),
        None => operation.name().to_owned(),
    };
    let mut span = builder.span(&title, id, parent, frame);
    let mut attributes = Attributes::default();
    attributes
        .set(name::OPERATION, operation.name())
        .set(name::SPAN_KIND, operation.span_kind())
        .set(name::PROVIDER, settings.provider.as_str())
        .set(name::REQUEST_MODEL, request.request_model().map(str::to_owned));
    parameters(request, settings, &mut attributes);
    answer(request, operation, &mut attributes);
    figures(request, &mut attributes);
    pooled(request, &mut attributes);
    messages(request, &mut attributes);
    let (outcome, error) = request.outcome();
    if let Some(error) = &error {
        build::fail(&mut span, error);
    }
    attributes
        .set(name::OUTCOME, outcome.name().map(str::to_owned))
        .set(name::HTTP_STATUS, request.edge.status.map(u32::from))
        .set(name::INCOMPLETE, request.incomplete.then_some(true))
        .set(name::ERROR_TYPE, error);
    span.attributes = attributes.0;
    span
}

/// What the request asked: the body first, then what the engine resolved.
fn parameters(request: &Request, settings: &SpanSettings, attributes: &mut Attributes) {
    let asked = &request.asked;
    let params = request.sequences.first().map(|s| s.params.clone()).unwrap_or_default();
    let clean = |text: &String| settings.content.clean(text).into_owned();
    let stop = if asked.stop.is_empty() { params.stop.iter().map(clean).collect() } else { asked.stop.clone() };
    let choices = request.choices();
    attributes
        .set(name::STREAM, asked.stream.or(Some(request.answer.is_streamed())))
        .set(name::CHOICE_COUNT, (choices != 1).then_some(choices))
        .set(name::MAX_TOKENS, asked.max_tokens.or(params.max_tokens.map(i64::from)))
        .set(name::TEMPERATURE, asked.temperature.or(params.temperature))
        .set(name::TOP_P, asked.top_p.or(params.top_p))
        .set(name::TOP_K, asked.top_k.or(params.top_k))
        .set(name::SEED, asked.seed.or(params.seed))
        .set(name::FREQUENCY_PENALTY, asked.frequency_penalty.or(params.frequency_penalty))
        .set(name::PRESENCE_PENALTY, asked.presence_penalty.or(params.presence_penalty))
        .set(name::STOP_SEQUENCES, (!stop.is_empty()).then_some(stop));
}

fn answer(request: &Request, operation: Operation, attributes: &mut Attributes) {
    let answer = &request.answer;
    let external = || request.sequences.first().and_then(|s| told_id(&s.external_id, operation));
    let reasons = finish_reasons(request);
    let chunk_ns = if answer.is_streamed() { answer.first_content_ns.or(request.edge.first_chunk_ns) } else { None };
    attributes
        .set(name::RESPONSE_ID, answer.id.clone().or_else(external))
        .set(name::RESPONSE_MODEL, request.response_model().map(str::to_owned))
        .set(name::FINISH_REASONS, (!reasons.is_empty()).then_some(reasons))
        .set(name::TIME_TO_FIRST_CHUNK, chunk_ns.map(|t_ns| seconds(request.start_ns, t_ns)));
}

/// The id that the client is told. Where a request may hold several prompts, vLLM adds `-<index of the prompt>` to it.
fn told_id(external_id: &str, operation: Operation) -> Option<String> {
    let id = match external_id.rsplit_once('-') {
        Some((id, index)) if operation != Operation::Chat && index.bytes().all(|b| b.is_ascii_digit()) => id,
        _ => external_id,
    };
    (!id.is_empty()).then(|| id.to_owned())
}

/// One for each choice in the order of their index: the client's (`tool_calls`) where it was said, else the engine's.
fn finish_reasons(request: &Request) -> Vec<String> {
    let told: Vec<String> = request.answer.choices.values().filter_map(|c| c.finish_reason.clone()).collect();
    let mut sequences: Vec<_> = request.sequences.iter().collect();
    sequences.sort_by_key(|s| s.index);
    let of_engine = sequences.iter().filter_map(|s| match s.end {
        Some(End::Reason(reason)) => Some(finish_name(reason).to_owned()),
        _ => None,
    });
    let of_engine: Vec<String> = of_engine.collect();
    if told.len() >= of_engine.len() { told } else { of_engine }
}

fn figures(request: &Request, attributes: &mut Attributes) {
    let figures = RequestFigures::of(request);
    let sequences = &request.sequences;
    attributes
        .set(name::INPUT_TOKENS, figures.input_tokens)
        .set(name::OUTPUT_TOKENS, figures.output_tokens)
        .set(name::CACHED_TOKENS, figures.cached_tokens)
        .set(name::REASONING_TOKENS, figures.reasoning_tokens);
    if let Some(slowest) = figures.slowest {
        let latency = SequenceFigures { ttft: figures.ttft, tpot: figures.tpot, ..slowest };
        build::latencies(attributes, &latency);
        attributes
            .set(name::PREEMPTIONS, sequences.iter().map(|s| s.preemptions).fold(0, u32::saturating_add))
            .set(name::QUEUE_DEPTH, sequences.iter().filter_map(|s| s.queue_depth).max())
            .set(name::ENGINE_INDEX, sequences.iter().find_map(|s| s.engine_index));
    }
}

/// What embeddings and rankings have in place of text.
fn pooled(request: &Request, attributes: &mut Attributes) {
    let (asked, answer) = (&request.asked, &request.answer);
    // The end of a body that was cut may go through a vector.
    let seen = answer.dimensions.filter(|_| request.edge.response_cut().is_none());
    let dimensions = asked.dimensions.or(seen.and_then(|n| i64::try_from(n).ok()));
    let documents = answer.scores.iter().map(|s| json!({"id": s.index.to_string(), "score": s.score}));
    let documents: Vec<_> = documents.collect();
    attributes
        .set(name::ENCODING_FORMATS, asked.encoding.clone().map(|format| vec![format]))
        .set(name::DIMENSIONS, dimensions)
        .set(name::DOCUMENTS, (!documents.is_empty()).then(|| Value::Array(documents).to_string()));
}

fn messages(request: &Request, attributes: &mut Attributes) {
    let asked = &request.asked;
    let (output, output_cut) = request.answer.messages(false).unzip();
    attributes
        .set(name::INPUT_MESSAGES, asked.input.clone())
        .set(name::OUTPUT_MESSAGES, output)
        .set(name::SYSTEM_INSTRUCTIONS, asked.system.clone())
        .set(name::TOOL_DEFINITIONS, asked.tools.clone())
        .set(name::CONTENT_LENGTH, asked.cut_length.max(output_cut.flatten()))
        .set(name::REQUEST_BODY_CUT, request.edge.request_cut())
        .set(name::RESPONSE_BODY_CUT, request.edge.response_cut());
}

/// From the first reasoning to the first answer; where the response was not streamed, from the first token to the
/// last one that the usage counts as reasoning, or else to the last token.
pub(super) fn reasoning(builder: &Builder<'_>, request: &Request, parent: [u8; 8], whole: Frame) -> Option<Span> {
    let answer = &request.answer;
    if !answer.has_reasoning() {
        return None;
    }
    let tokens = RequestFigures::of(request).reasoning_tokens;
    let (first_ns, answer_ns, end_ns) = match answer.first_reasoning_ns {
        Some(first_ns) => (first_ns, answer.first_answer_ns, answer.first_answer_ns.unwrap_or(whole.end_ns)),
        None => {
            let times = &request.sequences.first()?.tokens;
            let counted_ns = tokens.filter(|&n| n > 0).and_then(|n| times.time_ns(n - 1));
            let answer_ns = tokens.and_then(|n| times.time_ns(n));
            (times.first_ns()?, answer_ns, counted_ns.or(times.last_ns())?)
        }
    };
    let id = builder.id(name::span::REASONING, 0, 0);
    let mut span = builder.span(name::span::REASONING, id, Some(parent), whole.clip(first_ns, end_ns));
    let (output, cut) = answer.messages(true).unzip();
    let since_start = |t_ns: u64| seconds(request.start_ns, t_ns);
    let mut attributes = Attributes::default();
    attributes
        .set(name::OUTPUT_MESSAGES, output)
        .set(name::CONTENT_LENGTH, cut.flatten())
        .set(name::REASONING_TOKENS, tokens)
        .set(name::TIME_TO_FIRST_REASONING, since_start(first_ns))
        .set(name::TIME_TO_FIRST_ANSWER, answer_ns.map(since_start));
    span.attributes = attributes.0;
    Some(span)
}
