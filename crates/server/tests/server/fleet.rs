//! Engines and agents as they last reported.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Value, json};
use tachograph_schema::attribute as name;
use tachograph_schema::otlp::Attributes;

use crate::generate::{CUMULATIVE, DELTA, Request, SECOND_NS, T0_MS, T0_NS, counter, gauge, labels, point};
use crate::running::Running;

const START_NS: u64 = T0_NS - 3600 * SECOND_NS;

fn at(second: u64) -> u64 {
    T0_NS + second * SECOND_NS
}

/// What a launch sends about itself and its engines.
fn launch(instance: &str, provider: &str, generation: Option<&str>, metrics: Vec<Metric>) -> ResourceMetrics {
    let mut resource = Attributes::default();
    resource
        .set(name::SERVICE_NAME, "assistant")
        .set(name::SERVICE_INSTANCE, instance)
        .set(name::HOST_NAME, "gpu-a")
        .set(name::PROVIDER, provider)
        .set(name::ENGINE_VERSION, "1.2.3")
        .set(name::ENGINE_GENERATION, generation.map(str::to_owned))
        .set("telemetry.sdk.version", "0.1.0");
    ResourceMetrics {
        resource: Some(Resource { attributes: resource.0, ..Default::default() }),
        scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
        schema_url: String::new(),
    }
}

fn of(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let mut attributes = Attributes::default();
    for (key, value) in pairs {
        attributes.set(key, *value);
    }
    attributes.0
}

async fn ask(server: &Running, path: &str, to_s: u64, more: &str) -> Vec<Value> {
    let answer = server.json(&format!("/api/{path}?from={T0_MS}&to={}&{more}", T0_MS + to_s * 1000)).await;
    answer[path].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_engine_has_a_row_with_its_last_levels_and_its_figures_over_the_range() {
    let server = Running::start().await;
    let level = |metric, values: &[(u64, f64)]| {
        gauge(metric, values.iter().map(|(s, v)| point(&labels("llama", 0), 0, at(*s), *v)).collect())
    };
    let tokens = [(0, 100.0), (50, 600.0)].map(|(s, v)| point(&labels("llama", 0), START_NS, at(s), v));
    let sent = vec![
        level("gen_ai_vllm_num_requests_running", &[(0, 9.0), (50, 4.0)]),
        level("gen_ai_vllm_num_requests_waiting", &[(50, 2.0)]),
        level("gen_ai_vllm_kv_cache_usage_perc", &[(50, 0.5)]),
        counter("gen_ai_vllm_generation_tokens", CUMULATIVE, tokens.into()),
    ];
    server.metrics(vec![launch("a", "vllm", Some("v1"), sent)]).await;
    server.spans(vec![Request::default().spans()]).await;

    let rows = ask(&server, "engines", 60, "").await;
    assert_eq!(
        rows,
        [json!({
            "service": "assistant", "instance": "a", "engine_index": 0, "model": "llama", "line": "vllm_v1",
            "version": "1.2.3", "host": "gpu-a", "running": 4.0, "waiting": 2.0, "kv_usage": 0.5,
            "generation_tokens_per_s": 10.0, "ttft_p50_s": 0.2, "last_ms": (T0_MS + 50_000) as f64,
        })]
    );
    let silent = &ask(&server, "engines", 600, "").await[0];
    assert_eq!((&silent["running"], &silent["kv_usage"]), (&Value::Null, &Value::Null), "silent for more than 90 s");
    assert!(ask(&server, "engines", 60, "model=other").await.is_empty());
}

#[tokio::test]
async fn each_rank_and_each_engine_line_has_a_row_of_its_own() {
    let server = Running::start().await;
    let v0 = gauge("num_running_sys", vec![point(&of(&[("modelName", "llama")]), 0, at(1), 1.0)]);
    let ranked = |rank| of(&[("modelName", "qwen"), ("dp_rank", rank)]);
    let points = ["0", "1"].map(|rank| point(&ranked(rank), START_NS, at(1), 7.0));
    let sglang = counter("sglang_num_running_reqs", CUMULATIVE, points.into());
    let unnamed = gauge("gen_ai_vllm_num_requests_running", vec![point(&labels("llama", 0), 0, at(1), 1.0)]);
    let sent = vec![
        launch("a", "vllm", Some("v0"), vec![v0]),
        launch("b", "sglang", None, vec![sglang]),
        launch("c", "", None, vec![unnamed]),
    ];
    server.metrics(sent).await;
    let rows = ask(&server, "engines", 60, "").await;
    let of = |row: &Value| (row["instance"].clone(), row["line"].clone(), row["engine_index"].clone());
    let expected = [
        (json!("a"), json!("vllm_v0"), Value::Null),
        (json!("b"), json!("sglang"), json!(0)),
        (json!("b"), json!("sglang"), json!(1)),
        (json!("c"), json!("vllm_v1"), json!(0)),
    ];
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), expected);
    assert_eq!(rows[2]["running"], 7.0);
}

