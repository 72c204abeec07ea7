//! Whatever order, loss or repetition records come in: nothing panics and no tree is bent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;

use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use script::*;
use tachograph_recorder::figure::SequenceFigures;
use tachograph_recorder::join::Joined;
use tachograph_recorder::request::Request;
use tachograph_recorder::span::{Level, spans};
use tachograph_ring::Record;
use tachograph_ring::record::{FinishReason, HttpOutcome, SequenceAdd};

const IDS: [&str; 3] = ["a", "b", "c"];

fn record() -> impl Strategy<Value = Record<'static>> {
    let reason =
        prop::sample::select(vec![FinishReason::Stop, FinishReason::Length, FinishReason::Abort, FinishReason::Error]);
    let outcome = prop::sample::select(vec![HttpOutcome::Complete, HttpOutcome::Disconnected, HttpOutcome::Raised]);
    let chunk_text = "data: {\"choices\":[{\"delta\":{\"reasoning\":\"r\",\"content\":\"c\"}}]}\n\n";
    (0..14u8, 0..200u64, 1..3u64, prop::sample::select(IDS.as_slice()), 0..4u32, reason, outcome).prop_map(
        move |(kind, ms, http_id, id, n, reason, outcome)| match kind {
            0 => http_start(ms, http_id, "/v1/chat/completions"),
            1 => response(ms, http_id, 200, "text/event-stream"),
            2 => chunk(ms, http_id, chunk_text),
            3 => http_end(ms, http_id, outcome, ""),
            4 => add(ms, http_id - 1, id, if n > 2 { "p" } else { "" }, n),
            5 => queued(ms, id, n),
            6 | 7 => step(ms, u64::from(n), &[(id, 4), ("a", 1)]),
            8 => preempted(ms, id),
            9 | 10 => outputs(ms, u64::from(n), &[(id, n, (n == 3).then_some(reason))]),
            11 => finished(ms, id, reason),
            12 => front_finish(ms, id, reason),
            _ => abort(ms, id),
        },
    )
}

