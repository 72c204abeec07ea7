// The filters of the request list: their names are the API's query parameters, here and in the page's URL.
import type { RequestRow } from './api/types.ts';

/** Values chosen for each query parameter; several values of one mean "any of them". */
export type Filters = { readonly [name: string]: readonly string[] };

/** Filters with a list of values, in the order that the facets show them. */
export const VALUE_FILTERS = [
  'model',
  'operation',
  'status',
  'finish_reason',
  'service',
  'instance',
  'error_type',
] as const;

/** Filters with values that no facet lists. */
const OTHER_FILTERS = ['engine_index', 'error_type'] as const;

const FLAG_FILTERS = ['stream', 'preempted'] as const;

/** Filters with bounds: `min_ttft`, `max_ttft`. */
const BOUND_FIELDS: Record<string, (row: RequestRow) => number | null> = {
  duration: (row) => row.duration_s,
  e2e: (row) => row.e2e_s,
  ttft: (row) => row.ttft_s,
  tpot: (row) => row.tpot_s,
  queue: (row) => row.queue_s,
  prefill: (row) => row.prefill_s,
  decode: (row) => row.decode_s,
  input_tokens: (row) => row.input_tokens,
  cached_tokens: (row) => row.cached_tokens,
  output_tokens: (row) => row.output_tokens,
  reasoning_tokens: (row) => row.reasoning_tokens,
  queue_depth: (row) => row.queue_depth,
  preemptions: (row) => row.preemptions,
};

const LABELS: Record<string, string> = {
  finish_reason: 'finish',
  e2e: 'E2E',
  ttft: 'TTFT',
  tpot: 'TPOT',
  input_tokens: 'input tokens',
  cached_tokens: 'cached tokens',
  output_tokens: 'output tokens',
  reasoning_tokens: 'reasoning tokens',
  queue_depth: 'waiting at arrival',
  error_type: 'error',
  engine_index: 'engine',
};

/** Whether a query parameter is a filter of ours (any bound is: the server says whether it knows it). */
export function isFilterName(name: string): boolean {
  return (
    (VALUE_FILTERS as readonly string[]).includes(name) ||
    (FLAG_FILTERS as readonly string[]).includes(name) ||
    (OTHER_FILTERS as readonly string[]).includes(name) ||
    /^(min|max)_[a-z0-9_]+$/.test(name)
  );
}

/** What people call a filter. */
export function filterLabel(name: string): string {
  const bound = /^(min|max)_(.+)$/.exec(name);
  const field = bound?.[2] ?? name;
  return (LABELS[field] ?? field) + (bound ? (bound[1] === 'min' ? ' ≥' : ' ≤') : '');
}

export function withValue(filters: Filters, name: string, value: string): Filters {
  const values = filters[name] ?? [];
  if (values.includes(value)) return filters;
  // A bound has one value, a flag says one thing.
  const single = /^(min|max)_/.test(name) || (FLAG_FILTERS as readonly string[]).includes(name);
  return { ...filters, [name]: single ? [value] : [...values, value] };
}

export function withoutValue(filters: Filters, name: string, value: string): Filters {
  const values = (filters[name] ?? []).filter((other) => other !== value);
  const rest = Object.fromEntries(Object.entries(filters).filter(([other]) => other !== name));
  return values.length > 0 ? { ...rest, [name]: values } : rest;
}

export function toggleValue(filters: Filters, name: string, value: string): Filters {
  return (filters[name] ?? []).includes(value) ? withoutValue(filters, name, value) : withValue(filters, name, value);
}

export function hasFilters(filters: Filters): boolean {
  return Object.values(filters).some((values) => values.length > 0);
}

/** `500ms`, `1.5s`, `2m`, `12` → the number in seconds (or the plain number); null when it is no number. */
export function parseBound(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(us|µs|ms|s|m|k)?$/.exec(text.trim());
  if (!match) return null;
  const factors: Record<string, number> = { us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, k: 1000 };
  return Number((Number(match[1]) * (factors[match[2] ?? 's'] ?? 1)).toPrecision(12));
}

/** Splits what was typed into the filter box into filters (`model:x`, `ttft>500ms`, `preempted`) and free text. */
export function parseFilterText(text: string, filters: Filters): { filters: Filters; q: string } {
  const words: string[] = [];
  let result = filters;
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const bound = /^([a-z0-9_]+)(>=?|<=?)(.+)$/.exec(word);
    const pair = /^([a-z_0-9]+)[:=](.+)$/.exec(word);
    const number = bound?.[3] === undefined ? null : parseBound(bound[3]);
    const name = pair?.[1] === 'finish' ? 'finish_reason' : pair?.[1];
    if (bound?.[1] !== undefined && bound[1] in BOUND_FIELDS && number !== null) {
      result = withValue(result, `${bound[2]?.startsWith('>') ? 'min' : 'max'}_${bound[1]}`, String(number));
    } else if (name !== undefined && isFilterName(name) && pair?.[2] !== undefined) {
      result = withValue(result, name, pair[2]);
    } else if (word === 'preempted') {
      result = withValue(result, 'preempted', 'true');
    } else {
      words.push(word);
    }
  }
  return { filters: result, q: words.join(' ') };
}

function valuesOf(row: RequestRow, name: string): readonly string[] {
  switch (name) {
    case 'finish_reason':
      return row.finish_reasons;
    case 'stream':
      return [String(row.stream)];
    case 'preempted':
      return [String(row.preemptions > 0)];
    case 'model':
    case 'operation':
    case 'status':
    case 'service':
    case 'instance':
      return [row[name]];
    case 'engine_index':
      return [String(row.engine_index)];
    case 'error_type':
      return [row.error_type ?? ''];
    default:
      return [];
  }
}

/**
 * A predicate that says the same as the server does, for an answer at once; what only the server knows (filters of a
 * newer one, the text of messages) lets everything through.
 */
export function predicate(filters: Filters): (row: RequestRow) => boolean {
  const tests: ((row: RequestRow) => boolean)[] = [];
  for (const [name, values] of Object.entries(filters)) {
    const bound = /^(min|max)_(.+)$/.exec(name);
    const field = bound?.[2] === undefined ? undefined : BOUND_FIELDS[bound[2]];
    if (bound && field) {
      const limit = Number(values[0]);
      const min = bound[1] === 'min';
      tests.push((row) => {
        const value = field(row);
        return value !== null && (min ? value >= limit : value <= limit);
      });
    } else if (!bound && isFilterName(name)) {
      tests.push((row) => valuesOf(row, name).some((value) => values.includes(value)));
    }
  }
  return (row) => tests.every((test) => test(row));
}
