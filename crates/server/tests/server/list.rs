//! The list of requests: filters, order, pages, and what a wrong question is answered with.

use proptest::prelude::*;
use serde_json::Value;

use crate::generate::{Request, SECOND_NS, T0_MS, T0_NS};
use crate::running::Running;

/// Eight requests, one a second, each different in one way.
fn traffic() -> Vec<Request> {
    let base = |number: u8| Request {
        number,
        start_ns: T0_NS + u64::from(number) * SECOND_NS,
        tokens_us: vec![u64::from(number) * 100_000, u64::from(number) * 100_000 + 50_000],
        ..Request::default()
    };
    vec![
        base(1),
        Request { model: "qwen", ..base(2) },
        Request { service: "search", instance: "b", ..base(3) },
        Request { operation: "text_completion", stream: false, ..base(4) },
        Request { outcome: "failed", error_type: Some("timeout"), http_status: 500, finish_reason: "error", ..base(5) },
        Request { outcome: "aborted", finish_reason: "abort", ..base(6) },
        Request { finish_reason: "length", preemptions: 2, queue_s: 0.5, engine_index: 1, ..base(7) },
        Request { input_tokens: 5000, input: r#"[{"content":"It's 100% \"fun\" in Köln\n\\o/"}]"#, ..base(8) },
    ]
}

async fn started() -> Running {
    let server = Running::start().await;
    server.spans(traffic().iter().map(Request::spans).collect()).await;
    server
}

fn range() -> String {
    format!("from={T0_MS}&to={}", T0_MS + 60_000)
}

/// Numbers of the requests found, in their order.
fn numbers(page: &Value) -> Vec<u64> {
    let number = |row: &Value| u64::from_str_radix(&row["trace_id"].as_str().unwrap()[..2], 16).unwrap();
    page["rows"].as_array().unwrap().iter().map(number).collect()
}

#[tokio::test]
async fn each_filter_finds_what_it_says() {
    let server = started().await;
    let cases: &[(&str, &[u64])] = &[
        ("", &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("model=qwen", &[2]),
        ("model=qwen&model=llama&service=search", &[3]),
        ("model=", &[]),
        ("service=search", &[3]),
        ("instance=b", &[3]),
        ("operation=text_completion", &[4]),
        ("status=failed&status=aborted", &[5, 6]),
        ("status=ok&finish_reason=length", &[7]),
        ("finish_reason=length&finish_reason=abort", &[6, 7]),
        ("finish_reason=len", &[]),
        ("stream=false", &[4]),
        ("stream=true&engine_index=1", &[7]),
        ("preempted=true", &[7]),
        ("preempted=false&min_ttft=0.5", &[5, 6, 8]),
        ("error_type=timeout", &[5]),
        ("min_ttft=0.3&max_ttft=0.4", &[3, 4]),
        ("min_e2e=0.75", &[7, 8]),
        ("min_queue=0.5", &[7]),
        ("min_duration=0.85", &[8]),
        ("min_tpot=0.051", &[]),
        ("min_input_tokens=11", &[8]),
        ("max_output_tokens=2&min_output_tokens=2", &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("q=05050505050505050505050505050505", &[5]),
        ("q=0600000000000002", &[6]),
        ("q=chatcmpl-7", &[7]),
        ("q=100%25", &[8]),
        ("q=100_", &[]),
        ("q=it's", &[8]),
        ("q=%22fun%22", &[8]),
        ("q=K%C3%B6ln", &[8]),
        ("q=%5Co/", &[8]),
        ("q=weather in paris", &[1, 2, 3, 4, 5, 6, 7]),
        ("q=nowhere", &[]),
        ("q=%20", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ];
    for (filter, expected) in cases {
        let page = server.json(&format!("/api/requests?sort=start&{}&{filter}", range())).await;
        assert_eq!(numbers(&page), *expected, "{filter}");
        assert_eq!(page["total"], expected.len(), "{filter}");
    }
}

#[tokio::test]
async fn a_row_says_what_was_sent() {
    let server = started().await;
    let page = server.json(&format!("/api/requests?{}&engine_index=1", range())).await;
    let row = &page["rows"][0];
    let expected = serde_json::json!({
        "trace_id": "07070707070707070707070707070707", "span_id": "0700000000000002",
        "start_ms": (T0_NS + 7 * SECOND_NS) as f64 / 1e6 + 0.000002, "duration_s": 0.75,
        "operation": "chat", "model": "llama", "service": "assistant", "instance": "a", "engine_index": 1,
        "status": "ok", "error_type": null, "http_status": 200, "stream": true, "choices": 1,
        "finish_reasons": ["length"], "input_tokens": 10, "cached_tokens": 4, "output_tokens": 2,
        "reasoning_tokens": null, "ttft_s": 0.7, "tpot_s": 0.05, "e2e_s": 0.75, "queue_s": 0.5, "prefill_s": 0.2,
        "decode_s": 0.05, "preemptions": 2, "queue_depth": null, "response_id": "chatcmpl-7",
    });
    assert_eq!(*row, expected);
}

#[tokio::test]
async fn each_order_sorts_and_what_is_not_known_comes_last() {
    let server = started().await;
    let mut odd = Request { number: 9, start_ns: T0_NS + 9 * SECOND_NS, ..Request::default() }.spans();
    for span in &mut odd.scope_spans[0].spans {
        span.attributes.retain(|kv| !kv.key.starts_with("gen_ai.latency.") && !kv.key.starts_with("gen_ai.usage."));
    }
    server.spans(vec![odd]).await;
    let cases: &[(&str, &[u64])] = &[
        ("", &[9, 8, 7]),
        ("sort=start", &[1, 2, 3]),
        ("sort=-start", &[9, 8, 7]),
        ("sort=ttft", &[1, 2, 3]),
        ("sort=-ttft", &[8, 7, 6]),
        ("sort=-e2e", &[8, 7, 6]),
        ("sort=-queue", &[7, 8, 6]),
        ("sort=-input_tokens", &[8, 7, 6]),
        ("sort=duration", &[1, 2, 3]),
        ("sort=-ttft&offset=6", &[2, 1, 9]),
        ("sort=ttft&offset=6", &[7, 8, 9]),
    ];
    for (order, expected) in cases {
        let page = server.json(&format!("/api/requests?limit=3&{}&{order}", range())).await;
        assert_eq!(numbers(&page), *expected, "{order}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let server = started().await;
    let mut seen = Vec::new();
    let mut offset = 0;
    loop {
        let page = server.json(&format!("/api/requests?sort=tpot&limit=3&offset={offset}&{}", range())).await;
        assert_eq!(page["total"], 8);
        seen.extend(numbers(&page));
        match page["next_offset"].as_u64() {
            Some(next) => offset = next,
            None => break,
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
    let past = server.json(&format!("/api/requests?offset=80&{}", range())).await;
    assert_eq!((past["rows"].as_array().unwrap().len(), past["next_offset"].clone()), (0, Value::Null));
}

#[tokio::test]
async fn the_range_takes_its_start_and_leaves_its_end() {
    let server = started().await;
    // The entry span starts 2 ns after the second.
    let exact = |n: u64| format!("{}", T0_MS + n * 1000);
    let page = server.json(&format!("/api/requests?sort=start&from={}&to={}", exact(2), exact(4))).await;
    assert_eq!(numbers(&page), [2, 3]);
    let page = server.json("/api/requests?sort=start&from=2026-11-24T03:00:07Z&to=2026-11-24T04:00:30%2B01:00").await;
    assert_eq!(numbers(&page), [7, 8]);
    let now = server.json("/api/requests").await;
    assert_eq!(now["rows"].as_array().map(Vec::len), Some(0), "the default is the last hour");
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_the_field_and_an_example() {
    let server = Running::start().await;
    let cases = [
        ("/api/requests?modle=x", "modle"),
        ("/api/requests?from=yesterday", "from"),
        ("/api/requests?from=now&to=now-1h", "from"),
        ("/api/requests?to=soon", "to"),
        ("/api/requests?status=broken", "status"),
        ("/api/requests?stream=maybe", "stream"),
        ("/api/requests?preempted=1", "preempted"),
        ("/api/requests?min_ttft=fast", "min_ttft"),
        ("/api/requests?max_e2e=-1", "max_e2e"),
        ("/api/requests?min_tpot=NaN", "min_tpot"),
        ("/api/requests?min_ttft=1&min_ttft=2", "min_ttft"),
        ("/api/requests?engine_index=x", "engine_index"),
        ("/api/requests?sort=speed", "sort"),
        ("/api/requests?limit=0", "limit"),
        ("/api/requests?limit=10001", "limit"),
        ("/api/requests?offset=-1", "offset"),
        ("/api/requests?step=10", "step"),
        ("/api/series", "series"),
        ("/api/series?series=speed:p95", "series"),
        ("/api/series?series=ttft:p42", "series"),
        ("/api/series?series=ttft:p95&step=0", "step"),
        ("/api/series?series=ttft:p95&step=x", "step"),
        ("/api/series?series=ttft:p95&step=1&from=now-1d", "step"),
        ("/api/series?series=ttft:p95&by=color", "by"),
        ("/api/series?series=running:mean&by=status", "by"),
        ("/api/facets?model=x", "model"),
        ("/api/requests/xyz", "trace_id"),
        ("/api/requests/01?span_id=1", "span_id"),
    ];
    for (path, field) in cases {
        let (status, body) = server.get(path).await;
        assert_eq!(status, 400, "{path}: {body}");
        let error = &body["error"];
        assert_eq!(error["code"], "bad_request", "{path}");
        assert_eq!(error["field"], field, "{path}");
        for part in ["message", "hint"] {
            assert!(error[part].as_str().is_some_and(|text| text.len() > 5), "{path}: {body}");
        }
    }
    let (status, body) = server.get("/api/nothing").await;
    assert_eq!((status, body["error"]["code"].as_str()), (404, Some("not_found")));
}

#[tokio::test]
async fn facets_count_the_values_of_each_filter() {
    let server = started().await;
    let facets = server.json(&format!("/api/facets?{}", range())).await;
    let expected = serde_json::json!({ "facets": {
        "model": [{"value": "llama", "count": 7}, {"value": "qwen", "count": 1}],
        "service": [{"value": "assistant", "count": 7}, {"value": "search", "count": 1}],
        "instance": [{"value": "a", "count": 7}, {"value": "b", "count": 1}],
        "operation": [{"value": "chat", "count": 7}, {"value": "text_completion", "count": 1}],
        "status": [{"value": "ok", "count": 6}, {"value": "aborted", "count": 1}, {"value": "failed", "count": 1}],
        "finish_reason": [{"value": "stop", "count": 5}, {"value": "abort", "count": 1},
            {"value": "error", "count": 1}, {"value": "length", "count": 1}],
    }});
    assert_eq!(facets, expected);
}

#[tokio::test]
async fn a_request_of_another_sdk_is_a_row_with_what_it_knows() {
    use tachograph_schema::otlp::Attributes;
    let server = Running::start().await;
    let mut attributes = Attributes::default();
    attributes
        .set("gen_ai.operation.name", "chat")
        .set("gen_ai.response.model", "gpt")
        .set("gen_ai.usage.prompt_tokens", 12_i64)
        .set("gen_ai.usage.completion_tokens", 3_i64)
        .set("gen_ai.response.finish_reason", "stop");
    let request = Request::default();
    let mut group = request.spans();
    let chat = request.span(2, None, "chat gpt", attributes);
    let mut tool = request.span(3, None, "execute_tool", Attributes::default());
    tool.attributes = Attributes::default().set("gen_ai.operation.name", "execute_tool").0.clone();
    group.scope_spans[0].spans = vec![chat, tool];
    server.spans(vec![group]).await;
    let page = server.json(&format!("/api/requests?{}", range())).await;
    assert_eq!(page["total"], 1);
    let row = &page["rows"][0];
    assert_eq!(row["model"], "gpt");
    assert_eq!((row["input_tokens"].as_u64(), row["output_tokens"].as_u64()), (Some(12), Some(3)));
    assert_eq!(row["finish_reasons"][0], "stop");
    assert_eq!((row["status"].as_str(), row["ttft_s"].clone()), (Some("ok"), Value::Null));
}

/// Any text stays a value: it finds the one request that has it, and nothing else happens.
#[test]
fn any_text_is_a_value_and_never_sql() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Running::start());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(48));
    let nasty = prop_oneof![
        "\\PC{1,24}",
        Just("' OR true --".to_owned()),
        Just("\\' ; DROP TABLE spans".to_owned()),
        Just("%' UNION SELECT * FROM content".to_owned()),
        Just("\u{0}\u{1}'\"".to_owned()),
        Just("a\nb\tc\\".to_owned()),
    ];
    let number = std::sync::atomic::AtomicU8::new(1);
    let checked = runner.run(&nasty, |text| {
        let n = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        runtime.block_on(async {
            let leaked: &'static str = Box::leak(text.clone().into_boxed_str());
            let content = serde_json::json!([{ "content": format!("<{n}>{text}<{n}>") }]).to_string();
            let request =
                Request { number: n, model: leaked, input: Box::leak(content.into_boxed_str()), ..Request::default() };
            server.spans(vec![request.spans()]).await;
            let found = |parameter: &'static str, value: String| {
                let (from, to) = (T0_MS.to_string(), (T0_MS + 1000).to_string());
                let query = [("from", from.as_str()), ("to", &to), ("limit", "10000"), (parameter, &value)];
                let url = reqwest::Url::parse_with_params(&server.api("/api/requests"), query).unwrap();
                let call = server.client.get(url);
                async move {
                    let response = call.send().await.unwrap();
                    let status = response.status();
                    let page: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
                    assert_eq!(status, 200, "{page}");
                    numbers(&page)
                }
            };
            prop_assert!(found("model", text.clone()).await.contains(&u64::from(n)));
            prop_assert_eq!(found("q", format!("<{n}>{text}<{n}>")).await, [u64::from(n)]);
            prop_assert_eq!(found("model", format!("{text}'{n}")).await, [0_u64; 0]);
            Ok(())
        })
    });
    checked.unwrap();
}
