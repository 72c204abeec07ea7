//! Every setting of the table in `docs/settings.md` has its effect on the wire.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;
mod sink;

use std::path::Path;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use script::*;
use sink::Sink;
use tachograph_recorder::health::Unit;
use tachograph_recorder::{Config, Summary};
use tachograph_ring::record::{FinishReason, HttpOutcome, Process};
use tachograph_ring::{Record, Writer};
use tachograph_schema::metric::SEMCONV;

/// Longest wait for what a test expects.
const PATIENCE: Duration = Duration::from_secs(20);
const PROMPT: &str = "the prompt that only content has";

/// A ring with `n` answered chats of four tokens each.
fn write(dir: &Path, n: u64) {
    let mut ring = Writer::create(dir, 1 << 20).unwrap();
    let (role, engine) = ("api_server", "sglang");
    let (engine_version, engine_generation, python) = ("0.5.23", "", "3.11");
    assert!(ring.write(&Record::Process(Process {
        t_ns: at(0),
        pid: 42,
        role,
        engine,
        engine_version,
        engine_generation,
        python
    })));
    let request = format!(r#"{{"model":"tiny","messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#);
    for i in 1..=n {
        let id = format!("s{i}");
        let mut start = http_start(0, i, "/v1/chat/completions");
        if let Record::HttpStart(start) = &mut start {
            start.trace_id[8..].copy_from_slice(&(i << 60).to_be_bytes());
        }
        let mut records = vec![start, body(1, i, &request), add(2, i, &id, "", 0), queued(3, &id, 0)];
        for token in 0..4 {
            let end = (token == 3).then_some(FinishReason::Length);
            records.push(step(10 + token, i * 10 + token, &[(&id, 16)]));
            records.push(outputs(10 + token, i * 10 + token, &[(&id, 1, end)]));
        }
        records.push(http_end(20, i, HttpOutcome::Complete, ""));
        records.iter().for_each(|record| assert!(ring.write(record)));
    }
}

/// Record `n` requests under settings, over gRPC unless they say otherwise.
async fn recorded(sink: &Sink, n: u64, vars: &[(&str, &str)], done: impl Fn(&Sink) -> bool) -> Summary {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), n);
    let endpoint = format!("http://{}", sink.grpc().await);
    let get = |name: &str| {
        let given = vars.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
        given.or_else(|| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_BSP_SCHEDULE_DELAY" => Some("10".to_owned()),
            "OTEL_METRIC_EXPORT_INTERVAL" => Some("200".to_owned()),
            _ => None,
        })
    };
    let config = Config::from_vars(dir.path(), &get).unwrap();
    let until = Instant::now() + PATIENCE;
    let shutdown = async {
        while !done(sink) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tachograph_recorder::run(config, shutdown).await.unwrap()
}

fn has_spans(sink: &Sink) -> bool {
    sink.seen(|s| s.spans.iter().any(|span| span.name == "llm_request"))
}

/// Spans under settings.
async fn spans_with(vars: &[(&str, &str)]) -> Vec<opentelemetry_proto::tonic::trace::v1::Span> {
    let sink = Sink::default();
    recorded(&sink, 1, vars, has_spans).await;
    sink.seen(|s| s.spans.clone())
}

/// An attribute of the resource under settings.
async fn resource_with(vars: &[(&str, &str)], key: &str) -> Option<String> {
    let sink = Sink::default();
    recorded(&sink, 1, vars, has_spans).await;
    sink.seen(|s| {
        let found = s.resources[0].attributes.iter().find(|kv| kv.key == key)?;
        match found.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.clone()),
            other => Some(format!("{other:?}")),
        }
    })
}

const LEVEL: &str = "OTEL_INSTRUMENTATION_VLLM_TRACING_LEVEL";
const CONTENT: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

#[tokio::test]
async fn the_level_says_which_spans_and_events_leave() {
    for (level, stages, events) in [("0", 0, 0), ("1", 3, 0), ("2", 3, 4)] {
        let spans = spans_with(&[(LEVEL, level)]).await;
        let stage = |name: &str| ["wait", "prefill", "decode"].contains(&name);
        assert_eq!(spans.iter().filter(|s| stage(&s.name)).count(), stages, "level {level}");
        let request = spans.iter().find(|s| s.name == "llm_request").unwrap();
        assert_eq!(request.events.len(), events, "level {level}");
    }
}