#[tokio::test]
async fn an_agent_says_what_it_sees_what_it_lost_and_what_it_cost() {
    let server = Running::start().await;
    let process = |pid, role| [("process.pid", pid), ("tachograph.process.role", role)];
    let probe = |pid: &'static str, state: &'static str, detail: &'static str, second| {
        let mut pairs = process(pid, "engine_core").to_vec();
        pairs.extend([
            ("tachograph.probe.name", "Scheduler.schedule"),
            ("tachograph.probe.state", state),
            ("tachograph.probe.detail", detail),
        ]);
        point(&of(&pairs), 0, at(second), 1.0)
    };
    let one = |metric, pairs: &[(&str, &str)], value| {
        counter(metric, CUMULATIVE, vec![point(&of(pairs), START_NS, at(50), value)])
    };
    let recorder = [("tachograph.process.role", "recorder")];
    let cpu = [(0, 1.0), (50, 1.25)].map(|(s, v)| point(&of(&recorder), START_NS, at(s), v));
    let tokens = [(0, 1000.0), (50, 2000.0)].map(|(s, v)| point(&labels("llama", 0), START_NS, at(s), v));
    let sent = vec![
        gauge("tachograph.process", vec![point(&of(&process("7", "engine_core")), 0, at(50), 1.0)]),
        gauge("tachograph.ring.usage", vec![point(&of(&process("7", "engine_core")), 0, at(50), 0.25)]),
        gauge(
            "tachograph.probe",
            vec![probe("7", "live", "", 40), probe("7", "removed", "steps", 50), probe("8", "removed", "steps", 50)],
        ),
        one("tachograph.records", &[("tachograph.state", "produced")], 12.0),
        one("tachograph.requests", &[("tachograph.outcome", "ok")], 3.0),
        one("tachograph.export.sent", &[("tachograph.unit", "spans")], 18.0),
        one("tachograph.dropped", &[("tachograph.unit", "records"), ("tachograph.reason", "ring_full")], 5.0),
        one("tachograph.dropped", &[("tachograph.unit", "spans"), ("tachograph.reason", "refused")], 0.0),
        one("tachograph.faults", &process("7", "engine_core"), 2.0),
        gauge("tachograph.lag", vec![point(&[], 0, at(50), 0.125)]),
        counter("process.cpu.time", CUMULATIVE, cpu.into()),
        gauge("process.memory.usage", vec![point(&of(&recorder), 0, at(50), 1e7)]),
        counter("gen_ai_vllm_generation_tokens", CUMULATIVE, tokens.into()),
    ];
    server.metrics(vec![launch("a", "vllm", Some("v1"), sent)]).await;
    let agents = ask(&server, "agents", 60, "").await;
    assert_eq!(
        agents,
        [json!({
            "service": "assistant", "instance": "a", "host": "gpu-a", "engine": "vllm", "engine_version": "1.2.3",
            "engine_generation": "v1", "agent_version": "0.1.0", "last_ms": (T0_MS + 50_000) as f64,
            "processes": [{"pid": 7, "role": "engine_core", "python": null, "ring_usage": 0.25}],
            "probes": [{
                "name": "Scheduler.schedule", "state": "removed", "detail": "steps", "role": "engine_core",
                "pids": [7, 8],
            }],
            "records_produced": 12.0, "records_read": null, "records_suppressed": null, "requests": {"ok": 3.0},
            "exports": [{"unit": "spans", "produced": 0.0, "sent": 18.0, "queued": 0.0, "retries": 0.0}],
            "dropped": [{"unit": "records", "reason": "ring_full", "count": 5.0}],
            "faults": [{"role": "engine_core", "pid": 7, "count": 2.0}],
            "lag_s": 0.125, "recorder_bytes": 1e7,
            "price": {"cpu_s": 0.25, "tokens": 1000.0, "window_s": 50.0},
        })]
    );
}

#[tokio::test]
async fn who_sends_metrics_without_our_agent_is_an_engine_and_no_agent() {
    let server = Running::start().await;
    let running = gauge("gen_ai_vllm_num_requests_running", vec![point(&labels("llama", 0), 0, at(1), 1.0)]);
    server.metrics(vec![launch("a", "vllm", Some("v1"), vec![running])]).await;
    assert!(ask(&server, "agents", 60, "").await.is_empty());
    assert_eq!(ask(&server, "engines", 60, "").await.len(), 1);
}

#[tokio::test]
async fn what_an_agent_sends_as_deltas_is_added_up_over_the_range() {
    let server = Running::start().await;
    let points = (0..3).map(|i| point(&of(&[("tachograph.outcome", "ok")]), at(i), at(i + 1), 2.0)).collect();
    server.metrics(vec![launch("a", "vllm", None, vec![counter("tachograph.requests", DELTA, points)])]).await;
    assert_eq!(ask(&server, "agents", 60, "").await[0]["requests"], json!({"ok": 6.0}));
}

#[tokio::test]
async fn an_agent_that_got_its_name_while_it_ran_is_one_agent() {
    let server = Running::start().await;
    let named = |service: &str, second, n| {
        let produced = point(&of(&[("tachograph.state", "produced")]), START_NS, at(second), n);
        let mut sent = launch("a", "vllm", Some("v1"), vec![counter("tachograph.records", CUMULATIVE, vec![produced])]);
        let mut name = Attributes::default();
        name.set(name::SERVICE_NAME, service).set(name::SERVICE_INSTANCE, "a");
        sent.resource = Some(Resource { attributes: name.0, ..Default::default() });
        sent
    };
    server.metrics(vec![named("unknown_service:vllm", 10, 3.0), named("assistant", 20, 5.0)]).await;
    let agents = ask(&server, "agents", 60, "").await;
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert_eq!((&agents[0]["service"], &agents[0]["records_produced"]), (&json!("assistant"), &json!(5.0)));
}

#[tokio::test]
async fn the_status_says_where_otlp_is_received() {
    let server = Running::start().await;
    let status = server.json("/api/status").await;
    let addresses = server.addresses;
    let expected = json!({"grpc": addresses.grpc.to_string(), "http": addresses.otlp_http.to_string()});
    assert_eq!(status["otlp"], expected);
}
