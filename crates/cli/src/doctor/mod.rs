//! The examination behind `tachograph doctor`: of running launches, and of commands that are not started yet.

mod command;
mod export;
mod interpreter;
mod launch;
mod text;

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Serialize;

use crate::supervise::live_launches;
pub(crate) use command::CommandReport;
pub(crate) use export::{ExportReport, SignalReport};
pub(crate) use launch::{LaunchReport, RingReport};

/// What is asked.
#[derive(Debug)]
pub(crate) enum Question {
    /// All running launches of this user.
    AllLaunches,
    /// The launch in this directory.
    Launch(PathBuf),
    /// The launch that this process belongs to.
    Process(u32),
    /// A command that is not started, and where the Python package lies if not beside this program.
    Command { words: Vec<OsString>, package: Option<PathBuf> },
}

/// The answer in one word; the later ones win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    AllWell,
    SomethingLost,
    CannotTell,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    /// Version of the program that answers.
    tachograph: &'static str,
    verdict: Verdict,
    /// Why nothing could be examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    launches: Vec<LaunchReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<CommandReport>,
}

impl Diagnosis {
    fn of(launches: Vec<LaunchReport>, command: Option<CommandReport>, reason: Option<String>) -> Self {
        let parts = launches.iter().map(LaunchReport::verdict).chain(command.as_ref().map(CommandReport::verdict));
        let verdict = parts.chain(reason.is_some().then_some(Verdict::CannotTell)).max().unwrap_or(Verdict::AllWell);
        Self { tachograph: env!("CARGO_PKG_VERSION"), verdict, reason, launches, command }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self.verdict {
            Verdict::AllWell => 0,
            Verdict::SomethingLost => 1,
            Verdict::CannotTell => 2,
        }
    }
}

/// Examines what is asked for. It changes nothing.
pub(crate) async fn examine(question: Question) -> Diagnosis {
    let (dirs, none) = match question {
        Question::Command { words, package } => {
            return Diagnosis::of(Vec::new(), Some(command::examine(words, package).await), None);
        }
        Question::AllLaunches => (live_launches(), "no launch of this user is running".to_owned()),
        Question::Launch(dir) if dir.is_dir() => (vec![dir], String::new()),
        Question::Launch(dir) => (Vec::new(), format!("there is no launch directory {}", dir.display())),
        Question::Process(pid) => {
            let dirs = live_launches().into_iter().filter(|dir| launch::holds(dir, pid)).collect();
            (dirs, format!("no running launch of this user has a process {pid}"))
        }
    };
    let mut launches = Vec::new();
    for dir in &dirs {
        launches.push(launch::examine(dir).await);
    }
    let reason = launches.is_empty().then_some(none);
    Diagnosis::of(launches, None, reason)
}
