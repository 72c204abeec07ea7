// The Engines screen: which charts an engine line has, in the words and colours of the engines' own dashboards.
import { METRICS, type Metric } from './api/metrics.ts';
import type { EngineLine, EngineRow, SeriesSet } from './api/types.ts';
import { withoutValue, type Filters } from './filter.ts';
import type { Unit } from './number.ts';
import type { Panel } from './panel.ts';
import type { DrawnLine } from './series.ts';
import type { Split } from './url.ts';

export const LINE_LABEL: Record<EngineLine, string> = { vllm_v1: 'vLLM V1', vllm_v0: 'vLLM V0', sglang: 'SGLang' };

export type Group = { title: string; panels: readonly Panel[] };

type Look = {
  title: string;
  unit: Unit;
  ink: string;
  /** Attribute of the points that the chart is split by, and the colours of its values. */
  by?: { label: 'finish_reason' | 'usage_type'; inks: readonly (readonly [value: string, ink: string])[] };
  measure?: Panel['measure'];
};

const FINISH = {
  label: 'finish_reason',
  inks: [
    ['stop', 'stop'],
    ['length', 'length'],
    ['repetition', 'repetition'],
    ['abort', 'abort'],
    ['error', 'error'],
  ],
} as const;

const USAGE = {
  label: 'usage_type',
  inks: [
    ['input', 'prefill'],
    ['output', 'decode'],
  ],
} as const;

function look(title: string, unit: Unit, ink: string, more: Pick<Look, 'by' | 'measure'> = {}): Look {
  return { title, unit, ink, ...more };
}

/** How each documented metric looks. */
const LOOKS: Record<string, Look> = {
  vllm_iter_count: look('Engine iterations', 'steps/s', 'p95'),
  gen_ai_vllm_request_success: look('Finish reason', 'requests/s', 'stop', { by: FINISH }),
  genai_llm_first_token_seconds: look('Time to first token', 'seconds', 'mean', { measure: 'ttft' }),
  gen_ai_server_time_to_first_token: look('Time to first token', 'seconds', 'mean', { measure: 'ttft' }),
  gen_ai_server_time_per_output_token: look('Time per output token', 'seconds', 'mean', { measure: 'tpot' }),
  gen_ai_server_request_duration: look('E2E request latency', 'seconds', 'mean'),
  llm_usage_tokens: look('Tokens used', 'tokens/s', 'decode', { by: USAGE }),
  gpu_cache_usage_sys: look('GPU KV cache usage', 'ratio', 'cache', { measure: 'queue' }),
  cpu_cache_usage_sys: look('CPU KV cache usage', 'ratio', 'cache', { measure: 'queue' }),
  num_running_sys: look('Requests running', 'count', 'decode'),
  num_waiting_sys: look('Requests waiting', 'count', 'queue', { measure: 'queue' }),
  num_swapped_sys: look('Requests swapped', 'count', 'error', { measure: 'queue' }),
  num_prompt_tokens_iter: look('Prompt tokens', 'tokens/s', 'prefill'),
  num_generation_tokens_iter: look('Generation tokens', 'tokens/s', 'decode'),
  num_tokens_iter: look('Tokens of all iterations', 'tokens/s', 'p95'),
  num_preemption_iter: look('Preemptions', 'events/s', 'error'),
  gen_ai_vllm_num_requests_running: look('Requests running', 'count', 'decode'),
  gen_ai_vllm_num_requests_waiting: look('Requests waiting', 'count', 'queue', { measure: 'queue' }),
  gen_ai_vllm_kv_cache_usage_perc: look('KV cache usage', 'ratio', 'cache', { measure: 'queue' }),
  gen_ai_vllm_prefix_cache_queries: look('Prefix cache queries', 'tokens/s', 'prefill', { measure: 'ttft' }),
  gen_ai_vllm_prefix_cache_hits: look('Prefix cache hits', 'tokens/s', 'cache', { measure: 'ttft' }),
  gen_ai_vllm_num_preemptions: look('Preemptions', 'events/s', 'error'),
  gen_ai_vllm_prompt_tokens: look('Prompt tokens', 'tokens/s', 'prefill'),
  gen_ai_vllm_generation_tokens: look('Generation tokens', 'tokens/s', 'decode'),
  gen_ai_vllm_request_params_n: look('Request parameter n', 'events/s', 'p95'),
  gen_ai_vllm_request_params_max_tokens: look('Request parameter max_tokens', 'tokens/s', 'p95'),
  gen_ai_vllm_request_queue_time_seconds: look('Queue time', 'seconds', 'queue', { measure: 'queue' }),
  gen_ai_vllm_request_prefill_time_seconds: look('Prefill time', 'seconds', 'prefill', { measure: 'ttft' }),
  gen_ai_vllm_request_decode_time_seconds: look('Decode time', 'seconds', 'decode'),
  gen_ai_vllm_request_inference_time_seconds: look('Inference time', 'seconds', 'p95'),
  sglang_num_running_reqs: look('Running requests', 'count', 'decode'),
  sglang_num_queue_reqs: look('Queued requests', 'count', 'queue', { measure: 'queue' }),
  sglang_log_count: look('Scheduler reports', 'events/s', 'p95'),
  sglang_num_used_tokens: look('Used tokens', 'tokens', 'cache', { measure: 'queue' }),
  sglang_token_usage: look('Token usage', 'ratio', 'cache', { measure: 'queue' }),
  prompt_tokens_total: look('Prompt tokens', 'tokens/s', 'prefill'),
  generation_tokens_total: look('Generation tokens', 'tokens/s', 'decode'),
  gen_ai_sglang_cached_tokens_total: look('Cached tokens', 'tokens/s', 'cache', { measure: 'ttft' }),
  sglang_gen_throughput: look('Generation throughput', 'tokens/s', 'decode'),
  sglang_inter_token_latency_seconds: look('Inter-token latency', 'seconds', 'mean', { measure: 'tpot' }),
  gen_ai_sglang_cache_hit_rate: look('Cache hit rate', 'ratio', 'cache', { measure: 'ttft' }),
  sglang_spec_accept_length: look('Speculative accept length', 'tokens', 'p95'),
  num_requests_total: look('Requests', 'requests/s', 'decode'),
};

