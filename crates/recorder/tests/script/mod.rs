//! Scripted records of an API server and an engine core, and the text form of the spans that come out.

#![allow(dead_code)] // each test file uses its part

use std::borrow::Cow;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use tachograph_recorder::body::text::ContentPolicy;
use tachograph_recorder::clock::Clock;
use tachograph_recorder::health::Health;
use tachograph_recorder::join::{Join, Joined, Keep, Source};
use tachograph_recorder::request::Request;
use tachograph_recorder::span::{Level, SpanSettings, spans};
use tachograph_ring::Record;
use tachograph_ring::record::{
    FinishReason, Finished, FrontOutput, FrontOutputs, HttpBody, HttpEnd, HttpOutcome, HttpResponse, HttpStart, Member,
    Preempted, Queued, SamplingParams, SequenceAbort, SequenceAdd, SequenceKey, SequenceKind, Step, StepOutput,
    StepOutputs,
};

pub(crate) const API: Source = Source(0);
pub(crate) const CORE: Source = Source(1);
pub(crate) const MS: u64 = 1_000_000;
/// Monotonic time of the script's zero.
pub(crate) const ZERO: u64 = 5_000 * MS;
const WALL: u64 = 1_700_000_000_000 * MS;
pub(crate) const CLOCK: Clock = Clock { mono_ns: ZERO, wall_ns: WALL };

pub(crate) fn at(ms: u64) -> u64 {
    ZERO + ms * MS
}

pub(crate) fn key(id: &str) -> SequenceKey {
    SequenceKey::of(id)
}

pub(crate) fn http_start(ms: u64, http_id: u64, path: &'static str) -> Record<'static> {
    Record::HttpStart(HttpStart {
        t_ns: at(ms),
        http_id,
        trace_id: [0xaa; 16],
        span_id: [http_id as u8; 8],
        parent_span_id: [0; 8],
        trace_flags: 1,
        tracestate: "",
        method: "POST",
        scheme: "http",
        path,
        query: "",
        http_version: "1.1",
        client: "10.0.0.9",
        client_port: 4711,
        server: "127.0.0.1",
        server_port: 8000,
        user_agent: "curl/8",
        request_id: "",
    })
}

pub(crate) fn body(ms: u64, http_id: u64, bytes: &str) -> Record<'_> {
    Record::HttpBody(HttpBody { t_ns: at(ms), http_id, len: bytes.len() as u64, bytes: bytes.as_bytes() })
}

pub(crate) fn response(ms: u64, http_id: u64, status: u16, content_type: &'static str) -> Record<'static> {
    Record::HttpResponse(HttpResponse { t_ns: at(ms), http_id, status, content_type })
}

pub(crate) fn chunk(ms: u64, http_id: u64, bytes: &str) -> Record<'_> {
    Record::HttpChunk(HttpBody { t_ns: at(ms), http_id, len: bytes.len() as u64, bytes: bytes.as_bytes() })
}

pub(crate) fn http_end(ms: u64, http_id: u64, outcome: HttpOutcome, error: &'static str) -> Record<'static> {
    Record::HttpEnd(HttpEnd { t_ns: at(ms), http_id, outcome, error })
}

pub(crate) fn add<'a>(ms: u64, http_id: u64, id: &'a str, parent: &'a str, index: u32) -> Record<'a> {
    let n = if parent.is_empty() { 1 } else { 2 };
    Record::SequenceAdd(SequenceAdd {
        t_ns: at(ms),
        arrival_time: (WALL + ms.saturating_sub(1) * MS) as f64 / 1e9,
        http_id,
        internal_id: id,
        external_id: "chatcmpl-1",
        parent_id: parent,
        index,
        prompt_tokens: 20,
        kind: SequenceKind::Generate,
        model: "tiny",
        params: SamplingParams { n, max_tokens: Some(16), temperature: Some(0.5), ..SamplingParams::default() },
    })
}

pub(crate) fn queued(ms: u64, id: &str, depth: u32) -> Record<'static> {
    Record::Queued(Queued { t_ns: at(ms), key: key(id), engine_index: 0, depth })
}

pub(crate) fn step(ms: u64, number: u64, members: &[(&str, u32)]) -> Record<'static> {
    let members: Vec<Member> = members.iter().map(|&(id, tokens)| Member { key: key(id), tokens }).collect();
    Record::Step(Step {
        t_ns: at(ms),
        schedule_ns: 250_000,
        engine_index: 0,
        step: number,
        running: members.len() as u32,
        waiting: 3,
        deferred: 1,
        kv_usage: 0.25,
        members: Cow::Owned(members),
    })
}

pub(crate) fn outputs(ms: u64, number: u64, outs: &[(&str, u32, Option<FinishReason>)]) -> Record<'static> {
    let outputs: Vec<StepOutput> = outs
        .iter()
        .map(|&(id, tokens, finish)| StepOutput { key: key(id), tokens, cached_tokens: Some(4), finish })
        .collect();
    Record::StepOutputs(StepOutputs {
        t_ns: at(ms),
        engine_index: 0,
        step: number,
        prefix_queries: 20,
        prefix_hits: 4,
        outputs: Cow::Owned(outputs),
    })
}

