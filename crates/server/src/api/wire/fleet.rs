//! Engines and agents, as they last reported.

use std::collections::BTreeMap;

use serde::Serialize;
use ts_rs::TS;

/// Engines that reported in a time range.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Engines {
    /// By application, launch and data-parallel rank.
    pub engines: Vec<EngineRow>,
}

/// One engine: a launch of an application, or one data-parallel rank of it.
#[derive(Clone, Debug, Serialize, TS)]
pub struct EngineRow {
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`.
    pub instance: String,
    /// Data-parallel rank, where the engine says it.
    pub engine_index: Option<u32>,
    /// Model served, empty where not known.
    pub model: String,
    /// Which engine, and with it which metrics.
    pub line: EngineLine,
    /// The engine's own version.
    pub version: Option<String>,
    /// Host.
    pub host: Option<String>,
    /// Requests running at the end of the range; like all levels none where the last report is older than 90 s.
    pub running: Option<f64>,
    /// Requests waiting.
    pub waiting: Option<f64>,
    /// Share of the KV cache in use.
    pub kv_usage: Option<f64>,
    /// Tokens generated per second, over the range.
    pub generation_tokens_per_s: Option<f64>,
    /// Median time to first token of the requests that ended in the range.
    pub ttft_p50_s: Option<f64>,
    /// When it reported last.
    pub last_ms: f64,
}

/// An engine and its generation: what decides which metrics there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EngineLine {
    /// vLLM with the V0 engine.
    VllmV0,
    /// vLLM with the V1 engine.
    VllmV1,
    /// SGLang.
    Sglang,
}

/// Agents that reported in a time range.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Agents {
    /// By application and launch.
    pub agents: Vec<Agent>,
}

/// The agent of one launch. Sums count since its recorder started; where it sends deltas, since the range began.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Agent {
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`.
    pub instance: String,
    /// Host.
    pub host: Option<String>,
    /// `vllm` or `sglang`.
    pub engine: Option<String>,
    /// The engine's own version.
    pub engine_version: Option<String>,
    /// `v0`, `v1`.
    pub engine_generation: Option<String>,
    /// The agent's version.
    pub agent_version: Option<String>,
    /// When it reported last.
    pub last_ms: f64,
    /// Processes of the engine that have a probe.
    pub processes: Vec<AgentProcess>,
    /// Hooks in them.
    pub probes: Vec<AgentProbe>,
    /// Records that the probes produced.
    pub records_produced: Option<f64>,
    /// Records that the recorder read.
    pub records_read: Option<f64>,
    /// Records that were not written because the agent was switched off.
    pub records_suppressed: Option<f64>,
    /// Requests that ended, by outcome.
    #[ts(type = "{ [key in string]: number }")]
    pub requests: BTreeMap<String, f64>,
    /// What became of spans and metric points.
    pub exports: Vec<AgentExport>,
    /// What was dropped.
    pub dropped: Vec<AgentDrop>,
    /// Hooks that raised.
    pub faults: Vec<AgentFault>,
    /// Longest time from a record to its reading, in the last report.
    pub lag_s: Option<f64>,
    /// Memory of the recorder in bytes.
    pub recorder_bytes: Option<f64>,
    /// What the recorder cost.
    pub price: Option<AgentPrice>,
}

/// A process of the engine that has a probe.
#[derive(Clone, Debug, Serialize, TS)]
pub struct AgentProcess {
    /// Process id.
    pub pid: u32,
    /// `api_server`, `engine_core`, …
    pub role: String,
    /// Python's version.
    pub python: Option<String>,
    /// Largest share of its ring that held unread records since the report before.
    pub ring_usage: Option<f64>,
}

/// A hook, in all processes of a role in which it has the same state.
#[derive(Clone, Debug, Serialize, TS)]
pub struct AgentProbe {
    /// Dotted name of what is wrapped.
    pub name: String,
    /// `live`, `missing`, `not_applicable`, `removed`.
    pub state: String,
    /// What is lost without it, or why it is not live.
    pub detail: String,
    /// Role of the processes.
    pub role: String,
    /// Process ids.
    pub pids: Vec<u32>,
}

/// What became of what was made for export.
#[derive(Clone, Debug, Default, Serialize, TS)]
pub struct AgentExport {
    /// `spans` or `points`.
    pub unit: String,
    /// Made.
    pub produced: f64,
    /// Taken by the other side.
    pub sent: f64,
    /// Waiting.
    pub queued: f64,
    /// Exports that were tried again.
    pub retries: f64,
}

/// Something dropped.
#[derive(Clone, Debug, Serialize, TS)]
pub struct AgentDrop {
    /// `records`, `requests`, `details`, `spans`, `points`.
    pub unit: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: f64,
}

/// How often hooks of a process raised. The engine did not notice.
#[derive(Clone, Debug, Serialize, TS)]
pub struct AgentFault {
    /// Role of the process.
    pub role: String,
    /// Process id.
    pub pid: u32,
    /// How often.
    pub count: f64,
}

/// What the recorder cost between its first and its last report in the range.
#[derive(Clone, Copy, Debug, Serialize, TS)]
pub struct AgentPrice {
    /// CPU time of the recorder.
    pub cpu_s: f64,
    /// Tokens that its engines generated meanwhile.
    pub tokens: f64,
    /// How long that was.
    pub window_s: f64,
}
