//! Puts the status together out of what the recorder's parts know.

use std::path::PathBuf;
use std::time::Instant;

use super::file::{StatusFile, remove};
use super::roster::Roster;
use super::usage::Usage;
use super::{DroppedStatus, ExportStatus, FORMAT, RecorderStatus, SignalStatus, Status};
use crate::clock::wall_now_ns;
use crate::config::{Config, Endpoint};
use crate::health::{Counts, Health, Unit};
use crate::resource::Identity;

/// Tells the state of a recorder in its file, until it ends.
#[derive(Debug)]
pub struct Report {
    dir: PathBuf,
    file: StatusFile,
    enabled: bool,
    started_unix_s: f64,
    traces: SignalStatus,
    metrics: SignalStatus,
    prometheus: Option<String>,
}

impl Report {
    /// For a recorder that starts now.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let signal = |endpoint: &Endpoint| SignalStatus {
            url: endpoint.shown(),
            protocol: endpoint.protocol.name().to_owned(),
            ..SignalStatus::default()
        };
        Self {
            dir: config.dir.clone(),
            file: StatusFile::new(&config.dir),
            enabled: config.enabled,
            started_unix_s: unix_s(wall_now_ns()),
            traces: signal(&config.traces),
            metrics: if config.metric_exporters.otlp { signal(&config.metrics) } else { SignalStatus::none() },
            prometheus: None,
        }
    }

    /// Where a Prometheus can scrape.
    pub fn listens(&mut self, url: Option<String>) {
        self.prometheus = url;
    }

    /// Recording was switched on or off.
    pub fn enable(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Tell it, where the last time is long enough ago.
    pub fn tell(&mut self, identity: &Identity, roster: &Roster, health: &Health) {
        let now = Instant::now();
        if self.file.is_due(now) {
            let status = self.status(identity, roster, &health.snapshot());
            self.file.write(&status, now);
        }
    }

    /// The recorder ends in order: there is no state any more.
    pub fn end(self) {
        remove(&self.dir);
    }

    fn status(&self, identity: &Identity, roster: &Roster, counts: &Counts) -> Status {
        let usage = Usage::now();
        let dropped = counts.dropped.iter().map(|((unit, reason), &n)| DroppedStatus {
            unit: unit.name().to_owned(),
            reason: (*reason).to_owned(),
            n,
        });
        Status {
            format: FORMAT,
            recorder: RecorderStatus {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started_unix_s: self.started_unix_s,
                written_unix_s: unix_s(wall_now_ns()),
                cpu_s: usage.cpu_s(),
                rss_bytes: usage.rss_bytes,
            },
            enabled: self.enabled,
            engine: identity.engine(),
            model: identity.model().map(str::to_owned),
            service_name: identity.service(),
            processes: roster.status(),
            export: ExportStatus {
                traces: signal(&self.traces, Unit::Spans, counts),
                metrics: signal(&self.metrics, Unit::Points, counts),
                prometheus: self.prometheus.clone(),
            },
            dropped: dropped.collect(),
            lag_s: counts.lag_s,
        }
    }
}

fn signal(to: &SignalStatus, unit: Unit, counts: &Counts) -> SignalStatus {
    let of = |map: &std::collections::BTreeMap<Unit, u64>| map.get(&unit).copied().unwrap_or(0);
    SignalStatus {
        sent: of(&counts.sent),
        dropped: counts.dropped.iter().filter(|((of, _), _)| *of == unit).map(|(_, n)| n).sum(),
        queued: of(&counts.queued),
        retries: of(&counts.retries),
        last_success_unix_s: counts.last_success_ns.get(&unit).map(|&ns| unix_s(ns)),
        last_error: counts.last_error.get(&unit).cloned(),
        ..to.clone()
    }
}

/// Unix seconds of Unix nanoseconds.
fn unix_s(ns: u64) -> f64 {
    ns as f64 / 1e9
}
