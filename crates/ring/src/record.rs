//! The record format: what a probe in the engine's process says to the recorder.
//!
//! Every time is CLOCK_MONOTONIC in nanoseconds, the same clock in all processes of one host; the
//! ring's header carries the anchor to the wall clock. Records are encoded with postcard
//! (<https://postcard.jamesmunns.com/wire-format>). Probe and recorder ship in one wheel, so the
//! format has one version, checked in the ring's header, and no compatibility rules inside it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

/// Identifies one engine sequence inside a launch: a 64-bit hash of the engine's internal request id.
///
/// Steps name their members by key, so a probe keeps no table of live requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SequenceKey(#[serde(with = "postcard::fixint::le")] pub u64);

impl SequenceKey {
    /// The key of an internal request id, as the engine spells it.
    #[must_use]
    pub fn of(internal_id: &str) -> Self {
        Self(rapidhash::v3::rapidhash_v3(internal_id.as_bytes()))
    }
}

/// Number of an HTTP request inside one process; 0 means "outside any HTTP request".
pub type HttpId = u64;

/// One fact from the engine's process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record<'a> {
    /// First record of every ring.
    #[serde(borrow)]
    Process(Process<'a>),
    /// A hook was installed, or could not be.
    #[serde(borrow)]
    Probe(Probe<'a>),
    /// A hook raised; after repeated faults it is taken out.
    #[serde(borrow)]
    Fault(Fault<'a>),

    /// A request reached the ASGI edge.
    #[serde(borrow)]
    HttpStart(HttpStart<'a>),
    /// The whole request body was read by the application.
    #[serde(borrow)]
    HttpBody(HttpBody<'a>),
    /// The response's status line was sent.
    #[serde(borrow)]
    HttpResponse(HttpResponse<'a>),
    /// A piece of the response body was sent.
    #[serde(borrow)]
    HttpChunk(HttpBody<'a>),
    /// The application is done with the request.
    #[serde(borrow)]
    HttpEnd(HttpEnd<'a>),

    /// The front end handed a sequence to the engine.
    #[serde(borrow)]
    SequenceAdd(SequenceAdd<'a>),
    /// The front end received the first token or the end of sequences.
    FrontOutputs(FrontOutputs<'a>),
    /// The front end asked the engine to abort sequences.
    SequenceAbort(SequenceAbort<'a>),

    /// The engine core is ready to schedule.
    #[serde(borrow)]
    Engine(Engine<'a>),
    /// The scheduler put a sequence in its waiting queue.
    Queued(Queued),
    /// The scheduler decided one step.
    Step(Step<'a>),
    /// The scheduler took a running sequence's KV blocks away.
    Preempted(Preempted),
    /// The engine produced the outputs of one step.
    StepOutputs(StepOutputs<'a>),
    /// The scheduler ended a sequence outside a step's outputs (an abort).
    Finished(Finished),
    /// Figures of an engine that only its own generation has.
    #[serde(borrow)]
    Sample(Sample<'a>),
}

impl Record<'_> {
    /// Whether it says who writes and with which hooks, not what requests do. Written even while recording is switched
    /// off: once it is on again nobody could tell otherwise.
    #[must_use]
    pub fn describes_process(&self) -> bool {
        matches!(self, Record::Process(_) | Record::Probe(_) | Record::Fault(_) | Record::Engine(_))
    }
}

/// Who writes this ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process<'a> {
    /// When the ring was opened.
    pub t_ns: u64,
    /// Process id, as the process itself sees it.
    pub pid: u32,
    /// What the process does: `api_server`, `engine_core`, or the multiprocessing name.
    pub role: &'a str,
    /// `vllm` or `sglang`.
    pub engine: &'a str,
    /// The engine's own version string, empty when unknown.
    pub engine_version: &'a str,
    /// `v0`, `v1`, or empty.
    pub engine_generation: &'a str,
    /// Python's version.
    pub python: &'a str,
}

/// State of one hook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe<'a> {
    /// When.
    pub t_ns: u64,
    /// The hook's dotted name, e.g. `vllm.v1.core.sched.scheduler.Scheduler.schedule`.
    pub name: &'a str,
    /// Whether it is live.
    pub state: ProbeState,
    /// What is lost without it, or why it is not live; empty when live.
    pub detail: &'a str,
}

/// Whether a hook is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeState {
    /// Installed.
    Live,
    /// The engine has no such function (another version).
    Missing,
    /// This engine, generation or front end does its work elsewhere; nothing is lost.
    NotApplicable,
    /// It raised too often and was taken out.
    Removed,
}

/// A hook raised. The engine did not notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault<'a> {
    /// When.
    pub t_ns: u64,
    /// The hook's name.
    pub name: &'a str,
    /// The exception, one line.
    pub error: &'a str,
}

/// A request at the ASGI edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpStart<'a> {
    /// When the application was called.
    pub t_ns: u64,
    /// Number of the request in its process.
    pub http_id: HttpId,
    /// Trace id: the caller's, or a new one.
    pub trace_id: [u8; 16],
    /// Span id of the http span.
    pub span_id: [u8; 8],
    /// Span id of the caller's span; zeros without a traceparent.
    pub parent_span_id: [u8; 8],
    /// The caller's trace flags; 1 (sampled) without a traceparent.
    pub trace_flags: u8,
    /// The caller's tracestate, as it came.
    pub tracestate: &'a str,
    /// HTTP method.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// Query string, raw.
    pub query: &'a str,
    /// HTTP version, e.g. `1.1`.
    pub http_version: &'a str,
    /// Address of the peer.
    pub client: &'a str,
    /// Port of the peer, 0 when unknown.
    pub client_port: u16,
    /// Host that the request was sent to.
    pub server: &'a str,
    /// Port that the request was sent to, 0 when unknown.
    pub server_port: u16,
    /// The User-Agent header.
    pub user_agent: &'a str,
    /// The X-Request-Id header, empty when absent.
    pub request_id: &'a str,
}

/// A body, or a piece of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpBody<'a> {
    /// When it was read or sent.
    pub t_ns: u64,
    /// The request.
    pub http_id: HttpId,
    /// True length in bytes; more than `bytes.len()` when it was cut or content is off.
    pub len: u64,
    /// The bytes, as far as they were captured. Always empty while content is off.
    #[serde(serialize_with = "as_bytes")]
    pub bytes: &'a [u8],
}

/// Copies bytes at once: serde would take a slice one element at a time, to the same encoding.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_bytes<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Status of a response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpResponse<'a> {
    /// When it was sent.
    pub t_ns: u64,
    /// The request.
    pub http_id: HttpId,
    /// HTTP status code.
    pub status: u16,
    /// The Content-Type header.
    pub content_type: &'a str,
}

/// End of a request at the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpEnd<'a> {
    /// When the application returned or raised.
    pub t_ns: u64,
    /// The request.
    pub http_id: HttpId,
    /// How it ended.
    pub outcome: HttpOutcome,
    /// The exception's class where the application raised.
    pub error: &'a str,
}

/// How a request ended at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpOutcome {
    /// The response was sent whole.
    Complete,
    /// The client went away before the response was whole.
    Disconnected,
    /// The application raised.
    Raised,
}

/// A sequence handed to the engine (vLLM V1: `OutputProcessor.add_request`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceAdd<'a> {
    /// When; the prompt is tokenised by now.
    pub t_ns: u64,
    /// When the front end took the request, in wall-clock seconds as the engine stamps it.
    pub arrival_time: f64,
    /// The HTTP request it belongs to, 0 for none.
    pub http_id: HttpId,
    /// The engine's internal request id; its hash is the [`SequenceKey`].
    pub internal_id: &'a str,
    /// The id that the client is told.
    pub external_id: &'a str,
    /// Internal id of the parent where n > 1, else empty.
    pub parent_id: &'a str,
    /// Index among its siblings, or [`SequenceAdd::WARM_UP`].
    pub index: u32,
    /// Length of the prompt in tokens.
    pub prompt_tokens: u32,
    /// Whether it generates text or pools.
    pub kind: SequenceKind,
    /// Model or adapter served.
    pub model: &'a str,
    /// Sampling parameters, as the engine resolved them.
    pub params: SamplingParams<'a>,
}

impl SequenceAdd<'_> {
    /// Index of a sequence that is no answer: it computes the prompt for its siblings (SGLang, n > 1).
    pub const WARM_UP: u32 = u32::MAX;
}

/// What the engine does with a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SequenceKind {
    /// Generates tokens.
    Generate,
    /// Embeds, scores or classifies.
    Pool,
}

/// Sampling parameters. `None` where the engine has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SamplingParams<'a> {
    /// `n` of the request, not of the child.
    pub n: u32,
    /// Longest output in tokens.
    pub max_tokens: Option<u32>,
    /// Temperature.
    pub temperature: Option<f64>,
    /// Nucleus size.
    pub top_p: Option<f64>,
    /// Top-k, absent when off.
    pub top_k: Option<i64>,
    /// Seed.
    pub seed: Option<i64>,
    /// Frequency penalty.
    pub frequency_penalty: Option<f64>,
    /// Presence penalty.
    pub presence_penalty: Option<f64>,
    /// Stop strings. Empty while content is off.
    #[serde(borrow)]
    pub stop: Vec<&'a str>,
}

