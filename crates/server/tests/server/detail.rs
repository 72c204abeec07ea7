//! One request with everything known about it.

use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::{Value, json};
use tachograph_schema::otlp::Attributes;

use crate::generate::{Request, T0_MS, T0_NS};
use crate::running::Running;

#[tokio::test]
async fn the_tree_has_parents_before_children_with_stages_attributes_and_resource() {
    let server = Running::start().await;
    let request = Request::default();
    server.spans(vec![request.spans()]).await;
    let detail = server.json(&format!("/api/requests/{}", request.trace_hex())).await;
    let spans = detail["spans"].as_array().unwrap();
    let shape: Vec<_> = spans.iter().map(|s| (s["name"].as_str().unwrap(), s["stage"].as_str().unwrap())).collect();
    let expected = [
        ("POST /v1/chat/completions", "http"),
        ("chat llama", "operation"),
        ("llm_request", "request"),
        ("wait", "wait"),
        ("prefill", "prefill"),
        ("decode", "decode"),
    ];
    assert_eq!(shape, expected);
    assert_eq!((spans[0]["parent_span_id"].clone(), spans[0]["kind"].as_str()), (Value::Null, Some("server")));
    assert_eq!(spans[1]["parent_span_id"], spans[0]["span_id"]);
    let attributes = &spans[1]["attributes"];
    assert_eq!(attributes["gen_ai.usage.input_tokens"], 10);
    assert_eq!(attributes["gen_ai.latency.time_to_first_token"], 0.2);
    assert_eq!(attributes["gen_ai.response.finish_reasons"], json!(["stop"]));
    assert!(attributes.get("gen_ai.input.messages").is_none(), "content is in the messages");
    assert!(spans[2]["attributes"].get("tachograph.token.offsets").is_none(), "packed times are in the tokens");
    assert_eq!(spans[5]["resource"]["service.instance.id"], "a");
    assert_eq!(detail["request"]["span_id"], request.span_hex());
    assert_eq!(detail["request"]["ttft_s"], 0.2);
}

#[tokio::test]
async fn token_offsets_are_unpacked_and_messages_parsed() {
    let server = Running::start().await;
    let request = Request { tokens_us: vec![300, 301, 20_000, 3_000_000], ..Request::default() };
    server.spans(vec![request.spans()]).await;
    let detail = server.json(&format!("/api/requests/{}", request.trace_hex())).await;
    let tokens = &detail["tokens"][0];
    assert_eq!(tokens["offsets_s"], json!([0.0003, 0.000301, 0.02, 3.0]));
    assert_eq!((tokens["total"].as_u64(), tokens["choice"].as_u64()), (Some(4), Some(0)));
    assert_eq!(tokens["start_ms"].as_f64(), Some(T0_MS as f64));
    assert_eq!(detail["messages"]["input"][0]["parts"][0]["content"], "What is the weather in Paris?");
    assert_eq!(detail["messages"]["output"][0]["finish_reason"], "stop");
    assert_eq!(detail["messages"]["system"], Value::Null);
}

#[tokio::test]
async fn token_events_are_times_too_and_a_cut_message_is_shown_as_text() {
    let server = Running::start().await;
    let request = Request { input: "[{\"content\":\"cut he… (12345)", ..Request::default() };
    let mut group = request.spans();
    let sequence = group.scope_spans[0].spans.iter_mut().find(|s| s.name == "llm_request").unwrap();
    sequence.attributes.retain(|kv| kv.key != "tachograph.token.offsets");
    sequence.start_time_unix_nano = T0_NS;
    let event = |ms: u64| Event {
        name: "gen_ai.token.generated".to_owned(),
        time_unix_nano: T0_NS + ms * 1_000_000,
        attributes: Attributes::default().set("index", ms).0.clone(),
        ..Default::default()
    };
    sequence.events = vec![event(200), event(250)];
    sequence.dropped_events_count = 2;
    server.spans(vec![group]).await;
    let detail = server.json(&format!("/api/requests/{}", request.trace_hex())).await;
    let tokens = &detail["tokens"][0];
    assert_eq!((tokens["offsets_s"].clone(), tokens["total"].as_u64()), (json!([0.2, 0.25]), Some(4)));
    let span = &detail["spans"][2];
    assert_eq!(
        (span["dropped_events"].as_u64(), span["events"][1]["attributes"]["index"].as_u64()),
        (Some(2), Some(250))
    );
    assert_eq!(detail["messages"]["input"], "[{\"content\":\"cut he… (12345)");
}

#[tokio::test]
async fn of_two_requests_in_a_trace_the_span_id_chooses() {
    let server = Running::start().await;
    let first = Request::default();
    let mut second = Request { number: 2, model: "qwen", start_ns: T0_NS + 1_000_000, ..Request::default() }.spans();
    for span in &mut second.scope_spans[0].spans {
        span.trace_id = first.trace_id().to_vec();
    }
    server.spans(vec![second, first.spans()]).await;
    let trace = first.trace_hex();
    let detail = server.json(&format!("/api/requests/{trace}")).await;
    assert_eq!(detail["request"]["model"], "llama", "the earlier one");
    assert_eq!(detail["spans"].as_array().map(Vec::len), Some(12));
    let detail = server.json(&format!("/api/requests/{trace}?span_id=0200000000000002")).await;
    assert_eq!(detail["request"]["model"], "qwen");
    let (status, _) = server.get(&format!("/api/requests/{trace}?span_id=0200000000000003")).await;
    assert_eq!(status, 404, "no entry span");
}

#[tokio::test]
async fn a_span_that_was_sent_twice_is_shown_once() {
    let server = Running::start().await;
    let request = Request::default();
    server.spans(vec![request.spans()]).await;
    server.spans(vec![request.spans()]).await;
    let detail = server.json(&format!("/api/requests/{}", request.trace_hex())).await;
    assert_eq!(detail["spans"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn an_entry_span_without_figures_takes_those_of_its_sequences() {
    let server = Running::start().await;
    let request = Request::default();
    let mut group = request.spans();
    let entry = group.scope_spans[0].spans.iter_mut().find(|s| s.name == "chat llama").unwrap();
    entry.attributes.retain(|kv| !kv.key.starts_with("gen_ai.latency.") && !kv.key.starts_with("gen_ai.usage."));
    server.spans(vec![group]).await;
    let detail = server.json(&format!("/api/requests/{}", request.trace_hex())).await;
    let row = &detail["request"];
    assert_eq!((row["ttft_s"].as_f64(), row["output_tokens"].as_u64()), (Some(0.2), Some(4)));
}

#[tokio::test]
async fn an_unknown_request_is_not_found_and_a_trace_without_one_says_where_to_look() {
    let server = Running::start().await;
    let (status, body) = server.get("/api/requests/0123456789abcdef0123456789abcdef").await;
    assert_eq!((status, body["error"]["code"].as_str()), (404, Some("not_found")));
    let mut group = Request::default().spans();
    group.scope_spans[0].spans.retain(|s| s.name == "wait");
    server.spans(vec![group]).await;
    let trace = Request::default().trace_hex();
    let (status, body) = server.get(&format!("/api/requests/{trace}")).await;
    assert_eq!(status, 404);
    assert!(body["error"]["hint"].as_str().unwrap().contains(&format!("/api/traces/{trace}")), "{body}");
}
