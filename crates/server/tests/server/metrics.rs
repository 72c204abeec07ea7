//! Series of the engine's metrics.

use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint, Metric, metric};
use serde_json::Value;

use crate::generate::{CUMULATIVE, DELTA, SECOND_NS, T0_MS, T0_NS, counter, gauge, labels, metrics, point};
use crate::running::Running;

const START_NS: u64 = T0_NS - 3600 * SECOND_NS;

fn at(second: u64) -> u64 {
    T0_NS + second * SECOND_NS
}

/// Buckets of ten seconds over two minutes.
async fn ask(server: &Running, series: &str, more: &str) -> Vec<(Value, Vec<Option<f64>>)> {
    let range = format!("from={T0_MS}&to={}&step=10", T0_MS + 120_000);
    let set = server.json(&format!("/api/series?series={series}&{range}&{more}")).await;
    let one = |s: &Value| {
        let values = s["values"].as_array().unwrap().iter().map(Value::as_f64).collect();
        (s["labels"].clone(), values)
    };
    set["series"].as_array().unwrap().iter().map(one).collect()
}

#[tokio::test]
async fn levels_add_up_over_engines_shares_do_not_and_a_sample_stands_until_the_next() {
    let server = Running::start().await;
    let running = |engine, values: &[(u64, f64)]| {
        let points = values.iter().map(|(s, v)| point(&labels("llama", engine), 0, at(*s), *v)).collect();
        gauge("gen_ai_vllm_num_requests_running", points)
    };
    let kv = |engine, value| {
        gauge("gen_ai_vllm_kv_cache_usage_perc", vec![point(&labels("llama", engine), 0, at(1), value)])
    };
    let sent = vec![running(0, &[(1, 4.0), (5, 8.0), (41, 2.0)]), running(1, &[(2, 10.0)]), kv(0, 0.25), kv(1, 0.75)];
    server.metrics(vec![metrics("a", sent)]).await;

    let series = ask(&server, "running:mean,running:max,kv_usage:mean,kv_usage:max", "").await;
    let first = |i: usize| series[i].1[0];
    assert_eq!((first(0), first(1)), (Some(16.0), Some(18.0)), "mean and max of engine 0, plus engine 1");
    assert_eq!((first(2), first(3)), (Some(0.5), Some(0.75)));
    assert_eq!(series[0].1[3], Some(18.0), "the last sample of each");
    assert_eq!(series[0].1[4], Some(12.0));
    assert_eq!(series[0].1[11], Some(2.0), "engine 1 has been silent for more than 90 s");

    let split = ask(&server, "running:max", "by=engine_index").await;
    assert_eq!(split[1].0, serde_json::json!({"engine_index": "1"}));
    assert_eq!(split[1].1[0], Some(10.0));
    assert_eq!(ask(&server, "running:max", "engine_index=0").await[0].1[0], Some(8.0));
    assert_eq!(ask(&server, "running:max", "model=other").await[0].1, [None; 12]);
}

#[tokio::test]
async fn over_a_long_time_an_engine_that_was_restarted_is_not_counted_twice() {
    let server = Running::start().await;
    let of = |from: u64, value| {
        let points = (from..from + 600).step_by(30).map(|s| point(&labels("llama", 0), 0, at(s), value)).collect();
        vec![gauge("gen_ai_vllm_num_requests_running", points)]
    };
    server.metrics(vec![metrics("before", of(0, 4.0)), metrics("after", of(720, 8.0))]).await;
    let range = format!("from={T0_MS}&to={}&step=1d", T0_MS + 1_320_000);
    let set = server.json(&format!("/api/series?series=running:mean,running:max&{range}")).await;
    let value = |i: usize| set["series"][i]["values"][0].as_f64().unwrap();
    assert!((5.8..6.2).contains(&value(0)), "{}", value(0));
    assert_eq!(value(1), 8.0);
}

#[tokio::test]
async fn a_level_of_before_the_range_reaches_into_it() {
    let server = Running::start().await;
    let points = vec![point(&labels("llama", 0), 0, T0_NS - 60 * SECOND_NS, 0.0)];
    server.metrics(vec![metrics("a", vec![gauge("gen_ai_vllm_num_requests_waiting", points)])]).await;
    let values = &ask(&server, "waiting:mean", "").await[0].1;
    assert_eq!(values[..4], [Some(0.0), Some(0.0), Some(0.0), None]);
}

