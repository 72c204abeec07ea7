//! The recorder beside the engine.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid, getsid};

use crate::case::{Case, Running, errors, printed};

const ENGINE: [&str; 4] = ["--", "sh", "-c", "echo ready; exec sleep 60"];

#[test]
fn a_recorder_that_was_killed_is_started_again_and_the_engine_is_not_told() {
    let case = Case::new();
    let mut running = Running::start(&mut case.run(&ENGINE));
    assert_eq!(running.line(), "ready");
    let first = case.recorder_other_than(None);
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    let second = case.recorder_other_than(Some(first));
    kill(Pid::from_raw(second), Signal::SIGKILL).unwrap();
    case.recorder_other_than(Some(second));
    kill(Pid::from_raw(running.pid()), Signal::SIGTERM).unwrap();
    running.end();
    case.nothing_is_left();
}

#[test]
fn the_recorder_is_out_of_the_terminals_reach() {
    let case = Case::new();
    let mut running = Running::start(&mut case.run(&ENGINE));
    assert_eq!(running.line(), "ready");
    let recorder = Pid::from_raw(case.recorder_other_than(None));
    assert_eq!(getsid(Some(recorder)), Ok(recorder));
    assert_eq!(getpgid(Some(recorder)), Ok(recorder));
    kill(Pid::from_raw(running.pid()), Signal::SIGTERM).unwrap();
    running.end();
    case.nothing_is_left();
}

#[test]
fn a_signal_to_every_process_does_not_end_the_recorder_before_the_engine() {
    let case = Case::new();
    let mut running = Running::start(&mut case.run(&ENGINE));
    assert_eq!(running.line(), "ready");
    let recorder = case.recorder_other_than(None);
    kill(Pid::from_raw(recorder), Signal::SIGTERM).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(case.recorders(), [recorder]);
    kill(Pid::from_raw(running.pid()), Signal::SIGTERM).unwrap();
    running.end();
    case.nothing_is_left();
}

#[test]
fn a_command_that_is_no_engine_runs_and_one_line_says_that_nothing_was_observed() {
    let case = Case::new();
    let output = case.output(&["--", "echo", "here"]);
    assert_eq!(printed(&output), "here\n");
    let errors = errors(&output);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("tachograph: nothing was observed: "), "{errors:?}");
}

#[test]
fn settings_that_the_recorder_cannot_use_are_one_line_and_the_command_runs() {
    let case = Case::new();
    let mut command = case.run(&["--", "sh", "-c", "sleep 1; echo here"]);
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url").output().unwrap();
    assert_eq!(printed(&output), "here\n");
    let errors = errors(&output);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("tachograph: nothing is observed, the command runs alone: "), "{errors:?}");
    assert!(errors[0].contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{errors:?}");
    case.nothing_is_left();
}
