//! The documented metrics: exact name, type, unit and meaning, per engine line.
//!
//! The names are the contract with users; the OpenTelemetry GenAI histogram that is reported beside a
//! documented counter is named in `semconv`.

/// Which engine line a metric belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineLine {
    /// vLLM with the V0 engine.
    VllmV0,
    /// vLLM with the V1 engine.
    VllmV1,
    /// SGLang.
    Sglang,
}

/// Documented type of a metric: what goes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Monotonic cumulative OTLP Sum.
    Counter,
    /// OTLP Gauge.
    Gauge,
}

/// One documented metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Engines that report it.
    pub engines: &'static [EngineLine],
    /// Exact name.
    pub name: &'static str,
    /// Documented type.
    pub kind: Kind,
    /// UCUM unit.
    pub unit: &'static str,
    /// Meaning.
    pub meaning: &'static str,
    /// Attributes beside the engine's common dimensions.
    pub dims: &'static [&'static str],
    /// The GenAI histogram reported beside it.
    pub semconv: Option<&'static str>,
    /// A documented counter whose value is a level: it goes up and down.
    pub is_level: bool,
}

use EngineLine::{Sglang, VllmV0, VllmV1};
use Kind::{Counter, Gauge};

/// All documented metrics, in the order of the documentation.
#[rustfmt::skip]
pub const ALL: &[Metric] = &[
    Metric { engines: &[VllmV0, VllmV1], name: "vllm_iter_count", kind: Counter, unit: "1", meaning: "engine iterations", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0, VllmV1], name: "gen_ai_vllm_request_success", kind: Counter, unit: "1", meaning: "requests finished, by finished_reason", dims: &["finished_reason"], semconv: None, is_level: false },
    Metric { engines: &[VllmV0, VllmV1], name: "genai_llm_first_token_seconds", kind: Counter, unit: "s", meaning: "time to first token", dims: &[], semconv: Some("gen_ai.server.time_to_first_token"), is_level: false },
    Metric { engines: &[VllmV0, VllmV1], name: "gen_ai_server_time_per_output_token", kind: Counter, unit: "s", meaning: "time per output token after the first", dims: &[], semconv: Some("gen_ai.server.time_per_output_token"), is_level: false },
    Metric { engines: &[VllmV0, VllmV1], name: "gen_ai_server_request_duration", kind: Counter, unit: "s", meaning: "end-to-end request latency", dims: &[], semconv: Some("gen_ai.server.request.duration"), is_level: false },
    Metric { engines: &[VllmV0, VllmV1], name: "llm_usage_tokens", kind: Counter, unit: "1", meaning: "tokens used, input and output apart", dims: &["usageType"], semconv: Some("gen_ai.client.token.usage"), is_level: false },
    Metric { engines: &[VllmV0], name: "gpu_cache_usage_sys", kind: Gauge, unit: "1", meaning: "share of the GPU KV cache in use", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "cpu_cache_usage_sys", kind: Gauge, unit: "1", meaning: "share of the CPU KV cache in use", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "num_running_sys", kind: Gauge, unit: "1", meaning: "sequences running", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "num_waiting_sys", kind: Gauge, unit: "1", meaning: "sequences waiting", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "num_swapped_sys", kind: Gauge, unit: "1", meaning: "sequences swapped out", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "num_prompt_tokens_iter", kind: Counter, unit: "1", meaning: "prompt tokens processed, summed over iterations", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "num_generation_tokens_iter", kind: Counter, unit: "1", meaning: "tokens generated, summed over iterations", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "num_tokens_iter", kind: Counter, unit: "1", meaning: "all tokens, summed over iterations", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV0], name: "num_preemption_iter", kind: Counter, unit: "1", meaning: "preemptions, summed over iterations", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_num_requests_running", kind: Gauge, unit: "1", meaning: "requests in the execution batch", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_num_requests_waiting", kind: Gauge, unit: "1", meaning: "requests waiting", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_kv_cache_usage_perc", kind: Gauge, unit: "1", meaning: "share of the KV cache in use, 0 to 1", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_prefix_cache_queries", kind: Counter, unit: "1", meaning: "prefix cache look-ups, in tokens", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_prefix_cache_hits", kind: Counter, unit: "1", meaning: "prefix cache hits, in tokens", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_num_preemptions", kind: Counter, unit: "1", meaning: "preemptions", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_prompt_tokens", kind: Counter, unit: "1", meaning: "prefill tokens processed", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_generation_tokens", kind: Counter, unit: "1", meaning: "tokens generated", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_request_params_n", kind: Counter, unit: "1", meaning: "sum of the request parameter n", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_request_params_max_tokens", kind: Counter, unit: "1", meaning: "sum of the request parameter max_tokens", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_request_queue_time_seconds", kind: Counter, unit: "s", meaning: "time spent WAITING", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_request_prefill_time_seconds", kind: Counter, unit: "s", meaning: "time spent in PREFILL", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_request_decode_time_seconds", kind: Counter, unit: "s", meaning: "time spent in DECODE", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[VllmV1], name: "gen_ai_vllm_request_inference_time_seconds", kind: Counter, unit: "s", meaning: "time spent RUNNING", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[Sglang], name: "sglang_num_running_reqs", kind: Counter, unit: "1", meaning: "requests running", dims: &[], semconv: None, is_level: true },
    Metric { engines: &[Sglang], name: "sglang_num_queue_reqs", kind: Counter, unit: "1", meaning: "requests waiting in the queue", dims: &[], semconv: None, is_level: true },
    Metric { engines: &[Sglang], name: "sglang_log_count", kind: Counter, unit: "1", meaning: "scheduler statistics reports", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[Sglang], name: "sglang_num_used_tokens", kind: Counter, unit: "1", meaning: "KV cache tokens in use", dims: &[], semconv: None, is_level: true },
    Metric { engines: &[Sglang], name: "sglang_token_usage", kind: Counter, unit: "1", meaning: "share of the KV cache in use", dims: &[], semconv: None, is_level: true },
    Metric { engines: &[Sglang], name: "prompt_tokens_total", kind: Counter, unit: "1", meaning: "prompt tokens", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[Sglang], name: "generation_tokens_total", kind: Counter, unit: "1", meaning: "tokens generated", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[Sglang], name: "gen_ai_sglang_cached_tokens_total", kind: Counter, unit: "1", meaning: "prompt tokens served from the cache", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[Sglang], name: "llm_usage_tokens", kind: Counter, unit: "1", meaning: "tokens used, input and output apart", dims: &["usageType"], semconv: Some("gen_ai.client.token.usage"), is_level: false },
    Metric { engines: &[Sglang], name: "sglang_gen_throughput", kind: Counter, unit: "1", meaning: "tokens generated per second", dims: &[], semconv: None, is_level: true },
    Metric { engines: &[Sglang], name: "gen_ai_server_time_to_first_token", kind: Counter, unit: "s", meaning: "time to first token", dims: &[], semconv: Some("gen_ai.server.time_to_first_token"), is_level: false },
    Metric { engines: &[Sglang], name: "gen_ai_server_time_per_output_token", kind: Counter, unit: "s", meaning: "time per output token after the first", dims: &[], semconv: Some("gen_ai.server.time_per_output_token"), is_level: false },
    Metric { engines: &[Sglang], name: "sglang_inter_token_latency_seconds", kind: Counter, unit: "s", meaning: "latency between tokens", dims: &[], semconv: None, is_level: false },
    Metric { engines: &[Sglang], name: "gen_ai_server_request_duration", kind: Counter, unit: "s", meaning: "end-to-end request latency", dims: &[], semconv: Some("gen_ai.server.request.duration"), is_level: false },
    Metric { engines: &[Sglang], name: "gen_ai_sglang_cache_hit_rate", kind: Counter, unit: "1", meaning: "cache hit ratio", dims: &[], semconv: None, is_level: true },
    Metric { engines: &[Sglang], name: "sglang_spec_accept_length", kind: Counter, unit: "1", meaning: "mean length accepted in speculative decoding", dims: &[], semconv: None, is_level: true },
    Metric { engines: &[Sglang], name: "num_requests_total", kind: Counter, unit: "1", meaning: "requests processed", dims: &[], semconv: None, is_level: false },
];