#[tokio::test]
async fn the_event_limit_keeps_the_first_tokens_and_counts_the_rest() {
    let spans = spans_with(&[(LEVEL, "2"), ("OTEL_SPAN_EVENT_COUNT_LIMIT", "3")]).await;
    let request = spans.iter().find(|s| s.name == "llm_request").unwrap();
    assert_eq!((request.events.len(), request.dropped_events_count), (3, 1));
}

#[tokio::test]
async fn the_application_is_named_by_arms_then_otel_then_the_resource_then_the_model() {
    let arms = ("ARMS_APP_NAME", "by-arms");
    let otel = ("OTEL_SERVICE_NAME", "by-otel");
    let listed = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=by-list");
    for (vars, name) in
        [(&[arms, otel, listed][..], "by-arms"), (&[otel, listed], "by-otel"), (&[listed], "by-list"), (&[], "tiny")]
    {
        assert_eq!(resource_with(vars, "service.name").await.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn region_and_resource_attributes_are_on_the_resource_and_the_later_one_wins() {
    assert_eq!(resource_with(&[("ARMS_REGION_ID", "eu-1")], "cloud.region").await.as_deref(), Some("eu-1"));
    let both = [("ARMS_REGION_ID", "eu-1"), ("OTEL_RESOURCE_ATTRIBUTES", "cloud.region=us-2,team=a%20b")];
    assert_eq!(resource_with(&both, "cloud.region").await.as_deref(), Some("us-2"));
    assert_eq!(resource_with(&both, "team").await.as_deref(), Some("a b"));
}

#[tokio::test]
async fn the_provider_is_the_engine_on_resource_and_span() {
    assert_eq!(resource_with(&[], "gen_ai.provider.name").await.as_deref(), Some("sglang"));
    let spans = spans_with(&[]).await;
    assert_eq!(attribute(&spans, "chat tiny", "gen_ai.provider.name").unwrap(), r#""sglang""#);
}

#[tokio::test]
async fn the_key_travels_as_a_bearer_token_ours_before_the_documented_one() {
    for (vars, token) in [
        (&[("ARMS_LICENSE_KEY", "a")][..], "Bearer a"),
        (&[("ARMS_LICENSE_KEY", "a"), ("TACHOGRAPH_KEY", "t")], "Bearer t"),
        (&[("TACHOGRAPH_KEY", "t"), ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=mine")], "mine"),
    ] {
        let sink = Sink::default();
        recorded(&sink, 1, vars, has_spans).await;
        sink.seen(|s| assert!(s.headers.contains(&("authorization".into(), token.into())), "{:?}", s.headers));
    }
}

#[tokio::test]
async fn each_signal_goes_to_the_endpoint_of_its_own() {
    let (sink, metrics) = (Sink::default(), Sink::default());
    let url = format!("http://{}/v1/metrics", metrics.http().await);
    let vars = [
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
    ];
    recorded(&sink, 1, &vars, |s| has_spans(s) && metrics.seen(|m| !m.metrics.is_empty())).await;
    sink.seen(|s| assert!(!s.spans.is_empty() && s.metrics.is_empty()));
    metrics.seen(|s| assert!(s.spans.is_empty() && !s.metrics.is_empty()));
}

#[tokio::test]
async fn metrics_are_cumulative_unless_delta_or_lowmemory_is_preferred() {
    for (preference, expected) in [("", 2), ("cumulative", 2), ("delta", 1), ("lowmemory", 1)] {
        let sink = Sink::default();
        let vars = [("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)];
        recorded(&sink, 1, &vars, |s| s.seen(|s| !s.metrics.is_empty())).await;
        let (mut sums, mut histograms) = (Vec::new(), Vec::new());
        sink.seen(|s| {
            s.metrics.iter().for_each(|m| match m.data.as_ref() {
                Some(Data::Sum(sum)) => sums.push(sum.aggregation_temporality),
                Some(Data::Histogram(histogram)) => histograms.push(histogram.aggregation_temporality),
                _ => {}
            });
        });
        assert!(!histograms.is_empty() && histograms.iter().all(|&t| t == expected), "{preference}: {histograms:?}");
        // A level that is documented as a counter is cumulative always.
        assert!(sums.contains(&expected) && (expected == 1 || !sums.contains(&1)), "{preference}: {sums:?}");
    }
}

#[tokio::test]
async fn the_interval_says_how_often_metrics_leave() {
    for (interval, often) in [("100", true), ("60000", false)] {
        let (sink, began) = (Sink::default(), Instant::now());
        recorded(&sink, 1, &[("OTEL_METRIC_EXPORT_INTERVAL", interval)], |_| {
            began.elapsed() > Duration::from_millis(1500)
        })
        .await;
        // With the long interval they leave once, at the end.
        let reports = sink.seen(|s| s.metrics.iter().filter(|m| m.name == SEMCONV[0].name).count());
        assert_eq!(reports > 2, often, "{interval}: {reports}");
    }
}

#[tokio::test]
async fn the_sampler_keeps_or_leaves_out_whole_traces_and_metrics_count_all() {
    for (sampler, argument, requests) in [
        ("always_off", "", 0..=0),
        ("parentbased_always_off", "", 0..=0),
        ("always_on", "", 8..=8),
        ("traceidratio", "0.5", 1..=7),
        ("parentbased_traceidratio", "0", 0..=0),
    ] {
        let sink = Sink::default();
        let vars = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)];
        let summary = recorded(&sink, 8, &vars, |s| s.seen(|s| !s.metrics.is_empty())).await;
        let seen = sink.seen(|s| s.spans.iter().filter(|span| span.name == "llm_request").count());
        assert!(requests.contains(&seen), "{sampler}: {seen}");
        assert_eq!(summary.counts.requests["ok"], 8, "{sampler}");
    }
}

#[tokio::test]
async fn either_switch_turns_all_of_it_off() {
    for off in [("OTEL_SDK_DISABLED", "true"), ("TACHOGRAPH_ENABLED", "false")] {
        let (sink, began) = (Sink::default(), Instant::now());
        recorded(&sink, 1, &[off], |_| began.elapsed() > Duration::from_millis(500)).await;
        sink.seen(|s| assert!(s.spans.is_empty() && s.metrics.is_empty(), "{off:?}"));
    }
}

#[tokio::test]
async fn a_batch_has_at_most_as_many_spans_as_is_set_and_leaves_after_the_delay_at_the_latest() {
    let sink = Sink::default();
    let vars = [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"), ("OTEL_BSP_SCHEDULE_DELAY", "60000")];
    let summary = recorded(&sink, 4, &vars, |s| s.seen(|s| s.spans.len() >= 24)).await;
    assert_eq!(summary.counts.sent[&Unit::Spans], 24);
    sink.seen(|s| assert_eq!(s.attempts, 6));
}

#[tokio::test]
async fn the_timeout_ends_an_attempt_so_that_it_is_tried_again() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    for protocol in ["grpc", "http/protobuf"] {
        let (sink, began) = (Sink::default(), Instant::now());
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
        ];
        let summary = recorded(&sink, 1, &vars, |_| began.elapsed() > Duration::from_secs(2)).await;
        assert!(summary.counts.retries[&Unit::Spans] >= 2, "{protocol}: {:?}", summary.counts.retries);
    }
}

#[tokio::test]
async fn content_leaves_unless_it_is_turned_off_or_cannot_be_redacted_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let (good, bad) = (file("good", "[patterns]\nlast = 'has$'"), file("bad", "[patterns]\nlast = '('"));
    for (vars, expected) in [
        (&[][..], Some(PROMPT)),
        (&[(CONTENT, "SPAN_ONLY")], Some(PROMPT)),
        (&[(CONTENT, "NO_CONTENT")], None),
        (&[(CONTENT, "false")], None),
        (&[("TACHOGRAPH_REDACT", good.as_str())], Some("the prompt that only content [redacted:last]")),
        (&[("TACHOGRAPH_REDACT", bad.as_str())], None),
        (&[("TACHOGRAPH_REDACT", "/nowhere")], None),
        (&[("TACHOGRAPH_CONTENT_MAX_CHARS", "10")], Some("the prompt…[cut, 22 characters]")),
    ] {
        let spans = spans_with(vars).await;
        let input = attribute(&spans, "chat tiny", "gen_ai.input.messages");
        match expected {
            Some(text) => assert!(input.as_ref().is_some_and(|i| i.contains(text)), "{vars:?}: {input:?}"),
            None => {
                let bytes: Vec<u8> = spans.iter().flat_map(Message::encode_to_vec).collect();
                assert!(!bytes.windows(10).any(|w| w == b"the prompt"), "{vars:?}");
                assert_eq!(spans.len(), 6, "{vars:?}");
            }
        }
        let length = attribute(&spans, "chat tiny", "tachograph.content.length");
        assert_eq!(length.as_deref(), expected.filter(|e| e.contains("[cut")).map(|_| "32"), "{vars:?}");
    }
}
