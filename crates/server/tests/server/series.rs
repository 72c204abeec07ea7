//! Series of requests, against numbers computed here from what was sent.

use serde_json::Value;

use crate::generate::{Request, SECOND_NS, T0_MS, T0_NS};
use crate::running::Running;

/// A number of a request.
type Figure = fn(&Request) -> f64;

/// Ten requests in each of the first two minutes and none in the third, of two models.
fn traffic() -> Vec<Request> {
    let one = |i: u8| Request {
        number: i + 1,
        start_ns: T0_NS + u64::from(i / 10) * 60 * SECOND_NS + u64::from(i % 10) * 5 * SECOND_NS,
        model: if i.is_multiple_of(2) { "llama" } else { "qwen" },
        outcome: ["ok", "ok", "ok", "failed", "refused", "aborted", "ok", "ok", "ok", "engine_died"]
            [usize::from(i % 10)],
        finish_reason: if i.is_multiple_of(5) { "length" } else { "stop" },
        input_tokens: 100 + u32::from(i),
        preemptions: u32::from(i.is_multiple_of(3)),
        tokens_us: (1..=5 + u64::from(i % 10)).map(|t| t * 20_000 + u64::from(i) * 1000).collect(),
        ..Request::default()
    };
    (0..20).map(one).collect()
}

async fn started() -> (Running, Vec<Request>) {
    let server = Running::start().await;
    let traffic = traffic();
    server.spans(traffic.iter().map(Request::spans).collect()).await;
    (server, traffic)
}

/// Three buckets of a minute.
async fn ask(server: &Running, series: &str, more: &str) -> Vec<Value> {
    let range = format!("from={T0_MS}&to={}&step=60", T0_MS + 180_000);
    let set = server.json(&format!("/api/series?series={series}&{range}&{more}")).await;
    assert_eq!(set["times_ms"], serde_json::json!([0, 1, 2].map(|m| (T0_MS + m * 60_000) as f64)));
    assert_eq!(set["step_ms"], 60_000.0);
    set["series"].as_array().unwrap().clone()
}

fn values(series: &Value) -> Vec<Option<f64>> {
    series["values"].as_array().unwrap().iter().map(Value::as_f64).collect()
}

fn assert_near(got: Option<f64>, expected: f64, tolerance: f64, what: &str) {
    let got = got.unwrap_or_else(|| panic!("{what} is null"));
    assert!((got - expected).abs() <= tolerance * expected.abs().max(1e-9), "{what}: {got} is not {expected}");
}

#[tokio::test]
async fn counts_and_rates_are_those_of_the_requests_sent() {
    let (server, traffic) = started().await;
    let minute = |m: usize| &traffic[m * 10..(m + 1) * 10];
    let sum = |m: usize, of: fn(&Request) -> f64| minute(m).iter().map(of).sum::<f64>();
    let cases: [(&str, Figure); 8] = [
        ("requests", |_| 1.0),
        ("errors", |r| f64::from(u8::from(["failed", "refused", "engine_died"].contains(&r.outcome)))),
        ("aborted", |r| f64::from(u8::from(r.outcome == "aborted"))),
        ("refused", |r| f64::from(u8::from(r.outcome == "refused"))),
        ("input_tokens", |r| f64::from(r.input_tokens)),
        ("cached_tokens", |r| f64::from(r.cached_tokens)),
        ("output_tokens", |r| r.tokens_us.len() as f64),
        ("preemptions", |r| f64::from(r.preemptions)),
    ];
    for (name, of) in cases {
        let series = ask(&server, &format!("{name}:rate,{name}:count"), "").await;
        let (rates, counts) = (values(&series[0]), values(&series[1]));
        for m in 0..2 {
            assert_near(counts[m], sum(m, of), 1e-9, name);
            assert_near(rates[m], sum(m, of) / 60.0, 1e-9, name);
        }
        assert_eq!((rates[2], counts[2]), (Some(0.0), Some(0.0)), "{name}: nothing ended, and data is near");
    }
}

#[tokio::test]
async fn latencies_are_those_of_the_requests_sent_and_null_where_none_ended() {
    let (server, traffic) = started().await;
    let cases: [(&str, Figure); 7] = [
        ("ttft", Request::ttft_s),
        ("tpot", Request::tpot_s),
        ("e2e", Request::e2e_s),
        ("queue", |r| r.queue_s),
        ("prefill", |r| r.ttft_s() - r.queue_s),
        ("decode", |r| r.e2e_s() - r.ttft_s()),
        ("duration", Request::e2e_s),
    ];
    for (name, of) in cases {
        let stats = ["p50", "p90", "p95", "p99", "mean", "max"];
        let series = ask(&server, &stats.map(|s| format!("{name}:{s}")).join(","), "").await;
        for m in 0..2 {
            let mut sorted: Vec<f64> = traffic[m * 10..(m + 1) * 10].iter().map(of).collect();
            sorted.sort_by(f64::total_cmp);
            let at = |i: usize| values(&series[i])[m];
            // Of ten values a percentile lies between two neighbours.
            for (i, low, high) in [(0, 4, 5), (1, 8, 9), (2, 8, 9), (3, 8, 9)] {
                let got = at(i).unwrap();
                assert!((sorted[low] - 1e-5..=sorted[high] + 1e-5).contains(&got), "{name}:{} is {got}", stats[i]);
            }
            assert_near(at(4), sorted.iter().sum::<f64>() / 10.0, 1e-4, name);
            assert_near(at(5), sorted[9], 1e-4, name);
        }
        assert!(series.iter().all(|s| values(s)[2].is_none()), "{name}");
        assert!(series.iter().all(|s| s["unit"] == "s"), "{name}");
    }
}

