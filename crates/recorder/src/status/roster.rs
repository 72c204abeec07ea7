//! The processes of a launch: who they are, which hooks they have, and how full their rings are.

use std::collections::BTreeMap;

use tachograph_ring::{Counters, Info, Record};

use super::{ProbeState, ProbeStatus, ProcessStatus, RingStatus};
use crate::join::Source;

/// Most processes remembered: the oldest of those that are gone make room.
const MAX_PROCESSES: usize = 64;
/// Most hooks remembered of a process: several times what an engine has.
const MAX_PROBES: usize = 64;
/// Longest detail of a hook that is kept, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// A hook, as it said itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSeen {
    /// Whether it is live.
    pub state: ProbeState,
    /// What is lost without it.
    pub detail: String,
    /// How often it raised.
    pub faults: u64,
}

/// A process, as its ring says.
#[derive(Clone, Debug, Default)]
pub struct ProcessSeen {
    /// Process id.
    pub pid: u32,
    /// What it does; empty until its first record was read.
    pub role: String,
    /// Python's version.
    pub python: String,
    /// Whether it still writes.
    pub alive: bool,
    /// Its ring.
    pub ring: RingStatus,
    /// Most bytes found in it since the peak was last taken.
    pub peak_bytes: u64,
    /// Its hooks by name.
    pub probes: BTreeMap<String, ProbeSeen>,
}

impl ProcessSeen {
    /// Faults of all hooks.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.probes.values().map(|probe| probe.faults).sum()
    }
}

/// All processes seen.
#[derive(Debug, Default)]
pub struct Roster {
    processes: BTreeMap<u32, ProcessSeen>,
    /// What an earlier recorder of the launch knew of processes whose rings were not found again yet.
    inherited: Vec<ProcessStatus>,
}

impl Roster {
    /// Of a launch whose earlier recorder died: what its processes said of themselves is said once.
    #[must_use]
    pub fn after(processes: Vec<ProcessStatus>) -> Self {
        Self { processes: BTreeMap::new(), inherited: processes }
    }

    /// A ring was found; returns its process.
    pub fn open(&mut self, source: Source, info: &Info) -> Option<&ProcessSeen> {
        if self.processes.len() >= MAX_PROCESSES {
            let gone = self.processes.iter().find(|(_, process)| !process.alive).map(|(id, _)| *id);
            match gone {
                Some(id) => self.processes.remove(&id),
                None => return None,
            };
        }
        let known = self.inherited.iter().position(|process| process.alive && process.pid == info.pid);
        let known = known.map(|place| self.inherited.swap_remove(place)).unwrap_or_default();
        let ring = RingStatus { capacity_bytes: info.capacity as u64, ..RingStatus::default() };
        let probe = |p: ProbeStatus| (p.name, ProbeSeen { state: p.state, detail: p.detail, faults: p.faults });
        let process = ProcessSeen {
            pid: info.pid,
            role: known.role,
            python: known.python,
            alive: true,
            ring,
            peak_bytes: 0,
            probes: known.probes.into_iter().map(probe).collect(),
        };
        self.processes.insert(source.0, process);
        self.processes.get(&source.0)
    }

    /// Its process is gone.
    pub fn close(&mut self, source: Source) {
        if let Some(process) = self.processes.get_mut(&source.0) {
            process.alive = false;
            process.ring.used_bytes = 0;
        }
    }

    /// How full a ring was found, and what became of its records.
    pub fn ring(&mut self, source: Source, counters: &Counters) {
        if let Some(process) = self.processes.get_mut(&source.0) {
            let ring = &mut process.ring;
            (ring.used_bytes, ring.produced, ring.lost) = (counters.inside_bytes, counters.produced, counters.lost);
            process.peak_bytes = process.peak_bytes.max(counters.inside_bytes);
        }
    }

    /// Learn from a record.
    pub fn learn(&mut self, source: Source, record: &Record<'_>) {
        let (name, state, detail) = match record {
            Record::Process(process) => return self.process(source, process),
            Record::Probe(probe) => (probe.name, Some(probe.state), probe.detail),
            Record::Fault(fault) => (fault.name, None, fault.error),
            _ => return,
        };
        let Some(process) = self.processes.get_mut(&source.0) else { return };
        if process.probes.len() >= MAX_PROBES && !process.probes.contains_key(name) {
            return;
        }
        let new = || ProbeSeen { state: ProbeState::Live, detail: String::new(), faults: 0 };
        let probe = process.probes.entry(name.to_owned()).or_insert_with(new);
        match state {
            Some(state) => {
                probe.state = state.into();
                probe.detail = detail.chars().take(MAX_DETAIL_CHARS).collect();
            }
            None => probe.faults = probe.faults.saturating_add(1),
        }
    }

    fn process(&mut self, source: Source, record: &tachograph_ring::record::Process<'_>) {
        if let Some(process) = self.processes.get_mut(&source.0) {
            record.role.clone_into(&mut process.role);
            record.python.clone_into(&mut process.python);
        }
    }

    /// All processes that are remembered, in the order of their rings.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessSeen> {
        self.processes.values()
    }

    /// Begin the peaks anew.
    pub fn reset_peaks(&mut self) {
        self.processes.values_mut().for_each(|process| process.peak_bytes = 0);
    }

    /// The same, as the status has them.
    #[must_use]
    pub fn status(&self) -> Vec<ProcessStatus> {
        let probe = |(name, seen): (&String, &ProbeSeen)| ProbeStatus {
            name: name.clone(),
            state: seen.state,
            detail: seen.detail.clone(),
            faults: seen.faults,
        };
        let process = |seen: &ProcessSeen| ProcessStatus {
            pid: seen.pid,
            role: seen.role.clone(),
            python: seen.python.clone(),
            alive: seen.alive,
            ring: seen.ring,
            probes: seen.probes.iter().map(probe).collect(),
        };
        self.processes().map(process).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed test panics

    use super::*;

    fn ring(pid: u32) -> Info {
        let dir = tempfile::tempdir().unwrap();
        let writer = tachograph_ring::Writer::create(dir.path(), 1 << 16).unwrap();
        Info { pid, ..tachograph_ring::Reader::open(writer.path()).unwrap().info() }
    }

    #[test]
    fn a_process_that_an_earlier_recorder_knew_keeps_what_it_said_of_itself() {
        let probe = |state| ProbeStatus { name: "v1.step".into(), state, detail: "moved".into(), faults: 3 };
        let process = |pid, alive| ProcessStatus {
            pid,
            role: "engine_core".into(),
            python: "3.12".into(),
            alive,
            probes: vec![probe(ProbeState::Removed)],
            ..ProcessStatus::default()
        };
        let mut roster = Roster::after(vec![process(7, true), process(8, false)]);
        let known = roster.open(Source(0), &ring(7)).unwrap().clone();
        assert_eq!((known.role.as_str(), known.python.as_str(), known.faults()), ("engine_core", "3.12", 3));
        assert_eq!(known.probes["v1.step"].state, ProbeState::Removed);
        // Another process, and one that got the number of a process which was gone.
        for (source, pid) in [(Source(1), 9), (Source(2), 8), (Source(3), 7)] {
            assert_eq!(roster.open(source, &ring(pid)).unwrap().role, "", "{pid}");
        }
    }
}
