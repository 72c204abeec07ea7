//! One launch under test, with a runtime directory of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long a state that must come is waited for; far above what it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Prints `ready`, then the name of every signal that it gets, and ends after half a second without one.
pub(crate) const COUNTER: &str = "
import signal, sys
names = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGWINCH']
signals = {signal.Signals[name] for name in names}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print('ready', flush=True)
wait = 20
while (info := signal.sigtimedwait(signals, wait)) is not None:
    print(signal.Signals(info.si_signo).name, flush=True)
    wait = 0.5
";

pub(crate) struct Case {
    dir: TempDir,
}

impl Case {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// The base of the launch's runtime directory.
    pub(crate) fn base(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// A directory for the test's own files.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `program` with the environment of this case.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("TACHOGRAPH_RUNTIME_DIR", self.base())
            // Nobody listens there: what the recorder sends is of no interest here.
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
            .env_remove("TACHOGRAPH_ENABLED")
            .env_remove("OTEL_SDK_DISABLED")
            .env_remove("PYTHONPATH");
        command
    }

    /// `tachograph run ARGUMENTS`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_tachograph"));
        command.arg("run").args(arguments);
        command
    }

    /// Runs it to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.run(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Process ids of the recorders of this case.
    pub(crate) fn recorders(&self) -> Vec<i32> {
        let base = self.base().display().to_string();
        processes()
            .into_iter()
            .filter(|(_, line)| line.contains("record") && line.contains(&base))
            .map(|p| p.0)
            .collect()
    }

    /// Waits for a recorder whose id is not `other`.
    pub(crate) fn recorder_other_than(&self, other: Option<i32>) -> i32 {
        eventually("a recorder", || self.recorders().into_iter().find(|pid| Some(*pid) != other))
    }

    /// Fails unless every process and directory of the launch is gone.
    pub(crate) fn nothing_is_left(&self) {
        eventually("the recorder's end", || self.recorders().is_empty().then_some(()));
        let left: Vec<_> = fs::read_dir(self.base()).map(|entries| entries.flatten().collect()).unwrap_or_default();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// Every process: its id and command line.
pub(crate) fn processes() -> Vec<(i32, String)> {
    let ids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|line| !line.is_empty())?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    })
    .collect()
}

/// Asks until there is an answer.
pub(crate) fn eventually<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    within_patience(ask).unwrap_or_else(|| panic!("in vain waited for {what}"))
}

/// Asks until there is an answer, or too long.
pub(crate) fn within_patience<T>(ask: impl Fn() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        sleep(Duration::from_millis(20));
    }
    None
}

/// A launch in the background, its output read line by line.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// How it ended; fails if it does not.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What is still to come, to the end.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.lines.by_ref().lines().map(Result::unwrap).collect()
    }
}

impl Drop for Running {
    /// A test that failed leaves no engine behind either.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill(Pid::from_raw(self.pid()), Signal::SIGTERM);
            sleep(Duration::from_millis(200));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of standard error.
pub(crate) fn errors(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect()
}

/// Standard output.
pub(crate) fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
