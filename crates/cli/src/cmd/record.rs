//! `tachograph record`: the recorder of one launch.

use std::fs;
use std::future::Future;
use std::io::{ErrorKind, stdin};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use tachograph_recorder::{Config, Summary};
use tachograph_ring::FILE_SUFFIX;
use tokio::net::unix::pipe;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::supervise::control::{Word, word};
use crate::{log, supervise};

/// Exit code of a recorder that found no process to record.
pub(crate) const NOTHING_SEEN: u8 = 3;
/// How often a recorder without a supervisor looks whether the engine lives.
const ORPHAN_INTERVAL: Duration = Duration::from_millis(500);

/// Record one launch: drain its rings, send spans and metrics over OTLP.
///
/// `tachograph run` starts this beside the engine. The settings are environment variables: OTEL_EXPORTER_OTLP_ENDPOINT
/// and what else the documentation names.
#[derive(clap::Args, Debug)]
pub(crate) struct Record {
    /// Runtime directory of the launch.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Standard input is the supervisor's pipe: it alone says when the engine has ended.
    #[arg(long, hide = true)]
    supervised: bool,
}

impl Record {
    /// Records until the engine has ended; not supervised, until SIGTERM or SIGINT.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        if !self.supervised {
            return self.start();
        }
        self.start().context("nothing is observed, the command runs alone")
    }

    fn start(&self) -> Result<ExitCode> {
        log::as_recorder(self.supervised);
        let _lock = if self.supervised { Some(supervise::hold(&self.dir)?) } else { None };
        let config = Config::from_env(&self.dir)?;
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        let summary = runtime.block_on(self.record(config))?;
        Ok(if summary.counts.records_produced == 0 { ExitCode::from(NOTHING_SEEN) } else { ExitCode::SUCCESS })
    }

    async fn record(&self, config: Config) -> Result<Summary> {
        let mut stop = Stop::new()?;
        if !self.supervised {
            return Ok(tachograph_recorder::run(config, async { stop.asked().await }).await?);
        }
        let descriptor = stdin().as_fd().try_clone_to_owned().context("no standard input")?;
        let mut pipe = pipe::Receiver::from_owned_fd(descriptor).context("standard input is not the supervisor's")?;
        let mut orphaned = false;
        let summary = tachograph_recorder::run(config, async {
            if supervisor(&mut pipe, &mut stop).await == Word::OwnerGone {
                orphaned = true;
                engine_gone(&self.dir, &mut stop).await;
            }
        })
        .await?;
        if orphaned {
            let _ = fs::remove_dir_all(&self.dir);
        }
        Ok(summary)
    }
}

/// Waits for the supervisor's word. A signal to stop is not: it may be meant for every process, the engine included,
/// which has requests to answer yet.
async fn supervisor(pipe: &mut pipe::Receiver, stop: &mut Stop) -> Word {
    let mut word = std::pin::pin!(word(pipe));
    loop {
        tokio::select! {
            word = &mut word => return word,
            () = stop.asked() => tracing::warn!("the recorder ends with the engine; stop the engine to end both"),
        }
    }
}

/// Waits until no ring is left (the recorder removes those of dead processes), or it is asked to stop.
async fn engine_gone(dir: &Path, stop: &mut Stop) {
    let empty = async {
        while has_rings(dir) {
            sleep(ORPHAN_INTERVAL).await;
        }
    };
    tokio::select! {
        () = empty => {}
        () = stop.asked() => {}
    }
}

fn has_rings(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(entries) => entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(FILE_SUFFIX)),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// SIGTERM and SIGINT.
struct Stop {
    term: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { term: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    fn asked(&mut self) -> impl Future<Output = ()> {
        async {
            tokio::select! {
                _ = self.term.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        }
    }
}
