//! The recorder's own metrics: sent + dropped + waiting = produced, for spans and for metric points; and for records
//! read + dropped = produced, but for those still in the rings. And what it sees of the engine's processes.

use std::collections::{BTreeMap, HashMap};

use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use tachograph_schema::metric::{OWN, Own as Row, OwnKind};

use super::point::{Window, gauge, int, metric, owned_labels};
use crate::config::Temporality;
use crate::health::{Counts, Health, Unit};
use crate::status::{ProbeState, ProcessSeen, Roster, Usage};

type Labels = Vec<(&'static str, String)>;

/// A value of a metric of our own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Whole(u64),
    Real(f64),
}

impl Number {
    fn since(self, before: Option<Self>) -> Self {
        match (self, before) {
            (Self::Whole(now), Some(Self::Whole(before))) => Self::Whole(now.saturating_sub(before)),
            (Self::Real(now), Some(Self::Real(before))) => Self::Real((now - before).max(0.0)),
            (now, _) => now,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Whole(n) => int(n),
            Self::Real(x) => Value::AsDouble(x),
        }
    }
}

/// What was told before, for delta.
#[derive(Debug, Default)]
pub(super) struct Own {
    told: HashMap<(&'static str, Labels), Number>,
}

/// What is known at a collection.
struct Known<'a> {
    counts: Counts,
    roster: &'a Roster,
    usage: Usage,
}

impl Own {
    pub(super) fn collect(&mut self, window: Window, health: &Health, roster: &Roster) -> Vec<Metric> {
        let known = Known { counts: health.snapshot(), roster, usage: Usage::now() };
        let told = std::mem::take(&mut self.told);
        OWN.iter().map(|row| self.row(row, &known, window, &told)).collect()
    }

    fn row(
        &mut self,
        row: &'static Row,
        known: &Known<'_>,
        window: Window,
        told: &HashMap<(&'static str, Labels), Number>,
    ) -> Metric {
        let is_delta = row.kind == OwnKind::Count && window.temporality == Temporality::Delta;
        let mut points = Vec::new();
        for (labels, mut number) in values(row.name, known) {
            let attributes = owned_labels(&labels);
            if is_delta {
                let key = (row.name, labels);
                let now = number;
                number = now.since(told.get(&key).copied());
                self.told.insert(key, now);
            }
            points.push(window.number(attributes, number.value()));
        }
        let data = match row.kind {
            OwnKind::Count => window.sum(points),
            OwnKind::UpDown => window.up_down(points),
            OwnKind::Level => gauge(points),
        };
        metric(row.name, row.unit, row.meaning, data)
    }
}

fn values(name: &str, known: &Known<'_>) -> Vec<(Labels, Number)> {
    counts(name, &known.counts).or_else(|| of_processes(name, known.roster)).unwrap_or_else(|| usage(name, known.usage))
}

fn counts(name: &str, c: &Counts) -> Option<Vec<(Labels, Number)>> {
    let unit = |u: &Unit| ("tachograph.unit", u.name().to_owned());
    let by_unit = |map: &BTreeMap<Unit, u64>| map.iter().map(|(u, &n)| (vec![unit(u)], Number::Whole(n))).collect();
    let state = |state: &str, n| (vec![("tachograph.state", state.to_owned())], Number::Whole(n));
    let outcome =
        |(outcome, &n): (&&str, &u64)| (vec![("tachograph.outcome", (*outcome).to_owned())], Number::Whole(n));
    Some(match name {
        "tachograph.records" => vec![
            state("produced", c.records_produced),
            state("read", c.records_read),
            state("suppressed", c.records_suppressed),
        ],
        "tachograph.requests" => c.requests.iter().map(outcome).collect(),
        "tachograph.export.produced" => by_unit(&c.produced),
        "tachograph.export.sent" => by_unit(&c.sent),
        "tachograph.export.retries" => by_unit(&c.retries),
        "tachograph.export.queued" => by_unit(&c.queued),
        "tachograph.dropped" => {
            let reason = |reason: &str| ("tachograph.reason", reason.to_owned());
            c.dropped.iter().map(|((u, r), &n)| (vec![unit(u), reason(r)], Number::Whole(n))).collect()
        }
        "tachograph.lag" => vec![(Vec::new(), Number::Real(c.lag_s))],
        _ => return None,
    })
}

fn of_processes(name: &str, roster: &Roster) -> Option<Vec<(Labels, Number)>> {
    let alive = || roster.processes().filter(|process| process.alive);
    Some(match name {
        "tachograph.process" => alive()
            .map(|process| {
                let mut labels = process_labels(process);
                labels.push(("process.runtime.version", process.python.clone()));
                (labels, Number::Whole(1))
            })
            .collect(),
        "tachograph.probe" => alive().flat_map(probes).collect(),
        "tachograph.faults" => {
            roster.processes().map(|process| (process_labels(process), Number::Whole(process.faults()))).collect()
        }
        "tachograph.ring.usage" => alive()
            .map(|process| {
                let share = process.peak_bytes as f64 / process.ring.capacity_bytes.max(1) as f64;
                (process_labels(process), Number::Real(share))
            })
            .collect(),
        _ => return None,
    })
}

fn process_labels(process: &ProcessSeen) -> Labels {
    vec![("tachograph.process.role", process.role.clone()), ("process.pid", process.pid.to_string())]
}

fn probes(process: &ProcessSeen) -> impl Iterator<Item = (Labels, Number)> {
    process.probes.iter().map(|(name, probe)| {
        let mut labels = process_labels(process);
        labels.extend([
            ("tachograph.probe.name", name.clone()),
            ("tachograph.probe.state", probe.state.name().to_owned()),
            ("tachograph.probe.detail", probe.detail.clone()),
        ]);
        (labels, Number::Whole(u64::from(probe.state == ProbeState::Live)))
    })
}

fn usage(name: &str, usage: Usage) -> Vec<(Labels, Number)> {
    let labels = |mode: Option<&str>| {
        let mut labels =
            vec![("tachograph.process.role", "recorder".to_owned()), ("process.pid", std::process::id().to_string())];
        labels.extend(mode.map(|mode| ("cpu.mode", mode.to_owned())));
        labels
    };
    match name {
        "process.cpu.time" => vec![
            (labels(Some("user")), Number::Real(usage.user_s)),
            (labels(Some("system")), Number::Real(usage.system_s)),
        ],
        "process.memory.usage" => vec![(labels(None), Number::Whole(usage.rss_bytes))],
        _ => Vec::new(),
    }
}
