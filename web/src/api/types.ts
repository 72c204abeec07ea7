// Generated from crates/server/src/api/wire.rs; do not edit. To renew it:
// UPDATE=1 cargo test -p tachograph-server --test server contract

/**
 * One request in a list: the entry span of an operation (`chat …`, `text_completion …`) with its key figures.
 */
export type RequestRow = { 
/**
 * Trace id.
 */
trace_id: string, 
/**
 * Span id of the entry span: a trace may hold several requests.
 */
span_id: string, 
/**
 * When the request arrived.
 */
start_ms: number, 
/**
 * How long it took, as the entry span says.
 */
duration_s: number, 
/**
 * `chat`, `text_completion`, `embeddings`, …
 */
operation: string, 
/**
 * Model.
 */
model: string, 
/**
 * `service.name`.
 */
service: string, 
/**
 * `service.instance.id`.
 */
instance: string, 
/**
 * Data-parallel rank, where known.
 */
engine_index: number | null, 
/**
 * How it ended.
 */
status: RequestStatus, 
/**
 * Class of the error where it did not end well.
 */
error_type: string | null, 
/**
 * HTTP status code.
 */
http_status: number | null, 
/**
 * Whether the response was streamed.
 */
stream: boolean, 
/**
 * Choices asked for (`n`).
 */
choices: number, 
/**
 * Finish reasons, one for each choice.
 */
finish_reasons: Array<string>, 
/**
 * Prompt tokens.
 */
input_tokens: number | null, 
/**
 * Prompt tokens served from the cache.
 */
cached_tokens: number | null, 
/**
 * Generated tokens of all choices.
 */
output_tokens: number | null, 
/**
 * Generated tokens spent on reasoning.
 */
reasoning_tokens: number | null, 
/**
 * Time to first token.
 */
ttft_s: number | null, 
/**
 * Time per output token after the first.
 */
tpot_s: number | null, 
/**
 * End-to-end latency in the engine.
 */
e2e_s: number | null, 
/**
 * Time waiting in the queue.
 */
queue_s: number | null, 
/**
 * Time in prefill.
 */
prefill_s: number | null, 
/**
 * Time in decode.
 */
decode_s: number | null, 
/**
 * Preemptions of all choices.
 */
preemptions: number, 
/**
 * Requests waiting when this one was queued.
 */
queue_depth: number | null, 
/**
 * The id that the client was given.
 */
response_id: string | null, };

/**
 * How a request ended.
 */
export type RequestStatus = "ok" | "aborted" | "refused" | "failed" | "engine_died";

/**
 * A page of requests.
 */
export type RequestPage = { 
/**
 * The rows, in the order asked for.
 */
rows: Array<RequestRow>, 
/**
 * How many match the filter in all.
 */
total: number, 
/**
 * Offset of the next page; none at the end.
 */
next_offset: number | null, };

/**
 * One request with everything known about it.
 */
export type RequestDetail = { 
/**
 * As in the list.
 */
request: RequestRow, 
/**
 * All spans of the trace, parents before children.
 */
spans: Array<Span>, 
/**
 * Token times, one entry for each choice.
 */
tokens: Array<ChoiceTokens>, 
/**
 * What was asked and answered; empty where content capture is off.
 */
messages: Messages, };

/**
 * A JSON value of any shape.
 */
export type Json = unknown;

/**
 * One span.
 */
export type Span = { 
/**
 * Span id.
 */
span_id: string, 
/**
 * Parent's span id, none for a root.
 */
parent_span_id: string | null, 
/**
 * Name.
 */
name: string, 
/**
 * OTLP kind: `internal`, `server`, `client`, `producer`, `consumer`, `unspecified`.
 */
kind: string, 
/**
 * What it is to us.
 */
stage: Stage, 
/**
 * Start.
 */
start_ms: number, 
/**
 * Duration.
 */
duration_s: number, 
/**
 * Whether its status is an error, and what it says.
 */
error: string | null, 
/**
 * Attributes, without message content.
 */
attributes: { [key in string]: Json }, 
/**
 * Attributes of the resource.
 */
resource: { [key in string]: Json }, 
/**
 * Events.
 */
events: Array<SpanEvent>, 
/**
 * Events that the agent left out.
 */
dropped_events: number, };

/**
 * What a span stands for in the request's tree.
 */
export type Stage = "http" | "operation" | "request" | "wait" | "prefill" | "decode" | "reasoning" | "other";

/**
 * An event on a span.
 */
