//! The documented metrics of vLLM V1 (`tachograph_schema::metric::ALL`), for each engine.
//!
//! A documented counter in seconds is the running sum over sequences that ended, as vLLM itself observes each child
//! of `n` > 1; `request_params_n` counts once for each request. What never got so far (no first token, one token only)
//! adds nothing.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use tachograph_ring::Record;
use tachograph_ring::record::{Engine as EngineRecord, FinishReason, Step};
use tachograph_schema::metric::{ALL, EngineLine, Kind, Metric as Row};

use super::point::{Window, gauge, int, labels, metric};
use crate::figure::SequenceFigures;
use crate::join::Source;
use crate::request::{Request, finish_name};
use crate::sequence::{End, Sequence};

const REASONS: [FinishReason; 5] =
    [FinishReason::Stop, FinishReason::Length, FinishReason::Abort, FinishReason::Error, FinishReason::Repetition];

/// Sums and levels of one engine.
#[derive(Clone, Debug, Default)]
struct Engine {
    /// The process that says how many run and wait.
    source: Option<Source>,
    model: String,
    running: u64,
    waiting: u64,
    kv_usage: f64,
    sums: Sums,
}

/// What is summed up.
#[derive(Clone, Debug, Default)]
struct Sums {
    iterations: u64,
    prefix_queries: u64,
    prefix_hits: u64,
    preemptions: u64,
    prompt_tokens: u64,
    generation_tokens: u64,
    params_n: u64,
    params_max_tokens: u64,
    success: BTreeMap<&'static str, u64>,
    ttft: f64,
    tpot: f64,
    e2e: f64,
    queue: f64,
    prefill: f64,
    decode: f64,
    inference: f64,
}

/// The documented metrics.
#[derive(Debug, Default)]
pub(super) struct Documented {
    engines: BTreeMap<u32, Engine>,
}

impl Documented {
    pub(super) fn record(&mut self, source: Source, record: &Record<'_>) {
        match record {
            Record::Engine(engine) => self.engine_ready(engine),
            Record::Step(step) => self.step(source, step),
            Record::Preempted(p) => self.sums(p.engine_index).preemptions += 1,
            Record::StepOutputs(outputs) => {
                let sums = self.sums(outputs.engine_index);
                sums.prefix_queries += outputs.prefix_queries;
                sums.prefix_hits += outputs.prefix_hits;
                sums.generation_tokens += outputs.outputs.iter().map(|o| u64::from(o.tokens)).sum::<u64>();
            }
            _ => {}
        }
    }

    fn sums(&mut self, engine_index: u32) -> &mut Sums {
        &mut self.engines.entry(engine_index).or_default().sums
    }

    fn engine_ready(&mut self, record: &EngineRecord<'_>) {
        let engine = self.engines.entry(record.engine_index).or_default();
        record.served_models.first().copied().unwrap_or_default().clone_into(&mut engine.model);
    }

    fn step(&mut self, source: Source, step: &Step<'_>) {
        let engine = self.engines.entry(step.engine_index).or_default();
        engine.source = Some(source);
        engine.running = step.running.into();
        engine.waiting = u64::from(step.waiting) + u64::from(step.deferred);
        engine.kv_usage = step.kv_usage.into();
        // An engine that looks and finds nothing to do makes no iteration.
        if !step.members.is_empty() {
            engine.sums.iterations += 1;
        }
    }

    /// As vLLM's `prompt_tokens`: the whole prompt, cached part included, once it is computed.
    pub(super) fn first_token(&mut self, engine_index: u32, prompt_tokens: u32) {
        self.sums(engine_index).prompt_tokens += u64::from(prompt_tokens);
    }

    pub(super) fn request(&mut self, request: &Request) {
        if let Some(first) = request.sequences.first() {
            let choices = u64::try_from(request.choices()).unwrap_or(0);
            self.sums(first.engine_index.unwrap_or(0)).params_n += choices;
        }
        for sequence in &request.sequences {
            self.sequence(sequence);
        }
    }

    fn sequence(&mut self, sequence: &Sequence) {
        let figures = SequenceFigures::of(sequence);
        let engine = self.engines.entry(sequence.engine_index.unwrap_or(0)).or_default();
        if engine.model.is_empty() {
            sequence.model.clone_into(&mut engine.model);
        }
        let sums = &mut engine.sums;
        let reason = match sequence.end {
            Some(End::Reason(reason)) => reason,
            _ => FinishReason::Error,
        };
        *sums.success.entry(finish_name(reason)).or_default() += 1;
        sums.params_max_tokens += u64::from(sequence.params.max_tokens.unwrap_or(0));
        sums.ttft += figures.ttft.unwrap_or(0.0);
        sums.tpot += figures.tpot.unwrap_or(0.0);
        sums.e2e += figures.e2e;
        sums.queue += figures.queue;
        sums.prefill += figures.prefill;
        sums.decode += figures.decode;
        sums.inference += figures.inference();
    }

