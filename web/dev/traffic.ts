// Made-up traffic in the shape of the API: what a busy vLLM with two instances looks like over half an hour.
// The same second always holds the same requests, so that a live page grows without changing its past.
import type { RequestRow, RequestStatus } from '../src/api/types.ts';

/** How far back the traffic goes. */
const HISTORY_MS = 40 * 60_000;

/** Mean arrivals in a second: a quarter of an hour then holds more than 10,000 requests. */
const ARRIVALS_PER_S = 12;

/** In the history's middle nothing was recorded for a while: a gap, which is not a zero. */
const OUTAGE_MS = { from: 9 * 60_000, to: 8 * 60_000 };

/** Numbers between 0 and 1 that depend on the seed only (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function hex(next: () => number, digits: number): string {
  return Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');
}

function logNormal(next: () => number, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return median * Math.exp(sigma * normal);
}

/** 0 to 1: how loaded the engines are; a slow wave with a burst every four minutes. */
export function load(ms: number): number {
  const wave = 0.45 + 0.2 * Math.sin(ms / 170_000);
  const burst = Math.exp(-(((ms % 240_000) - 60_000) ** 2) / (2 * 14_000 ** 2));
  return Math.min(1, wave + 0.5 * burst);
}

const MODELS = ['Qwen/Qwen3-8B', 'Qwen/Qwen3-8B', 'Qwen/Qwen3-8B', 'meta-llama/Llama-3.1-70B-Instruct'];

function ending(next: () => number): { status: RequestStatus; error: string | null; http: number; finish: string } {
  const dice = next();
  if (dice < 0.006) return { status: 'refused', error: 'BadRequestError', http: 400, finish: '' };
  if (dice < 0.01) return { status: 'failed', error: 'InternalServerError', http: 500, finish: 'error' };
  if (dice < 0.011) return { status: 'engine_died', error: 'EngineDeadError', http: 500, finish: '' };
  if (dice < 0.04) return { status: 'aborted', error: null, http: 200, finish: 'abort' };
  return { status: 'ok', error: null, http: 200, finish: dice < 0.3 ? 'length' : 'stop' };
}

function timing(next: () => number, busy: number, large: boolean, computed: number, output: number) {
  const queue_s = busy > 0.72 ? logNormal(next, 0.35 * (busy - 0.6) * 4, 0.9) : logNormal(next, 0.0012, 0.6);
  const preemptions = busy > 0.85 && next() < 0.05 ? 1 + Math.floor(next() * 2) : 0;
  const prefill_s = 0.011 + (computed / (large ? 5200 : 21_000)) * (1 + busy) * logNormal(next, 1, 0.2);
  const tpot_s = (large ? 0.034 : 0.0125) * (1 + busy) * logNormal(next, 1, 0.12);
  const decode_s = tpot_s * Math.max(0, output - 1) + preemptions * logNormal(next, 0.8, 0.4);
  const ttft_s = queue_s + prefill_s + 0.004;
  return { queue_s, preemptions, prefill_s, decode_s, ttft_s, e2e_s: ttft_s + decode_s };
}

function row(next: () => number, start_ms: number): RequestRow {
  const busy = load(start_ms);
  const model = MODELS[Math.floor(next() * MODELS.length)] ?? 'Qwen/Qwen3-8B';
  const chat = next() < 0.78;
  const { status, error, http, finish } = ending(next);
  const choices = next() < 0.03 ? 2 : 1;
  const input = Math.round(Math.min(32_000, logNormal(next, 420, 1.1)) + 8);
  const cached = next() < 0.55 ? Math.floor((input * (0.4 + 0.58 * next())) / 16) * 16 : 0;
  const wanted = Math.round(Math.min(4000, logNormal(next, 110, 0.9)) + 1);
  const output = status === 'refused' ? 0 : status === 'ok' ? wanted : Math.max(1, Math.floor(wanted * next()));
  const times = timing(next, busy, model.includes('70B'), input - cached, output);
  const known = status !== 'refused';
  const when = <T>(value: T) => (known ? value : null);
  return {
    trace_id: hex(next, 32),
    span_id: hex(next, 16),
    start_ms,
    duration_s: known ? times.e2e_s + 0.003 : 0.0021,
    operation: chat ? 'chat' : 'text_completion',
    model,
    service: 'chat-prod',
    instance: next() < 0.5 ? 'gpu-a:8000' : 'gpu-b:8000',
    engine_index: 0,
    status,
    error_type: error,
    http_status: http,
    stream: next() < 0.7,
    choices,
    finish_reasons: finish ? Array.from({ length: choices }, () => finish) : [],
    input_tokens: when(input),
    cached_tokens: when(cached),
    output_tokens: when(output * choices),
    reasoning_tokens: when(chat && next() < 0.3 ? Math.floor(output * 0.6) : 0),
    ttft_s: when(times.ttft_s),
    tpot_s: known && output > 1 ? times.decode_s / (output - 1) : null,
    e2e_s: when(times.e2e_s),
    queue_s: when(times.queue_s),
    prefill_s: when(times.prefill_s),
    decode_s: when(times.decode_s),
    preemptions: known ? times.preemptions : 0,
    queue_depth: when(busy > 0.72 ? Math.floor((busy - 0.7) * 60 * next()) : 0),
    response_id: known ? `${chat ? 'chatcmpl' : 'cmpl'}-${hex(next, 32)}` : null,
  };
}

/** The traffic since `origin` (Unix milliseconds, when the mock started). */
export class Traffic {
  readonly #rows: RequestRow[] = [];
  readonly #origin: number;
  #next_s: number;

  constructor(origin: number) {
    this.#origin = origin;
    this.#next_s = Math.floor((origin - HISTORY_MS) / 1000);
  }

  isDown(ms: number): boolean {
    return ms > this.#origin - OUTAGE_MS.from && ms < this.#origin - OUTAGE_MS.to;
  }

  get start_ms(): number {
    return this.#origin - HISTORY_MS;
  }

  /** All requests that are over by `now`, oldest first. */
  until(now: number): RequestRow[] {
    for (; this.#next_s * 1000 < now; this.#next_s += 1) {
      const next = random(this.#next_s);
      const second = this.#next_s * 1000;
      const arrivals = Math.floor(ARRIVALS_PER_S * (0.6 + load(second) * 0.8) * (0.7 + 0.6 * next()));
      const times = Array.from({ length: arrivals }, () => second + next() * 1000).sort((a, b) => a - b);
      for (const time of times) if (!this.isDown(time)) this.#rows.push(row(next, time));
    }
    return this.#rows.filter((request) => request.start_ms + request.duration_s * 1000 <= now);
  }
}