/// The documented metric of that name for an engine line.
#[must_use]
pub fn find(line: EngineLine, name: &str) -> Option<&'static Metric> {
    ALL.iter().find(|m| m.name == name && m.engines.contains(&line))
}

/// A histogram of the OpenTelemetry GenAI conventions
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>).
#[derive(Clone, Copy, Debug)]
pub struct Semconv {
    /// Exact name.
    pub name: &'static str,
    /// UCUM unit.
    pub unit: &'static str,
    /// Meaning.
    pub meaning: &'static str,
    /// Advised bucket boundaries.
    pub bounds: &'static [f64],
}

/// The GenAI histograms that an inference server reports.
pub const SEMCONV: &[Semconv] = &[
    Semconv {
        name: "gen_ai.client.token.usage",
        unit: "{token}",
        meaning: "tokens used, by gen_ai.token.type",
        bounds: &[
            1.0,
            4.0,
            16.0,
            64.0,
            256.0,
            1024.0,
            4096.0,
            16384.0,
            65536.0,
            262_144.0,
            1_048_576.0,
            4_194_304.0,
            16_777_216.0,
            67_108_864.0,
        ],
    },
    Semconv {
        name: "gen_ai.server.request.duration",
        unit: "s",
        meaning: "end-to-end request latency",
        bounds: &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
    },
    Semconv {
        name: "gen_ai.server.time_per_output_token",
        unit: "s",
        meaning: "time per output token after the first, successful requests",
        bounds: &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5],
    },
    Semconv {
        name: "gen_ai.server.time_to_first_token",
        unit: "s",
        meaning: "time to first token, successful requests",
        bounds: &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
    },
];

