//! OTLP in: bytes become rows, rows are stored, and only then is the export acknowledged.

mod budget;
mod encoding;
mod json;
pub(crate) mod otlp_grpc;
pub(crate) mod otlp_http;
mod refusal;
mod response;

use std::sync::Arc;

use bytes::Bytes;
use tachograph_store::{Frame, Signal, Store};

use crate::health::{Health, now_ns};
use crate::ingest::{self, Rejected};
use budget::Budget;
pub(crate) use refusal::{Reason, Refusal};

/// Largest export in bytes, compressed or not: 16 times what the OpenTelemetry Collector sends in a batch of long
/// prompts, and small enough that a few at once do not fill a machine.
pub(crate) const MAX_EXPORT_BYTES: usize = 64 << 20;
/// Bytes of all exports that are being received at one time, compressed and decompressed copies counted apart.
const MAX_IN_FLIGHT_BYTES: usize = 256 << 20;

/// What both doors of OTLP hand their exports to.
#[derive(Clone)]
pub(crate) struct Receiver {
    store: Arc<dyn Store>,
    health: Arc<Health>,
    budget: Budget,
}

impl Receiver {
    pub(crate) fn new(store: Arc<dyn Store>, health: Arc<Health>) -> Self {
        Self { store, health, budget: Budget::new(MAX_IN_FLIGHT_BYTES) }
    }

    /// Take one export in OTLP's protobuf. When this returns, its rows are on disk.
    ///
    /// # Errors
    /// What the sender is told; it is not counted here.
    async fn accept(&self, signal: Signal, payload: Bytes) -> Result<Rejected, Refusal> {
        let frame = Frame { signal, received_ns: now_ns(), payload };
        let received_ns = frame.received_ns;
        let (frame, decoded) = blocking(move || {
            let decoded = ingest::decode(&frame);
            (frame, decoded)
        })
        .await?;
        let ingest::Decoded { tables, rows, rejected } = decoded?;
        if rows > 0 {
            self.store.write(frame, tables).await?;
            self.health.received(signal, rows, received_ns);
        }
        for (reason, n) in rejected.counts() {
            self.health.refused(reason, n);
        }
        Ok(rejected)
    }

    /// Count a refused export.
    fn refused(&self, refusal: &Refusal) {
        self.health.refused(refusal.reason(), 1);
        tracing::debug!(reason = refusal.reason().name(), %refusal, "export refused");
    }
}

/// Run work that takes milliseconds where it holds up no connection.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refusal::Unavailable("the server is stopping or hit a fault of its own".to_owned()))
}
