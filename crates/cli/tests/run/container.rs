//! As PID 1 of a container.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::case::{Case, Running, errors, printed};

const NAMESPACE: [&str; 5] = ["--pid", "--fork", "--mount-proc", "--kill-child", env!("CARGO_BIN_EXE_tachograph")];

fn container(case: &Case, script: &str) -> Option<Command> {
    let permitted = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        println!("skipped: this machine does not permit a process namespace");
        return None;
    }
    let mut command = case.program("unshare");
    command.args(NAMESPACE).args(["run", "--", "sh", "-c", script]);
    Some(command)
}

#[test]
fn orphans_are_reaped_and_the_exit_code_is_kept() {
    let case = Case::new();
    let script = "(sleep 0.1 &); (sh -c 'exit 9' &); sleep 0.5; grep -l 'State:.Z' /proc/[0-9]*/status; exit 7";
    let Some(mut command) = container(&case, script) else { return };
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(printed(&output), "", "no zombie: {:?}", errors(&output));
    assert_eq!(output.status.code(), Some(7));
    case.nothing_is_left();
}

#[test]
fn an_engine_that_a_signal_ends_exits_as_a_shell_would_report_it() {
    let case = Case::new();
    let Some(mut command) = container(&case, "kill -9 $$") else { return };
    let status = command.stdin(Stdio::null()).status().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(137), None));
}

#[test]
fn a_signal_to_pid_1_reaches_the_engine_once() {
    let case = Case::new();
    let Some(mut command) = container(&case, "trap 'echo term' TERM; kill -TERM 1; sleep 0.5; exit 0") else { return };
    let mut running = Running::start(&mut command);
    // Sent by the engine itself it is not sent back.
    assert_eq!(running.rest(), [""; 0]);
    let script = "trap 'echo term' TERM; (sleep 0.1; kill -TERM 1) & sleep 0.3; sleep 0.3; exit 0";
    let mut running = Running::start(&mut container(&case, script).unwrap());
    assert_eq!(running.rest(), ["term"]);
}