export type SpanEvent = { 
/**
 * Name.
 */
name: string, 
/**
 * When.
 */
time_ms: number, 
/**
 * Attributes.
 */
attributes: { [key in string]: Json }, };

/**
 * Times of the output tokens of one choice.
 */
export type ChoiceTokens = { 
/**
 * Which choice.
 */
choice: number, 
/**
 * Span id of its `llm_request`.
 */
span_id: string, 
/**
 * Start that the offsets count from.
 */
start_ms: number, 
/**
 * Seconds from the start to each token recorded.
 */
offsets_s: Array<number>, 
/**
 * Output tokens in all: more than recorded where some were left out.
 */
total: number, };

/**
 * What was asked and answered, in the shape of the GenAI conventions
 * (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/>).
 */
export type Messages = { 
/**
 * `gen_ai.input.messages`: `[{role, parts: [{type, content}]}]`.
 */
input: Json | null, 
/**
 * `gen_ai.output.messages`: `[{role, parts: [{type, content}], finish_reason}]`; reasoning is a part of its own.
 */
output: Json | null, 
/**
 * `gen_ai.system_instructions`.
 */
system: Json | null, 
/**
 * `gen_ai.tool.definitions`.
 */
tools: Json | null, };

/**
 * Series over one grid of times.
 */
export type SeriesSet = { 
/**
 * Start of each bucket.
 */
times_ms: Array<number>, 
/**
 * Width of a bucket.
 */
step_ms: number, 
/**
 * The series, in the order asked for.
 */
series: Array<Series>, };

/**
 * One series.
 */
export type Series = { 
/**
 * Quantity, e.g. `ttft`.
 */
name: string, 
/**
 * Statistic, e.g. `p95`.
 */
stat: string, 
/**
 * Labels, by which it was split.
 */
labels: { [key in string]: string }, 
/**
 * UCUM unit.
 */
unit: string, 
/**
 * One value for each time; null where nothing is known.
 */
values: Array<number | null>, };

/**
 * Values to choose a filter from.
 */
export type Facets = { 
/**
 * For each filter (`model`, `service`, `instance`, `operation`, `status`, `finish_reason`) its values, most
 * frequent first.
 */
facets: { [key in string]: Array<FacetValue> }, };

/**
 * One value of a filter.
 */
export type FacetValue = { 
/**
 * The value.
 */
value: string, 
/**
 * Requests that have it.
 */
count: number, };

/**
 * Engines that reported in a time range.
 */
export type Engines = { 
/**
 * By application, launch and data-parallel rank.
 */
engines: Array<EngineRow>, };

/**
 * One engine: a launch of an application, or one data-parallel rank of it.
 */
export type EngineRow = { 
/**
 * `service.name`.
 */
service: string, 
/**
 * `service.instance.id`.
 */
instance: string, 
/**
 * Data-parallel rank, where the engine says it.
 */
engine_index: number | null, 
/**
 * Model served, empty where not known.
 */
model: string, 
/**
 * Which engine, and with it which metrics.
 */
line: EngineLine, 
/**
 * The engine's own version.
 */
version: string | null, 
/**
 * Host.
 */
host: string | null, 
/**
 * Requests running at the end of the range; like all levels none where the last report is older than 90 s.
 */
running: number | null, 
/**
 * Requests waiting.
 */
waiting: number | null, 
/**
 * Share of the KV cache in use.
 */
kv_usage: number | null, 
/**
 * Tokens generated per second, over the range.
 */
generation_tokens_per_s: number | null, 
/**
 * Median time to first token of the requests that ended in the range.
 */
ttft_p50_s: number | null, 
/**
 * When it reported last.
 */
last_ms: number, };

/**
 * An engine and its generation: what decides which metrics there are.
 */
export type EngineLine = "vllm_v0" | "vllm_v1" | "sglang";

/**
 * Agents that reported in a time range.
 */
export type Agents = { 
/**
 * By application and launch.
 */
agents: Array<Agent>, };

/**
 * The agent of one launch. Sums count since its recorder started; where it sends deltas, since the range began.
 */
