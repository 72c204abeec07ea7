//! From scripted records to metric points.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;

use expect_test::expect_file;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use script::*;
use tachograph_recorder::clock::Clock;
use tachograph_recorder::config::Temporality;
use tachograph_recorder::health::{Health, Unit};
use tachograph_recorder::metric::Meter;
use tachograph_recorder::status::Roster;
use tachograph_ring::record::{
    Engine, Fault, Figure, FinishReason, HttpOutcome, Probe, ProbeState, Process, Quantity, Sample,
};
use tachograph_ring::{Anchor, Counters, Info, Record};
use tachograph_schema::metric::{ALL, EngineLine, Kind};

/// A moment, Unix nanoseconds; records were made at the script's times.
fn now(wall_ns: u64) -> Clock {
    Clock { mono_ns: at(100), wall_ns }
}

fn collect(meter: &mut Meter, wall_ns: u64) -> Vec<Metric> {
    meter.collect(now(wall_ns), &Health::default(), &Roster::default())
}

fn feed(meter: &mut Meter, records: &[Record<'_>]) {
    let mut join = join_with(CONTENT, 0);
    for record in records {
        meter.record(source_of(record), record);
        join.apply(source_of(record), record);
    }
    join.take().iter().for_each(|joined| meter.joined(joined, "vllm"));
}

/// One request that is preempted once and ends by its length.
fn one(http_id: u64, id: &'static str) -> Vec<Record<'static>> {
    vec![
        http_start(0, http_id, "/v1/completions"),
        add(1, http_id, id, "", 0),
        queued(2, id, 0),
        step(10, 1, &[(id, 16)]),
        outputs(20, 1, &[(id, 1, None)]),
        preempted(21, id),
        step(30, 2, &[(id, 17)]),
        outputs(40, 2, &[(id, 1, Some(FinishReason::Length))]),
        step(41, 3, &[]),
        http_end(42, http_id, HttpOutcome::Complete, ""),
    ]
}

fn points(metrics: &[Metric], name: &str) -> Vec<(String, f64)> {
    let metric = metrics.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("missing: {name}"));
    let points = match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => &sum.data_points,
        Data::Gauge(gauge) => &gauge.data_points,
        other => panic!("{other:?}"),
    };
    let label = |p: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
        let last = p.attributes.last().map(|kv| kv.value.clone().unwrap().value.unwrap());
        match last {
            Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(s)) => s,
            _ => String::new(),
        }
    };
    points
        .iter()
        .map(|p| {
            let value = match p.value.unwrap() {
                Value::AsInt(i) => i as f64,
                Value::AsDouble(d) => d,
            };
            (label(p), value)
        })
        .collect()
}

fn sum(metrics: &[Metric], name: &str) -> f64 {
    points(metrics, name).iter().map(|(_, v)| v).sum()
}

#[test]
fn sums_are_over_sequences_that_ended_and_levels_are_of_the_last_step() {
    let mut meter = Meter::new(Temporality::Cumulative, 1);
    feed(&mut meter, &one(1, "a"));
    let metrics = collect(&mut meter, 2);
    let of = |name: &str| (sum(&metrics, name) * 1e3).round() / 1e3;
    assert_eq!((of("vllm_iter_count"), of("gen_ai_vllm_num_preemptions")), (2.0, 1.0));
    assert_eq!((of("gen_ai_vllm_prompt_tokens"), of("gen_ai_vllm_generation_tokens")), (20.0, 2.0));
    assert_eq!(
        (of("gen_ai_vllm_request_queue_time_seconds"), of("gen_ai_vllm_request_prefill_time_seconds")),
        (0.017, 0.020)
    );
    assert_eq!(
        (of("gen_ai_vllm_request_decode_time_seconds"), of("gen_ai_vllm_request_inference_time_seconds")),
        (0.001, 0.021)
    );
    assert_eq!((of("genai_llm_first_token_seconds"), of("gen_ai_server_request_duration")), (0.020, 0.040));
    assert_eq!((of("gen_ai_vllm_prefix_cache_queries"), of("gen_ai_vllm_prefix_cache_hits")), (40.0, 8.0));
    assert_eq!((of("gen_ai_vllm_num_requests_running"), of("gen_ai_vllm_num_requests_waiting")), (0.0, 4.0));
    assert_eq!((of("gen_ai_vllm_kv_cache_usage_perc"), of("gen_ai_vllm_request_params_n")), (0.25, 1.0));
    let success = points(&metrics, "gen_ai_vllm_request_success");
    assert_eq!(success.iter().find(|(_, n)| *n > 0.0).unwrap(), &("length".to_owned(), 1.0));
    assert_eq!(points(&metrics, "llm_usage_tokens"), [("input".to_owned(), 20.0), ("output".to_owned(), 2.0)]);
}