/// What the front end saw of a step's outputs; only first tokens and ends are named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontOutputs<'a> {
    /// When the outputs were processed.
    pub t_ns: u64,
    /// The sequences.
    pub outputs: Cow<'a, [FrontOutput]>,
}

/// First token or end of one sequence, as the front end saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontOutput {
    /// The sequence.
    pub key: SequenceKey,
    /// It is the first output after prefill.
    pub first: bool,
    /// The sequence ended here.
    pub finish: Option<FinishReason>,
}

/// Why a sequence ended (vLLM 0.32 `vllm.v1.engine.FinishReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FinishReason {
    /// End of text or a stop string.
    Stop,
    /// max_tokens or the model's context was used up.
    Length,
    /// Aborted.
    Abort,
    /// Internal error.
    Error,
    /// Repetition was detected.
    Repetition,
}

/// Sequences that the front end aborted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceAbort<'a> {
    /// When.
    pub t_ns: u64,
    /// The sequences.
    pub keys: Cow<'a, [SequenceKey]>,
}

/// One engine core and its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Engine<'a> {
    /// When.
    pub t_ns: u64,
    /// Data-parallel rank.
    pub engine_index: u32,
    /// Names under which the model is served; the first one is the label.
    #[serde(borrow)]
    pub served_models: Vec<&'a str>,
    /// Longest sequence in tokens, 0 when unknown.
    pub max_model_len: u32,
    /// Largest batch in sequences, 0 when unknown.
    pub max_num_seqs: u32,
    /// Largest step in tokens, 0 when unknown.
    pub max_num_batched_tokens: u32,
    /// KV blocks, 0 when unknown.
    pub num_gpu_blocks: u32,
    /// Tokens in a KV block, 0 when unknown.
    pub block_size: u32,
}

