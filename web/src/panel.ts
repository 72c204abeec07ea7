// The Overview's panels: vLLM's words, units and colours, and where each number comes from.
import { apiUrl, filterQuery, rangeQuery } from './api/client.ts';
import type { Filters } from './filter.ts';
import type { Unit } from './number.ts';
import type { Range } from './range.ts';
import type { Measure } from './url.ts';

/** How one series is drawn. `ink` names a CSS variable without its dashes. */
export type Line = { key: string; label: string; ink: string; dash?: readonly number[]; width?: number };

export type Panel = {
  id: string;
  title: string;
  unit: Unit;
  /** One line on one scale each, areas or bars on top of each other. */
  shape: 'lines' | 'stacked' | 'bars';
  lines: readonly Line[];
  /** Splits the one quantity by this label; `lines` then say the colours of the values that are known. */
  by?: string;
  /** What the numbers are made from, with the engine's own metric name. */
  source: string;
  /** Fixed top of the axis. */
  max?: number;
  /** Levels that people act on. */
  thresholds?: readonly { at: number; ink: string }[];
  /** What is said where nothing is known. */
  none?: string;
  /** What the scatter shows when one goes from here to the requests. */
  measure: Measure;
};

function quantiles(quantity: string): Line[] {
  return [
    { key: `${quantity}:p50`, label: 'p50', ink: 'p50' },
    { key: `${quantity}:p95`, label: 'p95', ink: 'p95', width: 1.5 },
    { key: `${quantity}:p99`, label: 'p99', ink: 'p99' },
    { key: `${quantity}:mean`, label: 'mean', ink: 'mean', dash: [4, 3] },
  ];
}

export const PANELS: readonly Panel[] = [
  {
    id: 'ttft',
    title: 'Time to first token',
    unit: 'seconds',
    shape: 'lines',
    lines: quantiles('ttft'),
    source: 'TTFT: arrival in the engine’s front end to the first output token. vllm:time_to_first_token_seconds',
    measure: 'ttft',
  },
  {
    id: 'tpot',
    title: 'Time per output token',
    unit: 'seconds',
    shape: 'lines',
    lines: quantiles('tpot'),
    source: 'TPOT: (E2E − TTFT) ÷ (output tokens − 1) of each request. vllm:request_time_per_output_token_seconds',
    measure: 'tpot',
  },
  {
    id: 'e2e',
    title: 'E2E request latency',
    unit: 'seconds',
    shape: 'lines',
    lines: quantiles('e2e'),
    source: 'Arrival in the engine’s front end to the last token. vllm:e2e_request_latency_seconds',
    measure: 'e2e',
  },
  {
    id: 'queue',
    title: 'Queue time',
    unit: 'seconds',
    shape: 'lines',
    lines: quantiles('queue'),
    source: 'Every interval spent waiting, also after preemptions. vllm:request_queue_time_seconds',
    measure: 'queue',
  },
  {
    id: 'phases',
    title: 'Mean time per phase',
    unit: 'seconds',
    shape: 'stacked',
    lines: [
      { key: 'queue:mean', label: 'queue', ink: 'queue' },
      { key: 'prefill:mean', label: 'prefill', ink: 'prefill' },
      { key: 'decode:mean', label: 'decode', ink: 'decode' },
    ],
    source: 'Means on top of each other. vllm:request_queue_time_seconds, …prefill_time_seconds, …decode_time_seconds',
    measure: 'e2e',
  },
  {
    id: 'tokens',
    title: 'Token throughput',
    unit: 'tokens/s',
    shape: 'lines',
    lines: [
      { key: 'prompt_tokens:rate', label: 'prompt', ink: 'prefill' },
      { key: 'generation_tokens:rate', label: 'generation', ink: 'decode', width: 1.5 },
    ],
    source: 'Rate of vllm:prompt_tokens_total and vllm:generation_tokens_total',
    measure: 'e2e',
  },
  {
    id: 'scheduler',
    title: 'Scheduler state',
    unit: 'count',
    shape: 'lines',
    lines: [
      { key: 'running:mean', label: 'running', ink: 'decode', width: 1.5 },
      { key: 'waiting:mean', label: 'waiting', ink: 'queue', dash: [4, 3], width: 1.5 },
    ],
    source: 'Requests, mean in the bucket. vllm:num_requests_running, vllm:num_requests_waiting',
    measure: 'queue',
  },
  {
    id: 'kv',
    title: 'KV cache utilization',
    unit: 'ratio',
    shape: 'lines',
    lines: [
      { key: 'kv_usage:max', label: 'max', ink: 'cache', width: 1.5 },
      { key: 'kv_usage:mean', label: 'mean', ink: 'mean', dash: [4, 3] },
    ],
    max: 1,
    thresholds: [
      { at: 0.9, ink: 'warn' },
      { at: 0.98, ink: 'error' },
    ],
    source: 'Share of the KV cache blocks in use; act at 90 %, trouble at 98 %. vllm:kv_cache_usage_perc',
    measure: 'queue',
  },
  {
    id: 'prefix',
    title: 'Prefix cache hit rate',
    unit: 'ratio',
    shape: 'lines',
    lines: [{ key: 'prefix_hit_ratio:mean', label: 'hits', ink: 'cache', width: 1.5 }],
    max: 1,
    source: 'Hits ÷ queries, in tokens. vllm:prefix_cache_hits_total ÷ vllm:prefix_cache_queries_total',
    measure: 'ttft',
  },
  {
    id: 'finish',
    title: 'Finish reason',
    unit: 'count',
    shape: 'bars',
    by: 'finish_reason',
    lines: [
      { key: 'requests:count', label: 'stop', ink: 'stop' },
      { key: 'requests:count', label: 'length', ink: 'length' },
      { key: 'requests:count', label: 'repetition', ink: 'repetition' },
      { key: 'requests:count', label: 'abort', ink: 'abort' },
      { key: 'requests:count', label: 'error', ink: 'error' },
    ],
    source: 'Requests in the bucket by finished_reason. vllm:request_success_total',
    measure: 'e2e',
  },
  {
    id: 'preemptions',
    title: 'Preemptions',
    unit: 'events/s',
    shape: 'lines',
    lines: [{ key: 'preemptions:rate', label: 'preemptions', ink: 'error', width: 1.5 }],
    thresholds: [{ at: 1, ink: 'error' }],
    source: 'Rate of vllm:num_preemptions_total; any is worth a look, one a second is trouble',
    measure: 'e2e',
  },
  {
    id: 'rate',
    title: 'Request rate',
    unit: 'requests/s',
    shape: 'lines',
    lines: [
      { key: 'requests:rate', label: 'all', ink: 'decode', width: 1.5 },
      { key: 'errors:rate', label: 'errors', ink: 'error', dash: [2, 2], width: 1.5 },
      { key: 'aborted:rate', label: 'aborted', ink: 'abort', dash: [4, 3] },
    ],
    source: 'Requests, counted when they end; errors: refused, failed, engine died; aborted: the client went away',
    measure: 'e2e',
  },
];

