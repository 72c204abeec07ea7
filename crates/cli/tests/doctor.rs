//! `tachograph doctor` and `tachograph control`, through the real binary, on real launches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tachograph_ring::record::{HttpBody, Probe, ProbeState, Process, Record};
use tachograph_ring::{MIN_CAPACITY, Writer};
use tempfile::TempDir;

/// How long a state that must come is waited for; far above what it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A launch whose engine is the test itself: it writes the ring.
struct Launch {
    base: TempDir,
    supervisor: Child,
    dir: PathBuf,
    ring: Writer,
}

impl Launch {
    fn start() -> Self {
        let base = tempfile::tempdir().unwrap();
        let mut command = tachograph(base.path(), &["run", "--", "sh", "-c"]);
        command.arg("echo $TACHOGRAPH_RUNTIME_DIR; exec sleep 60").stdout(Stdio::piped());
        let mut supervisor = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let dir = PathBuf::from(line.trim());
        let mut ring = Writer::create(&dir, MIN_CAPACITY).unwrap();
        ring.write(&Record::Process(Process {
            t_ns: 1,
            pid: std::process::id(),
            role: "api_server",
            engine: "vllm",
            engine_version: "0.32.0",
            engine_generation: "v1",
            python: "3.11",
        }));
        let launch = Self { base, supervisor, dir, ring };
        launch.doctor_until(|found| found["launches"][0]["status"]["engine"]["name"] == "vllm");
        launch
    }

    fn probe(&mut self, name: &str, state: ProbeState, detail: &str) {
        assert!(self.ring.write(&Record::Probe(Probe { t_ns: 2, name, state, detail })));
    }

    fn run(&self, arguments: &[&str]) -> Output {
        tachograph(self.base.path(), arguments).output().unwrap()
    }

    /// What doctor says once `is_so`.
    fn doctor_until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let output = self.run(&["doctor", "--json"]);
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            if is_so(&found) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "{found:#}");
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.supervisor.id().cast_signed()), Signal::SIGTERM);
        let _ = self.supervisor.wait();
    }
}

