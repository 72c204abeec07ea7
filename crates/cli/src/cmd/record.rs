//! `tachograph record`: the recorder of one launch.

use std::fs;
use std::io::{ErrorKind, stdin};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::pin::pin;
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
/// How often a recorder looks for the engine's first process.
const FIRST_RING_INTERVAL: Duration = Duration::from_millis(200);
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
        fs::read_dir(&self.dir).with_context(|| format!("cannot read the launch directory {}", self.dir.display()))?;
        let _lock = if self.supervised { Some(supervise::hold(&self.dir)?) } else { None };
        let config = Config::from_env(&self.dir)?;
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        let summary = runtime.block_on(self.record(config))?;
        let saw_something = summary.is_some_and(|summary| summary.counts.records_produced > 0);
        Ok(if saw_something { ExitCode::SUCCESS } else { ExitCode::from(NOTHING_SEEN) })
    }

    /// `None` where no process ever opened a ring. Nothing is sent before one does: there is no engine to speak of.
    async fn record(&self, config: Config) -> Result<Option<Summary>> {
        let mut owner = Owner::new(self.supervised)?;
        let mut word = tokio::select! {
            word = owner.word() => Some(word),
            () = first_ring(&self.dir) => None,
        };
        let summary = if word.is_some() && !has_rings(&self.dir) {
            None
        } else {
            let ended = async {
                let word = match word {
                    Some(word) => word,
                    None => *word.insert(owner.word().await),
                };
                if word == Word::OwnerGone {
                    owner.engine_gone(&self.dir).await;
                }
            };
            Some(tachograph_recorder::run(config, ended).await?)
        };
        if word == Some(Word::OwnerGone) {
            let _ = fs::remove_dir_all(&self.dir);
        }
        Ok(summary)
    }
}

/// Waits until a process of the engine has opened a ring.
async fn first_ring(dir: &Path) {
    while !has_rings(dir) {
        sleep(FIRST_RING_INTERVAL).await;
    }
}

fn has_rings(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(entries) => entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(FILE_SUFFIX)),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Who says when the recorder ends: the supervisor, or signals.
struct Owner {
    supervisor: Option<pipe::Receiver>,
    stop: Stop,
}

impl Owner {
    fn new(supervised: bool) -> Result<Self> {
        let supervisor = if supervised {
            let descriptor = stdin().as_fd().try_clone_to_owned().context("no standard input")?;
            Some(pipe::Receiver::from_owned_fd(descriptor).context("standard input is not the supervisor's pipe")?)
        } else {
            None
        };
        Ok(Self { supervisor, stop: Stop::new()? })
    }

    /// Waits for the supervisor's word, or without one for a signal to stop.
    ///
    /// A signal to a supervised recorder is not the end: it may be meant for every process, the engine included, which
    /// has requests to answer yet.
    async fn word(&mut self) -> Word {
        let Some(pipe) = &mut self.supervisor else {
            self.stop.asked().await;
            return Word::EngineEnded;
        };
        let mut word = pin!(word(pipe));
        loop {
            tokio::select! {
                word = &mut word => return word,
                () = self.stop.asked() => {
                    tracing::warn!("the recorder ends with the engine; stop the engine to end both");
                }
            }
        }
    }

    /// Without a supervisor any more: waits until no ring is left (the recorder removes those of dead processes), or
    /// for a signal to stop.
    async fn engine_gone(&mut self, dir: &Path) {
        let empty = async {
            while has_rings(dir) {
                sleep(ORPHAN_INTERVAL).await;
            }
        };
        tokio::select! {
            () = empty => {}
            () = self.stop.asked() => {}
        }
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

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
