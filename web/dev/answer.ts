// Answers the API's calls from made-up traffic, with the same shapes and the same refusals as the server.
import { DEFAULT_RANGE, parseInstant, stepFor } from '../src/range.ts';
import { predicate, type Filters } from '../src/filter.ts';
import { quantile } from '../src/gap.ts';
import type { ApiError, Facets, RequestPage, RequestRow, SeriesSet, Status } from '../src/api/types.ts';
import { agents, engines, metricValue } from './fleet.ts';
import { sortRows } from '../src/column.ts';
import { detail } from './detail.ts';
import { load, type Traffic } from './traffic.ts';

export type Answer = { status: number; body: unknown };

class Refusal extends Error {
  readonly answer: Answer;

  constructor(status: number, error: ApiError) {
    super(error.message);
    this.answer = { status, body: { error } };
  }
}

function bad(field: string, message: string, hint: string): Refusal {
  return new Refusal(400, { code: 'bad_request', message, hint, field });
}

type Span = { from: number; to: number };

function span(params: URLSearchParams, now: number): Span {
  const end = (name: 'from' | 'to') => {
    const text = params.get(name) ?? DEFAULT_RANGE[name];
    const value = parseInstant(text, now);
    if (value === null)
      throw bad(name, `no time: ${text}`, `RFC 3339, Unix milliseconds or relative, e.g. ${name}=now-15m`);
    return value;
  };
  return { from: end('from'), to: end('to') };
}

const NO_FILTER = ['from', 'to', 'q', 'sort', 'limit', 'offset', 'series', 'step', 'by', 'span_id'];

function filters(params: URLSearchParams): Filters {
  const result: Record<string, string[]> = {};
  for (const [name, value] of params) {
    if (NO_FILTER.includes(name)) continue;
    if (/^(min|max)_/.test(name) && !Number.isFinite(Number(value))) {
      throw bad(name, `not a number from 0: ${value}`, `a number, times in seconds, e.g. ${name}=0.25`);
    }
    (result[name] ??= []).push(value);
  }
  return result;
}

function selected(traffic: Traffic, params: URLSearchParams, now: number): RequestRow[] {
  const { from, to } = span(params, now);
  const keep = predicate(filters(params));
  const q = params.get('q') ?? '';
  const found = (row: RequestRow) => row.trace_id === q || row.response_id?.startsWith(q) || row.start_ms % 100 < 9;
  return traffic
    .until(now)
    .filter((row) => row.start_ms >= from && row.start_ms < to && keep(row) && (q === '' || found(row)));
}

function page(traffic: Traffic, params: URLSearchParams, now: number): RequestPage {
  const rows = sortRows(selected(traffic, params, now), params.get('sort') ?? '-start');
  const offset = Number(params.get('offset') ?? 0);
  const limit = Number(params.get('limit') ?? 100);
  const end = offset + limit;
  return { rows: rows.slice(offset, end), total: rows.length, next_offset: end < rows.length ? end : null };
}

const DURATIONS: Record<string, (row: RequestRow) => number | null> = {
  ttft: (row) => row.ttft_s,
  tpot: (row) => row.tpot_s,
  e2e: (row) => row.e2e_s,
  queue: (row) => row.queue_s,
  prefill: (row) => row.prefill_s,
  decode: (row) => row.decode_s,
  duration: (row) => row.duration_s,
};

const AMOUNTS: Record<string, (row: RequestRow) => number> = {
  requests: () => 1,
  errors: (row) => Number(row.status !== 'ok' && row.status !== 'aborted'),
  aborted: (row) => Number(row.status === 'aborted'),
  input_tokens: (row) => row.input_tokens ?? 0,
  prompt_tokens: (row) => (row.input_tokens ?? 0) - (row.cached_tokens ?? 0),
  output_tokens: (row) => row.output_tokens ?? 0,
  generation_tokens: (row) => row.output_tokens ?? 0,
  preemptions: (row) => row.preemptions,
  steps: (row) => row.output_tokens ?? 0,
};

function level(name: string, stat: string, ms: number): number {
  const busy = load(ms);
  const top = stat === 'max' ? 1.06 : 1;
  if (name === 'running') return Math.round(64 * Math.min(1, busy * 1.1) * top);
  if (name === 'waiting') return busy > 0.72 ? Math.round((busy - 0.7) * 60 * top) : 0;
  if (name === 'kv_usage') return Math.min(0.996, busy * 0.93 * top);
  return 0.35 + 0.2 * Math.sin(ms / 400_000);
}

function statistic(rows: RequestRow[], name: string, stat: string, step_s: number, at: Span): number | null {
  if (name.startsWith('metric.')) return metricValue(name, rows, step_s, (at.from + at.to) / 2);
  const amount = AMOUNTS[name];
  if (amount) {
    const sum = rows.reduce((total, row) => total + amount(row), 0);
    return stat === 'rate' ? sum / step_s : sum;
  }
  const measure = DURATIONS[name];
  if (!measure) return level(name, stat, (at.from + at.to) / 2);
  const values = rows
    .map(measure)
    .filter((value) => value !== null)
    .sort((a, b) => a - b);
  if (values.length === 0) return null;
  if (stat === 'mean') return values.reduce((total, value) => total + value, 0) / values.length;
  return stat === 'max' ? (values.at(-1) ?? null) : quantile(values, Number(stat.slice(1)) / 100);
}

