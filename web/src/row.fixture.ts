// A request for tests, of which a test says only what it is about.
import type { RequestRow, Span } from './api/types.ts';

export function aRow(fields: Partial<RequestRow> = {}): RequestRow {
  return {
    trace_id: 'trace',
    span_id: 'span',
    start_ms: 0,
    duration_s: 1,
    operation: 'chat',
    model: 'm',
    service: 's',
    instance: 'i',
    engine_index: 0,
    status: 'ok',
    error_type: null,
    http_status: 200,
    stream: true,
    choices: 1,
    finish_reasons: ['stop'],
    input_tokens: 10,
    cached_tokens: 0,
    output_tokens: 5,
    reasoning_tokens: null,
    ttft_s: 0.1,
    tpot_s: 0.01,
    e2e_s: 0.9,
    queue_s: 0.01,
    prefill_s: 0.05,
    decode_s: 0.8,
    preemptions: 0,
    queue_depth: 0,
    response_id: null,
    ...fields,
  };
}

export function aSpan(fields: Partial<Span> = {}): Span {
  return {
    span_id: 'a',
    parent_span_id: null,
    name: 'span',
    kind: 'internal',
    stage: 'other',
    start_ms: 0,
    duration_s: 1,
    error: null,
    attributes: {},
    resource: {},
    events: [],
    dropped_events: 0,
    ...fields,
  };
}