/** One figure at the top. */
export type Stat = {
  id: string;
  label: string;
  unit: Unit;
  /** Series, and a second one to divide by. */
  key: string;
  per?: string;
  source: string;
  /** From these values on the figure is marked. */
  warn?: number;
  bad?: number;
};

export const STATS: readonly Stat[] = [
  { id: 'rps', label: 'Requests', unit: 'requests/s', key: 'requests:rate', source: 'requests ÷ time range' },
  { id: 'in', label: 'Input', unit: 'tokens/s', key: 'input_tokens:rate', source: 'prompt tokens ÷ time range' },
  { id: 'out', label: 'Output', unit: 'tokens/s', key: 'output_tokens:rate', source: 'generated tokens ÷ time range' },
  {
    id: 'errors',
    label: 'Errors',
    unit: 'ratio',
    key: 'errors:count',
    per: 'requests:count',
    source: 'refused, failed, engine died ÷ all requests; marked from 0.1 % and from 1 %',
    warn: 0.001,
    bad: 0.01,
  },
  { id: 'ttft', label: 'TTFT p95', unit: 'seconds', key: 'ttft:p95', source: 'time to first token, whole range' },
  { id: 'tpot', label: 'TPOT p95', unit: 'seconds', key: 'tpot:p95', source: 'time per output token, whole range' },
  { id: 'e2e', label: 'E2E p95', unit: 'seconds', key: 'e2e:p95', source: 'end-to-end latency, whole range' },
  { id: 'running', label: 'Running', unit: 'count', key: 'running:mean', source: 'mean over the range' },
  { id: 'waiting', label: 'Waiting', unit: 'count', key: 'waiting:mean', source: 'mean over the range' },
  {
    id: 'kv',
    label: 'KV cache max',
    unit: 'ratio',
    key: 'kv_usage:max',
    source: 'highest share in use; marked from 90 % and from 98 %',
    warn: 0.9,
    bad: 0.98,
  },
  {
    id: 'preemptions',
    label: 'Preemptions',
    unit: 'events/s',
    key: 'preemptions:rate',
    source: 'preemptions ÷ time range; marked above 0 and from 1 /s',
    warn: Number.MIN_VALUE,
    bad: 1,
  },
  { id: 'prefix', label: 'Prefix hits', unit: 'ratio', key: 'prefix_hit_ratio:mean', source: 'hits ÷ queries' },
];

/** The call that answers for these panels, which are split by the same label or none; each series once. */
export function seriesUrl(panels: readonly Panel[], state: { range: Range; filters: Filters }, step: number): string {
  const keys = new Set(panels.flatMap((panel) => panel.lines.map((line) => line.key)));
  const by = panels[0]?.by;
  return apiUrl('/api/series', [
    ['series', [...keys].join(',')],
    ...rangeQuery(state.range),
    ...filterQuery(state.filters),
    ['step', `${step}s`],
    ...(by === undefined ? [] : [['by', by] as const]),
  ]);
}
