//! From scripted records to the span tree of `spec/spans.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;

use expect_test::{Expect, expect};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use script::*;
use tachograph_recorder::body::redaction::Redaction;
use tachograph_recorder::body::text::ContentPolicy;
use tachograph_recorder::span::{Level, spans};
use tachograph_ring::Record;
use tachograph_ring::record::{FinishReason, HttpOutcome, HttpStart};

const SSE: &str = "text/event-stream; charset=utf-8";

fn check(spans: &[Span], expected: &Expect) {
    expected.assert_eq(&tree(spans, false));
}

/// A streamed chat of three tokens, its prompt computed in two chunks.
fn chat_stream() -> Vec<Record<'static>> {
    let stop = Some(FinishReason::Stop);
    vec![
        http_start(0, 1, "/v1/chat/completions"),
        body(1, 1, r#"{"model":"tiny","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#),
        add(3, 1, "a", "", 0),
        queued(5, "a", 2),
        step(10, 1, &[("a", 12)]),
        step(14, 2, &[("a", 4)]),
        outputs(20, 2, &[("a", 1, None)]),
        response(21, 1, 200, SSE),
        chunk(
            21,
            1,
            "data: {\"id\":\"chatcmpl-1\",\"model\":\"tiny\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        ),
        chunk(22, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n"),
        step(23, 3, &[("a", 1)]),
        outputs(30, 3, &[("a", 1, None)]),
        chunk(31, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\n"),
        step(32, 4, &[("a", 1)]),
        outputs(40, 4, &[("a", 1, stop)]),
        front_finish(41, "a", FinishReason::Stop),
        chunk(42, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
        http_end(43, 1, HttpOutcome::Complete, ""),
    ]
}

#[test]
fn a_streamed_chat_leaves_the_whole_tree() {
    expect![[r#"
        POST /v1/chat/completions [0..43]
            http.request.method="POST"
            http.route="/v1/chat/completions"
            url.path="/v1/chat/completions"
            url.scheme="http"
            network.protocol.version="1.1"
            client.address="10.0.0.9"
            client.port=4711
            server.address="127.0.0.1"
            server.port=8000
            user_agent.original="curl/8"
            http.response.status_code=200
            http.request.body.size=74
            http.response.body.size=306
          chat tiny [0..43]
              gen_ai.operation.name="chat"
              gen_ai.span.kind="LLM"
              gen_ai.provider.name="vllm"
              gen_ai.request.model="tiny"
              gen_ai.request.stream=true
              gen_ai.request.max_tokens=16
              gen_ai.request.temperature=0.500000s
              gen_ai.response.id="chatcmpl-1"
              gen_ai.response.model="tiny"
              gen_ai.response.finish_reasons=["\"stop\""]
              gen_ai.response.time_to_first_chunk=0.022000s
              gen_ai.usage.input_tokens=20
              gen_ai.usage.output_tokens=3
              gen_ai.usage.cache_read.input_tokens=4
              gen_ai.latency.e2e=0.038000s
              gen_ai.latency.time_to_first_token=0.018000s
              gen_ai.latency.time_per_output_token=0.010000s
              gen_ai.latency.time_in_queue=0.005000s
              gen_ai.latency.time_in_scheduler=0.001000s
              gen_ai.latency.time_in_model_prefill=0.010000s
              gen_ai.latency.time_in_model_decode=0.020000s
              gen_ai.latency.time_in_model_inference=0.030000s
              tachograph.preemptions=0
              tachograph.queue_depth_at_arrival=2
              tachograph.engine_index=0
              gen_ai.input.messages="[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Hi\"}]}]"
              gen_ai.output.messages="[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"Hello\"}],\"finish_reason\":\"stop\"}]"
              tachograph.outcome="ok"
              http.response.status_code=200
            llm_request [1.999855..40]
                gen_ai.request.id="a"
                tachograph.choice_index=0
                gen_ai.latency.e2e=0.038000s
                gen_ai.latency.time_to_first_token=0.018000s
                gen_ai.latency.time_per_output_token=0.010000s
                gen_ai.latency.time_in_queue=0.005000s
                gen_ai.latency.time_in_scheduler=0.001000s
                gen_ai.latency.time_in_model_prefill=0.010000s
                gen_ai.latency.time_in_model_decode=0.020000s
                gen_ai.latency.time_in_model_inference=0.030000s
                gen_ai.usage.input_tokens=20
                gen_ai.usage.output_tokens=3
                gen_ai.usage.cache_read.input_tokens=4
                gen_ai.response.finish_reasons=["\"stop\""]
                tachograph.preemptions=0
                tachograph.steps=4
                tachograph.engine_index=0
                tachograph.queue_depth_at_arrival=2
                tachograph.token.offsets=[208, 140, 1, 144, 78, 144, 78]
              wait [5..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=12
                * tachograph.prefill.chunk @14 tachograph.step=2 tachograph.prefill.chunk.tokens=4
              decode [20..40]
    "#]].assert_eq(&tree(&play(&chat_stream()), true));
}

#[test]
fn level_0_leaves_the_stages_out() {
    check(
        &play_with(&chat_stream(), Level::Request, CONTENT),
        &expect![[r#"
        POST /v1/chat/completions [0..43]
          chat tiny [0..43]
            llm_request [1.999855..40]
    "#]],
    );
}

#[test]
fn level_2_adds_an_event_for_each_token_up_to_the_limit_and_counts_the_rest() {
    let mut records = chat_stream();
    records.insert(15, outputs(40, 4, &[("a", 2, None)]));
    check(
        &play_with(&records, Level::Tokens, CONTENT),
        &expect![[r#"
        POST /v1/chat/completions [0..43]
          chat tiny [0..43]
            llm_request [1.999855..40]
              * gen_ai.token.generated @20 gen_ai.token.index=0 gen_ai.token.time_since_previous=0.018000s tachograph.step=2 gen_ai.iteration.batch_size=1 gen_ai.iteration.waiting_requests=4
              * gen_ai.token.generated @30 gen_ai.token.index=1 gen_ai.token.time_since_previous=0.010000s tachograph.step=3 gen_ai.iteration.batch_size=1 gen_ai.iteration.waiting_requests=4
              * gen_ai.token.generated @40 gen_ai.token.index=2 gen_ai.token.time_since_previous=0.010000s tachograph.step=4 gen_ai.iteration.batch_size=1 gen_ai.iteration.waiting_requests=4
              * 2 more events
              wait [5..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=12
                * tachograph.prefill.chunk @14 tachograph.step=2 tachograph.prefill.chunk.tokens=4
              decode [20..40]
    "#]],
    );
}

#[test]
fn a_chat_that_is_not_streamed_has_first_token_times_all_the_same() {
    let records = [
        http_start(0, 1, "/v1/chat/completions"),
        body(1, 1, r#"{"model":"tiny","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}"#),
        add(3, 1, "a", "", 0),
        queued(5, "a", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        step(21, 2, &[("a", 1)]),
        outputs(30, 2, &[("a", 1, Some(FinishReason::Length))]),
        response(32, 1, 200, "application/json"),
        chunk(
            32,
            1,
            r#"{"id":"chatcmpl-1","model":"tiny","choices":[{"index":0,"message":{"role":"assistant","content":"Yo"},"finish_reason":"length"}],"#,
        ),
        chunk(32, 1, r#""usage":{"prompt_tokens":20,"completion_tokens":2}}"#),
        http_end(33, 1, HttpOutcome::Complete, ""),
    ];
    let spans = play(&records);
    check(
        &spans,
        &expect![[r#"
        POST /v1/chat/completions [0..33]
          chat tiny [0..33]
            llm_request [1.999855..30]
              wait [5..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
              decode [20..30]
    "#]],
    );
    let of = |name: &str| attribute(&spans, "chat tiny", name).unwrap_or_default();
    assert_eq!(
        (of("gen_ai.latency.time_to_first_token").as_str(), of("gen_ai.response.time_to_first_chunk").as_str()),
        ("0.018000s", "")
    );
    assert_eq!(
        of("gen_ai.output.messages"),
        r#""[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"Yo\"}],\"finish_reason\":\"length\"}]""#
    );
}

#[test]
fn a_completion_is_a_text_completion_with_its_prompt_as_a_user_message() {
    let records = [
        http_start(0, 1, "/v1/completions"),
        body(1, 1, r#"{"model":"tiny","prompt":"Once"}"#),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, Some(FinishReason::Stop))]),
        response(21, 1, 200, "application/json"),
        chunk(21, 1, r#"{"id":"cmpl-1","choices":[{"index":0,"text":" upon","finish_reason":"stop"}]}"#),
        http_end(22, 1, HttpOutcome::Complete, ""),
    ];
    let spans = play(&records);
    check(
        &spans,
        &expect![[r#"
        POST /v1/completions [0..22]
          text_completion tiny [0..22]
            llm_request [1.999855..20]
              wait [3..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
    "#]],
    );
    assert_eq!(
        attribute(&spans, "text_completion tiny", "gen_ai.input.messages").unwrap(),
        r#""[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Once\"}]}]""#
    );
}

#[test]
fn two_choices_are_two_llm_requests_and_the_prompt_counts_once() {
    let records = [
        http_start(0, 1, "/v1/chat/completions"),
        body(1, 1, r#"{"model":"tiny","n":2,"messages":[]}"#),
        add(3, 1, "0_p", "p", 0),
        add(3, 1, "1_p", "p", 1),
        queued(5, "0_p", 0),
        queued(5, "1_p", 1),
        step(10, 1, &[("0_p", 16), ("1_p", 16)]),
        outputs(20, 1, &[("0_p", 1, None), ("1_p", 1, Some(FinishReason::Stop))]),
        step(21, 2, &[("0_p", 1)]),
        outputs(30, 2, &[("0_p", 1, Some(FinishReason::Length))]),
        response(32, 1, 200, "application/json"),
        http_end(33, 1, HttpOutcome::Complete, ""),
    ];
    let spans = play(&records);
    check(
        &spans,
        &expect![[r#"
        POST /v1/chat/completions [0..33]
          chat tiny [0..33]
            llm_request [1.999855..30]
              wait [5..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
              decode [20..30]
            llm_request [1.999855..20]
              wait [5..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
    "#]],
    );
    let of = |name: &str| attribute(&spans, "chat tiny", name).unwrap_or_default();
    assert_eq!((of("gen_ai.usage.input_tokens").as_str(), of("gen_ai.usage.output_tokens").as_str()), ("20", "3"));
    assert_eq!(of("gen_ai.request.choice.count"), "2");
    assert_eq!(of("gen_ai.response.finish_reasons"), r#"["\"length\"", "\"stop\""]"#);
}

#[test]
fn a_preemption_breaks_the_decode_with_a_wait_and_a_recomputation() {
    let records = [
        http_start(0, 1, "/v1/completions"),
        add(3, 1, "a", "", 0),
        queued(4, "a", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        step(21, 2, &[("a", 1)]),
        outputs(30, 2, &[("a", 1, None)]),
        preempted(31, "a"),
        step(50, 5, &[("a", 18)]),
        outputs(60, 5, &[("a", 1, None)]),
        step(61, 6, &[("a", 1)]),
        outputs(70, 6, &[("a", 1, Some(FinishReason::Stop))]),
        http_end(72, 1, HttpOutcome::Complete, ""),
    ];
    let spans = play(&records);
    check(
        &spans,
        &expect![[r#"
        POST /v1/completions [0..72]
          text_completion tiny [0..72]
            llm_request [1.999855..70]
              wait [4..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
              decode [20..31]
              wait [31..50]
              prefill [50..60]
                * tachograph.prefill.chunk @50 tachograph.step=5 tachograph.prefill.chunk.tokens=18
              decode [60..70]
    "#]],
    );
    let of = |name: &str| attribute(&spans, "llm_request", name).unwrap_or_default();
    assert_eq!(
        (of("tachograph.preemptions").as_str(), of("gen_ai.latency.time_in_queue").as_str()),
        ("1", "0.025000s")
    );
    assert_eq!(of("gen_ai.latency.time_in_model_prefill"), "0.020000s");
    assert_eq!(of("gen_ai.latency.time_in_model_decode"), "0.021000s");
}

#[test]
fn with_asynchronous_scheduling_the_step_decided_before_the_first_token_is_no_chunk_of_the_prompt() {
    let records = [
        http_start(0, 1, "/v1/completions"),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        step(15, 2, &[("a", 1)]),
        outputs(20, 1, &[("a", 1, None)]),
        outputs(30, 2, &[("a", 1, Some(FinishReason::Stop))]),
        http_end(31, 1, HttpOutcome::Complete, ""),
    ];
    check(
        &play(&records),
        &expect![[r#"
        POST /v1/completions [0..31]
          text_completion tiny [0..31]
            llm_request [1.999855..30]
              wait [3..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
              decode [20..30]
    "#]],
    );
}

#[test]
fn a_client_that_goes_away_leaves_an_aborted_request() {
    let records = [
        http_start(0, 1, "/v1/chat/completions"),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        response(21, 1, 200, SSE),
        chunk(22, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\"}}]}\n\n"),
        abort(25, "a"),
        http_end(26, 1, HttpOutcome::Disconnected, ""),
        finished(27, "a", FinishReason::Abort),
    ];
    let spans = play(&records);
    check(
        &spans,
        &expect![[r#"
        POST /v1/chat/completions [0..26]
          chat tiny [0..26] !client_disconnected
            llm_request [1.999855..26] !client_disconnected
              wait [3..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
    "#]],
    );
    assert_eq!(attribute(&spans, "chat", "tachograph.outcome").unwrap(), r#""aborted""#);
    assert_eq!(attribute(&spans, "POST", "error.type").unwrap(), r#""client_disconnected""#);
}

#[test]
fn a_refused_request_has_its_status_as_error_and_is_no_error_of_the_server() {
    // vLLM 0.18 answers in a handler of any exception, after which Starlette raises it again.
    for (outcome, raised) in [(HttpOutcome::Complete, ""), (HttpOutcome::Raised, "VLLMValidationError")] {
        let records = [
            http_start(0, 1, "/v1/chat/completions"),
            body(1, 1, r#"{"model":"tiny","temperature":-1,"messages":[]}"#),
            response(2, 1, 400, "application/json"),
            chunk(2, 1, r#"{"error":{"message":"no","type":"BadRequestError","code":400}}"#),
            http_end(3, 1, outcome, raised),
        ];
        let spans = play(&records);
        check(
            &spans,
            &expect![[r#"
            POST /v1/chat/completions [0..3]
              chat tiny [0..3] !400
        "#]],
        );
        assert_eq!(attribute(&spans, "POST", "error.type").unwrap(), r#""400""#);
        assert_eq!(attribute(&spans, "chat", "tachograph.outcome").unwrap(), r#""refused""#);
    }
}

#[test]
fn an_exception_and_a_5xx_are_failures_of_the_server_too() {
    let raised = [http_start(0, 1, "/v1/completions"), http_end(3, 1, HttpOutcome::Raised, "ValueError")];
    check(
        &play(&raised),
        &expect![[r#"
        POST /v1/completions [0..3] !ValueError
          text_completion [0..3] !ValueError
    "#]],
    );
    let status = [
        http_start(0, 1, "/v1/completions"),
        response(2, 1, 500, "application/json"),
        http_end(3, 1, HttpOutcome::Complete, ""),
    ];
    check(
        &play(&status),
        &expect![[r#"
        POST /v1/completions [0..3] !500
          text_completion [0..3] !500
    "#]],
    );
}

#[test]
fn a_request_open_when_the_engine_dies_is_closed_with_its_tokens_so_far() {
    let mut join = join_with(CONTENT, 0);
    for record in &chat_stream()[..11] {
        join.apply(source_of(record), record);
    }
    join.close_source(CORE);
    assert!(requests(&mut join).is_empty(), "the front end may still answer");
    join.close_source(API);
    let spans: Vec<_> = requests(&mut join).iter().flat_map(|r| spans(r, &settings(Level::Stages))).collect();
    check(
        &spans,
        &expect![[r#"
        POST /v1/chat/completions [0..23] !engine_died
          chat tiny [0..23] !engine_died
            llm_request [1.999855..23] !engine_died
              wait [5..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=12
                * tachograph.prefill.chunk @14 tachograph.step=2 tachograph.prefill.chunk.tokens=4
    "#]],
    );
    assert_eq!(attribute(&spans, "chat", "tachograph.outcome").unwrap(), r#""engine_died""#);
    assert_eq!(attribute(&spans, "llm_request", "gen_ai.usage.output_tokens").unwrap(), "1");
    assert_eq!(attribute(&spans, "llm_request", "error.type").unwrap(), r#""engine_died""#);
}

#[test]
fn reasoning_is_a_span_of_its_own_from_its_first_delta_to_the_first_of_the_answer() {
    let records = [
        http_start(0, 1, "/v1/chat/completions"),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        response(21, 1, 200, SSE),
        chunk(22, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"Hm\"}}]}\n\n"),
        chunk(31, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\", so\"}}]}\n\n"),
        outputs(40, 2, &[("a", 2, Some(FinishReason::Stop))]),
        chunk(41, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Yes\"}}]}\n\n"),
        chunk(
            42,
            1,
            "data: {\"choices\":[],\"usage\":{\"completion_tokens\":3,\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\n",
        ),
        http_end(43, 1, HttpOutcome::Complete, ""),
    ];
    let spans = play(&records);
    check(
        &spans,
        &expect![[r#"
        POST /v1/chat/completions [0..43]
          chat tiny [0..43]
            reasoning [22..41]
            llm_request [1.999855..40]
              wait [3..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
              decode [20..40]
    "#]],
    );
    let of = |name: &str| attribute(&spans, "reasoning", name).unwrap_or_default();
    assert_eq!(
        of("gen_ai.output.messages"),
        r#""[{\"role\":\"assistant\",\"parts\":[{\"type\":\"reasoning\",\"content\":\"Hm, so\"}]}]""#
    );
    assert_eq!(
        (of("gen_ai.usage.reasoning.output_tokens").as_str(), of("tachograph.time_to_first_answer_token").as_str()),
        ("2", "0.041000s")
    );
}

#[test]
fn the_callers_trace_is_continued() {
    let mut start = http_start(0, 1, "/v1/completions");
    if let Record::HttpStart(HttpStart { parent_span_id, tracestate, .. }) = &mut start {
        *parent_span_id = [7; 8];
        *tracestate = "vendor=1";
    }
    let spans = play(&[start, http_end(3, 1, HttpOutcome::Complete, "")]);
    assert_eq!((spans[0].parent_span_id.as_slice(), spans[0].flags), ([7; 8].as_slice(), 0x301));
    assert_eq!((spans[1].parent_span_id.as_slice(), spans[1].flags), ([1; 8].as_slice(), 0x101));
    assert!(spans.iter().all(|s| s.trace_state == "vendor=1" && s.trace_id == [0xaa; 16]));
}

#[test]
fn with_content_off_no_text_is_in_any_byte_and_all_spans_counts_and_times_are_there() {
    let canary = "c4n4ry";
    let request = format!(
        r#"{{"model":"tiny","stream":true,"stop":["{canary}"],"tools":[{{"function":{{"name":"{canary}"}}}}],"messages":[{{"role":"user","content":"{canary}"}}]}}"#
    );
    let answer = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"reasoning\":\"{canary}\",\"content\":\"{canary}\"}}}}]}}\n\n"
    );
    let records = [
        http_start(0, 1, "/v1/chat/completions"),
        body(1, 1, &request),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        response(19, 1, 200, SSE),
        outputs(20, 1, &[("a", 1, Some(FinishReason::Stop))]),
        chunk(21, 1, &answer),
        http_end(43, 1, HttpOutcome::Complete, ""),
    ];
    let off = play_with(&records, Level::Tokens, ContentPolicy { capture: false, max_chars: 64, redaction: None });
    let on = play_with(&records, Level::Tokens, CONTENT);
    let holds =
        |spans: &[Span]| spans.iter().any(|s| s.encode_to_vec().windows(canary.len()).any(|w| w == canary.as_bytes()));
    assert!(holds(&on) && !holds(&off));
    assert_eq!(tree(&off, false), tree(&on, false));
}

#[test]
fn a_long_message_is_cut_with_a_mark_and_its_true_length() {
    let long = "x".repeat(100);
    let request = format!(r#"{{"messages":[{{"role":"user","content":"{long}"}}]}}"#);
    let records =
        [http_start(0, 1, "/v1/chat/completions"), body(1, 1, &request), http_end(2, 1, HttpOutcome::Complete, "")];
    let spans = play(&records);
    let input = attribute(&spans, "chat", "gen_ai.input.messages").unwrap();
    assert!(input.contains("xx…[cut, 36 characters]"), "{input}");
    assert_eq!(attribute(&spans, "chat", "tachograph.content.length").unwrap(), "100");
}

#[test]
fn an_end_by_a_stop_string_is_a_stop_although_the_engine_is_told_to_abort() {
    let records = [
        http_start(0, 1, "/v1/completions"),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        front_finish(21, "a", FinishReason::Stop),
        outputs(22, 2, &[("a", 1, None)]),
        finished(23, "a", FinishReason::Abort),
        http_end(24, 1, HttpOutcome::Complete, ""),
    ];
    let spans = play(&records);
    assert_eq!(attribute(&spans, "llm_request", "gen_ai.response.finish_reasons").unwrap(), r#"["\"stop\""]"#);
    assert_eq!(attribute(&spans, "llm_request", "gen_ai.usage.output_tokens").unwrap(), "1");
    assert_eq!(attribute(&spans, "text_completion", "tachograph.outcome").unwrap(), r#""ok""#);
}

#[test]
fn what_the_engine_says_before_the_front_end_named_the_sequence_is_not_lost() {
    let mut records = chat_stream();
    let late = records.remove(2);
    records.insert(5, late);
    assert_eq!(tree(&play(&records), false), tree(&play(&chat_stream()), false));
}

#[test]
fn a_sequence_without_http_ends_on_its_own_with_a_trace_of_its_own() {
    let records = [
        add(3, 0, "a", "", 0),
        queued(5, "a", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 2, Some(FinishReason::Stop))]),
    ];
    check(
        &play(&records),
        &expect![[r#"
        text_completion tiny [1.999855..20]
          llm_request [1.999855..20]
            wait [5..10]
            prefill [10..20]
              * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
    "#]],
    );
}

#[test]
fn an_embedding_waits_and_is_computed_and_generates_nothing() {
    let mut pool = add(3, 1, "a", "", 0);
    if let Record::SequenceAdd(add) = &mut pool {
        add.kind = tachograph_ring::record::SequenceKind::Pool;
    }
    let records = [
        http_start(0, 1, "/v1/embeddings"),
        body(1, 1, r#"{"model":"tiny","input":"x"}"#),
        pool,
        queued(5, "a", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 0, Some(FinishReason::Stop))]),
        http_end(22, 1, HttpOutcome::Complete, ""),
    ];
    check(
        &play(&records),
        &expect![[r#"
        POST /v1/embeddings [0..22]
          embeddings tiny [0..22]
            llm_request [1.999855..20]
              wait [5..10]
              prefill [10..20]
                * tachograph.prefill.chunk @10 tachograph.step=1 tachograph.prefill.chunk.tokens=16
    "#]],
    );
}

#[test]
fn health_checks_and_the_like_leave_no_span() {
    assert!(play(&[http_start(0, 1, "/health"), http_end(1, 1, HttpOutcome::Complete, "")]).is_empty());
}

/// The operation span of a `/generate` request of SGLang that was answered with `chunks`.
fn generated(content_type: &'static str, chunks: &[&str], content: ContentPolicy) -> Vec<Span> {
    let mut records = vec![
        http_start(0, 1, "/generate"),
        body(1, 1, r#"{"text":"key sk-abc","sampling_params":{"max_new_tokens":8,"stop":"sk-abc"}}"#),
        add(3, 1, "a", "", 0),
        response(10, 1, 200, content_type),
    ];
    records.extend((20..).zip(chunks).map(|(ms, bytes)| chunk(ms, 1, bytes)));
    records.extend([finished(60, "a", FinishReason::Length), http_end(61, 1, HttpOutcome::Complete, "")]);
    play_with(&records, Level::Stages, content)
}

/// The text of an attribute of the operation span.
fn text_of(spans: &[Span], name: &str) -> String {
    serde_json::from_str(&attribute(spans, "text_completion tiny", name).unwrap()).unwrap()
}

fn output_of(spans: &[Span]) -> String {
    text_of(spans, "gen_ai.output.messages")
}

#[test]
fn a_stream_of_generate_repeats_its_text_and_is_read_once() {
    let events = [
        "data: {\"text\":\"He\",\"meta_info\":{\"id\":\"r1\",\"finish_reason\":null,\"completion_tokens\":1}}\n\n",
        "data: {\"text\":\"Hello\",\"meta_info\":{\"id\":\"r1\",\"finish_reason\":{\"type\":\"length\",\"length\":8}}}\n\n",
        "data: [DONE]\n\n",
    ];
    let spans = generated("text/event-stream", &events, CONTENT);
    expect![[r#"[{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"length"}]"#]]
        .assert_eq(&output_of(&spans));
    let first = attribute(&spans, "text_completion tiny", "gen_ai.response.time_to_first_chunk");
    assert_eq!(first.as_deref(), Some("0.020000s"));
}

#[test]
fn a_list_of_generate_has_a_choice_for_each_answer() {
    let answer = r#"[{"text":"a","meta_info":{"id":"r1"}},{"text":"b","meta_info":{"id":"r2"}}]"#;
    let spans = generated("application/json", &[answer], CONTENT);
    let texts = output_of(&spans);
    assert!(texts.contains(r#""content":"a""#) && texts.contains(r#""content":"b""#), "{texts}");
    assert_eq!(text_of(&spans, "gen_ai.response.id"), "r1");
}

#[test]
fn what_a_pattern_matches_is_in_no_byte_that_leaves() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[patterns]\nkey = 'sk-[a-z]+'").unwrap();
    let redaction: &'static Redaction = Box::leak(Box::new(Redaction::read(file.path()).unwrap()));
    let content = ContentPolicy { redaction: Some(redaction), ..CONTENT };
    let spans = generated("application/json", &[r#"{"text":"sk-abc","meta_info":{"id":"r1"}}"#], content);
    let bytes: Vec<u8> = spans.iter().flat_map(prost::Message::encode_to_vec).collect();
    assert!(!bytes.windows(6).any(|w| w == b"sk-abc"), "{spans:?}");
    expect![[r#"[{"role":"user","parts":[{"type":"text","content":"key [redacted:key]"}]}]"#]]
        .assert_eq(&text_of(&spans, "gen_ai.input.messages"));
    let unredacted = generated("application/json", &[r#"{"text":"sk-abc","meta_info":{"id":"r1"}}"#], CONTENT);
    assert!(output_of(&unredacted).contains("sk-abc"), "the test would see it");
}
