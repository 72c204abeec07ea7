//! What the JSON API says. The web UI's types are generated from here (`cargo xtask gen`).
//!
//! Times are Unix milliseconds with a fraction; durations are seconds; ids are lower-case hex.

mod fleet;

use std::collections::BTreeMap;

use serde::Serialize;
use ts_rs::TS;

pub use fleet::{
    Agent, AgentDrop, AgentExport, AgentFault, AgentPrice, AgentProbe, AgentProcess, Agents, EngineLine, EngineRow,
    Engines,
};

/// One request in a list: the entry span of an operation (`chat …`, `text_completion …`) with its key figures.
#[derive(Clone, Debug, Serialize, TS)]
pub struct RequestRow {
    /// Trace id.
    pub trace_id: String,
    /// Span id of the entry span: a trace may hold several requests.
    pub span_id: String,
    /// When the request arrived.
    pub start_ms: f64,
    /// How long it took, as the entry span says.
    pub duration_s: f64,
    /// `chat`, `text_completion`, `embeddings`, …
    pub operation: String,
    /// Model.
    pub model: String,
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`.
    pub instance: String,
    /// Data-parallel rank, where known.
    pub engine_index: Option<u32>,
    /// How it ended.
    pub status: RequestStatus,
    /// Class of the error where it did not end well.
    pub error_type: Option<String>,
    /// HTTP status code.
    pub http_status: Option<u16>,
    /// Whether the response was streamed.
    pub stream: bool,
    /// Choices asked for (`n`).
    pub choices: u32,
    /// Finish reasons, one for each choice.
    pub finish_reasons: Vec<String>,
    /// Prompt tokens.
    pub input_tokens: Option<u64>,
    /// Prompt tokens served from the cache.
    pub cached_tokens: Option<u64>,
    /// Generated tokens of all choices.
    pub output_tokens: Option<u64>,
    /// Generated tokens spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Time to first token.
    pub ttft_s: Option<f64>,
    /// Time per output token after the first.
    pub tpot_s: Option<f64>,
    /// End-to-end latency in the engine.
    pub e2e_s: Option<f64>,
    /// Time waiting in the queue.
    pub queue_s: Option<f64>,
    /// Time in prefill.
    pub prefill_s: Option<f64>,
    /// Time in decode.
    pub decode_s: Option<f64>,
    /// Preemptions of all choices.
    pub preemptions: u32,
    /// Requests waiting when this one was queued.
    pub queue_depth: Option<u32>,
    /// The id that the client was given.
    pub response_id: Option<String>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RequestStatus {
    /// Answered.
    Ok,
    /// The client went away or asked for the end.
    Aborted,
    /// Refused before the engine (4xx).
    Refused,
    /// Failed (5xx, an exception, an engine error).
    Failed,
    /// The engine died while it was open.
    EngineDied,
}

/// A page of requests.
#[derive(Clone, Debug, Serialize, TS)]
pub struct RequestPage {
    /// The rows, in the order asked for.
    pub rows: Vec<RequestRow>,
    /// How many match the filter in all.
    pub total: u64,
    /// Offset of the next page; none at the end.
    pub next_offset: Option<u64>,
}

/// One request with everything known about it.
#[derive(Clone, Debug, Serialize, TS)]
pub struct RequestDetail {
    /// As in the list.
    pub request: RequestRow,
    /// All spans of the trace, parents before children.
    pub spans: Vec<Span>,
    /// Token times, one entry for each choice.
    pub tokens: Vec<ChoiceTokens>,
    /// What was asked and answered; empty where content capture is off.
    pub messages: Messages,
}

/// One span.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Span {
    /// Span id.
    pub span_id: String,
    /// Parent's span id, none for a root.
    pub parent_span_id: Option<String>,
    /// Name.
    pub name: String,
    /// OTLP kind: `internal`, `server`, `client`, `producer`, `consumer`, `unspecified`.
    pub kind: String,
    /// What it is to us.
    pub stage: Stage,
    /// Start.
    pub start_ms: f64,
    /// Duration.
    pub duration_s: f64,
    /// Whether its status is an error, and what it says.
    pub error: Option<String>,
    /// Attributes, without message content.
    #[ts(type = "{ [key in string]: Json }")]
    pub attributes: BTreeMap<String, Json>,
    /// Attributes of the resource.
    #[ts(type = "{ [key in string]: Json }")]
    pub resource: BTreeMap<String, Json>,
    /// Events.
    pub events: Vec<SpanEvent>,
    /// Events that the agent left out.
    pub dropped_events: u32,
}

/// A JSON value of any shape.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(transparent)]
#[ts(type = "unknown")]
pub struct Json(pub serde_json::Value);

/// What a span stands for in the request's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The HTTP request.
    Http,
    /// The operation: input and output.
    Operation,
    /// One sequence (`llm_request`).
    Request,
    /// Waiting.
    Wait,
    /// Prefill.
    Prefill,
    /// Decode.
    Decode,
    /// Reasoning.
    Reasoning,
    /// A span that is not of our tree.
    Other,
}

/// An event on a span.
#[derive(Clone, Debug, Serialize, TS)]
pub struct SpanEvent {
    /// Name.
    pub name: String,
    /// When.
    pub time_ms: f64,
    /// Attributes.
    #[ts(type = "{ [key in string]: Json }")]
    pub attributes: BTreeMap<String, Json>,
}

/// Times of the output tokens of one choice.
#[derive(Clone, Debug, Serialize, TS)]
pub struct ChoiceTokens {
    /// Which choice.
    pub choice: u32,
    /// Span id of its `llm_request`.
    pub span_id: String,
    /// Start that the offsets count from.
    pub start_ms: f64,
    /// Seconds from the start to each token recorded.
    pub offsets_s: Vec<f64>,
    /// Output tokens in all: more than recorded where some were left out.
    pub total: u64,
}

/// What was asked and answered, in the shape of the GenAI conventions
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/>).
#[derive(Clone, Debug, Serialize, TS)]
pub struct Messages {
    /// `gen_ai.input.messages`: `[{role, parts: [{type, content}]}]`.
    pub input: Option<Json>,
    /// `gen_ai.output.messages`: `[{role, parts: [{type, content}], finish_reason}]`; reasoning is a part of its own.
    pub output: Option<Json>,
    /// `gen_ai.system_instructions`.
    pub system: Option<Json>,
    /// `gen_ai.tool.definitions`.
    pub tools: Option<Json>,
}

/// Series over one grid of times.
#[derive(Clone, Debug, Serialize, TS)]
pub struct SeriesSet {
    /// Start of each bucket.
    pub times_ms: Vec<f64>,
    /// Width of a bucket.
    pub step_ms: f64,
    /// The series, in the order asked for.
    pub series: Vec<Series>,
}

/// One series.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Series {
    /// Quantity, e.g. `ttft`.
    pub name: String,
    /// Statistic, e.g. `p95`.
    pub stat: String,
    /// Labels, by which it was split.
    #[ts(type = "{ [key in string]: string }")]
    pub labels: BTreeMap<String, String>,
    /// UCUM unit.
    pub unit: String,
    /// One value for each time; null where nothing is known.
    pub values: Vec<Option<f64>>,
}

/// Values to choose a filter from.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Facets {
    /// For each filter (`model`, `service`, `instance`, `operation`, `status`, `finish_reason`) its values, most
    /// frequent first.
    #[ts(type = "{ [key in string]: Array<FacetValue> }")]
    pub facets: BTreeMap<String, Vec<FacetValue>>,
}

/// One value of a filter.
#[derive(Clone, Debug, Serialize, TS)]
pub struct FacetValue {
    /// The value.
    pub value: String,
    /// Requests that have it.
    pub count: u64,
}

/// State of the server.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Status {
    /// Version.
    pub version: String,
    /// When it started.
    pub start_ms: f64,
    /// Rows acknowledged since the start, by table (`spans`, `points`, `logs`).
    #[ts(type = "{ [key in string]: number }")]
    pub received: BTreeMap<String, u64>,
    /// Exports refused since the start, by reason.
    #[ts(type = "{ [key in string]: number }")]
    pub refused: BTreeMap<String, u64>,
    /// Rows stored, by table.
    #[ts(type = "{ [key in string]: number }")]
    pub stored: BTreeMap<String, u64>,
    /// Bytes on disk, log and segments.
    pub disk_bytes: u64,
    /// When the newest span was received, none when there was none.
    pub last_received_ms: Option<f64>,
    /// Where OTLP is received.
    pub otlp: OtlpAddresses,
}

/// Addresses of the ports that were bound, `host:port`.
#[derive(Clone, Debug, Serialize, TS)]
pub struct OtlpAddresses {
    /// OTLP over gRPC.
    pub grpc: String,
    /// OTLP over HTTP.
    pub http: String,
}

/// What every refusal looks like.
#[derive(Clone, Debug, Serialize, TS)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}

/// What is wrong and what to do.
#[derive(Clone, Debug, Serialize, TS)]
pub struct ApiError {
    /// `bad_request`, `not_found`, `unavailable`, `internal`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do, with an example.
    pub hint: String,
    /// The query parameter at fault.
    pub field: Option<String>,
}
