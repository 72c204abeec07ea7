//! From rings on disk to an OTLP receiver, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

#[allow(unused_imports)]
mod script;
mod sink;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use script::*;
use sink::{Answer, Sink};
use tachograph_recorder::health::Unit;
use tachograph_recorder::status::ExportStatus;
use tachograph_recorder::{Config, Summary};
use tachograph_ring::record::{Engine, Fault, FinishReason, HttpOutcome, Probe, ProbeState, Process};
use tachograph_ring::{Record, Writer};
use tachograph_schema::metric::{ALL, EngineLine, Kind, OWN, SEMCONV};

fn process(role: &'static str) -> Record<'static> {
    Record::Process(Process {
        t_ns: at(0),
        pid: 42,
        role,
        engine: "vllm",
        engine_version: "0.32.0",
        engine_generation: "v1",
        python: "3.11",
    })
}

/// Records of `n` requests that were answered.
fn answered(n: u64) -> Vec<Record<'static>> {
    let served_models = vec!["tiny"];
    let engine = Engine {
        t_ns: at(0),
        engine_index: 0,
        served_models,
        max_model_len: 0,
        max_num_seqs: 0,
        max_num_batched_tokens: 0,
        num_gpu_blocks: 0,
        block_size: 0,
    };
    let mut records = vec![process("engine_core"), process("api_server"), Record::Engine(engine)];
    for i in 1..=n {
        let id: &'static str = Box::leak(format!("s{i}").into_boxed_str());
        let ms = i * 10;
        records.extend([
            http_start(ms, i, "/v1/chat/completions"),
            body(ms, i, r#"{"model":"tiny","messages":[{"role":"user","content":"Hi"}]}"#),
            add(ms + 1, i, id, "", 0),
            queued(ms + 2, id, 0),
            step(ms + 3, i, &[(id, 16)]),
            outputs(ms + 5, i, &[(id, 2, Some(FinishReason::Stop))]),
            http_end(ms + 6, i, HttpOutcome::Complete, ""),
        ]);
    }
    records
}

/// Write records into one ring for each process; the rings are closed in order.
fn write(dir: &Path, records: &[Record<'_>]) {
    let mut rings = [Writer::create(dir, 1 << 20).unwrap(), Writer::create(dir, 1 << 20).unwrap()];
    for record in records {
        let is_core = match record {
            Record::Process(p) => p.role == "engine_core",
            other => source_of(other) == CORE,
        };
        assert!(rings[usize::from(is_core)].write(record));
    }
}

fn config(dir: &Path, more: &[(&str, String)]) -> Config {
    let get = |name: &str| {
        let fixed = [("OTEL_BSP_SCHEDULE_DELAY", "10"), ("OTEL_METRIC_EXPORT_INTERVAL", "200")];
        let given = more.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone());
        given.or_else(|| fixed.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
    };
    Config::from_vars(dir, &get).unwrap()
}

fn to(address: SocketAddr, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut vars: Vec<_> = more.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
    vars.push(("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")));
    vars
}

/// Record what lies in `dir` until `done` says so, at most 20 s, and then stop.
async fn record(dir: &Path, vars: &[(&str, String)], done: impl Fn() -> bool) -> Summary {
    let until = Instant::now() + Duration::from_secs(20);
    let shutdown = async {
        while !done() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tachograph_recorder::run(config(dir, vars), shutdown).await.unwrap()
}

/// Sent, dropped by reason.
fn spans_of(summary: &Summary) -> (u64, Vec<(&'static str, u64)>) {
    let counts = &summary.counts;
    let dropped: Vec<_> = counts
        .dropped
        .iter()
        .filter(|((unit, _), _)| *unit == Unit::Spans)
        .map(|((_, reason), n)| (*reason, *n))
        .collect();
    let sent = counts.sent.get(&Unit::Spans).copied().unwrap_or(0);
    let all: u64 = dropped.iter().map(|(_, n)| n).sum();
    assert_eq!(counts.produced[&Unit::Spans], sent + all, "sent + dropped = produced");
    (sent, dropped)
}

#[tokio::test]
async fn over_grpc_every_span_and_metric_arrives_and_the_rings_are_gone() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    write(dir.path(), &answered(3));
    let vars = to(sink.grpc().await, &[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"), ("TACHOGRAPH_KEY", "k1")]);
    let summary = record(dir.path(), &vars, || sink.seen(|s| s.spans.len() >= 15 && !s.metrics.is_empty())).await;
    assert_eq!(spans_of(&summary), (15, vec![]));
    assert_eq!((summary.counts.records_produced, summary.counts.records_read), (24, 24));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    sink.seen(|seen| {
        assert!(seen.compressed);
        assert!(seen.headers.contains(&("authorization".into(), "Bearer k1".into())), "{:?}", seen.headers);
        assert_eq!(seen.scopes[0], ("tachograph".into(), "https://tachograph.dev/schemas/1.0.0".into()));
        let resource = &seen.resources[0].attributes;
        let text = |key: &str| match tachograph_schema::otlp::find(resource, key) {
            Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(s)) => s.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!((text("service.name"), text("tachograph.engine.version")), ("tiny".into(), "0.32.0".into()));
        assert_eq!(
            (text("process.pid"), text("telemetry.sdk.name")),
            ("Some(IntValue(42))".into(), "tachograph".into())
        );
    });
}

#[tokio::test]
async fn every_documented_metric_arrives_with_its_name_type_unit_and_dimensions() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    write(dir.path(), &answered(2));
    let vars = to(sink.grpc().await, &[]);
    record(dir.path(), &vars, || sink.seen(|s| s.spans.len() >= 10)).await;
    sink.seen(|seen| {
        let last = |name: &str| seen.metrics.iter().rev().find(|m| m.name == name);
        for row in ALL.iter().filter(|row| row.engines.contains(&EngineLine::VllmV1)) {
            let metric = last(row.name).unwrap_or_else(|| panic!("missing: {}", row.name));
            assert_eq!(metric.unit, row.unit, "{}", row.name);
            let points = match (row.kind, metric.data.as_ref().unwrap()) {
                (Kind::Counter, Data::Sum(sum)) => {
                    assert!(sum.is_monotonic && sum.aggregation_temporality == 2, "{}", row.name);
                    &sum.data_points
                }
                (Kind::Gauge, Data::Gauge(gauge)) => &gauge.data_points,
                other => panic!("{}: {other:?}", row.name),
            };
            for key in ["modelName", "model_name", "engine_index", "spanKind"].iter().chain(row.dims) {
                assert!(points[0].attributes.iter().any(|kv| kv.key == *key), "{} has no {key}", row.name);
            }
        }
        for row in SEMCONV {
            assert!(matches!(last(row.name).unwrap().data, Some(Data::Histogram(_))), "{}", row.name);
        }
        OWN.iter().for_each(|row| assert!(last(row.name).is_some(), "{}", row.name));
        let first = |name: &str| match last(name).unwrap().data.as_ref().unwrap() {
            Data::Sum(sum) => sum.data_points[0].value.unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(first("vllm_iter_count"), Value::AsInt(2));
        assert_eq!(first("gen_ai_vllm_request_success"), Value::AsInt(2));
        assert_eq!(first("gen_ai_vllm_prompt_tokens"), Value::AsInt(40));
        assert_eq!(first("gen_ai_vllm_generation_tokens"), Value::AsInt(4));
        assert_eq!(first("gen_ai_vllm_request_params_max_tokens"), Value::AsInt(32));
        let Value::AsDouble(ttft) = first("genai_llm_first_token_seconds") else { panic!() };
        assert!((ttft - 0.010).abs() < 1e-5, "{ttft}");
    });
}

#[tokio::test]
async fn over_http_headers_and_gzip_are_as_configured_and_a_503_is_tried_again() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::answering(&[Answer::Unavailable, Answer::Unavailable]));
    write(dir.path(), &answered(1));
    let more = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b"),
    ];
    let vars = to(sink.http().await, &more);
    let summary = record(dir.path(), &vars, || sink.seen(|s| s.spans.len() >= 5)).await;
    assert_eq!(spans_of(&summary), (5, vec![]));
    assert_eq!(summary.counts.retries[&Unit::Spans], 2);
    sink.seen(|seen| {
        assert!(seen.compressed && seen.headers.contains(&("x-tenant".into(), "a b".into())));
    });
}

#[tokio::test]
async fn a_server_that_is_away_for_a_while_loses_nothing() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    write(dir.path(), &answered(40));
    let later = sink.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        later.grpc_on(tokio::net::TcpListener::bind(address).await.unwrap());
    });
    let summary = record(dir.path(), &to(address, &[]), || sink.seen(|s| s.spans.len() >= 200)).await;
    assert_eq!(spans_of(&summary), (200, vec![]));
    assert!(summary.counts.retries[&Unit::Spans] > 0);
}

