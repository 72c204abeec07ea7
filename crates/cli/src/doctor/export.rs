//! Where an agent exports to, and whether that answers.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tachograph_recorder::Config;
use tachograph_recorder::config::{Endpoint, Protocol};
use tachograph_recorder::export::{Signal, ask};

/// Settings of a recorder as an environment gives them, and what its endpoints answered.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ExportReport {
    /// Why the settings cannot be used at all.
    pub(crate) error: Option<String>,
    /// Settings that were not understood, in the recorder's words.
    pub(crate) complaints: Vec<String>,
    /// Of spans.
    pub(crate) traces: Option<SignalReport>,
    /// Of metric points.
    pub(crate) metrics: Option<SignalReport>,
}

/// One signal.
#[derive(Debug, Serialize)]
pub(crate) struct SignalReport {
    /// Where it goes, without what may be a key.
    pub(crate) url: String,
    /// `grpc` or `http/protobuf`.
    pub(crate) protocol: &'static str,
    /// Whether an empty export was taken.
    pub(crate) answers: bool,
    /// Why not.
    pub(crate) error: Option<String>,
}

impl ExportReport {
    /// What is wrong, in sentences.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.error.iter().chain(&self.complaints).cloned().collect();
        for (what, signal) in [("spans", &self.traces), ("metrics", &self.metrics)] {
            if let Some(SignalReport { url, error: Some(error), .. }) = signal {
                problems.push(format!("{what} do not arrive: {url}: {error}"));
            }
        }
        problems
    }
}

/// Reads the settings from `variable` and asks both endpoints.
pub(crate) async fn examine(dir: &Path, variable: &dyn Fn(&str) -> Option<String>) -> ExportReport {
    let heard = Heard::default();
    let lines = heard.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || lines.clone())
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(false)
        .finish();
    let config = tracing::subscriber::with_default(subscriber, || Config::from_vars(dir, variable));
    let complaints = heard.lines();
    match config {
        Ok(config) => ExportReport {
            error: None,
            complaints,
            traces: Some(signal(&config.traces, Signal::Traces).await),
            metrics: Some(signal(&config.metrics, Signal::Metrics).await),
        },
        Err(error) => ExportReport { error: Some(error.to_string()), complaints, ..ExportReport::default() },
    }
}

async fn signal(endpoint: &Endpoint, signal: Signal) -> SignalReport {
    let error = ask(endpoint, signal).await.err();
    let protocol = match endpoint.protocol {
        Protocol::Grpc => "grpc",
        Protocol::Http => "http/protobuf",
    };
    SignalReport { url: endpoint.shown(), protocol, answers: error.is_none(), error }
}

/// The recorder's warnings while it reads its settings.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// Each once: both signals read the same variables.
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = Vec::new();
        for line in String::from_utf8_lossy(&bytes).lines().map(str::trim) {
            if !lines.iter().any(|known| known == line) {
                lines.push(line.to_owned());
            }
        }
        lines
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
