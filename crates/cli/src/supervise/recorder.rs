//! The recorder as the supervisor's child: started, started again, told the end.

use std::io::{PipeWriter, stderr};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::libc;
use nix::sys::signal::SigSet;

use super::backoff::Backoff;
use super::child::{self, Change};
use super::{control, say, signal};
use crate::REFUSED;
use crate::cmd::record::NOTHING_SEEN;

/// What the recorder has to flush after the engine's end.
const FLUSH: Duration = Duration::from_secs(2);
/// What it is given on top to exit by itself.
const MARGIN: Duration = Duration::from_millis(500);

/// The recorder of a launch.
pub(super) struct Recorder {
    dir: PathBuf,
    mask: SigSet,
    backoff: Backoff,
    state: State,
    /// Recorders started for this launch.
    lives: u32,
}

enum State {
    Running {
        pid: i32,
        control: PipeWriter,
        since: Instant,
    },
    Waiting {
        until: Instant,
    },
    /// It said that it cannot run with these settings.
    GivenUp,
}

impl Recorder {
    /// Starts the recorder of the launch in `dir`; where that fails it is tried again as after a death.
    pub(super) fn start(dir: PathBuf, mask: SigSet) -> Self {
        let mut recorder = Self { dir, mask, backoff: Backoff::new(), state: State::GivenUp, lives: 0 };
        recorder.launch();
        recorder
    }

    /// When something is due; `None` while it runs.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running { .. } | State::GivenUp => None,
        }
    }

    /// Starts it again where that is due.
    pub(super) fn tick(&mut self) {
        if self.deadline().is_some_and(|until| until <= Instant::now()) {
            self.launch();
        }
    }

    /// Takes note of a change of a child, if it is this recorder's end.
    pub(super) fn ended(&mut self, change: &Change) {
        let State::Running { since, .. } = &self.state else { return };
        if !self.is_end(change) {
            return;
        }
        if change.status.code() == Some(i32::from(REFUSED)) {
            // It said why, in one line.
            self.state = State::GivenUp;
            return;
        }
        let lived = since.elapsed();
        self.again(lived, &format!("the recorder ended ({})", cause(change.status)));
    }

    /// Whether `change` is the end that was asked for; one that found nothing to record is told.
    pub(super) fn is_done(&self, change: &Change) -> bool {
        let is_end = self.is_end(change);
        // An earlier one may have drained and removed what there was.
        if is_end && self.lives == 1 && change.status.code() == Some(i32::from(NOTHING_SEEN)) {
            say(
                "nothing was observed: no process of the command opened a ring; it is no engine, or its Python is not \
                 the one where tachograph is installed",
            );
        }
        is_end
    }

    fn is_end(&self, change: &Change) -> bool {
        let is_own = matches!(self.state, State::Running { pid, .. } if pid == change.pid);
        is_own && change.status.stopped_signal().is_none()
    }

    /// Tells the recorder that the engine has ended, and says until when it may flush. One that is waiting for its
    /// restart is started for this: the rings still hold what it had not read.
    pub(super) fn engine_ended(&mut self) -> Option<Instant> {
        if let State::Waiting { .. } = self.state {
            self.launch();
        }
        match &self.state {
            State::Running { control, .. } => {
                control::tell_engine_ended(control);
                Some(Instant::now() + FLUSH + MARGIN)
            }
            State::Waiting { .. } | State::GivenUp => None,
        }
    }

    /// Ends a recorder that did not end by itself.
    pub(super) fn kill(&self) {
        if let State::Running { pid, .. } = self.state {
            signal::send(pid, libc::SIGKILL);
        }
    }

    fn launch(&mut self) {
        match self.spawn() {
            Ok((pid, control)) => {
                self.state = State::Running { pid, control, since: Instant::now() };
                self.lives += 1;
            }
            Err(error) => self.again(Duration::ZERO, &format!("the recorder does not start ({error:#})")),
        }
    }

    fn again(&mut self, lived: Duration, what: &str) {
        let restart = self.backoff.after(lived);
        if restart.first {
            say(&format!("{what}; it is started again, the engine goes on"));
        }
        self.state = State::Waiting { until: Instant::now() + restart.after };
    }

    fn spawn(&self) -> Result<(i32, PipeWriter)> {
        let (theirs, ours) = std::io::pipe().context("no pipe")?;
        let log = stderr().as_fd().try_clone_to_owned().context("no standard error")?;
        let mut command = Command::new("/proc/self/exe");
        command.arg("record").arg("--dir").arg(&self.dir).arg("--supervised").stdin(theirs).stdout(Stdio::from(log));
        child::with_mask(child::apart(&mut command), self.mask);
        let child = command.spawn().context("cannot start it")?;
        Ok((i32::try_from(child.id()).context("impossible process id")?, ours))
    }
}

fn cause(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(number), _) => format!("signal {number}"),
        (None, code) => format!("exit code {}", code.unwrap_or_default()),
    }
}
