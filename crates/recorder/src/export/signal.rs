//! The worker of one signal: takes batches, sends them, retries, and accounts for every entry.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tachograph_schema::attribute::{SCHEMA_URL, SCOPE};
use tokio::sync::watch;

use super::queue::Queue;
use super::transport::{Failure, Payload, Transport};
use crate::clock::wall_now_ns;
use crate::health::Health;

/// First pause before a batch is sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause: a server that is back is noticed within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause that the other side may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// An entry of a queue.
pub(super) trait Item: Sized + Send + 'static {
    /// Its size, encoded.
    fn bytes(&self) -> usize;
    /// What it counts for: 1, or its points.
    fn units(&self) -> u64;
    /// An export of a batch.
    fn payload(resource: Resource, batch: Vec<Self>) -> Payload;
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: SCOPE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

impl Item for Span {
    fn bytes(&self) -> usize {
        self.encoded_len()
    }

    fn units(&self) -> u64 {
        1
    }

    fn payload(resource: Resource, spans: Vec<Self>) -> Payload {
        let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, schema_url: SCHEMA_URL.to_owned() }];
        let resource = Some(resource);
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: SCHEMA_URL.to_owned() }];
        Payload::Traces(ExportTraceServiceRequest { resource_spans })
    }
}

impl Item for Metric {
    fn bytes(&self) -> usize {
        self.encoded_len()
    }

    fn units(&self) -> u64 {
        let points = match &self.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.len(),
            Some(Data::Sum(sum)) => sum.data_points.len(),
            Some(Data::Histogram(histogram)) => histogram.data_points.len(),
            _ => 0,
        };
        points as u64
    }

    fn payload(resource: Resource, metrics: Vec<Self>) -> Payload {
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, schema_url: SCHEMA_URL.to_owned() }];
        let resource = Some(resource);
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, schema_url: SCHEMA_URL.to_owned() }];
        Payload::Metrics(ExportMetricsServiceRequest { resource_metrics })
    }
}

/// The worker.
pub(super) struct Worker<T> {
    pub(super) queue: Queue<T>,
    pub(super) transport: Transport,
    pub(super) resource: watch::Receiver<Option<Resource>>,
    pub(super) health: Health,
}

impl<T: Item> Worker<T> {
    /// Work until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        let mut reachable = true;
        while let Some(batch) = self.queue.batch().await {
            // An error means that the recorder is gone; there is no resource to wait for.
            let resource = self.resource.wait_for(Option::is_some).await.ok().and_then(|r| r.clone());
            let units: u64 = batch.iter().map(Item::units).sum();
            let payload = T::payload(resource.unwrap_or_default(), batch);
            let result = self.deliver(&payload, &mut reachable).await;
            self.account(units, &result);
        }
    }

    /// Send until it is taken or refused for good.
    async fn deliver(&self, payload: &Payload, reachable: &mut bool) -> Result<u64, Failure> {
        let unit = self.queue.unit();
        let builder = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .without_max_times();
        let mut pauses = builder.build();
        loop {
            let failure = match self.transport.send(payload).await {
                Ok(rejected) => {
                    self.health.attempt(unit, wall_now_ns(), None);
                    if !*reachable {
                        tracing::info!("export of {} works again: {}", unit.name(), self.transport.target());
                        *reachable = true;
                    }
                    return Ok(rejected);
                }
                Err(failure) => failure,
            };
            self.health.attempt(unit, wall_now_ns(), Some(failure.to_string()));
            if *reachable {
                tracing::warn!("export of {} fails: {}: {failure}", unit.name(), self.transport.target());
                *reachable = false;
            }
            let Failure::Retry { after, .. } = &failure else { return Err(failure) };
            self.health.update(|c| *c.retries.entry(unit).or_default() += 1);
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            let pause = after.map_or(pause, |asked| asked.clamp(pause, LONGEST_ASKED));
            if self.queue.is_closed() {
                // The recorder ends: what counts is the deadline that it set.
                tokio::time::sleep(pause.min(FIRST_PAUSE)).await;
            } else {
                self.queue.closed_within(pause).await;
            }
        }
    }

    fn account(&self, units: u64, result: &Result<u64, Failure>) {
        let unit = self.queue.unit();
        let (rejected, reason) = match result {
            Ok(rejected) => (*rejected.min(&units), "partial_success"),
            Err(_) => (units, "rejected"),
        };
        self.health.update(|c| {
            *c.sent.entry(unit).or_default() += units - rejected;
            let queued = c.queued.entry(unit).or_default();
            *queued = queued.saturating_sub(units);
        });
        self.health.drop(unit, reason, rejected);
    }
}
