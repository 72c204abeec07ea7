//! `tachograph doctor`: what is observed of an engine, and what is lost.

use std::ffi::OsString;
use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tokio::runtime::Builder;

use crate::doctor::{self, Question};

/// Say what is observed of a running engine, or would be of one that is not started yet, and what is lost.
///
/// Exit code 0: all is well; 1: something is lost; 2: that cannot be told.
#[derive(clap::Args, Debug)]
pub(crate) struct Doctor {
    /// Print JSON (docs/doctor.md).
    #[arg(long)]
    json: bool,
    /// Runtime directory of a launch; without it, all launches of this user.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["pid", "command"])]
    launch: Option<PathBuf>,
    /// A process of the launch: its supervisor, its recorder or one of the engine's.
    #[arg(long, value_name = "PID", conflicts_with = "command")]
    pid: Option<u32>,
    /// Python package with the hooks [default: the one beside this program].
    #[arg(long, value_name = "DIR")]
    package: Option<PathBuf>,
    /// An engine's command line that is not started yet, for example `vllm serve Qwen/Qwen3-0.6B`. It is not started.
    #[arg(value_name = "CMD", last = true)]
    command: Vec<OsString>,
}

impl Doctor {
    /// Looks and reports.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let question = match (self.launch, self.pid, self.command.is_empty()) {
            (Some(dir), ..) => Question::Launch(dir),
            (None, Some(pid), _) => Question::Process(pid),
            (None, None, true) => Question::AllLaunches,
            (None, None, false) => Question::Command { words: self.command, package: self.package },
        };
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        let diagnosis = runtime.block_on(doctor::examine(question));
        let mut out = stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&diagnosis)?)?;
        } else {
            write!(out, "{}", diagnosis.text(out.is_terminal()))?;
        }
        Ok(ExitCode::from(diagnosis.code()))
    }
}
