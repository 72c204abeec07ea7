//! What a user's patterns match is in no byte that leaves (`TACHOGRAPH_REDACT`), on any route, in any text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use script::*;
use tachograph_recorder::body::redaction::Redaction;
use tachograph_recorder::body::text::ContentPolicy;
use tachograph_recorder::span::Level;
use tachograph_ring::Record;
use tachograph_ring::record::{FinishReason, HttpOutcome};

const CANARY: &str = "c4n4ry@bird.org";
const SSE: &str = "text/event-stream";

fn policy(capture: bool, pattern: Option<&str>) -> ContentPolicy {
    let redaction = pattern.map(|pattern| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("[patterns]\nbird = '{pattern}'")).unwrap();
        &*Box::leak(Box::new(Redaction::read(file.path()).unwrap()))
    });
    ContentPolicy { capture, max_chars: 400, redaction }
}

fn holds(spans: &[Span], text: &str) -> bool {
    spans.iter().any(|s| s.encode_to_vec().windows(text.len()).any(|w| w == text.as_bytes()))
}

/// An exchange on a route, with the canary wherever content can be.
struct Exchange {
    path: &'static str,
    request: String,
    kind: &'static str,
    answer: Vec<String>,
}

fn exchange(path: &'static str, request: &str, kind: &'static str, answer: &[&str]) -> Exchange {
    let fill = |text: &str| text.replace("CANARY", CANARY);
    Exchange { path, request: fill(request), kind, answer: answer.iter().map(|text| fill(text)).collect() }
}

