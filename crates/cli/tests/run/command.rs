//! The command runs as without us.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::case::{Case, errors, printed};

#[test]
fn the_exit_code_is_the_commands() {
    for code in [0, 3] {
        let case = Case::new();
        let output = case.output(&["--", "sh", "-c", &format!("exit {code}")]);
        assert_eq!(output.status.code(), Some(code));
        case.nothing_is_left();
    }
}

#[test]
fn a_command_that_a_signal_ends_is_reported_with_the_same_signal() {
    for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11), ("USR2", 12)] {
        let case = Case::new();
        let output = case.output(&["--", "sh", "-c", &format!("kill -{name} $$")]);
        assert_eq!(output.status.signal(), Some(number), "{name}");
        assert!(!output.status.core_dumped(), "{name}");
        case.nothing_is_left();
    }
}

#[test]
fn a_command_that_does_not_exist_is_the_shells_error_and_127() {
    let case = Case::new();
    let output = case.output(&["--", "no-such-engine", "serve"]);
    assert_eq!(output.status.code(), Some(127));
    assert_eq!(errors(&output), ["tachograph: no-such-engine: command not found"]);
    case.nothing_is_left();
}

#[test]
fn a_command_that_is_not_executable_is_the_shells_error_and_126() {
    let case = Case::new();
    let path = case.dir().join("engine");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    let path = path.to_str().unwrap();
    let output = case.output(&["--", path]);
    assert_eq!(output.status.code(), Some(126));
    assert_eq!(errors(&output), [format!("tachograph: {path}: Permission denied")]);
    case.nothing_is_left();
}

#[test]
fn standard_input_and_output_are_the_commands_own() {
    let case = Case::new();
    let mut child = case.run(&["--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\0two\n").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"one\0two\n");
}

#[test]
fn who_writes_to_a_command_that_closed_its_input_learns_it() {
    let case = Case::new();
    let mut child = case.run(&["--", "sh", "-c", "exec <&-; echo closed; sleep 1"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let gone = crate::case::eventually("a broken pipe", || {
        (&input).write_all(b"x").err().map(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    });
    assert!(gone);
    let _ = input.flush();
    child.wait().unwrap();
}

#[test]
fn arguments_reach_the_command_untouched() {
    let case = Case::new();
    let output = case.output(&["--", "printf", "%s|", "--inject", "-x", "--", "two words", ""]);
    assert_eq!(printed(&output), "--inject|-x|--|two words||");
}

#[test]
fn the_hooks_come_first_and_the_launch_directory_is_named() {
    let case = Case::new();
    let script = "echo $PYTHONPATH; echo $TACHOGRAPH_RUNTIME_DIR; stat -c %a $TACHOGRAPH_RUNTIME_DIR";
    let inject = case.dir().to_str().unwrap();
    let output = case.run(&["--inject", inject, "--", "sh", "-c", script]).env("PYTHONPATH", "/own").output().unwrap();
    let printed = printed(&output);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], format!("{inject}:/own"));
    assert!(lines[1].starts_with(&format!("{}/", case.base().display())), "{}", lines[1]);
    assert_eq!(lines[2], "700");
}

#[test]
fn without_a_python_path_of_its_own_only_the_hooks_are_on_it() {
    let case = Case::new();
    let inject = case.dir().to_str().unwrap();
    assert_eq!(
        printed(&case.output(&["--inject", inject, "--", "sh", "-c", "echo $PYTHONPATH"])),
        format!("{inject}\n")
    );
}

#[test]
fn hooks_that_are_missing_are_said_and_the_command_runs() {
    let case = Case::new();
    let output = case.output(&["--inject", "/no/such/hooks", "--", "echo", "here"]);
    assert_eq!(printed(&output), "here\n");
    assert!(
        errors(&output)[0].contains("nothing is observed: there are no hooks, /no/such/hooks"),
        "{:?}",
        errors(&output)
    );
}

#[test]
fn signals_and_descriptors_are_as_without_us() {
    let case = Case::new();
    let script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd";
    let without = case.program("sh").args(["-c", script]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(printed(&case.output(&["--", "sh", "-c", script])), printed(&without));
}

#[test]
fn the_command_stays_in_the_callers_process_group() {
    let case = Case::new();
    let script = "cut -d' ' -f5 /proc/$$/stat; cut -d' ' -f5 /proc/$PPID/stat";
    let printed = printed(&case.output(&["--", "sh", "-c", script]));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn the_kill_switch_leaves_the_command_alone() {
    for (name, value) in [("TACHOGRAPH_ENABLED", "off"), ("OTEL_SDK_DISABLED", "true")] {
        let case = Case::new();
        let script = "echo $$ $PYTHONPATH";
        let mut command = case.run(&["--inject", "/tmp", "--", "sh", "-c", script]);
        let child = command.env(name, value).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        assert_eq!(printed(&output), format!("{pid}\n"), "the command takes our place");
        assert_eq!(errors(&output), [""; 0]);
        assert!(!case.base().exists());
    }
}