function labelOf(row: RequestRow, by: string): string {
  if (by === 'finish_reason') return row.finish_reasons[0] ?? '';
  if (by === 'usage_type') return row.start_ms % 2 < 1 ? 'input' : 'output';
  return by === 'model' ? row.model : by === 'instance' ? row.instance : '';
}

function series(traffic: Traffic, params: URLSearchParams, now: number): SeriesSet {
  const at = span(params, now);
  const step_s = Number(params.get('step')?.replace(/s$/, '') ?? stepFor(at, 120));
  if (!(step_s > 0)) throw bad('step', `step is no duration: ${params.get('step')}`, 'write seconds, step=10');
  const step_ms = step_s * 1000;
  const whole = step_ms >= at.to - at.from;
  const first = whole ? at.from : Math.floor(at.from / step_ms) * step_ms;
  const times_ms: number[] = [];
  for (let time = first; time < at.to; time += step_ms) times_ms.push(time);
  const by = params.get('by');
  const groups = new Map<string, RequestRow[][]>();
  if (!by)
    groups.set(
      '',
      times_ms.map(() => []),
    );
  for (const row of selected(traffic, params, now)) {
    const label = by ? labelOf(row, by) : '';
    let buckets = groups.get(label);
    if (!buckets) groups.set(label, (buckets = times_ms.map(() => [])));
    buckets[Math.floor((row.start_ms - first) / step_ms)]?.push(row);
  }
  const known = (time: number) => whole || (!traffic.isDown(time + step_ms / 2) && time + step_ms > traffic.start_ms);
  const wanted = (params.get('series') ?? '').split(',').map((key) => key.split(':'));
  return {
    times_ms,
    step_ms,
    series: wanted.flatMap(([name = '', stat = '']) =>
      [...groups].map(([label, buckets]) => ({
        name,
        stat,
        labels: by ? { [by]: label } : {},
        unit: '1',
        values: times_ms.map((time, index) =>
          known(time) ? statistic(buckets[index] ?? [], name, stat, step_s, { from: time, to: time + step_ms }) : null,
        ),
      })),
    ),
  };
}

function facets(traffic: Traffic, params: URLSearchParams, now: number): Facets {
  const { from, to } = span(params, now);
  const counts: Record<string, Map<string, number>> = {};
  const add = (name: string, value: string) => {
    const values = (counts[name] ??= new Map<string, number>());
    values.set(value, (values.get(value) ?? 0) + 1);
  };
  for (const row of traffic.until(now)) {
    if (row.start_ms < from || row.start_ms >= to) continue;
    for (const name of ['model', 'operation', 'status', 'service', 'instance'] as const) add(name, row[name]);
    for (const reason of row.finish_reasons) add('finish_reason', reason);
  }
  const sorted = Object.entries(counts).map(([name, values]) => [
    name,
    [...values].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count),
  ]);
  return { facets: Object.fromEntries(sorted) as Facets['facets'] };
}

function status(traffic: Traffic, now: number): Status {
  const spans = traffic.until(now).length * 6;
  return {
    version: '0.0.0-mock',
    start_ms: traffic.start_ms,
    received: { spans },
    refused: {},
    stored: { spans },
    disk_bytes: spans * 210,
    last_received_ms: now - 400,
    otlp: { grpc: '127.0.0.1:4317', http: '127.0.0.1:4318' },
  };
}

/** What the server would say to this URL. */
export function answer(traffic: Traffic, url: URL, now: number): Answer {
  try {
    const params = url.searchParams;
    const one = /^\/api\/requests\/([0-9a-f]+)$/.exec(url.pathname)?.[1];
    if (one !== undefined) {
      const row = traffic.until(now).find((request) => request.trace_id === one);
      if (row) return { status: 200, body: detail(row) };
      const message = `no such request: ${one}`;
      throw new Refusal(404, { code: 'not_found', message, hint: 'it may have passed its retention', field: null });
    }
    const routes: Record<string, () => unknown> = {
      '/api/requests': () => page(traffic, params, now),
      '/api/series': () => series(traffic, params, now),
      '/api/facets': () => facets(traffic, params, now),
      '/api/engines': () => engines(now, span(params, now)),
      '/api/agents': () => agents(now, span(params, now)),
      '/api/status': () => status(traffic, now),
    };
    const route = routes[url.pathname];
    if (route) return { status: 200, body: route() };
    throw new Refusal(404, {
      code: 'not_found',
      message: `no such path: ${url.pathname}`,
      hint: 'see /api',
      field: null,
    });
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error;
  }
}
