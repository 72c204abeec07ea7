//! The engine in this process.
//!
//! A directory holds `LOCK` (one process), `manifest.json` (what the store consists of), `wal/` (frames that are not
//! in segments yet) and `segments/<table>/` (Parquet). Two threads write: the writer owns the log, the flusher owns the
//! manifest. Queries read a snapshot and never wait for either.

mod by_table;
mod config;
mod disk;
mod flusher;
mod hot;
mod lock;
mod manifest;
mod merge;
mod query;
mod recovery;
mod retention;
mod segment;
mod shared;
mod wal;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use datafusion::arrow::record_batch::RecordBatch;
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use config::EmbeddedConfig;

use crate::embedded::flusher::Flusher;
use crate::embedded::manifest::Manifest;
use crate::embedded::query::Engine;
use crate::embedded::shared::Shared;
use crate::embedded::wal::Log;
use crate::embedded::writer::{Command, Pending, Writer};
use crate::error::StoreError;
use crate::frame::{Decode, Frame, Tables};
use crate::store::{QueryLimit, Stats, Store, TraceRows};

/// Write-ahead log, hot batches in memory, Parquet segments, DataFusion.
///
/// Dropped without [`Store::close`] it leaves hot rows to the log, as a crash does; the drop waits for its threads.
pub struct Embedded {
    shared: Arc<Shared>,
    engine: Arc<Engine>,
    commands: Sender<Command>,
    /// None once closed.
    open: Mutex<Option<Open>>,
}

/// What an open store holds and a closed one has given back.
struct Open {
    threads: [JoinHandle<()>; 2],
    lock: File,
}

impl Embedded {
    /// Opens or creates the store in `directory` and replays its write-ahead log. Blocks.
    ///
    /// # Errors
    /// `Locked`, `NewerFormat` and `NotWritable` leave the directory as it was; `Damaged`, `Io`.
    pub fn open(directory: &Path, config: EmbeddedConfig, decode: Arc<dyn Decode>) -> Result<Self, StoreError> {
        // Before anything is touched: it may not be ours.
        Manifest::read(directory)?;
        let lock = lock::take(directory)?;
        let directory =
            directory.canonicalize().map_err(|e| StoreError::io("find the data directory", directory, e))?;
        let recovered = recovery::recover(&directory, &config, decode)?;
        let engine = Arc::new(Engine::new(&directory, config.query_concurrency)?);
        let log = Log::new(directory.join(wal::DIRECTORY), recovered.next_log);
        let shared = Arc::new(Shared::new(
            directory,
            config,
            recovered.hot,
            recovered.segments,
            recovered.wal_bytes,
            recovered.recovery,
        ));
        let (commands, writer_commands) = channel();
        let (jobs, flusher_jobs) = channel();
        let writer = Writer::new(Arc::clone(&shared), log, writer_commands, jobs);
        let flusher =
            Flusher::new(Arc::clone(&shared), Arc::clone(&engine), recovered.manifest, flusher_jobs, commands.clone());
        let threads = [spawn("store-writer", move || writer.run())?, spawn("store-flusher", move || flusher.run())?];
        Ok(Embedded { shared, engine, commands, open: Mutex::new(Some(Open { threads, lock })) })
    }

    async fn ask(&self, command: impl FnOnce(writer::Answer) -> Command) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.open.lock().is_some() { Ok(()) } else { Err(StoreError::Closed) }
    }

    /// Ends the threads, waits for them and gives the directory back.
    fn shut(&self) {
        let Some(Open { threads, lock }) = self.open.lock().take() else { return };
        self.shared.close();
        // The writer may have ended early; the join says so.
        let _ = self.commands.send(Command::Stop);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store ended early");
            }
        }
        drop(lock);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shut();
    }
}

#[async_trait]
impl Store for Embedded {
    async fn write(&self, frame: Frame, tables: Tables) -> Result<(), StoreError> {
        tables.check()?;
        let bytes = frame.payload.len();
        if bytes > wal::MAX_PAYLOAD_BYTES {
            return Err(StoreError::FrameTooLarge { bytes: bytes as u64, limit: wal::MAX_PAYLOAD_BYTES as u64 });
        }
        let admission = self.shared.admit(bytes as u64 + tables.bytes())?;
        self.ask(|answer| Command::Write(Box::new(Pending { frame, tables, admission, answer }))).await
    }

    async fn sql(&self, sql: &str, limit: QueryLimit) -> Result<Vec<RecordBatch>, StoreError> {
        self.check_open()?;
        self.engine.sql(self.shared.snapshot(), sql, limit).await
    }

    async fn trace(&self, trace_id: [u8; 16]) -> Result<TraceRows, StoreError> {
        self.check_open()?;
        self.engine.trace(self.shared.snapshot(), trace_id).await
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.ask(Command::Flush).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.check_open()?;
        let flushed = self.flush().await;
        self.shut();
        flushed
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|e| StoreError::Internal(format!("cannot start a thread: {e}")))
}
