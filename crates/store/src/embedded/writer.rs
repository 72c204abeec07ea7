//! The thread that owns the log: it syncs groups of frames, makes their rows visible, and decides when hot rows go.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::embedded::flusher::Job;
use crate::embedded::shared::{Admission, Shared};
use crate::embedded::wal::Log;
use crate::error::StoreError;
use crate::frame::{Frame, Tables};

/// Most payload bytes synced at once: with more the first of them would wait too long.
const GROUP_BYTES: usize = 8 << 20;
/// How often the thread looks around when nothing happens.
const IDLE: Duration = Duration::from_secs(3600);
/// Pause after hot rows could not be handed over.
const RETRY: Duration = Duration::from_secs(1);

/// Where the answer to a command goes.
pub(crate) type Answer = oneshot::Sender<Result<(), StoreError>>;

/// What the thread is told.
pub(crate) enum Command {
    /// Write a frame.
    Write(Box<Pending>),
    /// Move all hot rows to segments, then answer.
    Flush(Answer),
    /// The flusher is done with the job it was given, or could not do it yet.
    Flushed(Result<(), StoreError>),
    /// End.
    Stop,
}

/// A frame on its way.
pub(crate) struct Pending {
    /// The frame.
    pub(crate) frame: Frame,
    /// Its rows.
    pub(crate) tables: Tables,
    /// Its part of the budget, held until the rows are counted as hot.
    pub(crate) admission: Admission,
    /// Where the answer goes.
    pub(crate) answer: Answer,
}

/// The thread's state.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    log: Log,
    commands: Receiver<Command>,
    jobs: Sender<Job>,
    /// Whether the flusher has a job; it has one at a time.
    flushing: bool,
    /// Not before then are hot rows handed over because they are due.
    not_before: Instant,
    /// Waiting for the job that the flusher has.
    waiting_for_job: Vec<Answer>,
    /// Waiting for the job after.
    waiting_for_next: Vec<Answer>,
}

impl Writer {
    /// A writer that appends to `log`.
    pub(crate) fn new(shared: Arc<Shared>, log: Log, commands: Receiver<Command>, jobs: Sender<Job>) -> Self {
        Writer {
            shared,
            log,
            commands,
            jobs,
            flushing: false,
            not_before: Instant::now(),
            waiting_for_job: Vec::new(),
            waiting_for_next: Vec::new(),
        }
    }

    /// Runs until [`Command::Stop`].
    pub(crate) fn run(mut self) {
        loop {
            let next = match self.commands.recv_timeout(self.patience()) {
                Ok(Command::Write(first)) => self.write_group(*first),
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
                Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
            };
            if next.is_break() {
                return;
            }
            self.seal_if_due();
        }
    }

    /// How long there is nothing to do unless a command comes.
    fn patience(&self) -> Duration {
        match self.shared.active(|hot| hot.since()) {
            Some(since) if !self.flushing => {
                let due = (since + self.shared.config.flush_age).max(self.not_before);
                due.saturating_duration_since(Instant::now())
            }
            _ => IDLE,
        }
    }

    /// Writes `first` and what else is waiting with one sync.
    fn write_group(&mut self, first: Pending) -> ControlFlow<()> {
        let mut bytes = first.frame.payload.len();
        let mut group = vec![first];
        let mut after = None;
        while bytes < GROUP_BYTES {
            match self.commands.try_recv() {
                Ok(Command::Write(next)) => {
                    bytes += next.frame.payload.len();
                    group.push(*next);
                }
                Ok(command) => {
                    after = Some(command);
                    break;
                }
                Err(_) => break,
            }
        }
        match self.log.append(group.iter().map(|pending| &pending.frame)) {
            Ok(written) => {
                self.shared.add_wal_bytes(written);
                self.shared.push(group.iter().map(|pending| &pending.tables));
                answer(group, &Ok(()));
            }
            Err(error) => answer(group, &Err(error)),
        }
        if self.log.file_bytes() >= self.shared.config.wal_file_bytes
            && let Err(e) = self.log.rotate()
        {
            tracing::warn!("the log file stays open: {e}");
        }
        after.map_or(ControlFlow::Continue(()), |command| self.obey(command))
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Write(pending) => return self.write_group(*pending),
            Command::Flush(answer) => {
                self.waiting_for_next.push(answer);
                self.start_next();
            }
            Command::Flushed(Ok(())) => {
                self.flushing = false;
                answer_all(&mut self.waiting_for_job, &Ok(()));
                self.start_next();
            }
            Command::Flushed(error) => {
                answer_all(&mut self.waiting_for_job, &error);
                answer_all(&mut self.waiting_for_next, &error);
            }
            Command::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Starts the flush that somebody waits for, unless one is under way.
    fn start_next(&mut self) {
        if self.flushing || self.waiting_for_next.is_empty() {
            return;
        }
        if self.shared.active(|hot| hot.is_empty()) {
            answer_all(&mut self.waiting_for_next, &Ok(()));
            return;
        }
        if let Err(error) = self.seal() {
            answer_all(&mut self.waiting_for_next, &Err(error));
        }
    }

    fn seal_if_due(&mut self) {
        let config = &self.shared.config;
        let due = self.shared.active(|hot| {
            hot.bytes() >= config.flush_bytes || hot.since().is_some_and(|since| since.elapsed() >= config.flush_age)
        });
        if due
            && !self.flushing
            && Instant::now() >= self.not_before
            && let Err(e) = self.seal()
        {
            tracing::warn!("hot rows stay in memory: {e}");
            self.not_before = Instant::now() + RETRY;
        }
    }

    /// Hands the hot rows to the flusher. They are exactly the frames in the log files before the new one.
    fn seal(&mut self) -> Result<(), StoreError> {
        let floor = self.log.rotate()?;
        let hot = self.shared.seal();
        self.flushing = true;
        self.waiting_for_job.append(&mut self.waiting_for_next);
        // The flusher ends after this thread only.
        self.jobs.send(Job { hot, floor }).map_err(|_| StoreError::Closed)
    }
}

fn answer(group: Vec<Pending>, result: &Result<(), StoreError>) {
    for pending in group {
        drop(pending.admission);
        // Whoever asked may be gone.
        let _ = pending.answer.send(result.clone());
    }
}

fn answer_all(waiting: &mut Vec<Answer>, result: &Result<(), StoreError>) {
    for answer in waiting.drain(..) {
        // Whoever asked may be gone.
        let _ = answer.send(result.clone());
    }
}
