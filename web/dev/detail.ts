// One made-up request in full: its spans, tokens and messages, as the server tells them.
import type { ChoiceTokens, Messages, RequestDetail, RequestRow, Span, Stage } from '../src/api/types.ts';
import { random } from './traffic.ts';

/** Token times kept for a choice, as the documented default of span events. */
const TOKENS_KEPT = 128;

const WORDS = (
  'the scheduler admits a request when its blocks fit and the batch has room then prefill computes the prompt and ' +
  'decode writes one token for each step while others share the same batch and a long prompt may stall them'
).split(' ');

function prose(next: () => number, words: number): string {
  const list = Array.from({ length: Math.max(1, words) }, () => WORDS[Math.floor(next() * WORDS.length)] ?? 'the');
  const text = list.map((word, index) => (index % 14 === 13 ? `${word}.` : word)).join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1) + '.';
}

class Builder {
  readonly spans: Span[] = [];
  readonly #row: RequestRow;
  readonly #next: () => number;

  constructor(request: RequestRow, next: () => number) {
    this.#row = request;
    this.#next = next;
  }

  decodes(parent: string): Span[] {
    return this.spans.filter((span) => span.stage === 'decode' && span.parent_span_id === parent);
  }

  id(): string {
    return Array.from({ length: 16 }, () => Math.floor(this.#next() * 16).toString(16)).join('');
  }

  add(stage: Stage, name: string, parent: string | null, at_s: number, length_s: number, attributes: object): Span {
    const { start_ms, instance, service } = this.#row;
    const span: Span = {
      span_id: stage === 'operation' ? this.#row.span_id : this.id(),
      parent_span_id: parent,
      name,
      kind: stage === 'http' ? 'server' : 'internal',
      stage,
      start_ms: start_ms + at_s * 1000,
      duration_s: Math.max(0, length_s),
      error: null,
      attributes: { ...attributes },
      resource: { 'service.name': service, 'service.instance.id': instance, 'gen_ai.provider.name': 'vllm' },
      events: [],
      dropped_events: 0,
    };
    this.spans.push(span);
    return span;
  }
}

function sequence(
  builder: Builder,
  request: RequestRow,
  parent: string,
  choice: number,
  next: () => number,
): ChoiceTokens {
  const { queue_s, prefill_s, decode_s, ttft_s, e2e_s } = request;
  const queue = queue_s ?? 0;
  const output = Math.floor((request.output_tokens ?? 0) / request.choices);
  const sequenceSpan = builder.add('request', 'llm_request', parent, 0.001, e2e_s ?? 0, {
    'gen_ai.request.id': `${request.response_id}-${choice}`,
    'gen_ai.latency.e2e': e2e_s,
    'gen_ai.latency.time_in_queue': queue_s,
    'gen_ai.latency.time_to_first_token': ttft_s,
    'gen_ai.latency.time_in_model_prefill': prefill_s,
    'gen_ai.latency.time_in_model_decode': decode_s,
    'gen_ai.latency.time_per_output_token': request.tpot_s,
    'gen_ai.usage.input_tokens': request.input_tokens,
    'gen_ai.usage.output_tokens': output,
    'gen_ai.usage.cache_read.input_tokens': request.cached_tokens,
    'gen_ai.response.finish_reasons': request.finish_reasons.slice(choice, choice + 1),
    'tachograph.preemptions': request.preemptions,
    'tachograph.queue_depth_at_arrival': request.queue_depth,
    'tachograph.engine_index': 0,
  });
  const at = sequenceSpan.span_id;
  builder.add('wait', 'wait', at, 0.003, queue, { 'tachograph.wait.reason': 'capacity' });
  builder.add('prefill', 'prefill', at, 0.003 + queue, prefill_s ?? 0, { 'tachograph.chunks': 1 });
  const decodeStart = ttft_s ?? 0;
  let left = decode_s ?? 0;
  let from = decodeStart;
  for (let index = 0; index < request.preemptions; index += 1) {
    const part = left / (request.preemptions + 1) / 2;
    builder.add('decode', 'decode', at, from, part, { 'tachograph.ended_by': 'preemption' });
    builder.add('wait', 'wait', at, from + part, part * 0.6, { 'tachograph.wait.reason': 'preempted' });
    builder.add('prefill', 'prefill', at, from + part * 1.6, part * 0.4, { 'tachograph.recompute': true });
    from += part * 2;
    left -= part * 2;
  }
  builder.add('decode', 'decode', at, from, left, { 'gen_ai.usage.output_tokens': output });
  const offsets_s = offsets(builder.decodes(at), request, next);
  return { choice, span_id: at, start_ms: sequenceSpan.start_ms, offsets_s, total: output };
}

/** Token times spread over the decode spans, with a stall here and there. */
function offsets(decodes: Span[], request: RequestRow, next: () => number): number[] {
  const output = Math.floor((request.output_tokens ?? 0) / request.choices);
  const busy = decodes.reduce((sum, span) => sum + span.duration_s, 0) || 1;
  const times = [request.ttft_s ?? 0];
  for (const span of decodes) {
    const count = Math.max(1, Math.round((output * span.duration_s) / busy));
    const weights = Array.from({ length: count }, () => (0.8 + 0.3 * next()) * (next() < 0.03 ? 4 + 14 * next() : 1));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    let at = (span.start_ms - request.start_ms) / 1000;
    for (const weight of weights) times.push((at += (span.duration_s * weight) / sum));
  }
  return times.slice(0, Math.min(output, TOKENS_KEPT));
}

function messages(request: RequestRow, next: () => number): Messages {
  const answer: object[] = [];
  if (request.reasoning_tokens) answer.push({ type: 'reasoning', content: prose(next, request.reasoning_tokens) });
  answer.push({ type: 'text', content: prose(next, Math.min(400, request.output_tokens ?? 0)) });
  if (next() < 0.2) {
    answer.push({ type: 'tool_call', id: 'call_1', name: 'get_weather', arguments: { city: 'Oslo', unit: 'celsius' } });
  }
  return {
    system: [{ type: 'text', content: 'You are a careful assistant. Answer in one paragraph.' }],
    input: [{ role: 'user', parts: [{ type: 'text', content: prose(next, 60) }] }],
    output: request.finish_reasons.map((finish_reason) => ({ role: 'assistant', parts: answer, finish_reason })),
    tools: [
      { type: 'function', name: 'get_weather', description: 'Weather of a city', parameters: { type: 'object' } },
    ],
  };
}

/** The request in full; every seventh without content, as if capture were off. */
export function detail(request: RequestRow): RequestDetail {
  const seed = Number.parseInt(request.span_id.slice(0, 8), 16);
  const next = random(seed);
  const builder = new Builder(request, next);
  const chat = request.operation === 'chat';
  const path = chat ? '/v1/chat/completions' : '/v1/completions';
  const http = builder.add('http', `POST ${path}`, null, -0.002, request.duration_s + 0.002, {
    'http.request.method': 'POST',
    'url.path': path,
    'http.response.status_code': request.http_status,
    'client.address': '10.0.3.17',
    'server.address': '127.0.0.1',
    'server.port': 8000,
  });
  const operation = builder.add(
    'operation',
    `${request.operation} ${request.model}`,
    http.span_id,
    0,
    request.duration_s,
    {
      'gen_ai.operation.name': request.operation,
      'gen_ai.provider.name': 'vllm',
      'gen_ai.request.model': request.model,
      'gen_ai.response.model': request.model,
      'gen_ai.response.id': request.response_id,
      'gen_ai.request.temperature': 0.7,
      'gen_ai.request.max_tokens': 512,
      'gen_ai.request.stream': request.stream,
      'gen_ai.span.kind': 'LLM',
    },
  );
  if (request.error_type) {
    for (const span of [http, operation]) {
      span.error = `${request.error_type}: the request was not answered`;
      span.attributes['error.type'] = request.error_type;
    }
  }
  const tokens: ChoiceTokens[] = [];
  if (request.status !== 'refused') {
    if (request.reasoning_tokens) {
      const length = (request.tpot_s ?? 0) * request.reasoning_tokens;
      builder.add('reasoning', 'reasoning', operation.span_id, request.ttft_s ?? 0, length, {
        'gen_ai.usage.reasoning.output_tokens': request.reasoning_tokens,
      });
    }
    for (let choice = 0; choice < request.choices; choice += 1) {
      tokens.push(sequence(builder, request, operation.span_id, choice, next));
    }
  }
  const off = seed % 7 === 0 || request.status === 'refused';
  const content = off ? { input: null, output: null, system: null, tools: null } : messages(request, next);
  return { request, spans: builder.spans, tokens, messages: content };
}