/// A sequence entered the waiting queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// When.
    pub t_ns: u64,
    /// The sequence.
    pub key: SequenceKey,
    /// Data-parallel rank of the engine.
    pub engine_index: u32,
    /// Sequences waiting before it.
    pub depth: u32,
}

/// One scheduler step, as decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step<'a> {
    /// When scheduling began.
    pub t_ns: u64,
    /// How long scheduling took.
    pub schedule_ns: u32,
    /// Data-parallel rank of the engine.
    pub engine_index: u32,
    /// Number of the step in its engine.
    pub step: u64,
    /// Sequences in the running set after the decision.
    pub running: u32,
    /// Sequences waiting for capacity.
    pub waiting: u32,
    /// Sequences waiting for something else (grammar, adapter, remote KV).
    pub deferred: u32,
    /// Share of the KV cache in use, 0 to 1.
    pub kv_usage: f32,
    /// The batch.
    pub members: Cow<'a, [Member]>,
}

/// A sequence's share of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The sequence.
    pub key: SequenceKey,
    /// Tokens scheduled: a prefill chunk, or 1 (plus drafts) in decode.
    pub tokens: u32,
}

/// A running sequence lost its KV blocks and waits again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preempted {
    /// When.
    pub t_ns: u64,
    /// The sequence.
    pub key: SequenceKey,
    /// Data-parallel rank of the engine.
    pub engine_index: u32,
}

/// Outputs of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOutputs<'a> {
    /// When the scheduler had taken the model's output.
    pub t_ns: u64,
    /// Data-parallel rank of the engine.
    pub engine_index: u32,
    /// Number of the step that made them.
    pub step: u64,
    /// Prefix-cache look-ups since the last record, in tokens.
    pub prefix_queries: u64,
    /// Prefix-cache hits since the last record, in tokens.
    pub prefix_hits: u64,
    /// Per sequence.
    pub outputs: Cow<'a, [StepOutput]>,
}

/// What one sequence got out of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutput {
    /// The sequence.
    pub key: SequenceKey,
    /// New tokens.
    pub tokens: u32,
    /// Prompt tokens served from the cache; said once, with the first output.
    pub cached_tokens: Option<u32>,
    /// The sequence ended here.
    pub finish: Option<FinishReason>,
}

/// A sequence ended outside a step's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// When.
    pub t_ns: u64,
    /// The sequence.
    pub key: SequenceKey,
    /// Data-parallel rank of the engine.
    pub engine_index: u32,
    /// Why.
    pub reason: FinishReason,
}

/// Figures of one engine at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample<'a> {
    /// When.
    pub t_ns: u64,
    /// Data-parallel rank of the engine.
    pub engine_index: u32,
    /// What is known; a quantity that is not named keeps its last value.
    pub figures: Cow<'a, [Figure]>,
}

/// One quantity and its value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Which.
    pub quantity: Quantity,
    /// In the quantity's unit.
    pub value: f64,
}

/// What a [`Sample`] tells. Levels are replaced by the next sample, counts are added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Quantity {
    /// Level: sequences swapped out to the CPU (vLLM V0).
    Swapped,
    /// Level: share of the CPU KV cache in use, 0 to 1 (vLLM V0).
    CpuKvUsage,
    /// Count: prompt tokens computed (vLLM V0 `num_prompt_tokens_iter`).
    PromptTokens,
    /// Level: KV cache tokens in use (SGLang `num_used_tokens`).
    UsedTokens,
    /// Level: share of the KV cache in use, 0 to 1 (SGLang `token_usage`).
    TokenUsage,
    /// Level: tokens generated per second, as the engine reports it (SGLang `gen_throughput`).
    GenThroughput,
    /// Level: share of prompt tokens found in the cache, 0 to 1, as the engine reports it (SGLang `cache_hit_rate`).
    CacheHitRate,
    /// Level: mean length accepted in speculative decoding (SGLang `spec_accept_length`).
    SpecAcceptLength,
    /// Count: statistics reports of the scheduler (SGLang).
    StatReports,
}