    pub(super) fn close_source(&mut self, source: Source) {
        for engine in self.engines.values_mut().filter(|engine| engine.source == Some(source)) {
            (engine.running, engine.waiting, engine.kv_usage) = (0, 0, 0.0);
        }
    }

    pub(super) fn collect(&mut self, window: Window) -> Vec<Metric> {
        let rows = ALL.iter().filter(|row| row.engines.contains(&EngineLine::VllmV1));
        let metrics = rows.filter_map(|row| self.row(row, window)).collect();
        if window.temporality == crate::config::Temporality::Delta {
            self.engines.values_mut().for_each(|engine| engine.sums = Sums::default());
        }
        metrics
    }

    fn row(&self, row: &Row, window: Window) -> Option<Metric> {
        let mut points = Vec::new();
        for (index, engine) in &self.engines {
            let index = index.to_string();
            for (extra, value) in values(row.name, engine) {
                let common = [
                    ("modelName", engine.model.as_str()),
                    ("model_name", engine.model.as_str()),
                    ("engine_index", index.as_str()),
                    ("spanKind", "LLM"),
                ];
                points.push(window.number(labels(common.into_iter().chain(extra)), value));
            }
        }
        let data = match row.kind {
            Kind::Counter => window.sum(points),
            Kind::Gauge => gauge(points),
        };
        let is_known = !self.engines.is_empty();
        is_known.then(|| metric(row.name, row.unit, row.meaning, data))
    }
}

/// The values of a documented metric with the dimensions of its own.
fn values(name: &str, engine: &Engine) -> Vec<(Option<(&'static str, &'static str)>, Value)> {
    let s = &engine.sums;
    let one = |value: Value| vec![(None, value)];
    match name {
        "vllm_iter_count" => one(int(s.iterations)),
        "gen_ai_vllm_request_success" => REASONS
            .map(finish_name)
            .map(|r| (Some(("finished_reason", r)), int(s.success.get(r).copied().unwrap_or(0))))
            .into(),
        "genai_llm_first_token_seconds" => one(Value::AsDouble(s.ttft)),
        "gen_ai_server_time_per_output_token" => one(Value::AsDouble(s.tpot)),
        "gen_ai_server_request_duration" => one(Value::AsDouble(s.e2e)),
        "llm_usage_tokens" => vec![
            (Some(("usageType", "input")), int(s.prompt_tokens)),
            (Some(("usageType", "output")), int(s.generation_tokens)),
        ],
        "gen_ai_vllm_num_requests_running" => one(int(engine.running)),
        "gen_ai_vllm_num_requests_waiting" => one(int(engine.waiting)),
        "gen_ai_vllm_kv_cache_usage_perc" => one(Value::AsDouble(engine.kv_usage)),
        "gen_ai_vllm_prefix_cache_queries" => one(int(s.prefix_queries)),
        "gen_ai_vllm_prefix_cache_hits" => one(int(s.prefix_hits)),
        "gen_ai_vllm_num_preemptions" => one(int(s.preemptions)),
        "gen_ai_vllm_prompt_tokens" => one(int(s.prompt_tokens)),
        "gen_ai_vllm_generation_tokens" => one(int(s.generation_tokens)),
        "gen_ai_vllm_request_params_n" => one(int(s.params_n)),
        "gen_ai_vllm_request_params_max_tokens" => one(int(s.params_max_tokens)),
        "gen_ai_vllm_request_queue_time_seconds" => one(Value::AsDouble(s.queue)),
        "gen_ai_vllm_request_prefill_time_seconds" => one(Value::AsDouble(s.prefill)),
        "gen_ai_vllm_request_decode_time_seconds" => one(Value::AsDouble(s.decode)),
        "gen_ai_vllm_request_inference_time_seconds" => one(Value::AsDouble(s.inference)),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_metric_of_the_line_has_a_value() {
        for row in ALL.iter().filter(|row| row.engines.contains(&EngineLine::VllmV1)) {
            assert!(!values(row.name, &Engine::default()).is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn counts_are_whole_numbers_and_durations_and_shares_are_not() {
        for row in ALL.iter().filter(|row| row.engines.contains(&EngineLine::VllmV1)) {
            let is_double = row.unit == "s" || row.name == "gen_ai_vllm_kv_cache_usage_perc";
            for (_, value) in values(row.name, &Engine::default()) {
                assert_eq!(matches!(value, Value::AsDouble(_)), is_double, "{}", row.name);
            }
        }
    }
}
