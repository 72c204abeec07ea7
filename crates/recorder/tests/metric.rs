//! From scripted records to metric points.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;

use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use script::*;
use tachograph_recorder::config::Temporality;
use tachograph_recorder::health::{Health, Unit};
use tachograph_recorder::metric::Meter;
use tachograph_ring::Record;
use tachograph_ring::record::{FinishReason, HttpOutcome};

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
    let metrics = meter.collect(2, &Health::default());
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
        let first = meter.collect(2, &health);
        let second = meter.collect(3, &health);
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
    let running = |meter: &mut Meter| sum(&meter.collect(2, &Health::default()), "gen_ai_vllm_num_requests_running");
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
    let metrics = meter.collect(2, &Health::default());
    let has = |name: &str| metrics.iter().any(|m| m.name == name);
    assert!(has("gen_ai.server.request.duration") && has("gen_ai.client.token.usage"));
    assert!(!has("gen_ai.server.time_to_first_token") && !has("gen_ai.server.time_per_output_token"));
}
