//! What the process has of us: one ring, and the manners of a guest.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rand::SeedableRng;
use rand::rngs::{SmallRng, SysRng};
use tachograph_ring::record::{Fault, Probe, ProbeState, Process, Record};
use tachograph_ring::{Writer, longest_record};

use crate::argument::Text;
use crate::text::TEXT_LIMIT;
use crate::trace_context::Ids;

/// Bytes of a record beside its body: a tag and four varints.
const BODY_MARGIN: usize = 64;

/// Locked for a memory copy, never while Python is called; then the GIL keeps every fork away from it.
static GUEST: Mutex<Option<Guest>> = parking_lot::const_mutex(None);
/// Whether `GUEST` holds a ring, readable without the lock.
static OPEN: AtomicBool = AtomicBool::new(false);
/// What went wrong inside us since the process began.
static FAULTS: AtomicU64 = AtomicU64::new(0);

struct Guest {
    writer: Writer,
    random: SmallRng,
    last_http_id: u64,
    /// Whether message text may enter the ring.
    content: bool,
    /// Longest body kept, in bytes.
    body_limit: usize,
}

/// Whether message text may enter the ring.
pub(crate) fn content() -> bool {
    GUEST.lock().as_ref().is_some_and(|guest| guest.content)
}

/// Writes a record; without a ring nothing happens. A record lost for want of room is counted in the ring.
pub(crate) fn write(record: &Record<'_>) {
    if let Some(guest) = GUEST.lock().as_mut() {
        guest.writer.write(record);
    }
}

/// What a new HTTP request is given.
pub(crate) struct Admission {
    /// Its number, from 1.
    pub(crate) id: u64,
    pub(crate) ids: Ids,
    /// Bytes that may be kept of each of its bodies.
    pub(crate) body_room: usize,
}

/// Admits the next HTTP request; absent without a ring, and while recording is switched off.
pub(crate) fn admit_http() -> Option<Admission> {
    let mut guest = GUEST.lock();
    let guest = guest.as_mut().filter(|guest| !guest.writer.is_suppressed())?;
    guest.last_http_id += 1;
    let body_room = if guest.content { guest.body_limit } else { 0 };
    Some(Admission { id: guest.last_http_id, ids: Ids::random(&mut guest.random), body_room })
}

pub(crate) fn count_fault() {
    FAULTS.fetch_add(1, Relaxed);
}

/// Runs what a hook asked for. An error is counted and goes no further; a panic also ends the recording of this
/// process, so that it is printed once at most.
pub(crate) fn quietly<T: Default>(work: impl FnOnce() -> PyResult<T>) -> T {
    if !OPEN.load(Relaxed) {
        return T::default();
    }
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => value,
        Ok(Err(_)) => {
            count_fault();
            T::default()
        }
        Err(_) => {
            count_fault();
            OPEN.store(false, Relaxed);
            T::default()
        }
    }
}

#[pyfunction]
pub(crate) fn open(
    directory: PathBuf,
    capacity_bytes: usize,
    content: bool,
    body_limit_bytes: usize,
) -> PyResult<String> {
    let random = SmallRng::try_from_rng(&mut SysRng).map_err(|e| PyOSError::new_err(e.to_string()))?;
    let writer = Writer::create(&directory, capacity_bytes).map_err(|e| PyOSError::new_err(e.to_string()))?;
    let path = writer.path().to_string_lossy().into_owned();
    let body_limit = body_limit_bytes.min(longest_record(capacity_bytes).saturating_sub(BODY_MARGIN));
    let previous = GUEST.lock().replace(Guest { writer, random, last_http_id: 0, content, body_limit });
    drop(previous);
    OPEN.store(true, Relaxed);
    Ok(path)
}

#[pyfunction]
pub(crate) fn is_open() -> bool {
    OPEN.load(Relaxed)
}

/// Asked once in each call of a hook, so it is one look at memory that nobody writes.
#[pyfunction]
pub(crate) fn suppressed() -> bool {
    GUEST.lock().as_ref().is_some_and(|guest| guest.writer.is_suppressed())
}

#[pyfunction]
pub(crate) fn close_after_fork() {
    OPEN.store(false, Relaxed);
    if let Some(parents) = GUEST.lock().take() {
        parents.writer.forget();
    }
}

#[pyfunction]
pub(crate) fn now_ns() -> u64 {
    tachograph_ring::now_ns()
}

#[pyfunction]
pub(crate) fn counters(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let count = |of: fn(&Writer) -> u64| GUEST.lock().as_ref().map_or(0, |guest| of(&guest.writer));
    let counters = PyDict::new(py);
    counters.set_item("produced", count(Writer::produced))?;
    counters.set_item("lost", count(Writer::lost))?;
    counters.set_item("suppressed", count(Writer::suppressed))?;
    counters.set_item("faults", FAULTS.load(Relaxed))?;
    Ok(counters)
}

#[pyfunction]
pub(crate) fn process(
    role: Text<'_>,
    engine: Text<'_>,
    engine_version: Text<'_>,
    engine_generation: Text<'_>,
    python: Text<'_>,
) {
    quietly(|| {
        write(&Record::Process(Process {
            t_ns: now_ns(),
            pid: std::process::id(),
            role: &role.get(TEXT_LIMIT),
            engine: &engine.get(TEXT_LIMIT),
            engine_version: &engine_version.get(TEXT_LIMIT),
            engine_generation: &engine_generation.get(TEXT_LIMIT),
            python: &python.get(TEXT_LIMIT),
        }));
        Ok(())
    });
}

#[pyfunction]
pub(crate) fn probe(name: Text<'_>, state: Text<'_>, detail: Text<'_>) {
    quietly(|| {
        let state = match &*state.get(TEXT_LIMIT) {
            "live" => ProbeState::Live,
            "missing" => ProbeState::Missing,
            "not_applicable" => ProbeState::NotApplicable,
            "removed" => ProbeState::Removed,
            unknown => return Err(PyValueError::new_err(format!("unknown state: {unknown}"))),
        };
        let (name, detail) = (name.get(TEXT_LIMIT), detail.get(TEXT_LIMIT));
        write(&Record::Probe(Probe { t_ns: now_ns(), name: &name, state, detail: &detail }));
        Ok(())
    });
}

#[pyfunction]
pub(crate) fn fault(name: Text<'_>, error: Text<'_>) {
    quietly(|| {
        let (name, error) = (name.get(TEXT_LIMIT), error.get(TEXT_LIMIT));
        write(&Record::Fault(Fault { t_ns: now_ns(), name: &name, error: &error }));
        Ok(())
    });
}
