//! Metrics, aggregated from records and finished requests: the documented names with their types and
//! dimensions, the GenAI histograms beside them, and the recorder's own counts.

mod documented;
mod histogram;
mod own;
mod point;

use tachograph_ring::Record;

use crate::clock::Clock;
use crate::config::{MetricExporters, Temporality};
use crate::health::Health;
use crate::join::{Joined, Source};
use crate::request::Request;
use crate::status::Roster;
use documented::Documented;
use histogram::Histograms;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use own::Own;
use point::Window;

/// The metrics as they are pushed and as a Prometheus pulls them: the same ones, unless what is pushed is delta.
pub struct Meters {
    pushed: Meter,
    pulled: Option<Meter>,
}

impl Meters {
    /// Metrics that begin now (Unix nanoseconds).
    #[must_use]
    pub fn new(temporality: Temporality, exporters: &MetricExporters, now_ns: u64) -> Self {
        let pulled = || Meter::new(Temporality::Cumulative, now_ns);
        let needs_both = exporters.prometheus.is_some() && temporality == Temporality::Delta;
        Self { pushed: Meter::new(temporality, now_ns), pulled: needs_both.then(pulled) }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Meter> {
        std::iter::once(&mut self.pushed).chain(&mut self.pulled)
    }

    /// Take a record.
    pub fn record(&mut self, source: Source, record: &Record<'_>) {
        self.all().for_each(|meter| meter.record(source, record));
    }

    /// Take what was joined.
    pub fn joined(&mut self, joined: &Joined, provider: &str) {
        self.all().for_each(|meter| meter.joined(joined, provider));
    }

    /// A process is gone.
    pub fn close_source(&mut self, source: Source) {
        self.all().for_each(|meter| meter.close_source(source));
    }

    /// What is pushed now.
    pub fn push(&mut self, health: &Health, roster: &Roster) -> Vec<Metric> {
        self.pushed.collect(Clock::now(), health, roster)
    }

    /// What a Prometheus is answered now.
    pub fn pull(&mut self, health: &Health, roster: &Roster) -> Vec<Metric> {
        self.pulled.as_mut().unwrap_or(&mut self.pushed).collect(Clock::now(), health, roster)
    }
}

/// All metrics of a launch.
pub struct Meter {
    temporality: Temporality,
    /// Start of this recorder, Unix nanoseconds.
    born_ns: u64,
    /// Start of the sums: of this recorder, or with delta of the last collection. Unix nanoseconds.
    start_ns: u64,
    documented: Documented,
    histograms: Histograms,
    own: Own,
}

impl Meter {
    /// Metrics that begin now (Unix nanoseconds), for a provider (`vllm`).
    #[must_use]
    pub fn new(temporality: Temporality, now_ns: u64) -> Self {
        Self {
            temporality,
            born_ns: now_ns,
            start_ns: now_ns,
            documented: Documented::default(),
            histograms: Histograms::default(),
            own: Own::default(),
        }
    }

    /// Take a record.
    pub fn record(&mut self, source: Source, record: &Record<'_>) {
        self.documented.record(source, record);
    }

    /// Take what was joined.
    pub fn joined(&mut self, joined: &Joined, provider: &str) {
        match joined {
            Joined::FirstToken { engine_index, prompt_tokens } => {
                self.documented.first_token(*engine_index, *prompt_tokens);
            }
            Joined::Surplus { engine_index, tokens } => self.documented.surplus(*engine_index, *tokens),
            Joined::Request(request) => self.request(request, provider),
        }
    }

    fn request(&mut self, request: &Request, provider: &str) {
        self.documented.request(request);
        self.histograms.request(request, provider);
    }

    /// A process is gone: if it was an engine, nothing runs or waits in it.
    pub fn close_source(&mut self, source: Source) {
        self.documented.close_source(source);
    }

    /// All metrics now.
    pub fn collect(&mut self, now: Clock, health: &Health, roster: &Roster) -> Vec<Metric> {
        let window = Window {
            temporality: self.temporality,
            born_ns: self.born_ns,
            start_ns: self.start_ns,
            now_ns: now.wall_ns,
        };
        let mut metrics = self.documented.collect(window, now.mono_ns);
        metrics.extend(self.histograms.collect(window));
        metrics.extend(self.own.collect(window, health, roster));
        if self.temporality == Temporality::Delta {
            self.start_ns = now.wall_ns;
        }
        metrics
    }
}
