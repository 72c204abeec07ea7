//! A process that runs beside the job and ends with it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::step;

/// How long a service may take to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(30);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A running service. Dropping it ends the process and its children.
pub(crate) struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Start it in a process group of its own; its output goes to `artifacts/logs/<name>.log`.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        let log = step::log_file(name)?;
        let out = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its log.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// An error when it ended, or when the user wants to stop.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended by itself, {status}", self.name);
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = kill(self.group(), Signal::SIGTERM);
        let until = Instant::now() + STOP_LIMIT;
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(50));
        }
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// From now on Ctrl-C ends the services instead of this process alone.
pub(crate) fn stop_on_ctrl_c() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("cannot handle Ctrl-C")
}

/// Wait for Ctrl-C, or for one of `services` to end, which is an error.
pub(crate) fn wait_for_ctrl_c(services: &mut [&mut Service]) -> Result<()> {
    while !INTERRUPTED.load(Ordering::Relaxed) {
        for service in services.iter_mut() {
            if let Err(error) = service.check()
                && !INTERRUPTED.load(Ordering::Relaxed)
            {
                bail!("{error}; end of {}:\n{}", service.log.display(), step::tail(&service.log));
            }
        }
        sleep(Duration::from_millis(200));
    }
    eprintln!("\nstopping");
    Ok(())
}