#[tokio::test]
async fn what_is_refused_for_good_is_dropped_by_its_reason_and_the_rest_goes_on() {
    let script = [Answer::Refuse, Answer::RejectSpans(2)];
    for over_http in [false, true] {
        let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::answering(&script));
        write(dir.path(), &answered(3));
        let (address, protocol) =
            if over_http { (sink.http().await, "http/protobuf") } else { (sink.grpc().await, "grpc") };
        let more = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")];
        let summary = record(dir.path(), &to(address, &more), || sink.seen(|s| s.attempts >= 3)).await;
        assert_eq!(spans_of(&summary), (8, vec![("partial_success", 2), ("rejected", 5)]));
    }
}

#[tokio::test]
async fn a_queue_that_is_full_drops_its_oldest_spans_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &answered(30));
    let nobody = to(
        "127.0.0.1:9".parse().unwrap(),
        &[("OTEL_BSP_MAX_QUEUE_SIZE", "20"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")],
    );
    let started = Instant::now();
    let summary = record(dir.path(), &nobody, || started.elapsed() > Duration::from_millis(500)).await;
    let (sent, dropped) = spans_of(&summary);
    assert_eq!(sent, 0);
    let reasons: Vec<_> = dropped.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(reasons, ["queue_full", "timeout_at_shutdown"]);
}

#[tokio::test]
async fn the_end_comes_within_two_seconds_although_nobody_answers() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &answered(1));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let vars = to(listener.local_addr().unwrap(), &[]);
    let began = Instant::now();
    let summary = record(dir.path(), &vars, || true).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(spans_of(&summary), (0, vec![("timeout_at_shutdown", 5)]));
}