#[test]
fn delta_says_only_what_is_new_and_cumulative_all_of_it() {
    for (temporality, again) in [(Temporality::Cumulative, 2.0), (Temporality::Delta, 0.0)] {
        let (mut meter, health) = (Meter::new(temporality, 1), Health::default());
        health.drop(Unit::Spans, "queue_full", 3);
        feed(&mut meter, &one(1, "a"));
        let first = meter.collect(now(2), &health, &Roster::default());
        let second = meter.collect(now(3), &health, &Roster::default());
        assert_eq!((sum(&first, "vllm_iter_count"), sum(&second, "vllm_iter_count")), (2.0, again));
        assert_eq!((sum(&first, "tachograph.dropped"), sum(&second, "tachograph.dropped")), (3.0, again * 1.5));
        let has_histogram = |m: &[Metric]| m.iter().any(|m| m.name == "gen_ai.server.request.duration");
        assert_eq!((has_histogram(&first), has_histogram(&second)), (true, again > 0.0));
        let Some(Data::Sum(sum)) = &second[0].data else { panic!() };
        let start = if temporality == Temporality::Delta { 2 } else { 1 };
        assert_eq!((sum.data_points[0].start_time_unix_nano, sum.data_points[0].time_unix_nano), (start, 3));
    }
}

#[test]
fn an_engine_that_is_gone_runs_nothing() {
    let mut meter = Meter::new(Temporality::Cumulative, 1);
    feed(&mut meter, &[step(10, 1, &[("a", 16)])]);
    let running = |meter: &mut Meter| sum(&collect(meter, 2), "gen_ai_vllm_num_requests_running");
    assert_eq!(running(&mut meter), 1.0);
    meter.close_source(API);
    assert_eq!(running(&mut meter), 1.0);
    meter.close_source(CORE);
    assert_eq!(running(&mut meter), 0.0);
}

#[test]
fn only_answered_requests_count_in_the_histograms_of_token_times() {
    let mut meter = Meter::new(Temporality::Cumulative, 1);
    feed(
        &mut meter,
        &[
            http_start(0, 1, "/v1/completions"),
            add(1, 1, "a", "", 0),
            outputs(20, 1, &[("a", 1, None)]),
            outputs(30, 2, &[("a", 1, Some(FinishReason::Abort))]),
            http_end(31, 1, HttpOutcome::Disconnected, ""),
        ],
    );
    let metrics = collect(&mut meter, 2);
    let has = |name: &str| metrics.iter().any(|m| m.name == name);
    assert!(has("gen_ai.server.request.duration") && has("gen_ai.client.token.usage"));
    assert!(!has("gen_ai.server.time_to_first_token") && !has("gen_ai.server.time_per_output_token"));
}

fn process(engine: &'static str, engine_generation: &'static str) -> Record<'static> {
    let (engine_version, python) = ("1.2.3", "3.11");
    let role = "engine_core";
    Record::Process(Process { t_ns: at(0), pid: 42, role, engine, engine_version, engine_generation, python })
}

fn engine(engine_index: u32) -> Record<'static> {
    Record::Engine(Engine {
        t_ns: at(0),
        engine_index,
        served_models: vec!["tiny"],
        max_model_len: 0,
        max_num_seqs: 0,
        max_num_batched_tokens: 0,
        num_gpu_blocks: 0,
        block_size: 0,
    })
}

fn sample(ms: u64, figures: &[(Quantity, f64)]) -> Record<'static> {
    let figures: Vec<_> = figures.iter().map(|&(quantity, value)| Figure { quantity, value }).collect();
    Record::Sample(Sample { t_ns: at(ms), engine_index: 0, figures: figures.into() })
}

