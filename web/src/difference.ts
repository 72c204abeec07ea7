// "What is different inside the box": for each property of a request its distribution inside against the rest.
import type { RequestRow } from './api/types.ts';
import { integer } from './number.ts';

/** One value of a property and how common it is on both sides, 0 to 1; `exact` when a filter can name the value. */
export type Share = {
  value: string;
  inside: number;
  rest: number;
  insideCount: number;
  restCount: number;
  exact: boolean;
};

/** One property; `score` is how far the two distributions are apart beyond what chance explains, 0 to 1. */
export type Difference = { name: string; label: string; score: number; shares: Share[]; filter: string | null };

type Property = { name: string; label: string; filter: string | null; of: (row: RequestRow) => string };

/** Values beyond these are added up as "other": more bars are not read. */
const SHARES_MAX = 5;

const NOT_KNOWN = 'not known';

/** Between the reasons of a request whose choices ended differently. */
const JOINED = ' + ';

function bucket(value: number | null, edges: readonly number[], unit: string): string {
  if (value === null) return NOT_KNOWN;
  const index = edges.findIndex((edge) => value < edge);
  const low = index === -1 ? edges.at(-1) : edges[index - 1];
  const high = index === -1 ? undefined : edges[index];
  if (high === undefined) return `≥ ${integer(low)}${unit}`;
  const first = low ?? 0;
  return first === high - 1 ? `${integer(first)}${unit}` : `${integer(first)}–${integer(high - 1)}${unit}`;
}

function cachedShare(row: RequestRow): string {
  if (row.cached_tokens === null || !row.input_tokens) return NOT_KNOWN;
  const share = row.cached_tokens / row.input_tokens;
  if (share === 0) return 'nothing cached';
  return share < 0.5 ? 'under half cached' : share < 0.9 ? '50–90 % cached' : '≥ 90 % cached';
}

const PROPERTIES: Property[] = [
  { name: 'model', label: 'Model', filter: 'model', of: (row) => row.model },
  { name: 'operation', label: 'Operation', filter: 'operation', of: (row) => row.operation },
  { name: 'status', label: 'Status', filter: 'status', of: (row) => row.status },
  {
    name: 'finish_reason',
    label: 'Finish reason',
    filter: 'finish_reason',
    of: (row) => [...new Set(row.finish_reasons)].sort().join(JOINED) || NOT_KNOWN,
  },
  { name: 'stream', label: 'Streamed', filter: 'stream', of: (row) => String(row.stream) },
  {
    name: 'input',
    label: 'Prompt length',
    filter: null,
    of: (row) => bucket(row.input_tokens, [32, 128, 512, 2048, 8192, 32768], ' tok'),
  },
  {
    name: 'output',
    label: 'Output length',
    filter: null,
    of: (row) => bucket(row.output_tokens, [16, 64, 256, 1024, 4096], ' tok'),
  },
  { name: 'cached', label: 'Cached share', filter: null, of: cachedShare },
  { name: 'preempted', label: 'Preempted', filter: 'preempted', of: (row) => String(row.preemptions > 0) },
  {
    name: 'queue_depth',
    label: 'Waiting at arrival',
    filter: null,
    of: (row) => bucket(row.queue_depth, [1, 2, 5, 10, 50], ''),
  },
  { name: 'choices', label: 'Choices (n)', filter: null, of: (row) => String(row.choices) },
  { name: 'instance', label: 'Instance', filter: 'instance', of: (row) => row.instance },
];

function count(rows: readonly RequestRow[], of: (row: RequestRow) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(of(row), (counts.get(of(row)) ?? 0) + 1);
  return counts;
}

/**
 * All properties that take more than one value, most different first.
 *
 * The distance is the total variation (half the sum of |p − q|). Two samples of one distribution are never quite
 * equal, the less so the more values there are, so what chance alone would give is taken off first.
 */
export function differences(inside: readonly RequestRow[], rest: readonly RequestRow[]): Difference[] {
  if (inside.length === 0 || rest.length === 0) return [];
  const found = PROPERTIES.flatMap((property) => {
    const inCounts = count(inside, property.of);
    const restCounts = count(rest, property.of);
    const values = [...new Set([...inCounts.keys(), ...restCounts.keys()])];
    if (values.length < 2) return [];
    const shares = values.map((value): Share => {
      const insideCount = inCounts.get(value) ?? 0;
      const restCount = restCounts.get(value) ?? 0;
      const exact = value !== NOT_KNOWN && !value.includes(JOINED);
      const counts = { value, insideCount, restCount, exact };
      return { ...counts, inside: insideCount / inside.length, rest: restCount / rest.length };
    });
    const distance = shares.reduce((sum, share) => sum + Math.abs(share.inside - share.rest), 0) / 2;
    const chance = Math.sqrt(((values.length - 1) / (2 * Math.PI)) * (1 / inside.length + 1 / rest.length));
    const { name, label, filter } = property;
    return [{ name, label, filter, score: Math.max(0, distance - chance), shares: topShares(shares) }];
  });
  return found.sort((a, b) => b.score - a.score);
}

/** The values that differ most, the others as one. */
function topShares(shares: Share[]): Share[] {
  const gap = (share: Share) => Math.abs(share.inside - share.rest);
  const sorted = shares.toSorted((a, b) => gap(b) - gap(a) || b.inside - a.inside);
  if (sorted.length <= SHARES_MAX) return sorted;
  const others = sorted.slice(SHARES_MAX - 1).reduce(
    (sum, share) => ({
      ...sum,
      inside: sum.inside + share.inside,
      rest: sum.rest + share.rest,
      insideCount: sum.insideCount + share.insideCount,
      restCount: sum.restCount + share.restCount,
    }),
    {
      value: `${sorted.length - SHARES_MAX + 1} others`,
      inside: 0,
      rest: 0,
      insideCount: 0,
      restCount: 0,
      exact: false,
    },
  );
  return [...sorted.slice(0, SHARES_MAX - 1), others];
}
