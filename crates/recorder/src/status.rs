//! The state of a running recorder in one file of the launch's directory: what `tachograph doctor` reads.

mod file;
mod report;
mod roster;
mod usage;

use serde::{Deserialize, Serialize};

pub use file::{FILE_NAME, ReadError, StatusFile, read, remove};
pub use report::Report;
pub use roster::{ProbeSeen, ProcessSeen, Roster};
pub use usage::Usage;

/// Version of the file's format: a reader refuses any other one.
pub const FORMAT: u32 = 1;

/// What a recorder knows of its launch and of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`FORMAT`].
    pub format: u32,
    /// The recorder.
    pub recorder: RecorderStatus,
    /// False while nothing is recorded.
    pub enabled: bool,
    /// The engine, once one of its processes named it.
    pub engine: Option<EngineStatus>,
    /// Name under which the model is served, once it is known.
    pub model: Option<String>,
    /// `service.name` as it is sent.
    pub service_name: String,
    /// Processes of the engine whose rings were seen, in the order of their rings.
    pub processes: Vec<ProcessStatus>,
    /// Where spans and metrics go.
    pub export: ExportStatus,
    /// What was dropped since the recorder's start.
    pub dropped: Vec<DroppedStatus>,
    /// Longest time from a record to its reading since metrics were last reported, seconds.
    pub lag_s: f64,
}

/// The recorder's own process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecorderStatus {
    /// Process id.
    pub pid: u32,
    /// Version.
    pub version: String,
    /// Start, Unix seconds.
    pub started_unix_s: f64,
    /// When this was written, Unix seconds.
    pub written_unix_s: f64,
    /// CPU time used, seconds.
    pub cpu_s: f64,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
}

/// The engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// `vllm` or `sglang`.
    pub name: String,
    /// Its own version string, empty when unknown.
    pub version: String,
    /// `v0`, `v1`, or empty.
    pub generation: String,
}

/// One process of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Process id.
    pub pid: u32,
    /// `api_server`, `engine_core`, or empty until its first record was read.
    pub role: String,
    /// Python's version.
    pub python: String,
    /// Whether it still writes.
    pub alive: bool,
    /// Its ring.
    pub ring: RingStatus,
    /// Its hooks, by name.
    pub probes: Vec<ProbeStatus>,
}

/// A ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingStatus {
    /// Bytes that it holds.
    pub capacity_bytes: u64,
    /// Bytes that waited when it was last read.
    pub used_bytes: u64,
    /// Records handed to its writer, lost ones among them.
    pub produced: u64,
    /// Records that the writer dropped because there was no room.
    pub lost: u64,
}

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// Dotted name.
    pub name: String,
    /// Whether it is live.
    pub state: ProbeState,
    /// What is lost without it, or why it is not live; empty when live.
    pub detail: String,
    /// How often it raised.
    pub faults: u64,
}

/// Whether a hook is live, as [`tachograph_ring::record::ProbeState`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// Installed.
    Live,
    /// The engine has no such function (another version).
    Missing,
    /// This engine, generation or front end does its work elsewhere; nothing is lost.
    NotApplicable,
    /// It raised too often and was taken out.
    Removed,
}

impl ProbeState {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Missing => "missing",
            Self::NotApplicable => "not_applicable",
            Self::Removed => "removed",
        }
    }
}

impl From<tachograph_ring::record::ProbeState> for ProbeState {
    fn from(state: tachograph_ring::record::ProbeState) -> Self {
        use tachograph_ring::record::ProbeState as Ring;
        match state {
            Ring::Live => Self::Live,
            Ring::Missing => Self::Missing,
            Ring::NotApplicable => Self::NotApplicable,
            Ring::Removed => Self::Removed,
        }
    }
}

/// The export.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExportStatus {
    /// Of spans.
    pub traces: SignalStatus,
    /// Of metric points.
    pub metrics: SignalStatus,
    /// Where a Prometheus can scrape them; none where that was not asked for, or failed.
    pub prometheus: Option<String>,
}

/// The export of one signal, in spans or in metric points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalStatus {
    /// Where it goes, without user name and password.
    pub url: String,
    /// `grpc`, `http/protobuf`, or `none` where the signal is not sent.
    pub protocol: String,
    /// Taken by the other side.
    pub sent: u64,
    /// Dropped, for whatever reason.
    pub dropped: u64,
    /// Waiting.
    pub queued: u64,
    /// Exports that had to be tried again.
    pub retries: u64,
    /// When an export was last taken, Unix seconds.
    pub last_success_unix_s: Option<f64>,
    /// Why the last attempt failed; none when it did not.
    pub last_error: Option<String>,
}

impl SignalStatus {
    /// Of a signal that is not sent.
    #[must_use]
    pub fn none() -> Self {
        Self { protocol: "none".to_owned(), ..Self::default() }
    }
}

/// How much was dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedStatus {
    /// `records`, `requests`, `details`, `spans`, `points`.
    pub unit: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub n: u64,
}
