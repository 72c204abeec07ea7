//! The supervisor of one launch: starts the recorder and the engine, forwards signals, keeps the exit code.
//!
//! It is to the engine what tini is to a container, and it must not be noticed: the engine inherits the standard
//! streams, the terminal, the process group and the signal mask, and gets each signal once. One thread, no work unless
//! a child changes or a signal arrives. As PID 1 it reaps what it inherits; it makes itself no subreaper otherwise,
//! so that the engine's orphans go where they would go without it.

mod backoff;
mod child;
pub(crate) mod control;
mod ending;
mod launch;
mod place;
mod recorder;
mod sentinel;
mod signal;

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Write, stderr};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Instant;

use nix::libc;
use nix::unistd::{dup2_stdin, dup2_stdout, getpid, getsid};

pub(crate) use child::Argv;
use child::Change;
use launch::Launch;
pub(crate) use launch::{hold, live_launches, supervisor_of};
use place::BASE_VARIABLE;
use recorder::Recorder;
use sentinel::{SETTLE, Sentinel};
use signal::{Arrival, Signals};

/// Exit code for a command that does not exist, as the shell's.
const NOT_FOUND: i32 = 127;
/// Exit code for a command that cannot be executed, as the shell's.
const NOT_EXECUTABLE: i32 = 126;
/// Where Python looks for modules first: inherited by every process of the engine.
const PYTHON_PATH: &str = "PYTHONPATH";

/// Runs `argv` under the supervisor, with the hooks in `inject`, and ends as it ends.
pub(crate) fn supervise(argv: &Argv, inject: Option<&Path>) -> ! {
    let launch = Launch::create().unwrap_or_else(|error| unobserved(argv, &error));
    let signals = match Signals::take_over() {
        Ok(signals) => signals,
        Err(error) => {
            launch.remove();
            unobserved(argv, &error);
        }
    };
    // An inherited «ignore» would have the kernel throw the children's exit codes away.
    // SAFETY: sets a default disposition; no handler of ours exists.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    let mut sentinel = Sentinel::start();
    let mut command = observed(argv, inject, launch.dir());
    let engine = match child::with_mask(&mut command, signals.original()).spawn() {
        Ok(engine) => engine.id().cast_signed(),
        Err(error) => {
            sentinel.stop();
            launch.remove();
            signals.give_back();
            not_started(argv, &error);
        }
    };
    let recorder = Recorder::start(launch.dir().to_owned(), signals.original());
    let status = Supervisor { launch, signals, sentinel, recorder, engine }.run();
    ending::leave_as(status)
}

/// Becomes `argv`: the kill switch, and what remains where there can be no supervisor.
pub(crate) fn replace(argv: &Argv) -> ! {
    refuse(argv, &argv.exec())
}

/// Runs `argv` as without us and says why.
fn unobserved(argv: &Argv, why: &anyhow::Error) -> ! {
    say(&format!("nothing is observed, the command runs alone: {why:#}"));
    replace(argv)
}

/// `argv` with what its processes need to be observed.
fn observed(argv: &Argv, inject: Option<&Path>, dir: &Path) -> Command {
    let mut command = argv.command();
    command.env(BASE_VARIABLE, dir);
    match inject {
        Some(inject) if inject.is_dir() => {
            let mut path = OsString::from(inject);
            if let Some(inherited) = std::env::var_os(PYTHON_PATH).filter(|path| !path.is_empty()) {
                path.push(":");
                path.push(inherited);
            }
            command.env(PYTHON_PATH, path);
        }
        Some(inject) => {
            say(&format!("nothing is observed: there are no hooks, {} is not a directory", inject.display()));
        }
        None => {}
    }
    command
}

/// The engine did not start. A lack of processes or memory is ours too: without us there may be enough.
fn not_started(argv: &Argv, error: &std::io::Error) -> ! {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOMEM) => unobserved(argv, &anyhow::anyhow!("cannot start a process: {error}")),
        _ => refuse(argv, error),
    }
}