const COMMON_LATENCY = ['gen_ai_server_time_per_output_token', 'gen_ai_server_request_duration'];

/** Which charts stand together, by the names of the metrics; `hit rate` is made from two of them. */
const LAYOUT: Record<EngineLine, readonly (readonly [title: string, names: readonly string[]])[]> = {
  vllm_v1: [
    [
      'Scheduler state and KV cache',
      [
        'gen_ai_vllm_num_requests_running',
        'gen_ai_vllm_num_requests_waiting',
        'gen_ai_vllm_kv_cache_usage_perc',
        'gen_ai_vllm_num_preemptions',
      ],
    ],
    ['Latency', ['genai_llm_first_token_seconds', ...COMMON_LATENCY, 'gen_ai_vllm_request_inference_time_seconds']],
    [
      'Queue, prefill and decode time',
      [
        'gen_ai_vllm_request_queue_time_seconds',
        'gen_ai_vllm_request_prefill_time_seconds',
        'gen_ai_vllm_request_decode_time_seconds',
        'vllm_iter_count',
      ],
    ],
    [
      'Token throughput and prefix cache',
      [
        'gen_ai_vllm_prompt_tokens',
        'gen_ai_vllm_generation_tokens',
        'llm_usage_tokens',
        'hit rate',
        'gen_ai_vllm_prefix_cache_queries',
        'gen_ai_vllm_prefix_cache_hits',
      ],
    ],
    [
      'Finish reason and request parameters',
      ['gen_ai_vllm_request_success', 'gen_ai_vllm_request_params_n', 'gen_ai_vllm_request_params_max_tokens'],
    ],
  ],
  vllm_v0: [
    ['Scheduler state', ['num_running_sys', 'num_waiting_sys', 'num_swapped_sys', 'num_preemption_iter']],
    ['Cache utilization', ['gpu_cache_usage_sys', 'cpu_cache_usage_sys']],
    ['Latency', ['genai_llm_first_token_seconds', ...COMMON_LATENCY]],
    [
      'Iterations and token throughput',
      [
        'vllm_iter_count',
        'num_prompt_tokens_iter',
        'num_generation_tokens_iter',
        'num_tokens_iter',
        'llm_usage_tokens',
      ],
    ],
    ['Finish reason', ['gen_ai_vllm_request_success']],
  ],
  sglang: [
    [
      'Requests and KV cache',
      ['sglang_num_running_reqs', 'sglang_num_queue_reqs', 'sglang_token_usage', 'sglang_num_used_tokens'],
    ],
    ['Latency', ['gen_ai_server_time_to_first_token', 'sglang_inter_token_latency_seconds', ...COMMON_LATENCY]],
    [
      'Throughput and cache',
      [
        'sglang_gen_throughput',
        'prompt_tokens_total',
        'generation_tokens_total',
        'llm_usage_tokens',
        'gen_ai_sglang_cache_hit_rate',
        'gen_ai_sglang_cached_tokens_total',
      ],
    ],
    ['Requests, speculation and scheduler', ['num_requests_total', 'sglang_spec_accept_length', 'sglang_log_count']],
  ],
};