pub(crate) fn preempted(ms: u64, id: &str) -> Record<'static> {
    Record::Preempted(Preempted { t_ns: at(ms), key: key(id), engine_index: 0 })
}

pub(crate) fn front_finish(ms: u64, id: &str, reason: FinishReason) -> Record<'static> {
    let output = FrontOutput { key: key(id), first: false, finish: Some(reason) };
    Record::FrontOutputs(FrontOutputs { t_ns: at(ms), outputs: Cow::Owned(vec![output]) })
}

pub(crate) fn abort(ms: u64, id: &str) -> Record<'static> {
    Record::SequenceAbort(SequenceAbort { t_ns: at(ms), keys: Cow::Owned(vec![key(id)]) })
}

pub(crate) fn finished(ms: u64, id: &str, reason: FinishReason) -> Record<'static> {
    Record::Finished(Finished { t_ns: at(ms), key: key(id), engine_index: 0, reason })
}

/// Which process writes a record.
pub(crate) fn source_of(record: &Record<'_>) -> Source {
    match record {
        Record::Queued(_)
        | Record::Step(_)
        | Record::Preempted(_)
        | Record::StepOutputs(_)
        | Record::Finished(_)
        | Record::Engine(_) => CORE,
        _ => API,
    }
}

pub(crate) const CONTENT: ContentPolicy = ContentPolicy { capture: true, max_chars: 64, redaction: None };

pub(crate) fn join_with(content: ContentPolicy, token_events: usize) -> Join {
    let mut join = Join::new(Keep { content, token_events }, Health::default());
    join.open_source(API, CLOCK, true);
    join.open_source(CORE, CLOCK, true);
    join
}

pub(crate) fn requests(join: &mut Join) -> Vec<Request> {
    let joined = join.take().into_iter();
    joined
        .filter_map(|j| match j {
            Joined::Request(request) => Some(*request),
            Joined::FirstToken { .. } | Joined::Surplus { .. } => None,
        })
        .collect()
}

pub(crate) fn settings(level: Level) -> SpanSettings {
    SpanSettings { level, event_limit: 3, provider: "vllm".into(), content: CONTENT }
}

/// Join records at a level and give the spans of all requests that ended.
pub(crate) fn play_with(records: &[Record<'_>], level: Level, content: ContentPolicy) -> Vec<Span> {
    let mut join = join_with(content, if level == Level::Tokens { 3 } else { 0 });
    records.iter().for_each(|record| join.apply(source_of(record), record));
    join.tick(at(60_000));
    let settings = SpanSettings { content, ..settings(level) };
    requests(&mut join).iter().flat_map(|r| spans(r, &settings)).collect()
}

pub(crate) fn play(records: &[Record<'_>]) -> Vec<Span> {
    play_with(records, Level::Stages, CONTENT)
}

fn value(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(s)) => format!("{s:?}"),
        Some(Value::BoolValue(b)) => b.to_string(),
        Some(Value::IntValue(i)) => i.to_string(),
        Some(Value::DoubleValue(d)) => format!("{d:.6}s"),
        Some(Value::BytesValue(b)) => format!("{b:?}"),
        Some(Value::ArrayValue(a)) => format!("{:?}", a.values.iter().map(self::value).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    }
}

fn attributes(list: &[KeyValue]) -> String {
    let pairs = list.iter().map(|kv| format!("{}={}", kv.key, kv.value.as_ref().map(value).unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Milliseconds since the script's zero.
pub(crate) fn ms(wall_ns: u64) -> f64 {
    wall_ns.saturating_sub(WALL) as f64 / 1e6
}

/// The tree as text. `detail`: with attributes.
pub(crate) fn tree(spans: &[Span], detail: bool) -> String {
    let mut text = String::new();
    for root in spans.iter().filter(|s| !spans.iter().any(|p| p.span_id == s.parent_span_id)) {
        render(spans, root, 0, detail, &mut text);
    }
    text
}

fn render(spans: &[Span], span: &Span, depth: usize, detail: bool, text: &mut String) {
    let pad = "  ".repeat(depth);
    let error = span.status.as_ref().filter(|s| s.code == 2).map(|s| format!(" !{}", s.message)).unwrap_or_default();
    let (start, end) = (ms(span.start_time_unix_nano), ms(span.end_time_unix_nano));
    writeln!(text, "{pad}{} [{start}..{end}]{error}", span.name).unwrap();
    if detail {
        for kv in &span.attributes {
            writeln!(text, "{pad}    {}", attributes(std::slice::from_ref(kv))).unwrap();
        }
    }
    for event in &span.events {
        writeln!(text, "{pad}  * {} @{} {}", event.name, ms(event.time_unix_nano), attributes(&event.attributes))
            .unwrap();
    }
    if span.dropped_events_count > 0 {
        writeln!(text, "{pad}  * {} more events", span.dropped_events_count).unwrap();
    }
    for child in spans.iter().filter(|c| c.parent_span_id == span.span_id) {
        render(spans, child, depth + 1, detail, text);
    }
}

/// The value of an attribute of the span of that name, as text.
pub(crate) fn attribute(spans: &[Span], name: &str, attribute: &str) -> Option<String> {
    let span = spans.iter().find(|s| s.name.starts_with(name))?;
    let found = span.attributes.iter().find(|kv| kv.key == attribute)?;
    found.value.as_ref().map(value)
}
