// From the rows of a trace's tree to the bars of its waterfall.
import type { RequestDetail } from './api/types.ts';
import type { Bar } from './draw/waterfall.ts';
import { duration } from './number.ts';
import { extent, type TreeRow } from './tree.ts';

/** Marks on one bar: more would be a solid block. */
const MARKS_MAX = 400;

/** When the request began, in Unix milliseconds: all times of its screen count from here. */
export function originOf(detail: RequestDetail): { origin: number; total: [number, number] } {
  const { from, to } = extent(detail.spans);
  return { origin: from, total: [0, (to - from) / 1000] };
}

export function barsOf(rows: readonly TreeRow[], origin: number): Bar[] {
  return rows.map(({ span }) => {
    const from = (span.start_ms - origin) / 1000;
    return {
      id: span.span_id,
      stage: span.stage,
      from,
      to: from + span.duration_s,
      label: duration(span.duration_s),
      failed: span.error !== null,
      marks: span.events
        // Tokens have a strip of their own.
        .filter((event) => event.name !== 'gen_ai.token.generated')
        .slice(0, MARKS_MAX)
        .map((event) => (event.time_ms - origin) / 1000),
    };
  });
}
