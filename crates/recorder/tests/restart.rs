//! A recorder that was killed, and the one that is started after it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

#[allow(unused_imports)]
mod script;
mod sink;

use std::path::Path;
use std::time::{Duration, Instant};

use script::*;
use sink::Sink;
use tachograph_recorder::Config;
use tachograph_recorder::status::{self, Status};
use tachograph_ring::record::{Probe, ProbeState, Process};
use tachograph_ring::{Record, Writer};

const PATIENCE: Duration = Duration::from_secs(20);

fn process(role: &'static str) -> Record<'static> {
    Record::Process(Process {
        t_ns: at(0),
        pid: std::process::id(),
        role,
        engine: "sglang",
        engine_version: "0.5.23",
        engine_generation: "",
        python: "3.12.3",
    })
}

/// Record in `dir` until the status is as wanted, then die without a word.
async fn record(dir: &Path, endpoint: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.to_owned());
    let config = Config::from_vars(dir, &get).unwrap();
    let seen = async {
        let start = Instant::now();
        loop {
            if let Some(status) = status::read(dir).ok().filter(&is_so) {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the status is {:?}", status::read(dir));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        ended = tachograph_recorder::run(config, std::future::pending()) => panic!("it ended: {ended:?}"),
        status = seen => status,
    }
}

#[tokio::test]
async fn a_recorder_that_is_started_again_knows_the_engine_that_named_itself_to_the_first_one() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    let endpoint = format!("http://{}", sink.grpc().await);
    let mut ring = Writer::create(dir.path(), 1 << 16).unwrap();
    ring.write(&process("engine_core"));
    ring.write(&Record::Probe(Probe { t_ns: at(1), name: "sglang.step", state: ProbeState::Missing, detail: "moved" }));
    ring.write(&add(2, 1, "a", "", 0));
    let first = record(dir.path(), &endpoint, |status| status.model.is_some()).await;
    ring.write(&step(3, 1, &[("a", 16)]));
    let later = |status: &Status| {
        status.recorder.started_unix_s > first.recorder.started_unix_s && status.processes.iter().any(|p| p.alive)
    };
    let second = record(dir.path(), &endpoint, later).await;
    assert_eq!(second.engine, first.engine);
    assert_eq!((second.model.as_deref(), second.service_name.as_str()), (Some("tiny"), "tiny"));
    let [process] = second.processes.as_slice() else { panic!("{:?}", second.processes) };
    assert_eq!((process.role.as_str(), process.python.as_str()), ("engine_core", "3.12.3"));
    assert_eq!(process.probes, first.processes[0].probes);
}