#[tokio::test]
async fn a_trace_that_the_caller_does_not_sample_counts_in_metrics_only() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    let mut records = answered(2);
    for record in &mut records {
        if let Record::HttpStart(start) = record
            && start.http_id == 1
        {
            (start.parent_span_id, start.trace_flags) = ([9; 8], 0);
        }
    }
    write(dir.path(), &records);
    let summary = record(dir.path(), &to(sink.grpc().await, &[]), || sink.seen(|s| !s.spans.is_empty())).await;
    assert_eq!((spans_of(&summary), summary.counts.requests["ok"]), ((5, vec![]), 2));
}

#[tokio::test]
async fn the_status_of_a_running_recorder_tells_its_processes_hooks_and_export_and_goes_with_it() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    let mut ring = Writer::create(dir.path(), 1 << 20).unwrap();
    assert!(ring.write(&process("engine_core")));
    for (name, state, detail) in [("a.step", ProbeState::Live, ""), ("a.gone", ProbeState::Missing, "no queue times")] {
        assert!(ring.write(&Record::Probe(Probe { t_ns: at(0), name, state, detail })));
    }
    assert!(ring.write(&Record::Fault(Fault { t_ns: at(0), name: "a.step", error: "ValueError: x" })));
    let (seen, path) = (std::sync::Mutex::new(None), dir.path().to_owned());
    let vars = to(sink.grpc().await, &[("OTEL_SERVICE_NAME", "shop"), ("TACHOGRAPH_KEY", "s3cret")]);
    let is_told = || {
        let status = tachograph_recorder::status::read(&path).ok();
        let told = status.filter(|s| s.export.metrics.last_success_unix_s.is_some() && !s.processes.is_empty());
        let done = told.is_some();
        *seen.lock().unwrap() = told;
        done
    };
    record(dir.path(), &vars, is_told).await;
    let status = seen.lock().unwrap().take().expect("a status with a successful export");
    let engine = status.engine.unwrap();
    assert_eq!((engine.name.as_str(), engine.version.as_str(), engine.generation.as_str()), ("vllm", "0.32.0", "v1"));
    assert_eq!((status.service_name.as_str(), status.enabled), ("shop", true));
    let [process] = status.processes.as_slice() else { panic!("{:?}", status.processes) };
    assert_eq!((process.role.as_str(), process.python.as_str(), process.alive), ("engine_core", "3.11", true));
    assert_eq!((process.ring.capacity_bytes, process.ring.produced, process.ring.lost), (1 << 20, 4, 0));
    let probes: Vec<_> = process.probes.iter().map(|p| (p.name.as_str(), p.state.name(), p.faults)).collect();
    assert_eq!(probes, [("a.gone", "missing", 0), ("a.step", "live", 1)]);
    assert_eq!(process.probes[0].detail, "no queue times");
    assert!(status.export.metrics.sent > 0 && status.export.metrics.last_error.is_none());
    assert_eq!(status.export.traces.protocol, "grpc");
    assert!(status.recorder.pid == std::process::id() && status.recorder.rss_bytes > 0);
    assert!(!dir.path().join("status.json").exists(), "it ends with the recorder");
}