#[tokio::test]
async fn percentiles_of_many_requests_are_within_a_hundredth() {
    let server = Running::start().await;
    let one = |i: u32| {
        let mut spans = Request {
            start_ns: T0_NS + u64::from(i) * 10_000_000,
            tokens_us: vec![10_000 + u64::from(i * 7919 % 2000) * 100, 500_000],
            ..Request::default()
        }
        .spans();
        for span in &mut spans.scope_spans[0].spans {
            span.trace_id[..4].copy_from_slice(&(i + 1).to_be_bytes());
        }
        spans
    };
    server.spans((0..2000).map(one).collect()).await;
    let series = ask(&server, "ttft:p50,ttft:p95,ttft:p99", "").await;
    for (one, expected) in series.iter().zip([0.11, 0.2, 0.208]) {
        assert_near(values(one)[0], expected, 0.01, "ttft");
    }
}

#[tokio::test]
async fn a_request_counts_where_it_ends() {
    let server = Running::start().await;
    let long =
        Request { start_ns: T0_NS - 10 * SECOND_NS, tokens_us: vec![1_000_000, 80_000_000], ..Request::default() };
    server.spans(vec![long.spans()]).await;
    let series = ask(&server, "requests:count", "").await;
    assert_eq!(values(&series[0]), [Some(0.0), Some(1.0), Some(0.0)]);
}

#[tokio::test]
async fn series_are_split_by_a_label_and_filtered_as_the_list_is() {
    let (server, _) = started().await;
    let series = ask(&server, "requests:count,ttft:p95", "by=model").await;
    let labels: Vec<_> =
        series.iter().map(|s| (s["name"].as_str().unwrap(), s["labels"]["model"].as_str().unwrap())).collect();
    assert_eq!(labels, [("requests", "llama"), ("requests", "qwen"), ("ttft", "llama"), ("ttft", "qwen")]);
    assert_eq!(values(&series[0])[..2], [Some(5.0), Some(5.0)]);
    let series = ask(&server, "requests:count", "by=finish_reason").await;
    assert_eq!(series[0]["labels"]["finish_reason"], "length");
    assert_eq!(values(&series[0])[..2], [Some(2.0), Some(2.0)]);
    assert_eq!(values(&series[1])[..2], [Some(8.0), Some(8.0)]);
    let series = ask(&server, "requests:count", "by=status&by=model").await;
    assert_eq!(series[0]["labels"], serde_json::json!({"status": "aborted", "model": "qwen"}));
    let series = ask(&server, "requests:count", "status=failed&status=aborted&model=qwen").await;
    assert_eq!(values(&series[0])[..2], [Some(2.0), Some(2.0)]);
    let series = ask(&server, "requests:count", "model=nothing").await;
    assert_eq!(values(&series[0]), [Some(0.0); 3]);
    assert!(ask(&server, "requests:count", "model=nothing&by=model").await.is_empty());
}

#[tokio::test]
async fn a_request_counts_under_each_of_its_finish_reasons_and_one_without_under_none() {
    let server = Running::start().await;
    let without = Request { finish_reason: "", ..Request::default() };
    let several = Request { number: 2, finish_reason: "stop,length,stop", ..Request::default() };
    server.spans(vec![without.spans(), several.spans()]).await;
    let series = ask(&server, "requests:count", "by=finish_reason").await;
    let reasons: Vec<_> = series.iter().map(|s| s["labels"]["finish_reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["", "length", "stop"]);
    assert!(series.iter().all(|s| values(s)[0] == Some(1.0)), "{series:?}");
}

#[tokio::test]
async fn where_the_server_was_sent_nothing_a_count_is_null() {
    let (server, _) = started().await;
    let range = format!("from={}&to={}&step=60", T0_MS - 300_000, T0_MS + 600_000);
    let set = server.json(&format!("/api/series?series=requests:count&{range}")).await;
    let values = values(&set["series"][0]);
    assert_eq!(values.len(), 15);
    assert_eq!(values[..3], [None; 3], "more than 90 s before the first span");
    assert_eq!(values[5..7], [Some(10.0), Some(10.0)]);
    assert_eq!(values[7], Some(0.0), "within 90 s of the last span");
    assert_eq!(values[10..], [None; 5]);
}

#[tokio::test]
async fn one_step_for_the_whole_range_is_one_number() {
    let (server, traffic) = started().await;
    let range = format!("from={T0_MS}&to={}&step=100", T0_MS + 100_000);
    let set = server.json(&format!("/api/series?series=requests:rate,ttft:max&{range}")).await;
    assert_eq!(set["times_ms"], serde_json::json!([T0_MS as f64]));
    let ended = traffic.iter().filter(|r| r.end_ns() < T0_NS + 100 * SECOND_NS).count();
    assert_near(values(&set["series"][0])[0], ended as f64 / 100.0, 1e-9, "requests");
}

#[tokio::test]
async fn without_a_step_there_are_about_a_hundred_and_twenty_buckets() {
    let server = Running::start().await;
    for (from, step_ms) in
        [("now-15m", 10_000.0), ("now-1h", 30_000.0), ("now-1d", 900_000.0), ("now-30d", 21_600_000.0)]
    {
        let set = server.json(&format!("/api/series?series=ttft&from={from}")).await;
        assert_eq!(set["step_ms"], step_ms, "{from}");
        assert_eq!(set["series"][0]["stat"], "p95");
    }
}
