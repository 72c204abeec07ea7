//! One request with everything known about it.

use tachograph_schema::{attribute, otlp};
use tachograph_store::Store;

use super::QueryError;
use super::request::{RequestColumns, seconds_of_ns, unix_ms};
use super::trace::{Content, TraceSpan, spans};
use crate::api::wire::{ChoiceTokens, Json, Messages, RequestDetail, Span, SpanEvent, Stage};
use crate::figures::Figures;
use crate::value;

/// What is known about the request of a trace whose entry span is `span_id`, or about its first request.
/// None where there is no such request.
pub(crate) async fn detail(
    store: &dyn Store,
    trace_id: [u8; 16],
    span_id: Option<[u8; 8]>,
) -> Result<Option<RequestDetail>, QueryError> {
    let rows = store.trace(trace_id).await?;
    let spans = spans(&rows)?;
    let wanted = |span: &&TraceSpan| match span_id {
        Some(id) => span.span_id == id,
        None => span.is_request,
    };
    let Some(entry) = spans.iter().filter(|s| s.is_request).find(wanted) else { return Ok(None) };
    let columns = RequestColumns::new(&rows.spans)?;
    let sequences: Vec<&TraceSpan> = spans.iter().filter(|s| is_sequence_of(s, entry)).collect();
    let of_sequences: Vec<Figures> = sequences.iter().map(|s| columns.figures(s.row)).collect();
    let figures = columns.figures(entry.row).or(&Figures::of_sequences(&of_sequences));
    Ok(Some(RequestDetail {
        request: columns.row(entry.row, &figures),
        tokens: sequences.iter().filter_map(|s| tokens(s)).collect(),
        messages: messages(&entry.content),
        spans: spans.iter().map(wire_span).collect(),
    }))
}

fn is_sequence_of(span: &TraceSpan, entry: &TraceSpan) -> bool {
    span.name == attribute::span::REQUEST && span.parent_span_id.as_ref() == Some(&entry.span_id)
}

fn wire_span(span: &TraceSpan) -> Span {
    const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    const ERROR: u8 = 2;
    let json = |attributes| value::map(attributes).into_iter().map(|(key, v)| (key, Json(v))).collect();
    let message = Some(&span.status_message).filter(|m| !m.is_empty()).cloned();
    Span {
        span_id: const_hex::encode(&span.span_id),
        parent_span_id: span.parent_span_id.as_ref().map(const_hex::encode),
        name: span.name.clone(),
        kind: KINDS.get(usize::from(span.kind)).copied().unwrap_or("unspecified").to_owned(),
        stage: stage(span),
        start_ms: unix_ms(span.start_ns),
        duration_s: seconds_of_ns(span.duration_ns),
        error: (span.status == ERROR).then(|| message.or(span.error_type.clone()).unwrap_or("error".to_owned())),
        attributes: json(&span.attributes),
        resource: json(&span.resource.attributes),
        events: span
            .events
            .iter()
            .map(|event| SpanEvent {
                name: event.name.clone(),
                time_ms: unix_ms(i64::try_from(event.time_unix_nano).unwrap_or(i64::MAX)),
                attributes: json(&event.attributes),
            })
            .collect(),
        dropped_events: span.dropped_events,
    }
}

fn stage(span: &TraceSpan) -> Stage {
    match span.name.as_str() {
        attribute::span::REQUEST => Stage::Request,
        attribute::span::WAIT => Stage::Wait,
        attribute::span::PREFILL => Stage::Prefill,
        attribute::span::DECODE => Stage::Decode,
        attribute::span::REASONING => Stage::Reasoning,
        _ if span.is_request => Stage::Operation,
        _ if otlp::find(&span.attributes, attribute::HTTP_METHOD).is_some() => Stage::Http,
        _ => Stage::Other,
    }
}

/// Token times of a sequence: packed as our recorder sends them, or from the events of level 2.
fn tokens(span: &TraceSpan) -> Option<ChoiceTokens> {
    let offsets_s = match &span.token_offsets {
        Some(packed) => unpack(packed),
        None => {
            let events = span.events.iter().filter(|e| e.name == attribute::TOKEN_EVENT);
            let since = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX).saturating_sub(span.start_ns);
            events.map(|e| seconds_of_ns(since(e.time_unix_nano))).collect()
        }
    };
    let recorded = offsets_s.len() as u64;
    (recorded > 0).then(|| ChoiceTokens {
        choice: span.choice_index.unwrap_or_default(),
        span_id: const_hex::encode(&span.span_id),
        start_ms: unix_ms(span.start_ns),
        total: span.output_tokens.unwrap_or_default().max(recorded),
        offsets_s,
    })
}

/// LEB128 microseconds since the token before, as seconds since the start. Bytes that end within a number end there.
fn unpack(packed: &[u8]) -> Vec<f64> {
    let mut bytes = packed;
    let mut total_us = 0_u64;
    let mut offsets = Vec::with_capacity(packed.len() / 2);
    while !bytes.is_empty() {
        let Ok(delta) = prost::encoding::decode_varint(&mut bytes) else { break };
        total_us = total_us.saturating_add(delta);
        #[allow(clippy::cast_precision_loss)] // exact up to 285 years
        offsets.push(total_us as f64 / 1e6);
    }
    offsets
}

fn messages(content: &Content) -> Messages {
    // A message that the agent cut is no JSON any more: it is shown as the text it is.
    let json = |text: &Option<String>| {
        let text = text.as_ref()?;
        Some(Json(serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())))
    };
    Messages {
        input: json(&content.input),
        output: json(&content.output),
        system: json(&content.system),
        tools: json(&content.tools),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_token_times_add_up() {
        // 300 us, 1 us, 128 us
        assert_eq!(unpack(&[0xac, 0x02, 0x01, 0x80, 0x01]), [0.0003, 0.000301, 0.000429]);
    }

    #[test]
    fn packed_token_times_that_break_off_give_those_that_are_whole() {
        assert_eq!(unpack(&[0x05, 0x80]), [0.000005]);
        assert_eq!(unpack(&[]), [0.0; 0]);
    }
}
