//! Recording switched off and on while the engine works.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

#[allow(unused_imports)]
mod script;
mod sink;

use std::path::Path;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use script::*;
use sink::Sink;
use tachograph_recorder::Config;
use tachograph_recorder::health::{Counts, Unit};
use tachograph_recorder::switch::Switch;
use tachograph_ring::Writer;
use tachograph_ring::record::{FinishReason, HttpOutcome};

const PATIENCE: Duration = Duration::from_secs(20);

/// A request up to its first token.
fn begin(ring: &mut Writer, n: u64, id: &str) {
    ring.write(&http_start(n * 10, n, "/v1/chat/completions"));
    ring.write(&add(n * 10 + 1, n, id, "", 0));
    ring.write(&step(n * 10 + 2, n, &[(id, 16)]));
    ring.write(&outputs(n * 10 + 3, n, &[(id, 1, None)]));
}

/// Its second token and its end.
fn end(ring: &mut Writer, n: u64, id: &str) {
    ring.write(&outputs(n * 10 + 4, n, &[(id, 1, Some(FinishReason::Stop))]));
    ring.write(&http_end(n * 10 + 5, n, HttpOutcome::Complete, ""));
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "in vain waited for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The root spans that arrived, by the request's number, with their error.
fn roots(sink: &Sink) -> Vec<String> {
    let error = |span: &Span| match tachograph_schema::otlp::find(&span.attributes, "error.type") {
        Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) => text.clone(),
        _ => "whole".to_owned(),
    };
    sink.seen(|seen| seen.spans.iter().filter(|span| span.name.starts_with("POST")).map(error).collect())
}

async fn act(dir: &Path, sink: &Sink, mut ring: Writer) {
    begin(&mut ring, 1, "open");
    Switch::Off.write(dir).unwrap();
    until("the ring to be switched off", || ring.is_suppressed()).await;
    until("what was open to be told", || !roots(sink).is_empty()).await;
    assert_eq!(roots(sink), ["unobserved"]);
    begin(&mut ring, 2, "unseen");
    end(&mut ring, 1, "open");
    let mut late = Writer::create(dir, 1 << 16).unwrap();
    until("a ring that is found later to be switched off too", || late.is_suppressed()).await;
    assert!(!late.write(&step(30, 9, &[("unseen", 1)])));
    Switch::On.write(dir).unwrap();
    until("the rings to be switched on", || !ring.is_suppressed() && !late.is_suppressed()).await;
    begin(&mut ring, 3, "whole");
    end(&mut ring, 3, "whole");
    until("a whole request", || roots(sink).len() == 2).await;
    assert_eq!(roots(sink), ["unobserved", "whole"]);
    assert_eq!((ring.produced(), ring.suppressed(), late.suppressed()), (10, 6, 1));
}

#[tokio::test]
async fn what_is_open_when_it_is_switched_off_is_told_as_unobserved_and_what_begins_after_is_whole_again() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    let endpoint = format!("http://{}", sink.grpc().await);
    let get = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_BSP_SCHEDULE_DELAY" => Some("10".to_owned()),
        "ARMS_APP_NAME" => Some("switch".to_owned()),
        _ => None,
    };
    let config = Config::from_vars(dir.path(), &get).unwrap();
    let ring = Writer::create(dir.path(), 1 << 16).unwrap();
    let counts: Counts = tachograph_recorder::run(config, act(dir.path(), &sink, ring)).await.unwrap().counts;
    assert_eq!((counts.records_produced, counts.records_read, counts.records_suppressed), (10, 10, 7));
    let requests: Vec<_> = counts.dropped.iter().filter(|((unit, _), _)| *unit == Unit::Requests).collect();
    assert!(requests.is_empty(), "the late end of a request that was told is no loss: {requests:?}");
}
