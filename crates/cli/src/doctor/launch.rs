//! A running launch: its recorder's status, its rings, its export.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tachograph_recorder::status::{self, ProbeState, Status};
use tachograph_recorder::switch::Switch;
use tachograph_ring::{FILE_SUFFIX, Peek};

use super::Verdict;
use super::export::{self, ExportReport};
use crate::supervise::supervisor_of;

/// Share of a ring from which it is told: the recorder does not keep up, or stands still.
const FULL: f64 = 0.8;
/// Rings that are looked at: far more than an engine has processes.
const MAX_RINGS: usize = 256;

/// What was found of a launch.
#[derive(Debug, Serialize)]
pub(crate) struct LaunchReport {
    /// Its runtime directory.
    pub(crate) dir: PathBuf,
    /// Whether its recorder runs.
    pub(crate) recorder_alive: bool,
    /// What its recorder says, at most a second old while something happens.
    pub(crate) status: Option<Status>,
    /// Its rings as they are now.
    pub(crate) rings: Vec<RingReport>,
    /// Where it exports to.
    pub(crate) export: ExportReport,
    /// What is lost or wrong, in sentences.
    pub(crate) problems: Vec<String>,
    /// Why that cannot be told in full.
    pub(crate) unknown: Option<String>,
}

/// A ring as it is now.
#[derive(Debug, Serialize)]
pub(crate) struct RingReport {
    /// Process that writes it.
    pub(crate) pid: u32,
    /// Whether that runs.
    pub(crate) alive: bool,
    /// Bytes that it holds.
    pub(crate) capacity_bytes: u64,
    /// Bytes that wait to be read.
    pub(crate) used_bytes: u64,
    /// Records handed to its writer.
    pub(crate) produced: u64,
    /// Records that were read.
    pub(crate) read: u64,
    /// Records lost because it was full.
    pub(crate) lost: u64,
    /// Records not written while recording was switched off.
    pub(crate) suppressed: u64,
}

impl RingReport {
    /// Share of it that waits to be read.
    #[allow(clippy::cast_precision_loss, reason = "a share for people")]
    pub(crate) fn fill(&self) -> f64 {
        self.used_bytes as f64 / self.capacity_bytes.max(1) as f64
    }
}

impl LaunchReport {
    pub(super) fn verdict(&self) -> Verdict {
        match (&self.unknown, self.problems.is_empty()) {
            (Some(_), _) => Verdict::CannotTell,
            (None, false) => Verdict::SomethingLost,
            (None, true) => Verdict::AllWell,
        }
    }
}

/// Examines the launch in `dir`.
pub(super) async fn examine(dir: &Path) -> LaunchReport {
    let (status, mut unknown) = match status::read(dir) {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let recorder = status.as_ref().map(|status| status.recorder.pid).filter(|pid| is_recorder(*pid, dir));
    let (rings, mut problems) = rings(dir);
    let environment = environment_of(recorder);
    let export = export::examine(dir, &|name| environment.get(name).cloned()).await;
    if let Some(status) = &status {
        if recorder.is_none() {
            problems.push(format!("the recorder (process {}) does not run", status.recorder.pid));
        }
        problems.extend(status_problems(status));
    }
    if rings.is_empty() && status.as_ref().is_none_or(|status| status.engine.is_none()) {
        unknown = Some("no process of the command has opened a ring yet: the engine is not up, or is none".into());
    }
    if Switch::read(dir).is_ok_and(|switch| switch == Switch::Off) {
        problems.push("recording is switched off: `tachograph control on` switches it on again".into());
    }
    problems.extend(rings.iter().flat_map(ring_problems));
    problems.extend(export.problems());
    LaunchReport { dir: dir.to_owned(), recorder_alive: recorder.is_some(), status, rings, export, problems, unknown }
}

/// Whether process `pid` belongs to the launch in `dir`: its supervisor, its recorder, or a writer of a ring.
pub(super) fn holds(dir: &Path, pid: u32) -> bool {
    supervisor_of(dir) == Some(pid)
        || status::read(dir).is_ok_and(|status| status.recorder.pid == pid)
        || rings(dir).0.iter().any(|ring| ring.pid == pid)
}

/// The rings of a launch, and what is wrong with those that cannot be read.
fn rings(dir: &Path) -> (Vec<RingReport>, Vec<String>) {
    let (mut rings, mut problems) = (Vec::new(), Vec::new());
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(FILE_SUFFIX));
    for path in files.take(MAX_RINGS) {
        match Peek::at(&path) {
            Ok(peek) => rings.push(RingReport {
                pid: peek.info.pid,
                alive: peek.writer_alive,
                capacity_bytes: peek.info.capacity as u64,
                used_bytes: peek.counters.inside_bytes,
                produced: peek.counters.produced,
                read: peek.counters.drained,
                lost: peek.counters.lost,
                suppressed: peek.counters.suppressed,
            }),
            // The recorder removes the ring of a process that ended.
            Err(_) if !path.exists() => {}
            Err(error) => problems.push(error.to_string()),
        }
    }
    rings.sort_by_key(|ring| ring.pid);
    (rings, problems)
}

fn ring_problems(ring: &RingReport) -> Vec<String> {
    let mut problems = Vec::new();
    if ring.lost > 0 {
        problems.push(format!("{} records of process {} were lost: its ring was full", ring.lost, ring.pid));
    }
    if ring.fill() >= FULL {
        let fill = ring.fill() * 100.0;
        problems.push(format!("the ring of process {} is {fill:.0} % full: the recorder does not keep up", ring.pid));
    }
    problems
}

/// What the recorder says of its hooks and of what it dropped; each loss once, however many processes have it.
fn status_problems(status: &Status) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    for probe in status.processes.iter().filter(|process| process.alive).flat_map(|process| &process.probes) {
        let problem = match probe.state {
            ProbeState::Live | ProbeState::NotApplicable => continue,
            ProbeState::Missing => format!("not observed: {}", probe.detail),
            ProbeState::Removed => format!("no longer observed, {} failed: {}", probe.name, probe.detail),
        };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    for dropped in &status.dropped {
        // Of records the rings themselves tell more.
        if (dropped.unit.as_str(), dropped.reason.as_str()) != ("records", "ring_full") {
            problems.push(format!("{} {} were dropped: {}", dropped.n, dropped.unit, dropped.reason));
        }
    }
    problems
}

/// Process ids are used again: the recorder of a launch names its directory.
fn is_recorder(pid: u32, dir: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.iter().any(|word| word == "record") && words.iter().any(|word| Path::new(word.as_ref()) == dir)
}

/// Settings as the recorder was started with them; of one that is gone, ours.
fn environment_of(recorder: Option<u32>) -> BTreeMap<String, String> {
    let Some(bytes) = recorder.and_then(|pid| fs::read(format!("/proc/{pid}/environ")).ok()) else {
        return std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
    };
    let text = String::from_utf8_lossy(&bytes);
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
