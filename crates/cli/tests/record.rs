//! `tachograph record` by itself, through the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn record(dir: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tachograph"));
    command.arg("record").arg("--dir").arg(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    command
}

/// Whether the process has a handler for `signal`: before, it would die of it as any program.
fn catches(pid: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
    u64::from_str_radix(mask, 16).unwrap() & (1 << (signal as i32 - 1)) != 0
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_records_until_it_is_asked_to_stop_and_says_that_there_was_nothing() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = record(dir.path()).spawn().unwrap();
        while !catches(child.id(), signal) {
            assert_eq!(child.try_wait().unwrap(), None);
            sleep(Duration::from_millis(20));
        }
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
        assert!(dir.path().exists(), "a directory that is not the supervisor's is left alone");
    }
}

#[test]
fn a_directory_that_does_not_exist_is_refused() {
    let output = record("/no/such/launch".as_ref()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("/no/such/launch"), "{}", errors(&output));
}

#[test]
fn a_setting_that_would_send_data_astray_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let output = record(dir.path()).env("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{}", errors(&output));
}