/// Says as a shell would that `argv` cannot be executed, and exits as it would.
fn refuse(argv: &Argv, error: &std::io::Error) -> ! {
    let program = argv.program();
    let (why, code) = match error.kind() {
        ErrorKind::NotFound if program.contains('/') => ("No such file or directory".to_owned(), NOT_FOUND),
        ErrorKind::NotFound => ("command not found".to_owned(), NOT_FOUND),
        ErrorKind::PermissionDenied => ("Permission denied".to_owned(), NOT_EXECUTABLE),
        _ => (error.to_string(), NOT_EXECUTABLE),
    };
    say(&format!("{program}: {why}"));
    std::process::exit(code)
}

/// One line to the user; a closed standard error is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(stderr(), "tachograph: {line}");
}

struct Supervisor {
    launch: Launch,
    signals: Signals,
    sentinel: Sentinel,
    recorder: Recorder,
    engine: i32,
}

impl Supervisor {
    /// From the engine's start to its end, the recorder's flush included; nothing is left behind.
    fn run(mut self) -> ExitStatus {
        let_go_of_streams();
        let status = self.watch();
        self.sentinel.stop();
        self.flush();
        self.launch.remove();
        status
    }

    /// Until the engine ends.
    fn watch(&mut self) -> ExitStatus {
        loop {
            let arrivals = self.signals.wait(self.recorder.deadline());
            self.forward(arrivals);
            // After everything that reads signals: each SIGCHLD that was taken is followed by a look.
            if let Some(status) = self.reap() {
                return status;
            }
            self.recorder.tick();
        }
    }

    /// Takes every change of a child; the engine's end is the answer.
    fn reap(&mut self) -> Option<ExitStatus> {
        let mut end = None;
        while let Some(change) = Change::next() {
            if change.pid == self.engine {
                match change.status.stopped_signal() {
                    Some(signal) => stop_with_engine(signal),
                    None => end = Some(change.status),
                }
            } else {
                self.recorder.ended(&change);
            }
        }
        end
    }

    /// Sends on what the engine did not get itself.
    fn forward(&mut self, mut arrivals: Vec<Arrival>) {
        arrivals.retain(|arrival| arrival.number != libc::SIGCHLD);
        if arrivals.is_empty() {
            return;
        }
        if arrivals.iter().any(|arrival| !arrival.from_kernel) {
            thread::sleep(SETTLE);
            arrivals.extend(self.signals.pending().into_iter().filter(|arrival| arrival.number != libc::SIGCHLD));
        }
        let reached = self.sentinel.reached();
        let group_wide = arrivals.iter().filter(|arrival| reached.take(arrival.number)).map(|arrival| arrival.number);
        let group_wide: Vec<i32> = group_wide.collect();
        for arrival in arrivals {
            let here_alone = if arrival.from_kernel {
                // The terminal signals its whole foreground group; only a hang-up goes to the session's leader alone.
                arrival.number == libc::SIGHUP && is_session_leader()
            } else {
                !group_wide.contains(&arrival.number)
            };
            // An engine that signals its parent does not mean itself.
            if here_alone && arrival.sender != self.engine {
                signal::send(self.engine, arrival.number);
            }
        }
    }

    /// Gives the recorder its time to drain and send.
    fn flush(&mut self) {
        let Some(deadline) = self.recorder.engine_ended() else { return };
        loop {
            while let Some(change) = Change::next() {
                if self.recorder.is_done(&change) {
                    return;
                }
            }
            if Instant::now() >= deadline {
                say("the recorder did not end in time; what it had not sent is lost");
                self.recorder.kill();
                return;
            }
            self.signals.wait(Some(deadline));
        }
    }
}

/// The engine alone holds standard input and output now: who is at their other end sees its end, not ours.
fn let_go_of_streams() {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = dup2_stdin(&null);
        let _ = dup2_stdout(&null);
    }
}

/// With a terminal, an engine that job control stopped (Ctrl-Z) stops us too, so that the shell notices; its `fg`
/// continues both. Without one nobody would continue us.
fn stop_with_engine(signal: i32) {
    let by_job_control = matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
    if by_job_control && File::open("/dev/tty").is_ok() {
        signal::send(getpid().as_raw(), libc::SIGSTOP);
    }
}

fn is_session_leader() -> bool {
    getsid(None).is_ok_and(|session| session == getpid())
}
