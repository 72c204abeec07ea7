//! Agents as they last reported of themselves.

use std::collections::{BTreeMap, HashSet};

use tachograph_schema::{attribute, metric};
use tachograph_store::Store;

use super::QueryError;
use super::latest::{Fleet, Latest, latest};
use super::request::{seconds_of_ns, unix_ms};
use super::series::LOOKBACK_NS;
use super::series::wanted::GENERATION;
use crate::api::wire::{Agent, AgentDrop, AgentExport, AgentFault, AgentPrice, AgentProbe, AgentProcess, Agents};

/// Agents that reported in the range.
pub(crate) async fn agents(store: &dyn Store, fleet: &Fleet) -> Result<Agents, QueryError> {
    let own = metric::OWN.iter().map(|own| own.name);
    let names: Vec<&str> = own.chain(GENERATION.iter().copied()).collect();
    let points = latest(store, fleet, &names).await?;
    let mut launches: BTreeMap<Launch, Vec<Latest>> = BTreeMap::new();
    for point in points {
        launches.entry(Launch::of(&point)).or_default().push(point);
    }
    let mut agents: Vec<Agent> = launches.into_values().filter_map(|points| Report::of(points).agent()).collect();
    agents.sort_by(|a, b| (&a.service, &a.instance).cmp(&(&b.service, &b.instance)));
    Ok(Agents { agents })
}

/// What makes a launch: its id, for the name changes when the engine says which model it serves.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Launch {
    Instance(String),
    /// Somebody else's, who sends no id.
    Service(String),
}

impl Launch {
    fn of(point: &Latest) -> Self {
        match point.instance.as_str() {
            "" => Self::Service(point.service.clone()),
            instance => Self::Instance(instance.to_owned()),
        }
    }
}

/// The points of one launch.
struct Report(Vec<Latest>);

impl Report {
    /// Of each series the newest: before the launch had its name they were those of another application.
    fn of(mut points: Vec<Latest>) -> Self {
        points.sort_by_key(|point| std::cmp::Reverse(point.last_ns));
        let mut known = HashSet::new();
        points.retain(|point| known.insert((point.name.clone(), point.labels.clone())));
        Self(points)
    }

    /// None where no agent but somebody else sent them.
    fn agent(&self) -> Option<Agent> {
        let newest = self.0.iter().filter(|p| p.name.starts_with("tachograph.")).max_by_key(|p| p.last_ns)?;
        let records = |state: &str| {
            let mut points = self.metric("tachograph.records");
            points.find(|p| p.attribute("tachograph.state") == state).map(Latest::value)
        };
        Some(Agent {
            service: newest.service.clone(),
            instance: newest.instance.clone(),
            host: newest.of_resource(attribute::HOST_NAME),
            engine: newest.of_resource(attribute::PROVIDER),
            engine_version: newest.of_resource(attribute::ENGINE_VERSION),
            engine_generation: newest.of_resource(attribute::ENGINE_GENERATION),
            agent_version: newest.of_resource("telemetry.sdk.version"),
            last_ms: unix_ms(newest.last_ns),
            processes: self.processes(newest.last_ns),
            probes: self.probes(newest.last_ns),
            records_produced: records("produced"),
            records_read: records("read"),
            records_suppressed: records("suppressed"),
            requests: self
                .metric("tachograph.requests")
                .map(|p| (p.attribute("tachograph.outcome"), p.value()))
                .collect(),
            exports: self.exports(),
            dropped: self.dropped(),
            faults: self.faults(),
            lag_s: self.metric("tachograph.lag").map(Latest::value).reduce(f64::max),
            recorder_bytes: self.of_recorder("process.memory.usage").map(Latest::value).reduce(f64::max),
            price: self.price(),
        })
    }

    fn metric<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Latest> {
        self.0.iter().filter(move |p| p.name == name)
    }

    /// Other processes may report their own under the same name.
    fn of_recorder<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Latest> {
        self.metric(name).filter(|p| p.attribute(ROLE) == "recorder")
    }

    /// What was still reported at the end: a process that ended is no longer.
    fn current<'a>(&'a self, name: &'a str, newest_ns: i64) -> impl Iterator<Item = &'a Latest> {
        self.metric(name).filter(move |p| newest_ns.saturating_sub(p.last_ns) < LOOKBACK_NS)
    }