#[tokio::test]
async fn the_levels_of_sglang_and_of_v0_are_the_same_quantities() {
    let server = Running::start().await;
    // SGLang's documented type of a level is counter.
    let sglang = counter("sglang_num_running_reqs", CUMULATIVE, vec![point(&labels("qwen", 0), START_NS, at(1), 5.0)]);
    let v0 = gauge("num_running_sys", vec![point(&labels("llama", 0), 0, at(1), 3.0)]);
    server.metrics(vec![metrics("a", vec![sglang, v0])]).await;
    let split = ask(&server, "running:mean", "by=model").await;
    assert_eq!((split[0].1[0], split[1].1[0]), (Some(3.0), Some(5.0)));
}

#[tokio::test]
async fn the_rate_of_a_cumulative_counter_survives_its_reset() {
    let server = Running::start().await;
    let values = [(0, 1000.0), (10, 1100.0), (20, 1300.0), (30, 50.0), (40, 150.0)];
    let points = values.iter().map(|(s, v)| point(&labels("llama", 0), START_NS, at(*s), *v)).collect();
    server.metrics(vec![metrics("a", vec![counter("vllm_iter_count", CUMULATIVE, points)])]).await;
    let rates = &ask(&server, "steps:rate", "").await[0].1;
    assert_eq!(rates[..5], [Some(10.0), Some(20.0), Some(5.0), Some(10.0), None]);
}

#[tokio::test]
async fn the_rate_of_delta_points_is_their_sum_over_their_interval() {
    let server = Running::start().await;
    let points =
        (0..4).map(|i| point(&labels("llama", 0), at(i * 30), at(i * 30 + 30), 60.0 * (i + 1) as f64)).collect();
    server.metrics(vec![metrics("a", vec![counter("gen_ai_vllm_generation_tokens", DELTA, points)])]).await;
    let rates = &ask(&server, "generation_tokens:rate", "").await[0].1;
    let expected: Vec<_> = (0..12).map(|bucket| Some(2.0 * f64::from(bucket / 3 + 1))).collect();
    assert_eq!(*rates, expected, "an interval of 30 s covers three buckets evenly");
}

#[tokio::test]
async fn counters_of_several_engines_add_up_and_the_first_point_counts_from_its_start() {
    let server = Running::start().await;
    let of = |engine, rate: f64| {
        let points =
            (1..5).map(|i| point(&labels("llama", engine), at(0), at(i * 10), rate * (i * 10) as f64)).collect();
        counter("gen_ai_vllm_prompt_tokens", CUMULATIVE, points)
    };
    server.metrics(vec![metrics("a", vec![of(0, 3.0), of(1, 4.0)]), metrics("b", vec![of(0, 5.0)])]).await;
    assert_eq!(
        ask(&server, "prompt_tokens:rate", "").await[0].1[..5],
        [Some(12.0), Some(12.0), Some(12.0), Some(12.0), None]
    );
    let split = ask(&server, "prompt_tokens:rate", "by=instance").await;
    assert_eq!((split[0].1[0], split[1].1[0]), (Some(7.0), Some(5.0)));
}

#[tokio::test]
async fn the_prefix_hit_ratio_is_of_the_increases_and_null_where_nothing_was_looked_up() {
    let server = Running::start().await;
    let of = |metric, values: &[f64]| {
        let times = (0..).map(|i| at(i * 10));
        let points = values.iter().zip(times).map(|(v, t)| point(&labels("llama", 0), START_NS, t, *v)).collect();
        counter(metric, CUMULATIVE, points)
    };
    let queries = of("gen_ai_vllm_prefix_cache_queries", &[1000.0, 1100.0, 1200.0, 1200.0]);
    let hits = of("gen_ai_vllm_prefix_cache_hits", &[10.0, 60.0, 85.0, 85.0]);
    server.metrics(vec![metrics("a", vec![queries, hits])]).await;
    let ratio = &ask(&server, "prefix_hit_ratio:mean", "").await[0].1;
    assert_eq!(ratio[..4], [Some(0.5), Some(0.25), None, None]);
}

