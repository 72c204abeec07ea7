//! Every signal reaches the engine once, however it was sent.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgid};
use tachograph_ring::{MIN_CAPACITY, Writer};

use crate::case::{COUNTER, Case, Running, eventually, processes};

fn counter(case: &Case) -> Running {
    let mut running = Running::start(case.run(&["--", "python3", "-c", COUNTER]).process_group(0));
    assert_eq!(running.line(), "ready");
    running
}

/// Processes of a group.
fn members(group: i32) -> Vec<i32> {
    let is_member = |pid: &i32| getpgid(Some(Pid::from_raw(*pid))).is_ok_and(|of| of.as_raw() == group);
    processes().into_iter().map(|(pid, _)| pid).filter(is_member).collect()
}

const SENT: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGWINCH];

#[test]
fn a_signal_to_the_supervisor_is_forwarded_once() {
    let case = Case::new();
    let mut running = counter(&case);
    for signal in SENT {
        kill(Pid::from_raw(running.pid()), signal).unwrap();
        assert_eq!(running.line(), signal.as_str());
    }
    assert_eq!(running.rest(), [""; 0]);
    assert!(running.end().success());
}

#[test]
fn a_signal_to_the_process_group_is_not_sent_again() {
    let case = Case::new();
    let mut running = counter(&case);
    for signal in SENT {
        killpg(Pid::from_raw(running.pid()), signal).unwrap();
        assert_eq!(running.line(), signal.as_str());
    }
    assert_eq!(running.rest(), [""; 0]);
}

#[test]
fn a_signal_to_one_process_after_the_other_is_not_sent_again() {
    let case = Case::new();
    let mut running = counter(&case);
    for pid in members(running.pid()) {
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    }
    assert_eq!(running.line(), "SIGTERM");
    assert_eq!(running.rest(), [""; 0]);
}

#[test]
fn a_signal_that_the_engine_sends_its_parent_does_not_come_back() {
    let case = Case::new();
    let script = "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('back', flush=True))\n\
                  os.kill(os.getppid(), signal.SIGUSR1)\nsignal.sigtimedwait([signal.SIGUSR2], 0.5)";
    let mut running = Running::start(&mut case.run(&["--", "python3", "-c", script]));
    assert_eq!(running.rest(), [""; 0]);
}

#[test]
fn an_engine_that_a_signal_to_the_group_ends_is_noticed_at_once() {
    let case = Case::new();
    let mut running = Running::start(case.run(&["--", "sh", "-c", "echo ready; exec sleep 60"]).process_group(0));
    assert_eq!(running.line(), "ready");
    killpg(Pid::from_raw(running.pid()), Signal::SIGTERM).unwrap();
    let status = running.end();
    assert_eq!(status.signal(), Some(15));
    case.nothing_is_left();
}

#[test]
fn killing_the_engine_ends_the_supervisor_in_the_same_way() {
    let case = Case::new();
    let mut running = Running::start(&mut case.run(&["--", "sh", "-c", "echo $$; exec sleep 60"]));
    let engine = running.line().parse().unwrap();
    kill(Pid::from_raw(engine), Signal::SIGKILL).unwrap();
    assert_eq!(running.end().signal(), Some(9));
    case.nothing_is_left();
}

#[test]
fn the_engine_outlives_a_supervisor_that_was_killed_and_then_the_recorder_tidies_up() {
    let case = Case::new();
    let mut running = Running::start(case.run(&["--", "sh", "-c", "echo $$; exec sleep 60"]).process_group(0));
    let engine = Pid::from_raw(running.line().parse().unwrap());
    case.recorder_other_than(None);
    kill(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    running.end();
    assert!(kill(engine, None).is_ok(), "the engine goes on");
    kill(engine, Signal::SIGKILL).unwrap();
    eventually("the end of the launch", || case.base().read_dir().ok()?.next().is_none().then_some(()));
    case.nothing_is_left();
    eventually("an empty process group", || members(running.pid()).is_empty().then_some(()));
}

#[test]
fn a_recorder_without_a_supervisor_goes_on_as_long_as_a_process_of_the_engine_lives() {
    let case = Case::new();
    let script = "echo $TACHOGRAPH_RUNTIME_DIR; exec sleep 60";
    let mut running = Running::start(case.run(&["--", "sh", "-c", script]).process_group(0));
    let dir = PathBuf::from(running.line());
    // The test plays a process of the engine that opened a ring.
    let ring = Writer::create(&dir, MIN_CAPACITY).unwrap();
    let recorder = case.recorder_other_than(None);
    killpg(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    running.end();
    sleep(Duration::from_millis(1500));
    assert_eq!(case.recorders(), [recorder]);
    drop(ring);
    eventually("the end of the launch", || (!dir.exists()).then_some(()));
    case.nothing_is_left();
}

#[test]
fn a_group_that_is_killed_takes_the_engine_with_it() {
    let case = Case::new();
    let mut running = Running::start(case.run(&["--", "sh", "-c", "echo $$; exec sleep 60"]).process_group(0));
    let engine = running.line().parse().unwrap();
    assert!(members(running.pid()).contains(&engine));
    case.recorder_other_than(None);
    killpg(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    running.end();
    eventually("the engine's end", || members(running.pid()).is_empty().then_some(()));
    case.nothing_is_left();
}