fn joined(records: &[Record<'_>], die: bool) -> Vec<Request> {
    let mut join = join_with(CONTENT, 2);
    records.iter().for_each(|record| join.apply(source_of(record), record));
    join.tick(at(60_000));
    if die {
        join.close_source(CORE);
        join.close_source(API);
    }
    join.close_all();
    assert_eq!(join.open_requests(), 0);
    requests(&mut join)
}

/// Children lie inside their parent, and nothing ends before it starts.
fn is_well_formed(spans: &[Span]) -> bool {
    spans.iter().all(|span| {
        let ordered = span.start_time_unix_nano <= span.end_time_unix_nano;
        let inside = spans.iter().filter(|parent| parent.span_id == span.parent_span_id).all(|parent| {
            parent.start_time_unix_nano <= span.start_time_unix_nano
                && span.end_time_unix_nano <= parent.end_time_unix_nano
        });
        ordered && inside
    })
}

fn check(request: &Request) -> Result<(), TestCaseError> {
    for level in [Level::Request, Level::Stages, Level::Tokens] {
        let spans = spans(request, &settings(level));
        prop_assert!(is_well_formed(&spans), "{}", tree(&spans, false));
        let mut ids: Vec<_> = spans.iter().map(|s| &s.span_id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), spans.len());
    }
    for sequence in &request.sequences {
        let figures = SequenceFigures::of(sequence);
        for figure in [Some(figures.e2e), figures.ttft, figures.tpot, Some(figures.queue), Some(figures.inference())] {
            prop_assert!(figure.is_none_or(|f| f.is_finite() && f >= 0.0));
        }
        let total = sequence.end_ns - sequence.arrival_ns;
        let stages = sequence.wait_ns + sequence.prefill_ns + sequence.decode_ns;
        prop_assert!(stages <= total, "{stages} of {total}");
        let waits: u64 = sequence.waits.iter().map(|w| w.end_ns - w.start_ns).sum();
        prop_assert_eq!(waits, sequence.wait_ns);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_records_give_well_formed_trees(records in prop::collection::vec(record(), 0..60), die in any::<bool>()) {
        for request in joined(&records, die) {
            check(&request)?;
        }
    }

    #[test]
    fn records_in_the_order_of_their_times_give_well_formed_trees(mut records in prop::collection::vec(record(), 0..60)) {
        records.sort_by_key(tachograph_recorder::join::time_ns);
        for request in joined(&records, true) {
            check(&request)?;
        }
    }
}

fn drops(whole: bool, records: &[Record<'_>]) -> Vec<(&'static str, u64)> {
    let health = tachograph_recorder::health::Health::default();
    let keep = tachograph_recorder::join::Keep { content: CONTENT, token_events: 0 };
    let mut join = tachograph_recorder::join::Join::new(keep, health.clone());
    join.open_source(API, CLOCK, whole);
    join.open_source(CORE, CLOCK, whole);
    records.iter().for_each(|record| join.apply(source_of(record), record));
    join.tick(at(60_000));
    health.snapshot().dropped.into_iter().map(|((_, reason), n)| (reason, n)).collect()
}

#[test]
fn a_request_whose_start_an_earlier_recorder_took_is_counted_and_not_built() {
    let tail = [response(5, 1, 200, "text/event-stream"), chunk(6, 1, "x"), http_end(7, 1, HttpOutcome::Complete, "")];
    assert_eq!(drops(false, &tail), [("recorder_restart", 1)]);
    assert_eq!(drops(true, &tail), [("start_lost", 1)]);
}

#[test]
fn steps_of_a_sequence_that_nobody_names_are_counted_after_a_while() {
    assert_eq!(drops(true, &[step(1, 1, &[("x", 1)]), outputs(2, 1, &[("x", 1, None)])]), [("unknown_sequence", 2)]);
}

#[test]
fn a_sequence_whose_http_start_was_lost_is_built_and_marked() {
    let mut join = join_with(CONTENT, 0);
    let records = [
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, Some(FinishReason::Stop))]),
        http_end(22, 1, HttpOutcome::Complete, ""),
    ];
    records.iter().for_each(|record| join.apply(source_of(record), record));
    let requests = requests(&mut join);
    let spans = spans(&requests[0], &settings(Level::Stages));
    assert_eq!(attribute(&spans, "text_completion", "tachograph.incomplete").as_deref(), Some("true"));
    assert!(spans[0].parent_span_id.is_empty());
}

#[test]
fn a_request_waits_only_a_grace_for_the_ends_of_its_sequences() {
    let mut join = join_with(CONTENT, 0);
    let records =
        [http_start(0, 1, "/v1/completions"), add(3, 1, "a", "", 0), http_end(22, 1, HttpOutcome::Complete, "")];
    records.iter().for_each(|record| join.apply(source_of(record), record));
    join.tick(at(1021));
    assert!(requests(&mut join).is_empty());
    join.tick(at(1022));
    assert!(requests(&mut join)[0].incomplete);
}