#[tokio::test]
async fn a_metric_is_found_by_its_own_name() {
    let server = Running::start().await;
    let histogram = |second: u64, count: u64, sum: f64| HistogramDataPoint {
        attributes: labels("llama", 0),
        start_time_unix_nano: START_NS,
        time_unix_nano: at(second),
        count,
        sum: Some(sum),
        bucket_counts: vec![count, 0],
        explicit_bounds: vec![1.0],
        ..Default::default()
    };
    let data_points = vec![histogram(0, 100, 50.0), histogram(10, 120, 60.0)];
    let data = metric::Data::Histogram(Histogram { data_points, aggregation_temporality: CUMULATIVE });
    let ttft = "gen_ai.server.time_to_first_token";
    let histogram = Metric { name: ttft.to_owned(), unit: "s".to_owned(), data: Some(data), ..Default::default() };
    let swapped = gauge(
        "num_swapped_sys",
        vec![point(&labels("llama", 0), 0, at(3), 7.0), point(&labels("llama", 0), 0, at(4), 9.0)],
    );
    server.metrics(vec![metrics("a", vec![histogram, swapped])]).await;
    let gauge = "metric.num_swapped_sys";
    let asked = format!("metric.{ttft}:mean,metric.{ttft}:rate,{gauge}:last,{gauge}:mean,metric.unheard_of");
    let first: Vec<_> = ask(&server, &asked, "").await.into_iter().map(|(_, values)| values[0]).collect();
    assert_eq!(first, [Some(0.5), Some(2.0), Some(9.0), Some(8.0), None]);
}

#[tokio::test]
async fn the_mean_of_a_documented_sum_of_times_is_per_sequence_that_ended() {
    let server = Running::start().await;
    let of = |metric, extra: Option<&str>, values: [f64; 2]| {
        let mut attributes = labels("llama", 0);
        attributes.extend(extra.into_iter().flat_map(|reason| {
            let mut more = tachograph_schema::otlp::Attributes::default();
            more.set("finished_reason", reason);
            more.0
        }));
        let points = [(0, values[0]), (10, values[1])].map(|(s, v)| point(&attributes, START_NS, at(s), v));
        counter(metric, CUMULATIVE, points.into())
    };
    let sent = vec![
        of("gen_ai_vllm_request_queue_time_seconds", None, [1.0, 4.0]),
        of("gen_ai_vllm_request_success", Some("stop"), [10.0, 14.0]),
        of("gen_ai_vllm_request_success", Some("length"), [0.0, 2.0]),
    ];
    server.metrics(vec![metrics("a", sent)]).await;
    let mean = "metric.gen_ai_vllm_request_queue_time_seconds:mean";
    assert_eq!(ask(&server, mean, "by=model").await[0].1[0], Some(0.5));
    let split = ask(&server, "metric.gen_ai_vllm_request_success:rate", "by=finish_reason").await;
    assert_eq!(split[0].0, serde_json::json!({"finish_reason": "length"}));
    assert_eq!((split[0].1[0], split[1].1[0]), (Some(0.2), Some(0.4)));
}

#[tokio::test]
async fn tokens_are_split_by_their_use_and_a_share_is_not_added_up() {
    let server = Running::start().await;
    let usage = |kind, value| {
        let mut attributes = tachograph_schema::otlp::Attributes(labels("llama", 0));
        attributes.set("usageType", kind).set("spanKind", "LLM");
        point(&attributes.0, at(0), at(10), value)
    };
    let tokens = counter("llm_usage_tokens", CUMULATIVE, vec![usage("input", 300.0), usage("output", 100.0)]);
    let kv = |engine, value| point(&labels("llama", engine), 0, at(1), value);
    let share = gauge("gen_ai_vllm_kv_cache_usage_perc", vec![kv(0, 0.25), kv(1, 0.75)]);
    server.metrics(vec![metrics("a", vec![tokens, share])]).await;
    let split = ask(&server, "metric.llm_usage_tokens:rate", "by=usage_type").await;
    assert_eq!(split[0].0, serde_json::json!({"usage_type": "input"}));
    assert_eq!((split[0].1[0], split[1].1[0]), (Some(30.0), Some(10.0)));
    let usage = "metric.gen_ai_vllm_kv_cache_usage_perc:last";
    assert_eq!(ask(&server, usage, "").await[0].1[0], Some(0.5));
}
