//! What is read out of each route's bodies, from exchanges with real engines (`tests/capture/`).
//!
//! Only the edge is played, so every figure comes out of the bodies. `UPDATE_EXPECT=1` writes the golden files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;

use std::fmt::Write as _;

use expect_test::expect_file;
use opentelemetry_proto::tonic::trace::v1::Span;
use script::*;
use serde_json::Value;
use tachograph_recorder::body::text::ContentPolicy;
use tachograph_recorder::span::Level;
use tachograph_ring::Record;
use tachograph_ring::record::{FinishReason, HttpOutcome};

const KEEP: ContentPolicy = ContentPolicy { capture: true, max_chars: 400, redaction: None };

fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// Play one exchange; an event of a stream comes each millisecond.
fn play_captured(exchange: &Value) -> Vec<Span> {
    let text = |key: &str| exchange[key].as_str().unwrap_or("application/json");
    let (request, answer) = (exchange["body"].to_string(), text("answer"));
    let status = u16::try_from(exchange["status"].as_u64().unwrap()).unwrap();
    let mut records = vec![
        http_start(0, 1, leaked(text("path"))),
        body(1, 1, &request),
        response(10, 1, status, leaked(text("type"))),
    ];
    let events: Vec<&str> = answer.split_inclusive("\n\n").collect();
    records.extend(events.iter().zip(11..).map(|(event, ms)| chunk(ms, 1, event)));
    records.push(http_end(100, 1, HttpOutcome::Complete, ""));
    play_with(&records, Level::Stages, KEEP)
}

fn told(captured: &str) -> String {
    let exchanges: Vec<Value> = serde_json::from_str(captured).unwrap();
    let mut text = String::new();
    for exchange in &exchanges {
        writeln!(text, "{} {}", exchange["path"].as_str().unwrap(), exchange["body"]).unwrap();
        text.push_str(&tree(&play_captured(exchange)[1..], true));
        text.push('\n');
    }
    text
}

#[test]
fn sglang_generates() {
    expect_file!["golden/sglang-generate.txt"].assert_eq(&told(include_str!("capture/sglang-generate.json")));
}

/// The text of the first output part and the other attributes that a tool call or a stream makes.
fn output_of(path: &'static str, events: &[&str]) -> String {
    let mut records = vec![http_start(0, 1, path), response(10, 1, 200, "text/event-stream")];
    records.extend(events.iter().zip(11..).map(|(event, ms)| chunk(ms, 1, leaked(&format!("data: {event}\n\n")))));
    records.push(http_end(100, 1, HttpOutcome::Complete, ""));
    let spans = play_with(&records, Level::Stages, KEEP);
    let found = &spans[1].attributes.iter().find(|kv| kv.key == "gen_ai.output.messages").unwrap().value;
    match &found.as_ref().unwrap().value {
        Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tool_call_that_is_streamed_is_put_together_on_each_route() {
    let call = r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}]"#;
    let responses = [
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc","call_id":"c1","name":"f","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a\""}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":":1}"}"#,
        r#"{"type":"response.function_call_arguments.done","output_index":1,"arguments":"{\"a\":1}"}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}}"#,
    ];
    assert!(output_of("/v1/responses", &responses).starts_with(call));
    let messages = [
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"c1","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":6}}"#,
    ];
    assert!(output_of("/v1/messages", &messages).starts_with(call));
    let chat = [
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]}"#,
    ];
    assert!(output_of("/v1/chat/completions", &chat).starts_with(call));
}

#[test]
fn a_stream_of_generate_that_sends_only_what_is_new_is_put_together() {
    let piece = |text: &str, all: u64| {
        format!(r#"{{"text":"{text}","output_ids":[1],"meta_info":{{"id":"r","completion_tokens":{all}}}}}"#)
    };
    let pieces = [piece("a", 1), piece("a", 2), piece("ab", 3)];
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    assert_eq!(output_of("/generate", &pieces), r#"[{"role":"assistant","parts":[{"type":"text","content":"aaab"}]}]"#);
}

#[test]
fn a_body_of_which_only_the_beginning_was_captured_has_a_mark_with_its_true_length() {
    let (mut asked, mut answered) =
        (body(1, 1, r#"{"model":"tiny","prompt":"On"#), chunk(11, 1, r#"{"choices":[{"te"#));
    if let (Record::HttpBody(asked), Record::HttpChunk(answered)) = (&mut asked, &mut answered) {
        (asked.len, answered.len) = (300_000, 400_000);
    }
    let [start, response] = [http_start(0, 1, "/v1/completions"), response(10, 1, 200, "application/json")];
    let spans = play(&[start, asked, response, answered, http_end(12, 1, HttpOutcome::Complete, "")]);
    let of = |name: &str| attribute(&spans, "text_completion tiny", name);
    assert_eq!(of("tachograph.request.body.cut_size").as_deref(), Some("300000"));
    assert_eq!(of("tachograph.response.body.cut_size").as_deref(), Some("400000"));
}

#[test]
fn tokens_are_taken_back_only_where_a_stop_string_ended_the_answer() {
    for (reason, tokens) in [(FinishReason::Stop, "2"), (FinishReason::Length, "3")] {
        let spans = play(&[
            http_start(0, 1, "/v1/completions"),
            add(3, 1, "a", "", 0),
            step(10, 1, &[("a", 16)]),
            outputs(20, 1, &[("a", 3, Some(reason))]),
            response(21, 1, 200, "application/json"),
            chunk(21, 1, r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":2}}"#),
            http_end(22, 1, HttpOutcome::Complete, ""),
        ]);
        assert_eq!(attribute(&spans, "llm_request", "gen_ai.usage.output_tokens").as_deref(), Some(tokens));
    }
}

#[test]
fn children_named_by_the_engine_belong_to_the_request_of_their_parent_which_is_no_sequence_itself() {
    let spans = play(&[
        http_start(0, 1, "/v1/completions"),
        add(3, 1, "p", "", 0),
        add(4, 0, "p_0", "p", 0),
        add(4, 0, "p_1", "p", 1),
        step(10, 1, &[("p_0", 16), ("p_1", 16)]),
        outputs(20, 1, &[("p_0", 1, Some(FinishReason::Stop)), ("p_1", 1, Some(FinishReason::Stop))]),
        http_end(22, 1, HttpOutcome::Complete, ""),
    ]);
    assert_eq!(spans.iter().filter(|s| s.name == "llm_request").count(), 2);
    assert_eq!(attribute(&spans, "text_completion tiny", "gen_ai.usage.input_tokens").as_deref(), Some("20"));
    assert_eq!(attribute(&spans, "POST", "tachograph.incomplete"), None);
}

#[test]
fn the_prompts_of_a_batch_count_each_once_although_they_name_one_parent() {
    let mut records = vec![http_start(0, 1, "/generate")];
    for (id, index) in [("a0", 0), ("a1", 1), ("b0", 2), ("b1", 3)] {
        records.push(add(3, 1, id, "a0", index));
    }
    let ids = ["a0", "a1", "b0", "b1"];
    records.push(step(10, 1, &ids.map(|id| (id, 16))));
    records.push(outputs(20, 1, &ids.map(|id| (id, 1, Some(FinishReason::Stop)))));
    records.push(http_end(22, 1, HttpOutcome::Complete, ""));
    let spans = play(&records);
    assert_eq!(attribute(&spans, "text_completion tiny", "gen_ai.usage.input_tokens").as_deref(), Some("40"));
}