/// Scrape a running recorder once it has seen three requests; with what it says of its export.
async fn scrape(dir: &Path, vars: &[(&str, String)]) -> (String, ExportStatus) {
    let (found, until) = (tokio::sync::Notify::new(), Instant::now() + Duration::from_secs(20));
    let recorder = async {
        let get = |name: &str| vars.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone());
        let config = Config::from_vars(dir, &get).unwrap();
        tachograph_recorder::run(config, found.notified()).await.unwrap()
    };
    let scraper = async {
        let mut text = String::new();
        let mut export = ExportStatus::default();
        while !text.contains("tachograph_requests_total{tachograph_outcome=\"ok\"} 3") && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let Ok(status) = tachograph_recorder::status::read(dir) else { continue };
            export = status.export;
            let Some(url) = &export.prometheus else { continue };
            let response = reqwest::get(url).await.unwrap();
            assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
            text = response.text().await.unwrap();
        }
        found.notify_one();
        (text, export)
    };
    tokio::join!(recorder, scraper).1
}

#[tokio::test]
async fn a_prometheus_scrapes_every_documented_metric_by_its_exact_name_and_nothing_is_pushed() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    write(dir.path(), &answered(3));
    let more = [("OTEL_METRICS_EXPORTER", "prometheus"), ("OTEL_EXPORTER_PROMETHEUS_PORT", "0")];
    let (text, export) = scrape(dir.path(), &to(sink.grpc().await, &more)).await;
    assert!(export.prometheus.unwrap().starts_with("http://127.0.0.1:"), "this host only");
    assert_eq!(export.metrics.protocol, "none");
    for row in ALL.iter().filter(|row| row.engines.contains(&EngineLine::VllmV1)) {
        let kind = if row.kind == Kind::Counter { "counter" } else { "gauge" };
        assert!(text.contains(&format!("\n# TYPE {} {kind}\n{}{{", row.name, row.name)), "{}:\n{text}", row.name);
    }
    let labels = r#"engine_index="0",modelName="tiny",model_name="tiny",spanKind="LLM""#;
    assert!(text.contains(&format!("\ngen_ai_vllm_prompt_tokens{{{labels}}} 60\n")), "{text}");
    assert!(text.contains("\ngen_ai_server_request_duration_seconds_count{"), "{text}");
    assert!(text.contains("\ntarget_info{") && text.contains(r#"service_name="tiny""#), "{text}");
    sink.seen(|s| assert!(s.metrics.is_empty(), "nothing is pushed"));
}

#[tokio::test]
async fn a_prometheus_sees_whole_sums_also_where_differences_are_pushed() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    write(dir.path(), &answered(3));
    let more = [
        ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
    ];
    let (text, export) = scrape(dir.path(), &to(sink.grpc().await, &more)).await;
    assert!(text.contains("spanKind=\"LLM\"} 60\n") && export.metrics.protocol == "grpc", "{text}");
    sink.seen(|s| assert!(!s.metrics.is_empty()));
}

#[tokio::test]
async fn without_its_port_the_recorder_goes_on_and_with_no_exporter_no_metric_leaves() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for exporter in ["prometheus", "none"] {
        let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
        write(dir.path(), &answered(3));
        let more = [("OTEL_METRICS_EXPORTER", exporter), ("OTEL_EXPORTER_PROMETHEUS_PORT", port.as_str())];
        let vars = to(sink.grpc().await, &more);
        let summary = record(dir.path(), &vars, || sink.seen(|s| s.spans.len() >= 15)).await;
        assert_eq!(spans_of(&summary), (15, vec![]));
        sink.seen(|s| assert!(s.metrics.is_empty(), "{exporter}"));
    }
}

/// The other half of the next test: writes the begin of a request and hangs.
#[test]
#[ignore = "run by its other half in a process of its own"]
fn a_writer_that_will_be_killed() {
    let Ok(dir) = std::env::var("TEST_RING_DIR") else { return };
    let mut ring = Writer::create(Path::new(&dir), 1 << 20).unwrap();
    for record in &answered(1)[1..9] {
        assert!(ring.write(record));
    }
    std::fs::write(Path::new(&dir).join("ready"), "").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[tokio::test]
async fn the_requests_of_a_process_that_was_killed_are_closed_as_engine_died() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::default());
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_writer_that_will_be_killed"])
        .env("TEST_RING_DIR", dir.path())
        .spawn()
        .unwrap();
    while !dir.path().join("ready").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let summary = record(dir.path(), &to(sink.grpc().await, &[]), || sink.seen(|s| !s.spans.is_empty())).await;
    assert_eq!((spans_of(&summary), summary.counts.requests["engine_died"]), ((5, vec![]), 1));
    sink.seen(|seen| {
        assert_eq!(attribute(&seen.spans, "llm_request", "gen_ai.usage.output_tokens").unwrap(), "2");
        assert_eq!(attribute(&seen.spans, "POST", "error.type").unwrap(), r#""engine_died""#);
    });
}