#[test]
fn a_sequence_that_only_warms_the_cache_for_its_siblings_is_no_part_of_the_request() {
    let early = outputs(2, 1, &[("w", 1, None)]);
    let records = [
        http_start(0, 1, "/v1/chat/completions"),
        early,
        add(1, 1, "w", "p", SequenceAdd::WARM_UP),
        outputs(3, 2, &[("w", 1, Some(FinishReason::Length))]),
        add(4, 1, "a", "p", 0),
        add(4, 1, "b", "p", 1),
        outputs(6, 3, &[("a", 1, Some(FinishReason::Stop)), ("b", 1, Some(FinishReason::Stop))]),
        http_end(7, 1, HttpOutcome::Complete, ""),
    ];
    let [request] = joined(&records, false).try_into().expect("one request");
    let ids: Vec<_> = request.sequences.iter().map(|sequence| sequence.internal_id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn what_a_stop_string_made_surplus_is_neither_decoded_nor_counted() {
    let answer = r#"{"choices":[{"index":0,"text":"ab"}],"usage":{"prompt_tokens":16,"completion_tokens":2}}"#;
    let mut join = join_with(CONTENT, 0);
    for record in [
        http_start(0, 1, "/v1/completions"),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        outputs(30, 2, &[("a", 1, None)]),
        outputs(40, 3, &[("a", 3, None)]),
        front_finish(41, "a", FinishReason::Stop),
        response(42, 1, 200, "application/json"),
        chunk(42, 1, answer),
        http_end(43, 1, HttpOutcome::Complete, ""),
    ] {
        join.apply(source_of(&record), &record);
    }
    let sequence = &requests(&mut join)[0].sequences[0];
    assert_eq!((sequence.tokens.count(), sequence.surplus_tokens), (2, 3));
    assert_eq!(sequence.decode_ns, at(30) - at(20));
    assert_eq!(sequence.decodes.iter().map(|d| d.end_ns).collect::<Vec<_>>(), [at(30)]);
}

#[test]
fn a_step_that_ends_after_the_preemption_does_not_end_the_wait() {
    let mut join = join_with(CONTENT, 0);
    for record in [
        add(3, 0, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        preempted(25, "a"),
        outputs(30, 2, &[("a", 1, None)]),
        step(50, 3, &[("a", 18)]),
        outputs(60, 3, &[("a", 1, Some(FinishReason::Length))]),
    ] {
        join.apply(source_of(&record), &record);
    }
    let sequence = &requests(&mut join)[0].sequences[0];
    assert_eq!(sequence.waits.last().map(|w| (w.start_ns, w.end_ns)), Some((at(25), at(50))));
    assert_eq!((sequence.prefills.len(), sequence.tokens.count()), (2, 3));
}

#[test]
fn an_end_that_is_dated_back_to_the_last_byte_leaves_the_engine_time_to_end_as_well() {
    let mut join = join_with(CONTENT, 0);
    let begun = [http_start(0, 1, "/v1/chat/completions"), add(1, 1, "a", "", 0), outputs(30, 1, &[("a", 1, None)])];
    begun.iter().for_each(|record| join.apply(source_of(record), record));
    join.tick(at(2_000));
    // SGLang's application returns two seconds after the client left, and aborts only then.
    join.apply(API, &http_end(30, 1, HttpOutcome::Disconnected, ""));
    join.tick(at(2_050));
    join.apply(CORE, &outputs(2_060, 2, &[("a", 1, Some(FinishReason::Abort))]));
    let requests = requests(&mut join);
    assert_eq!(requests[0].sequences[0].tokens.count(), 2);
}

#[test]
fn what_the_engine_makes_after_a_stop_string_is_surplus_whenever_it_is_told() {
    let mut join = join_with(CONTENT, 0);
    for record in [
        http_start(0, 1, "/v1/completions"),
        add(3, 1, "a", "", 0),
        step(10, 1, &[("a", 16)]),
        outputs(20, 1, &[("a", 1, None)]),
        front_finish(25, "a", FinishReason::Stop),
        outputs(30, 2, &[("a", 2, None)]),
        http_end(31, 1, HttpOutcome::Complete, ""),
        outputs(40, 3, &[("a", 1, Some(FinishReason::Stop))]),
    ] {
        join.apply(source_of(&record), &record);
    }
    let (mut before_its_end, mut after) = (0, 0);
    for joined in join.take() {
        match joined {
            Joined::Request(request) => before_its_end += request.sequences[0].surplus_tokens,
            Joined::Surplus { tokens, .. } => after += tokens,
            Joined::FirstToken { .. } => {}
        }
    }
    assert_eq!((before_its_end, after), (2, 1));
}