/// A metric as text: name, what it is on the wire, and its points without the dimensions that all have.
fn lines_of(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for metric in metrics.iter().filter(|m| ALL.iter().any(|row| row.name == m.name)) {
        let kind = match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => format!("sum monotonic={} {}", sum.is_monotonic, sum.aggregation_temporality),
            _ => "gauge".to_owned(),
        };
        let values: Vec<String> = points(metrics, &metric.name)
            .iter()
            .map(|(label, value)| format!("{label}={}", (value * 1e6).round() / 1e6))
            .collect();
        text += &format!("{} {kind} [{}] {}\n", metric.name, metric.unit, values.join(" "));
    }
    text
}

/// The keys and values of the dimensions of a metric's first point.
fn dimensions(metrics: &[Metric], name: &str) -> Vec<(String, String)> {
    let metric = metrics.iter().find(|m| m.name == name).unwrap();
    let attributes = match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => &sum.data_points[0].attributes,
        Data::Gauge(gauge) => &gauge.data_points[0].attributes,
        other => panic!("{other:?}"),
    };
    let text = |v: &opentelemetry_proto::tonic::common::v1::AnyValue| match v.value.as_ref().unwrap() {
        opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(s) => s.clone(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|kv| (kv.key.clone(), kv.value.as_ref().map(text).unwrap())).collect()
}

fn has_all_rows_with_their_types(metrics: &[Metric], line: EngineLine) {
    for row in ALL.iter().filter(|row| row.engines.contains(&line)) {
        let metric = metrics.iter().find(|m| m.name == row.name).unwrap_or_else(|| panic!("missing: {}", row.name));
        assert_eq!(metric.unit, row.unit, "{}", row.name);
        match (row.kind, metric.data.as_ref().unwrap()) {
            (Kind::Counter, Data::Sum(sum)) => assert!(sum.is_monotonic && !sum.data_points.is_empty(), "{}", row.name),
            (Kind::Gauge, Data::Gauge(gauge)) => assert!(!gauge.data_points.is_empty(), "{}", row.name),
            other => panic!("{}: {other:?}", row.name),
        }
    }
    let documented = |name: &str| ALL.iter().any(|row| row.name == name);
    let of_line = |name: &str| ALL.iter().any(|row| row.name == name && row.engines.contains(&line));
    assert!(metrics.iter().all(|m| !documented(&m.name) || of_line(&m.name)), "another line's metric");
}

#[test]
fn a_v0_engine_has_its_own_rows_and_its_own_sums() {
    let mut meter = Meter::new(Temporality::Cumulative, 1);
    let mut records = vec![process("vllm", "v0"), engine(0)];
    records.extend(one(1, "a"));
    records.push(sample(10, &[(Quantity::PromptTokens, 16.0), (Quantity::CpuKvUsage, 0.5)]));
    records.push(sample(30, &[(Quantity::PromptTokens, 17.0), (Quantity::Swapped, 2.0)]));
    feed(&mut meter, &records);
    let metrics = collect(&mut meter, 2);
    has_all_rows_with_their_types(&metrics, EngineLine::VllmV0);
    expect_file!["golden/metric_vllm_v0.txt"].assert_eq(&lines_of(&metrics));
    let keys: Vec<_> = dimensions(&metrics, "num_running_sys").into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["modelName", "model_name", "spanKind"]);
}

#[test]
fn a_v1_engine_has_its_own_rows() {
    let mut meter = Meter::new(Temporality::Cumulative, 1);
    let mut records = vec![process("vllm", "v1"), engine(0)];
    records.extend(one(1, "a"));
    feed(&mut meter, &records);
    let metrics = collect(&mut meter, 2);
    has_all_rows_with_their_types(&metrics, EngineLine::VllmV1);
    expect_file!["golden/metric_vllm_v1.txt"].assert_eq(&lines_of(&metrics));
}