const HIT_RATE: Panel = {
  id: 'prefix_hit_ratio',
  title: 'Prefix cache hit rate',
  unit: 'ratio',
  shape: 'lines',
  lines: [{ key: 'prefix_hit_ratio:mean', label: 'hits', ink: 'cache', width: 1.5 }],
  max: 1,
  source: 'increase(gen_ai_vllm_prefix_cache_hits) ÷ increase(gen_ai_vllm_prefix_cache_queries)',
  none: 'Nothing was looked up in this range.',
  measure: 'ttft',
};

const KV_LEVELS = [
  { at: 0.9, ink: 'warn' },
  { at: 0.98, ink: 'error' },
] as const;

/** The statistic of the API that says what a metric means, and how that is reckoned. */
function reading(line: EngineLine, metric: Metric, unit: Unit): { stat: 'last' | 'rate' | 'mean'; formula: string } {
  const { name, kind } = metric;
  if (metric.unit === 's' && kind === 'counter') {
    const ended = line === 'sglang' ? 'num_requests_total' : 'gen_ai_vllm_request_success';
    const count = name === 'sglang_inter_token_latency_seconds' ? 'generation_tokens_total' : ended;
    return { stat: 'mean', formula: `increase(${name}) ÷ increase(${count}): the mean` };
  }
  if (metric.level) {
    const share = unit === 'ratio' || name === 'sglang_spec_accept_length';
    return { stat: 'last', formula: `the last value of ${name}; ${share ? 'mean of engines' : 'engines add up'}` };
  }
  return { stat: 'rate', formula: `rate(${name}): increase per second` };
}

function panelOf(line: EngineLine, metric: Metric, how: Look): Panel {
  const { stat, formula } = reading(line, metric, how.unit);
  const key = `metric.${metric.name}:${stat}`;
  const lines = how.by
    ? how.by.inks.map(([label, ink]) => ({ key, label, ink, width: 1.5 }))
    : [{ key, label: stat, ink: how.ink, width: 1.5 }];
  return {
    id: metric.name,
    title: how.title,
    unit: how.unit,
    shape: how.by ? 'stacked' : 'lines',
    lines,
    ...(how.by ? { by: how.by.label } : {}),
    ...(how.unit === 'ratio' ? { max: 1 } : {}),
    ...(how.ink === 'cache' && how.measure === 'queue' && how.unit === 'ratio' ? { thresholds: KV_LEVELS } : {}),
    source: `${metric.name} (${metric.kind}, unit ${metric.unit}): ${metric.meaning}. Shown: ${formula}`,
    none: 'Not reported in this range.',
    measure: how.measure ?? 'e2e',
  };
}

function groupsOf(line: EngineLine): Group[] {
  const metrics = METRICS.filter((metric) => metric.lines.includes(line));
  const panel = (name: string): Panel[] => {
    if (name === 'hit rate') return [HIT_RATE];
    const metric = metrics.find((each) => each.name === name);
    const how = LOOKS[name];
    return metric && how ? [panelOf(line, metric, how)] : [];
  };
  return LAYOUT[line].map(([title, names]) => ({ title, panels: names.flatMap(panel) }));
}