fn tachograph(base: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tachograph"));
    command.args(arguments).stdin(Stdio::null());
    command.env("TACHOGRAPH_RUNTIME_DIR", base).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    command.env_remove("TACHOGRAPH_ENABLED").env_remove("OTEL_SDK_DISABLED").env_remove("PYTHONPATH");
    command
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn problems(found: &Value) -> Vec<&str> {
    found["launches"][0]["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn where_nothing_runs_it_cannot_tell() {
    let base = tempfile::tempdir().unwrap();
    let output = tachograph(base.path(), &["doctor"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        printed(&output).lines().next(),
        Some("! launch     no launch of this user is running"),
        "{}",
        printed(&output)
    );
}

#[test]
fn of_a_running_launch_it_says_the_engine_its_hooks_its_losses_and_that_nobody_takes_its_export() {
    let mut launch = Launch::start();
    launch.probe("a.B.live", ProbeState::Live, "");
    launch.probe("a.B.other", ProbeState::NotApplicable, "the V1 engine does not use it");
    launch.probe("a.B.gone", ProbeState::Missing, "preemptions");
    let found = launch.doctor_until(|found| found["launches"][0]["status"]["processes"][0]["probes"][2].is_object());
    assert_eq!(found["verdict"], "something_lost");
    let of_launch = &found["launches"][0];
    assert_eq!(of_launch["recorder_alive"], true);
    assert_eq!((&of_launch["rings"][0]["produced"], &of_launch["rings"][0]["alive"]), (&4.into(), &true.into()));
    let problems = problems(&found);
    assert_eq!(problems[0], "not observed: preemptions");
    assert!(problems[1].starts_with("spans do not arrive: http://127.0.0.1:9: "), "{problems:?}");
    assert!(!problems.iter().any(|problem| problem.contains("V1 engine")), "{problems:?}");

    let output = launch.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let text = printed(&output);
    assert!(text.contains("  engine     vllm 0.32.0 V1\n") && !text.contains('\x1b'), "{text}");
    assert!(
        text.contains("hooks: 1 live, 1 not\n") && text.contains("! lost       not observed: preemptions\n"),
        "{text}"
    );
}

#[test]
fn a_recorder_that_stands_still_is_seen_at_the_rings_it_does_not_read() {
    let mut launch = Launch::start();
    let found = launch.doctor_until(|_| true);
    let recorder = found["launches"][0]["status"]["recorder"]["pid"].as_i64().unwrap();
    let recorder = Pid::from_raw(i32::try_from(recorder).unwrap());
    kill(recorder, Signal::SIGSTOP).unwrap();
    for http_id in 0..100 {
        launch.ring.write(&Record::HttpChunk(HttpBody { t_ns: 1, http_id, len: 100, bytes: &[1; 100] }));
    }
    let found = launch.doctor_until(|_| true);
    let all = problems(&found).join("; ");
    let lost = launch.ring.lost();
    assert!(lost > 0 && all.contains(&format!("{lost} records of process {} were lost", std::process::id())), "{all}");
    assert!(all.contains("% full: the recorder does not keep up"), "{all}");
    kill(recorder, Signal::SIGCONT).unwrap();
    let found = launch.doctor_until(|found| found["launches"][0]["rings"][0]["used_bytes"] == 0);
    let ring = &found["launches"][0]["rings"][0];
    let count = |name: &str| ring[name].as_u64().unwrap();
    assert_eq!(count("produced"), count("read") + count("lost"));
}

#[test]
fn a_launch_is_found_by_any_of_its_processes() {
    let launch = Launch::start();
    let found = launch.doctor_until(|_| true);
    let recorder = found["launches"][0]["status"]["recorder"]["pid"].as_u64().unwrap();
    for pid in [u64::from(launch.supervisor.id()), recorder, u64::from(std::process::id())] {
        let output = launch.run(&["doctor", "--json", "--pid", &pid.to_string()]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["launches"][0]["dir"], launch.dir.to_str().unwrap());
    }
    assert_eq!(launch.run(&["doctor", "--pid", "1"]).status.code(), Some(2));
}

#[test]
fn recording_is_switched_off_and_on_and_doctor_says_so() {
    let launch = Launch::start();
    let is = |off: bool| {
        let start = Instant::now();
        while launch.ring.is_suppressed() != off {
            assert!(start.elapsed() < PATIENCE, "in vain waited for the switch");
            sleep(Duration::from_millis(20));
        }
    };
    let output = launch.run(&["control", "off"]);
    assert_eq!(printed(&output), format!("recording is off for {}\n", launch.dir.display()));
    is(true);
    let found = launch.doctor_until(|found| found["launches"][0]["status"]["enabled"] == false);
    assert!(problems(&found).iter().any(|problem| problem.starts_with("recording is switched off")));
    assert_eq!(launch.run(&["control", "on", "--launch", launch.dir.to_str().unwrap()]).status.code(), Some(0));
    is(false);
    launch.doctor_until(|found| found["launches"][0]["status"]["enabled"] == true);
}

#[test]
fn control_without_a_launch_says_what_to_do() {
    let base = tempfile::tempdir().unwrap();
    let output = tachograph(base.path(), &["control", "off"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no launch of this user is running; name its runtime"));
}

/// An environment with an engine that has none of the functions that are wrapped.
fn engine(dir: &Path) {
    fs::create_dir_all(dir.join("vllm/v1/engine")).unwrap();
    fs::write(dir.join("vllm/__init__.py"), "raise AssertionError('imported')").unwrap();
    fs::write(dir.join("vllm/_version.py"), "__version__ = version = '9.9.9'\n").unwrap();
    fs::write(dir.join("vllm/v1/engine/async_llm.py"), "class AsyncLLM: ...\n").unwrap();
}

#[test]
fn of_a_command_that_is_not_started_it_says_what_will_be_lost_in_the_environment_of_its_interpreter() {
    let base = tempfile::tempdir().unwrap();
    engine(base.path());
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/tachograph");
    let ask = |variables: &[(&str, &str)], command: &[&str]| {
        let mut asked = tachograph(base.path(), &["doctor", "--json", "--package", package, "--"]);
        let output = asked.args(command).envs(variables.iter().copied()).output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), found)
    };
    let (code, found) = ask(&[], &["python3", "-m", "vllm"]);
    assert_eq!((code, &found["verdict"]), (Some(2), &"cannot_tell".into()));
    assert!(found["command"]["unknown"].as_str().unwrap().starts_with("no vllm and no sglang in the environment of "));

    let path = base.path().to_str().unwrap();
    let wrong = ("OTEL_TRACES_SAMPLER", "most");
    let (code, found) = ask(&[("PYTHONPATH", path), wrong], &["python3", "-m", "vllm"]);
    assert_eq!(code, Some(1), "{found:#}");
    assert_eq!(found["command"]["check"]["engines"][0]["version"], "9.9.9");
    let problems: Vec<_> = found["command"]["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let has = |start: &str| problems.iter().any(|problem| problem.starts_with(start));
    assert!(has("will not be observed: not in vllm 9.9.9; preemptions"), "{problems:?}");
    assert!(has("OTEL_TRACES_SAMPLER is not known") && has("spans do not arrive"), "{problems:?}");

    let (code, found) = ask(&[], &["no-such-engine", "serve"]);
    assert_eq!(code, Some(2));
    assert_eq!(found["command"]["unknown"], "no-such-engine: command not found");
}