fn exchanges() -> Vec<Exchange> {
    let json = "application/json";
    vec![
        exchange(
            "/v1/chat/completions",
            r#"{"model":"tiny","stop":["CANARY"],"tools":[{"type":"function","function":{"name":"CANARY","description":"CANARY","parameters":{"CANARY":"CANARY"}}}],
               "messages":[{"role":"system","content":"CANARY"},{"role":"CANARY","content":[{"type":"text","text":"CANARY"},{"type":"image_url","image_url":{"url":"http://CANARY/"}}]},
               {"role":"assistant","reasoning_content":"CANARY","tool_calls":[{"id":"CANARY","function":{"name":"f","arguments":"{\"a\":\"c4n4ry\\u0040bird.org\"}"}}]},
               {"role":"tool","tool_call_id":"CANARY","content":"CANARY"}]}"#,
            json,
            &[
                r#"{"choices":[{"index":0,"message":{"content":"CANARY","reasoning":"CANARY","tool_calls":[{"id":"CANARY","function":{"name":"CANARY","arguments":"{\"a\":\"c4n4ry\\u0040bird.org\"}"}}]},"finish_reason":"stop"}]}"#,
            ],
        ),
        exchange(
            "/v1/chat/completions",
            r#"{"model":"tiny","stream":true,"messages":[{"role":"user","content":"CANARY"}]}"#,
            SSE,
            &[
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"x c4n4ry@\"}}]}\n\nda",
                "ta: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"bird.org\"}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"c4n4r\"}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"y@bird.\"}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"org\"}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\\\"c4n4\"}}]}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"ry@bird.org\\\"}\"}}]}}]}\n\n",
            ],
        ),
        exchange(
            "/v1/completions",
            r#"{"model":"tiny","prompt":["CANARY"]}"#,
            json,
            &[r#"{"choices":[{"index":0,"text":"CANARY"}]}"#],
        ),
        exchange(
            "/v1/responses",
            r#"{"model":"tiny","instructions":"CANARY","input":[{"role":"user","content":[{"type":"input_text","text":"CANARY"}]},
               {"type":"function_call","call_id":"c","name":"f","arguments":"CANARY"},{"type":"function_call_output","call_id":"c","output":"CANARY"},
               {"type":"reasoning","summary":[{"text":"CANARY"}]}]}"#,
            json,
            &[
                r#"{"output":[{"type":"reasoning","summary":[{"text":"CANARY"}]},{"type":"message","content":[{"type":"output_text","text":"CANARY"}]}]}"#,
            ],
        ),
        exchange(
            "/v1/messages",
            r#"{"model":"tiny","system":[{"type":"text","text":"CANARY"}],"stop_sequences":["CANARY"],"tools":[{"name":"f","input_schema":{"d":"CANARY"}}],
               "messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"CANARY"}]}]}"#,
            json,
            &[
                r#"{"type":"message","content":[{"type":"thinking","thinking":"CANARY"},{"type":"text","text":"CANARY"},{"type":"tool_use","id":"t","name":"f","input":{"a":"CANARY"}}]}"#,
            ],
        ),
        exchange(
            "/generate",
            r#"{"text":"CANARY","sampling_params":{"stop":"CANARY"}}"#,
            json,
            &[r#"{"text":"CANARY","meta_info":{"finish_reason":{"type":"stop"}}}"#],
        ),
        exchange("/v1/embeddings", r#"{"model":"tiny","input":["CANARY"]}"#, json, &["{}"]),
        exchange(
            "/rerank",
            r#"{"model":"tiny","query":"CANARY","documents":["CANARY",{"text":"CANARY"}]}"#,
            json,
            &[r#"{"results":[{"index":0,"document":{"text":"CANARY"},"relevance_score":1.0}]}"#],
        ),
        exchange("/score", r#"{"model":"tiny","text_1":"CANARY","text_2":["CANARY"]}"#, json, &["{}"]),
        exchange(
            "/classify",
            r#"{"model":"tiny","input":"CANARY"}"#,
            json,
            &[r#"{"data":[{"index":0,"label":"CANARY"}]}"#],
        ),
        exchange("/pooling", r#"{"model":"tiny","input":"CANARY"}"#, json, &["{}"]),
    ]
}

fn play_exchange(exchange: &Exchange, query: &'static str, policy: ContentPolicy) -> Vec<Span> {
    let mut start = http_start(0, 1, exchange.path);
    let mut sequence = add(3, 1, "a", "", 0);
    if let (Record::HttpStart(start), Record::SequenceAdd(add)) = (&mut start, &mut sequence) {
        start.query = query;
        add.params.stop = vec![CANARY];
    }
    let mut records = vec![start, body(1, 1, &exchange.request), sequence, step(10, 1, &[("a", 16)])];
    records.push(response(19, 1, 200, exchange.kind));
    records.push(outputs(20, 1, &[("a", 1, Some(FinishReason::Stop))]));
    records.extend(exchange.answer.iter().map(|text| chunk(21, 1, text)));
    records.push(http_end(43, 1, HttpOutcome::Complete, ""));
    play_with(&records, Level::Tokens, policy)
}

#[test]
fn what_a_pattern_matches_leaves_on_no_route_also_where_chunks_and_escapes_go_through_it() {
    for exchange in exchanges() {
        let clear = play_exchange(&exchange, "", policy(true, None));
        assert!(holds(&clear, CANARY), "{}: the canary is no test", exchange.path);
        let query = "to=c4n4ry%40bird.org";
        let redacted = play_exchange(&exchange, query, policy(true, Some(r"\w+@bird\.org")));
        assert!(!holds(&redacted, "c4n4ry"), "{}: {}", exchange.path, tree(&redacted, true));
        assert!(holds(&redacted, "[redacted:bird]"), "{}", exchange.path);
        assert_eq!(tree(&redacted, false), tree(&clear, false), "{}", exchange.path);
    }
}

#[test]
fn with_content_off_no_text_leaves_on_any_route_and_every_span_is_there() {
    for exchange in exchanges() {
        let (off, on) = (policy(false, None), policy(true, None));
        let off = play_exchange(&exchange, "", off);
        assert!(!holds(&off, "c4n4ry"), "{}: {}", exchange.path, tree(&off, true));
        assert_eq!(tree(&off, false), tree(&play_exchange(&exchange, "", on), false), "{}", exchange.path);
    }
}