/** The charts of each engine line. */
export const GROUPS: Record<EngineLine, readonly Group[]> = {
  vllm_v1: groupsOf('vllm_v1'),
  vllm_v0: groupsOf('vllm_v0'),
  sglang: groupsOf('sglang'),
};

/** Whether the filters, as far as they are about engines, let this one through. */
export function matches(row: EngineRow, filters: Filters): boolean {
  const has = (name: string, value: string) => {
    const wanted = filters[name] ?? [];
    return wanted.length === 0 || wanted.includes(value);
  };
  return (
    has('service', row.service) &&
    has('instance', row.instance) &&
    has('model', row.model) &&
    has('engine_index', row.engine_index === null ? '' : String(row.engine_index))
  );
}

/** What makes an engine the only one that matches. */
function own(row: EngineRow): readonly (readonly [name: string, value: string])[] {
  const index = row.engine_index === null ? '' : String(row.engine_index);
  const all = [
    ['service', row.service] as const,
    ['instance', row.instance] as const,
    ['engine_index', index] as const,
  ];
  return all.filter(([, value]) => value !== '');
}

/** Whether the filters name this engine. */
export function isChosen(row: EngineRow, filters: Filters): boolean {
  return own(row).every(([name, value]) => filters[name]?.length === 1 && filters[name].includes(value));
}

/** The filters after a click on the engine's row: this one only, or no longer. */
export function toggleEngine(filters: Filters, row: EngineRow): Filters {
  if (isChosen(row, filters)) {
    return own(row).reduce((rest, [name, value]) => withoutValue(rest, name, value), filters);
  }
  const rest = Object.fromEntries(
    Object.entries(filters).filter(([name]) => !['service', 'instance', 'engine_index', 'model'].includes(name)),
  );
  return { ...rest, ...Object.fromEntries(own(row).map(([name, value]) => [name, [value]])) };
}

/** What the charts are split by: what there are several of, else the model. */
export function splitOf(split: Split, rows: readonly EngineRow[]): Exclude<Split, 'auto'> {
  if (split !== 'auto') return split;
  if (new Set(rows.map((row) => row.instance)).size > 1) return 'instance';
  return new Set(rows.map((row) => row.engine_index)).size > 1 ? 'engine_index' : 'model';
}

/** Instances are told apart by the filter where another line's engines have metrics of the same name. */
export function lineFilters(filters: Filters, rows: readonly EngineRow[], line: EngineLine): Filters {
  if (rows.every((row) => row.line === line)) return filters;
  const instances = new Set(
    rows.filter((row) => row.line === line && matches(row, filters)).map((row) => row.instance),
  );
  return { ...filters, instance: [...instances] };
}

/** Launches have long random ids: their beginning tells them apart. */
export function shortInstance(instance: string): string {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-/.test(instance) ? instance.slice(0, 8) : instance;
}

/** Colours of values that have none of their own, in the order of their names. */
const INKS = ['series-1', 'series-2', 'series-3', 'series-4', 'series-5', 'series-6', 'series-7', 'series-8'];

/** Lines of a chart that is split by a label of the engines: a value has the same colour in all charts. */
export function splitLines(panel: Panel, set: SeriesSet, split: Exclude<Split, 'auto'>): DrawnLine[] {
  const line = panel.lines[0];
  if (!line) return [];
  const found = set.series.filter((series) => `${series.name}:${series.stat}` === line.key);
  const values = [...new Set(set.series.map((series) => series.labels[split] ?? ''))].sort();
  return found.map((series) => {
    const value = series.labels[split] ?? '';
    const ink = values.length > 1 ? (INKS[values.indexOf(value) % INKS.length] ?? line.ink) : line.ink;
    return { ...line, ink, label: labelOf(split, value, line.label), value, values: series.values };
  });
}

function labelOf(split: Exclude<Split, 'auto'>, value: string, none: string): string {
  if (split === 'none') return none;
  if (value === '') return 'not known';
  if (split === 'instance') return shortInstance(value);
  return split === 'engine_index' ? `engine ${value}` : value;
}