    fn processes(&self, newest_ns: i64) -> Vec<AgentProcess> {
        let mut processes: BTreeMap<(String, u32), AgentProcess> = BTreeMap::new();
        for point in self.current("tachograph.process", newest_ns) {
            let (role, pid) = (point.attribute(ROLE), pid(point));
            let python = Some(point.attribute(PYTHON)).filter(|text| !text.is_empty());
            processes.insert((role.clone(), pid), AgentProcess { pid, role, python, ring_usage: None });
        }
        for point in self.current("tachograph.ring.usage", newest_ns) {
            let (role, pid) = (point.attribute(ROLE), pid(point));
            let new = || AgentProcess { pid, role: role.clone(), python: None, ring_usage: None };
            processes.entry((role.clone(), pid)).or_insert_with(new).ring_usage = Some(point.value());
        }
        processes.into_values().collect()
    }

    fn probes(&self, newest_ns: i64) -> Vec<AgentProbe> {
        // A hook that was removed was live before: of each process and hook the newest counts.
        let mut newest: BTreeMap<(u32, String), &Latest> = BTreeMap::new();
        for point in self.current("tachograph.probe", newest_ns) {
            let known = newest.entry((pid(point), point.attribute("tachograph.probe.name"))).or_insert(point);
            if point.last_ns > known.last_ns {
                *known = point;
            }
        }
        let mut probes: BTreeMap<[String; 4], Vec<u32>> = BTreeMap::new();
        for ((pid, name), point) in newest {
            let [state, detail] = ["tachograph.probe.state", "tachograph.probe.detail"].map(|key| point.attribute(key));
            probes.entry([point.attribute(ROLE), name, state, detail]).or_default().push(pid);
        }
        let probe = |([role, name, state, detail], pids): ([String; 4], Vec<u32>)| AgentProbe {
            name,
            state,
            detail,
            role,
            pids,
        };
        probes.into_iter().map(probe).collect()
    }

    fn exports(&self) -> Vec<AgentExport> {
        let mut exports: BTreeMap<String, AgentExport> = BTreeMap::new();
        for point in &self.0 {
            let Some(figure) = point.name.strip_prefix("tachograph.export.") else { continue };
            let unit = point.attribute(UNIT);
            let export = exports.entry(unit.clone()).or_insert_with(|| AgentExport { unit, ..AgentExport::default() });
            match figure {
                "produced" => export.produced = point.value(),
                "sent" => export.sent = point.value(),
                "queued" => export.queued = point.value(),
                "retries" => export.retries = point.value(),
                _ => {}
            }
        }
        exports.into_values().collect()
    }

    fn dropped(&self) -> Vec<AgentDrop> {
        let drop = |p: &Latest| AgentDrop {
            unit: p.attribute(UNIT),
            reason: p.attribute("tachograph.reason"),
            count: p.value(),
        };
        let mut dropped: Vec<AgentDrop> =
            self.metric("tachograph.dropped").map(drop).filter(|d| d.count > 0.0).collect();
        dropped.sort_by(|a, b| (&a.unit, &a.reason).cmp(&(&b.unit, &b.reason)));
        dropped
    }

    fn faults(&self) -> Vec<AgentFault> {
        let fault = |p: &Latest| AgentFault { role: p.attribute(ROLE), pid: pid(p), count: p.value() };
        self.metric("tachograph.faults").map(fault).filter(|fault| fault.count > 0.0).collect()
    }

    /// Both sums over the same reports; nothing where too little was reported or generated to say.
    fn price(&self) -> Option<AgentPrice> {
        let cpu: Vec<&Latest> = self.of_recorder("process.cpu.time").collect();
        let (first_ns, last_ns) = (cpu.iter().map(|p| p.first_ns).min()?, cpu.iter().map(|p| p.last_ns).max()?);
        let tokens: f64 = GENERATION.iter().flat_map(|name| self.metric(name)).map(Latest::increase).sum();
        let window_s = seconds_of_ns(last_ns.saturating_sub(first_ns));
        let cpu_s = cpu.iter().map(|p| p.increase()).sum();
        (tokens > 0.0 && window_s > 0.0).then_some(AgentPrice { cpu_s, tokens, window_s })
    }
}

const ROLE: &str = "tachograph.process.role";
const UNIT: &str = "tachograph.unit";
const PYTHON: &str = "process.runtime.version";

fn pid(point: &Latest) -> u32 {
    point.attribute(attribute::PROCESS_PID).parse().unwrap_or_default()
}
