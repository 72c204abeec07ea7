// What the scatter can show of a request, and how it stands for its end.
import type { RequestRow, RequestStatus } from './api/types.ts';
import { quantile } from './gap.ts';
import type { Span } from './range.ts';
import type { Box, Measure } from './url.ts';

export const MEASURE_LABEL: Record<Measure, string> = { e2e: 'E2E', ttft: 'TTFT', tpot: 'TPOT', queue: 'Queue' };

/** A request that never reached the engine has its HTTP time only: as E2E that is what the client waited. */
export function measured(row: RequestRow, measure: Measure): number | null {
  switch (measure) {
    case 'e2e':
      return row.e2e_s ?? row.duration_s;
    case 'ttft':
      return row.ttft_s;
    case 'tpot':
      return row.tpot_s;
    case 'queue':
      return row.queue_s;
  }
}

export const STATUS_LABEL: Record<RequestStatus, string> = {
  ok: 'ok',
  aborted: 'aborted',
  refused: 'refused',
  failed: 'failed',
  engine_died: 'engine died',
};

const TONE: Record<RequestStatus, number> = { ok: 0, aborted: 1, refused: 2, failed: 3, engine_died: 3 };

/** Index into the scatter's colours and shapes. */
export function toneOf(status: RequestStatus): number {
  return TONE[status];
}

export function inBox(box: Box, measure: Measure): (row: RequestRow) => boolean {
  return (row) => {
    const value = measured(row, measure);
    if (value === null || row.start_ms < box.from || row.start_ms > box.to) return false;
    return value >= box.low && value <= box.high;
  };
}

/** A box around the slowest share of the requests: what a drag does, without a pointer. */
export function slowestBox(rows: readonly RequestRow[], measure: Measure, share: number, span: Span): Box | null {
  const values = rows
    .map((row) => measured(row, measure))
    .filter((value) => value !== null)
    .sort((a, b) => a - b);
  const high = values.at(-1);
  if (high === undefined) return null;
  const low = quantile(values, 1 - share);
  return { from: span.from, to: span.to, low: low * 0.999, high: high * 1.01 };
}

/** The scatter as a table: what happened in each piece of the time. */
export type MeasureRow = {
  from: number;
  count: number;
  p50: number | null;
  p95: number | null;
  max: number | null;
  bad: number;
};

export function measureTable(rows: readonly RequestRow[], measure: Measure, span: Span, pieces: number): MeasureRow[] {
  const width = (span.to - span.from) / pieces;
  const buckets = Array.from({ length: pieces }, () => ({ values: [] as number[], count: 0, bad: 0 }));
  for (const row of rows) {
    const bucket = buckets[Math.floor((row.start_ms - span.from) / width)];
    if (!bucket) continue;
    bucket.count += 1;
    if (toneOf(row.status) > 0) bucket.bad += 1;
    const value = measured(row, measure);
    if (value !== null) bucket.values.push(value);
  }
  return buckets.map(({ values, count, bad }, index) => {
    values.sort((a, b) => a - b);
    const known = values.length > 0;
    return {
      from: span.from + index * width,
      count,
      bad,
      p50: known ? quantile(values, 0.5) : null,
      p95: known ? quantile(values, 0.95) : null,
      max: values.at(-1) ?? null,
    };
  });
}
