//! The documented metrics (`tachograph_schema::metric::ALL`) of the engine line that is observed, for each engine.
//!
//! A documented counter in seconds is the running sum over sequences that ended, as vLLM itself observes each child
//! of `n` > 1; `request_params_n` is then the number of sequences, each prompt having `n`. What never got so far (no
//! first token, one token only) adds nothing.

mod engine;
mod rate;
mod value;

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use tachograph_ring::Record;
use tachograph_ring::record::{Engine as EngineRecord, Process};
use tachograph_schema::metric::{ALL, EngineLine, Kind, Metric as Row};

use super::point::{Window, gauge, labels, metric};
use crate::config::Temporality;
use crate::join::Source;
use crate::request::Request;
use engine::{Engine, Sums};
use value::{Dimension, values};

/// Most engines of one launch that are told apart; those above are told as one.
const MAX_ENGINES: u32 = 256;

/// The documented metrics.
#[derive(Debug, Default)]
pub(super) struct Documented {
    /// Which engine it is, once one of its processes said so.
    line: Option<EngineLine>,
    engines: BTreeMap<u32, Engine>,
}

impl Documented {
    pub(super) fn record(&mut self, source: Source, record: &Record<'_>) {
        match record {
            Record::Process(process) => self.process(process),
            Record::Engine(engine) => self.engine_ready(engine),
            Record::Step(step) => self.engine(step.engine_index).step(source, step),
            Record::Preempted(p) => self.engine(p.engine_index).sums.preemptions += 1,
            Record::StepOutputs(outputs) => self.engine(outputs.engine_index).outputs(outputs),
            Record::Sample(sample) => self.engine(sample.engine_index).sample(sample),
            _ => {}
        }
    }

    fn engine(&mut self, index: u32) -> &mut Engine {
        self.engines.entry(index.min(MAX_ENGINES - 1)).or_default()
    }

    /// The engine's own process knows its generation best: a front end may be older than the choice.
    fn process(&mut self, process: &Process<'_>) {
        if self.line.is_none() || process.role == "engine_core" {
            self.line = Some(match (process.engine, process.engine_generation) {
                ("sglang", _) => EngineLine::Sglang,
                (_, "v0") => EngineLine::VllmV0,
                _ => EngineLine::VllmV1,
            });
        }
    }

    fn engine_ready(&mut self, record: &EngineRecord<'_>) {
        let model = record.served_models.first().copied().unwrap_or_default();
        model.clone_into(&mut self.engine(record.engine_index).model);
    }

    /// As the engines' own `prompt_tokens`: the whole prompt, cached part included, once it is computed.
    pub(super) fn first_token(&mut self, engine_index: u32, prompt_tokens: u32) {
        self.engine(engine_index).sums.prompt_tokens += u64::from(prompt_tokens);
    }

    pub(super) fn surplus(&mut self, engine_index: u32, tokens: u32) {
        self.engine(engine_index).sums.surplus_tokens += u64::from(tokens);
    }

    pub(super) fn request(&mut self, request: &Request) {
        for sequence in &request.sequences {
            self.engine(sequence.engine_index.unwrap_or(0)).ended(sequence);
        }
    }

    pub(super) fn close_source(&mut self, source: Source) {
        self.engines.values_mut().filter(|engine| engine.source == Some(source)).for_each(Engine::gone);
    }

    /// All rows of the line; `mono_ns` is the window's end on the clock of the records.
    pub(super) fn collect(&mut self, window: Window, mono_ns: u64) -> Vec<Metric> {
        self.engines.values_mut().for_each(Engine::tell);
        let line = self.line.unwrap_or(EngineLine::VllmV1);
        let rows = ALL.iter().filter(|row| row.engines.contains(&line));
        let metrics = rows.filter_map(|row| self.row(line, row, window, mono_ns)).collect();
        if window.temporality == Temporality::Delta {
            self.engines.values_mut().for_each(|engine| engine.sums = Sums::default());
        }
        metrics
    }

    fn row(&self, line: EngineLine, row: &Row, window: Window, mono_ns: u64) -> Option<Metric> {
        if self.engines.is_empty() {
            return None;
        }
        let mut points = Vec::new();
        for (index, engine) in &self.engines {
            for (extra, value) in values(line, row.name, engine, mono_ns) {
                let dimensions = dimensions(line, &engine.model, *index, self.engines.len() > 1, extra);
                points.push(window.number(labels(dimensions.iter().map(|(k, v)| (*k, v.as_str()))), value));
            }
        }
        let data = match row.kind {
            Kind::Counter if row.is_level => window.level_sum(points),
            Kind::Counter => window.sum(points),
            Kind::Gauge => gauge(points),
        };
        let meaning = if row.is_level { format!("{} (a level)", row.meaning) } else { row.meaning.to_owned() };
        Some(metric(row.name, row.unit, &meaning, data))
    }
}

/// The documented dimensions of a line, in their order, then the metric's own.
fn dimensions(
    line: EngineLine,
    model: &str,
    index: u32,
    is_one_of_several: bool,
    extra: Dimension,
) -> Vec<(&'static str, String)> {
    let mut all = vec![("modelName", model.to_owned()), ("model_name", model.to_owned())];
    if line == EngineLine::VllmV1 {
        all.push(("engine_index", index.to_string()));
    } else if is_one_of_several {
        // Not documented, but two points of one metric must differ; SGLang's own metrics call it so.
        all.push(("dp_rank", index.to_string()));
    }
    all.push(("spanKind", "LLM".to_owned()));
    if line == EngineLine::Sglang {
        all.extend([("callType", "gen_ai".to_owned()), ("rpcType", "2100".to_owned())]);
    }
    all.extend(extra.map(|(key, value)| (key, value.to_owned())));
    all
}
