//! Attribute names on spans and resources.
//!
//! `gen_ai.*` are OpenTelemetry's GenAI conventions
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>); `gen_ai.latency.*` are the
//! names that vLLM and SGLang use themselves, always in seconds; `tachograph.*` are ours.

/// Schema URL of the scope that carries `tachograph.*` names.
pub const SCHEMA_URL: &str = "https://tachograph.dev/schemas/1.0.0";
/// Name of the instrumentation scope.
pub const SCOPE: &str = "tachograph";

macro_rules! names {
    ($($(#[doc = $doc:literal])+ $id:ident = $name:literal;)+) => {
        $($(#[doc = $doc])+ pub const $id: &str = $name;)+
        /// Every attribute name with its meaning, for the reference page.
        pub const ALL: &[(&str, &str)] = &[$(($name, concat!($($doc),+)),)+];
    };
}

names! {
    /// `chat`, `text_completion`, `embeddings`, `rerank`.
    OPERATION = "gen_ai.operation.name";
    /// `vllm` or `sglang`.
    PROVIDER = "gen_ai.provider.name";
    /// Model that the request asked for.
    REQUEST_MODEL = "gen_ai.request.model";
    /// Model that answered.
    RESPONSE_MODEL = "gen_ai.response.model";
    /// The id that the client was given (chatcmpl-…).
    RESPONSE_ID = "gen_ai.response.id";
    /// Why generation ended, one for each choice.
    FINISH_REASONS = "gen_ai.response.finish_reasons";
    /// Seconds from the request's arrival to the first response chunk, streaming only.
    TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk";
    /// The engine's own request id.
    REQUEST_ID = "gen_ai.request.id";
    /// Longest output in tokens.
    MAX_TOKENS = "gen_ai.request.max_tokens";
    /// Temperature.
    TEMPERATURE = "gen_ai.request.temperature";
    /// Nucleus size.
    TOP_P = "gen_ai.request.top_p";
    /// Top-k.
    TOP_K = "gen_ai.request.top_k";
    /// Seed.
    SEED = "gen_ai.request.seed";
    /// Stop strings.
    STOP_SEQUENCES = "gen_ai.request.stop_sequences";
    /// Frequency penalty.
    FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty";
    /// Presence penalty.
    PRESENCE_PENALTY = "gen_ai.request.presence_penalty";
    /// `n`, where it is not 1.
    CHOICE_COUNT = "gen_ai.request.choice.count";
    /// Whether the response is streamed.
    STREAM = "gen_ai.request.stream";
    /// How embeddings shall be encoded.
    ENCODING_FORMATS = "gen_ai.request.encoding_formats";
    /// Length of the embeddings.
    DIMENSIONS = "gen_ai.embeddings.dimension.count";
    /// Ranked documents, JSON: index in the request and score of each, in the order of the answer.
    DOCUMENTS = "gen_ai.retrieval.documents";
    /// Input messages, JSON.
    INPUT_MESSAGES = "gen_ai.input.messages";
    /// Output messages, JSON.
    OUTPUT_MESSAGES = "gen_ai.output.messages";
    /// System instructions, JSON.
    SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions";
    /// Tool definitions, JSON.
    TOOL_DEFINITIONS = "gen_ai.tool.definitions";
    /// LLM, EMBEDDING or RERANKER.
    SPAN_KIND = "gen_ai.span.kind";
    /// Prompt tokens.
    INPUT_TOKENS = "gen_ai.usage.input_tokens";
    /// Generated tokens.
    OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
    /// Prompt tokens served from the prefix cache.
    CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens";
    /// Generated tokens spent on reasoning.
    REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens";
    /// Seconds from arrival in the engine's front end to the last token.
    E2E = "gen_ai.latency.e2e";
    /// Seconds spent waiting: the first wait and those after preemptions.
    QUEUE = "gen_ai.latency.time_in_queue";
    /// Seconds of the scheduler's own time in the steps that the sequence was part of.
    SCHEDULER = "gen_ai.latency.time_in_scheduler";
    /// Seconds from arrival to the first output token.
    TTFT = "gen_ai.latency.time_to_first_token";
    /// Seconds per output token after the first: (e2e - TTFT) / (output tokens - 1).
    TPOT = "gen_ai.latency.time_per_output_token";
    /// Seconds from first scheduled to first token, without queueing.
    PREFILL = "gen_ai.latency.time_in_model_prefill";
    /// Seconds from first to last token, without queueing.
    DECODE = "gen_ai.latency.time_in_model_decode";
    /// Prefill and decode together.
    INFERENCE = "gen_ai.latency.time_in_model_inference";
    /// Seconds from arrival to the first token of reasoning.
    TIME_TO_FIRST_REASONING = "tachograph.time_to_first_reasoning_token";
    /// Seconds from arrival to the first token of the answer after reasoning.
    TIME_TO_FIRST_ANSWER = "tachograph.time_to_first_answer_token";
    /// How often the sequence was preempted.
    PREEMPTIONS = "tachograph.preemptions";
    /// Data-parallel rank of the engine.
    ENGINE_INDEX = "tachograph.engine_index";
    /// Sequences waiting when this one was queued.
    QUEUE_DEPTH = "tachograph.queue_depth_at_arrival";
    /// Scheduler steps that the sequence was part of.
    STEPS = "tachograph.steps";
    /// Index of the sequence among the choices of its request.
    CHOICE_INDEX = "tachograph.choice_index";
    /// How the request ended: `ok`, `aborted`, `refused`, `failed`, `engine_died`.
    OUTCOME = "tachograph.outcome";
    /// Output tokens' times: for each, LEB128 microseconds since the previous one, the first since the span's start.
    TOKEN_OFFSETS = "tachograph.token.offsets";
    /// Index of a token among those of its sequence, from 0.
    TOKEN_INDEX = "gen_ai.token.index";
    /// Seconds since the previous token, the first since the sequence's arrival.
    TOKEN_INTERVAL = "gen_ai.token.time_since_previous";
    /// Sequences in the step that made the token.
    BATCH_SIZE = "gen_ai.iteration.batch_size";
    /// Sequences waiting at the step that made the token.
    WAITING = "gen_ai.iteration.waiting_requests";
    /// Number of a scheduler step in its engine.
    STEP = "tachograph.step";
    /// Tokens of a prefill chunk.
    CHUNK_TOKENS = "tachograph.prefill.chunk.tokens";
    /// True where records were lost and the span is built from what is left.
    INCOMPLETE = "tachograph.incomplete";
    /// True length in bytes of a request body of which only the beginning was captured.
    REQUEST_BODY_CUT = "tachograph.request.body.cut_size";
    /// True length in bytes of a response body of which only the beginning was captured.
    RESPONSE_BODY_CUT = "tachograph.response.body.cut_size";
    /// True length in characters of a message that was cut.
    CONTENT_LENGTH = "tachograph.content.length";
    /// Class of the error.
    ERROR_TYPE = "error.type";
    /// HTTP method.
    HTTP_METHOD = "http.request.method";
    /// HTTP status code.
    HTTP_STATUS = "http.response.status_code";
    /// Route.
    HTTP_ROUTE = "http.route";
    /// Length of the request body in bytes.
    HTTP_REQUEST_SIZE = "http.request.body.size";
    /// Length of the response body in bytes.
    HTTP_RESPONSE_SIZE = "http.response.body.size";
    /// Path of the URL.
    URL_PATH = "url.path";
    /// Query of the URL.
    URL_QUERY = "url.query";
    /// Scheme of the URL.
    URL_SCHEME = "url.scheme";
    /// HTTP version.
    PROTOCOL_VERSION = "network.protocol.version";
    /// Address of the client.
    CLIENT_ADDRESS = "client.address";
    /// Port of the client.
    CLIENT_PORT = "client.port";
    /// Host asked.
    SERVER_ADDRESS = "server.address";
    /// Port asked.
    SERVER_PORT = "server.port";
    /// The User-Agent header.
    USER_AGENT = "user_agent.original";
    /// Application name.
    SERVICE_NAME = "service.name";
    /// One launch of the application.
    SERVICE_INSTANCE = "service.instance.id";
    /// Host.
    HOST_NAME = "host.name";
    /// Process id of the engine's front end.
    PROCESS_PID = "process.pid";
    /// Region.
    CLOUD_REGION = "cloud.region";
    /// The engine's version.
    ENGINE_VERSION = "tachograph.engine.version";
    /// `v0` or `v1`.
    ENGINE_GENERATION = "tachograph.engine.generation";
}

/// Name of the event for one generated token (level 2).
pub const TOKEN_EVENT: &str = "gen_ai.token.generated";
/// Name of the event for one scheduled part of a prompt, on the prefill span.
pub const CHUNK_EVENT: &str = "tachograph.prefill.chunk";
/// Names of the spans that are not named after operation and model.
pub mod span {
    /// Key metrics of one sequence.
    pub const REQUEST: &str = "llm_request";
    /// Waiting for the scheduler.
    pub const WAIT: &str = "wait";
    /// Computing the prompt.
    pub const PREFILL: &str = "prefill";
    /// Generating.
    pub const DECODE: &str = "decode";
    /// Reasoning of the model.
    pub const REASONING: &str = "reasoning";
}