#[test]
fn an_sglang_engine_has_its_own_rows_and_levels_under_the_name_of_counters() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let mut meter = Meter::new(temporality, 1);
        let mut records = vec![process("sglang", ""), engine(0)];
        records.extend(one(1, "a"));
        records.push(sample(
            41,
            &[(Quantity::UsedTokens, 12.0), (Quantity::TokenUsage, 0.125), (Quantity::StatReports, 2.0)],
        ));
        feed(&mut meter, &records);
        let metrics = collect(&mut meter, 2);
        has_all_rows_with_their_types(&metrics, EngineLine::Sglang);
        if temporality == Temporality::Cumulative {
            expect_file!["golden/metric_sglang.txt"].assert_eq(&lines_of(&metrics));
        }
        let again = collect(&mut meter, 3);
        for (name, level) in [("sglang_num_used_tokens", 12.0), ("sglang_token_usage", 0.125)] {
            let Some(Data::Sum(sum)) = &again.iter().find(|m| m.name == name).unwrap().data else { panic!() };
            assert_eq!((sum.aggregation_temporality, sum.data_points[0].start_time_unix_nano), (2, 1), "{name}");
            assert_eq!(self::sum(&again, name), level, "a level is told again");
        }
    }
}

#[test]
fn sglang_documents_its_dimensions_and_only_several_replicas_need_one_more() {
    let mut meter = Meter::new(Temporality::Cumulative, 1);
    feed(&mut meter, &[process("sglang", ""), engine(0)]);
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    let mut wanted = vec![
        pair("modelName", "tiny"),
        pair("model_name", "tiny"),
        pair("spanKind", "LLM"),
        pair("callType", "gen_ai"),
        pair("rpcType", "2100"),
    ];
    assert_eq!(dimensions(&collect(&mut meter, 2), "sglang_num_running_reqs"), wanted);
    feed(&mut meter, &[engine(1)]);
    wanted.insert(2, pair("dp_rank", "0"));
    assert_eq!(dimensions(&collect(&mut meter, 2), "sglang_num_running_reqs"), wanted);
}

#[test]
fn a_request_that_no_model_answers_adds_nothing() {
    let mut meter = Meter::new(Temporality::Cumulative, 1);
    let other = [http_start(0, 1, "/health"), http_end(5, 1, HttpOutcome::Complete, "")];
    feed(&mut meter, &[vec![process("vllm", "v1"), engine(0)], other.into()].concat());
    let metrics = collect(&mut meter, 2);
    for row in ALL.iter().filter(|row| row.engines.contains(&EngineLine::VllmV1)) {
        assert_eq!(sum(&metrics, row.name), 0.0, "{}", row.name);
    }
    assert!(!metrics.iter().any(|m| m.name.starts_with("gen_ai.")), "no histogram");
}

#[test]
fn the_processes_of_the_engine_their_hooks_and_rings_and_the_recorders_cost_are_reported() {
    let (mut meter, mut roster) = (Meter::new(Temporality::Delta, 1), Roster::default());
    let info = Info { pid: 42, start_ticks: 1, capacity: 1000, anchor: Anchor { mono_ns: 0, wall_ns: 0 } };
    roster.open(CORE, &info);
    for record in [
        process("vllm", "v1"),
        Record::Probe(Probe { t_ns: 0, name: "a.b", state: ProbeState::Removed, detail: "no steps" }),
        Record::Fault(Fault { t_ns: 0, name: "a.b", error: "ValueError" }),
    ] {
        roster.learn(CORE, &record);
    }
    for inside_bytes in [250, 10] {
        roster.ring(CORE, &Counters { inside_bytes, ..Counters::default() });
    }
    let health = Health::default();
    let first = meter.collect(now(2), &health, &roster);
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(
        dimensions(&first, "tachograph.probe"),
        [
            pair("tachograph.process.role", "engine_core"),
            pair("process.pid", "42"),
            pair("tachograph.probe.name", "a.b"),
            pair("tachograph.probe.state", "removed"),
            pair("tachograph.probe.detail", "no steps"),
        ]
    );
    assert_eq!((sum(&first, "tachograph.probe"), sum(&first, "tachograph.process")), (0.0, 1.0));
    assert_eq!((sum(&first, "tachograph.ring.usage"), sum(&first, "tachograph.faults")), (0.25, 1.0));
    assert!(sum(&first, "process.memory.usage") > 0.0 && sum(&first, "process.cpu.time") > 0.0);
    let memory = &first.iter().find(|m| m.name == "process.memory.usage").unwrap().data;
    assert!(matches!(memory, Some(Data::Sum(s)) if !s.is_monotonic && s.aggregation_temporality == 2));
    roster.close(CORE);
    let second = meter.collect(now(3), &health, &roster);
    assert!(points(&second, "tachograph.process").is_empty(), "it is gone");
    assert_eq!(sum(&second, "tachograph.faults"), 0.0, "none since");
}