/// How a metric of the recorder about itself is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnKind {
    /// Monotonic OTLP Sum.
    Count,
    /// OTLP Sum that may fall (an UpDownCounter), always cumulative.
    UpDown,
    /// OTLP Gauge.
    Level,
}

/// A metric of the recorder about itself.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// Exact name.
    pub name: &'static str,
    /// UCUM unit.
    pub unit: &'static str,
    /// Meaning.
    pub meaning: &'static str,
    /// How it is reported.
    pub kind: OwnKind,
}

/// What the recorder reports of itself. For spans and points sent + dropped + queued = produced;
/// for records read + dropped = produced, but for those still in the rings.
pub const OWN: &[Own] = &[
    Own {
        name: "tachograph.records",
        unit: "{record}",
        meaning: "records of the probes, by tachograph.state (produced, read, suppressed: not written while recording is off)",
        kind: OwnKind::Count,
    },
    Own {
        name: "tachograph.requests",
        unit: "{request}",
        meaning: "requests that ended, by tachograph.outcome; other_route are those that are no model's business",
        kind: OwnKind::Count,
    },
    Own {
        name: "tachograph.export.produced",
        unit: "{item}",
        meaning: "spans and metric points made for export, by tachograph.unit",
        kind: OwnKind::Count,
    },
    Own {
        name: "tachograph.export.sent",
        unit: "{item}",
        meaning: "spans and metric points that the other side took, by tachograph.unit",
        kind: OwnKind::Count,
    },
    Own {
        name: "tachograph.export.retries",
        unit: "{export}",
        meaning: "exports that had to be tried again, by tachograph.unit",
        kind: OwnKind::Count,
    },
    Own {
        name: "tachograph.export.queued",
        unit: "{item}",
        meaning: "spans and metric points waiting for export, by tachograph.unit",
        kind: OwnKind::Level,
    },
    Own {
        name: "tachograph.dropped",
        unit: "{item}",
        meaning: "what was dropped, by tachograph.unit (records, requests, details, spans, points) and tachograph.reason",
        kind: OwnKind::Count,
    },
    Own {
        name: "tachograph.lag",
        unit: "s",
        meaning: "longest time from a record to its reading since the last report",
        kind: OwnKind::Level,
    },
    Own {
        name: "tachograph.process",
        unit: "{process}",
        meaning: "1 for each process of the engine that writes, with tachograph.process.role, process.pid and \
                  process.runtime.version (Python's)",
        kind: OwnKind::Level,
    },
    Own {
        name: "tachograph.probe",
        unit: "{probe}",
        meaning: "1 where a hook is live, else 0, by tachograph.probe.name, .state (live, missing, not_applicable, \
                  removed) and .detail (what is lost), tachograph.process.role and process.pid",
        kind: OwnKind::Level,
    },
    Own {
        name: "tachograph.faults",
        unit: "{fault}",
        meaning: "exceptions of hooks, none of which reached the engine, by tachograph.process.role and process.pid",
        kind: OwnKind::Count,
    },
    Own {
        name: "tachograph.ring.usage",
        unit: "1",
        meaning: "largest share of a ring found in use since the last report, by tachograph.process.role and \
                  process.pid",
        kind: OwnKind::Level,
    },
    Own {
        name: "process.cpu.time",
        unit: "s",
        meaning: "CPU time of the recorder, by cpu.mode (tachograph.process.role is recorder)",
        kind: OwnKind::Count,
    },
    Own {
        name: "process.memory.usage",
        unit: "By",
        meaning: "resident memory of the recorder (tachograph.process.role is recorder)",
        kind: OwnKind::UpDown,
    },
];
