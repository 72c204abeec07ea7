//! Export over OTLP: a bounded queue for each signal, batches, retry until the other side takes them.
//!
//! Nothing here ever blocks the draining of rings: when a queue is full, its oldest entry is dropped and counted.

mod question;
mod queue;
mod signal;
mod transport;

use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::Config;
use crate::error::Error;
use crate::health::{Health, Unit};
pub use question::{Signal, ask};
use queue::{Limits, Queue};
use signal::Worker;
use transport::Transport;

/// Most bytes of encoded spans that wait: in memory they take about three times as much.
const MAX_QUEUE_BYTES: usize = 12 << 20;
/// Most bytes in one export: receivers refuse gRPC messages over 4 MiB unless told otherwise.
const MAX_BATCH_BYTES: usize = 2 << 20;
/// Most metrics that wait: minutes at the shortest usual interval.
const MAX_QUEUE_METRICS: usize = 4096;
/// Most metrics in one export: more than one collection has.
const MAX_BATCH_METRICS: usize = 512;

/// The export of all signals.
pub struct Exporter {
    health: Health,
    spans: Queue<Span>,
    metrics: Queue<Metric>,
    workers: Vec<(Unit, JoinHandle<()>)>,
}

impl Exporter {
    /// Start the workers on the current runtime. They hold what they get until `resource` is known.
    ///
    /// # Errors
    /// Certificates that cannot be used.
    pub fn start(
        config: &Config,
        health: &Health,
        resource: &watch::Receiver<Option<Resource>>,
    ) -> Result<Self, Error> {
        let batch = config.batch;
        let spans = Queue::new(
            Unit::Spans,
            Limits {
                queue_items: batch.queue_spans,
                queue_bytes: MAX_QUEUE_BYTES,
                batch_items: batch.batch_spans,
                batch_bytes: MAX_BATCH_BYTES,
                delay: batch.delay,
            },
            health.clone(),
        );
        let metrics = Queue::new(
            Unit::Points,
            Limits {
                queue_items: MAX_QUEUE_METRICS,
                queue_bytes: MAX_QUEUE_BYTES,
                batch_items: MAX_BATCH_METRICS,
                batch_bytes: MAX_BATCH_BYTES,
                delay: Duration::ZERO,
            },
            health.clone(),
        );
        let (to_traces, to_metrics) = (Transport::new(&config.traces)?, Transport::new(&config.metrics)?);
        let traces =
            Worker { queue: spans.clone(), transport: to_traces, resource: resource.clone(), health: health.clone() };
        let points = Worker {
            queue: metrics.clone(),
            transport: to_metrics,
            resource: resource.clone(),
            health: health.clone(),
        };
        let workers = vec![(Unit::Spans, tokio::spawn(traces.run())), (Unit::Points, tokio::spawn(points.run()))];
        Ok(Self { health: health.clone(), spans, metrics, workers })
    }

    /// Queue spans.
    pub fn spans(&self, spans: Vec<Span>) {
        spans.into_iter().for_each(|span| self.spans.push(span));
    }

    /// Queue metrics.
    pub fn metrics(&self, metrics: Vec<Metric>) {
        metrics.into_iter().for_each(|metric| self.metrics.push(metric));
    }

    /// Send what waits until the deadline; what is left then is counted as dropped.
    pub async fn close(self, deadline: Instant) {
        self.spans.close();
        self.metrics.close();
        for (unit, mut worker) in self.workers {
            if tokio::time::timeout_at(deadline, &mut worker).await.is_err() {
                worker.abort();
                let left = self.health.update(|c| c.queued.remove(&unit).unwrap_or(0));
                self.health.drop(unit, "timeout_at_shutdown", left);
            }
        }
    }
}