export type Agent = { 
/**
 * `service.name`.
 */
service: string, 
/**
 * `service.instance.id`.
 */
instance: string, 
/**
 * Host.
 */
host: string | null, 
/**
 * `vllm` or `sglang`.
 */
engine: string | null, 
/**
 * The engine's own version.
 */
engine_version: string | null, 
/**
 * `v0`, `v1`.
 */
engine_generation: string | null, 
/**
 * The agent's version.
 */
agent_version: string | null, 
/**
 * When it reported last.
 */
last_ms: number, 
/**
 * Processes of the engine that have a probe.
 */
processes: Array<AgentProcess>, 
/**
 * Hooks in them.
 */
probes: Array<AgentProbe>, 
/**
 * Records that the probes produced.
 */
records_produced: number | null, 
/**
 * Records that the recorder read.
 */
records_read: number | null, 
/**
 * Records that were not written because the agent was switched off.
 */
records_suppressed: number | null, 
/**
 * Requests that ended, by outcome.
 */
requests: { [key in string]: number }, 
/**
 * What became of spans and metric points.
 */
exports: Array<AgentExport>, 
/**
 * What was dropped.
 */
dropped: Array<AgentDrop>, 
/**
 * Hooks that raised.
 */
faults: Array<AgentFault>, 
/**
 * Longest time from a record to its reading, in the last report.
 */
lag_s: number | null, 
/**
 * Memory of the recorder in bytes.
 */
recorder_bytes: number | null, 
/**
 * What the recorder cost.
 */
price: AgentPrice | null, };

/**
 * A process of the engine that has a probe.
 */
export type AgentProcess = { 
/**
 * Process id.
 */
pid: number, 
/**
 * `api_server`, `engine_core`, …
 */
role: string, 
/**
 * Python's version.
 */
python: string | null, 
/**
 * Largest share of its ring that held unread records since the report before.
 */
ring_usage: number | null, };

/**
 * A hook, in all processes of a role in which it has the same state.
 */
export type AgentProbe = { 
/**
 * Dotted name of what is wrapped.
 */
name: string, 
/**
 * `live`, `missing`, `not_applicable`, `removed`.
 */
state: string, 
/**
 * What is lost without it, or why it is not live.
 */
detail: string, 
/**
 * Role of the processes.
 */
role: string, 
/**
 * Process ids.
 */
pids: Array<number>, };

/**
 * What became of what was made for export.
 */
export type AgentExport = { 
/**
 * `spans` or `points`.
 */
unit: string, 
/**
 * Made.
 */
produced: number, 
/**
 * Taken by the other side.
 */
sent: number, 
/**
 * Waiting.
 */
queued: number, 
/**
 * Exports that were tried again.
 */
retries: number, };

/**
 * Something dropped.
 */
export type AgentDrop = { 
/**
 * `records`, `requests`, `details`, `spans`, `points`.
 */
unit: string, 
/**
 * Why.
 */
reason: string, 
/**
 * How many.
 */
count: number, };

/**
 * How often hooks of a process raised. The engine did not notice.
 */
export type AgentFault = { 
/**
 * Role of the process.
 */
role: string, 
/**
 * Process id.
 */
pid: number, 
/**
 * How often.
 */
count: number, };

/**
 * What the recorder cost between its first and its last report in the range.
 */
export type AgentPrice = { 
/**
 * CPU time of the recorder.
 */
cpu_s: number, 
/**
 * Tokens that its engines generated meanwhile.
 */
tokens: number, 
/**
 * How long that was.
 */
window_s: number, };

/**
 * State of the server.
 */
export type Status = { 
/**
 * Version.
 */
version: string, 
/**
 * When it started.
 */
start_ms: number, 
/**
 * Rows acknowledged since the start, by table (`spans`, `points`, `logs`).
 */
received: { [key in string]: number }, 
/**
 * Exports refused since the start, by reason.
 */
refused: { [key in string]: number }, 
/**
 * Rows stored, by table.
 */
stored: { [key in string]: number }, 
/**
 * Bytes on disk, log and segments.
 */
disk_bytes: number, 
/**
 * When the newest span was received, none when there was none.
 */
last_received_ms: number | null, 
/**
 * Where OTLP is received.
 */
otlp: OtlpAddresses, };

/**
 * Addresses of the ports that were bound, `host:port`.
 */
export type OtlpAddresses = { 
/**
 * OTLP over gRPC.
 */
grpc: string, 
/**
 * OTLP over HTTP.
 */
http: string, };

/**
 * What every refusal looks like.
 */
export type ErrorBody = { 
/**
 * The error.
 */
error: ApiError, };

/**
 * What is wrong and what to do.
 */
export type ApiError = { 
/**
 * `bad_request`, `not_found`, `unavailable`, `internal`.
 */
code: string, 
/**
 * What is wrong.
 */
message: string, 
/**
 * What to do, with an example.
 */
hint: string, 
/**
 * The query parameter at fault.
 */
field: string | null, };
