// The columns of the request list: their names are the API's `sort` values.
import type { RequestRow } from './api/types.ts';

export type Column = {
  name: string;
  label: string;
  title: string;
  /** Width in pixels; the column with `grow` takes what is left. */
  width: number;
  grow?: boolean;
  numeric: boolean;
  /** Columns with a higher number go first when there is little room. */
  spare: number;
  key: ((row: RequestRow) => number | string | null) | null;
};

export const COLUMNS: readonly Column[] = [
  column('time', 'Time', 'When the request arrived, local time', 98, 0, (row) => row.start_ms),
  column('status', 'Status', 'How it ended', 92, 0, (row) => row.status, false),
  column('operation', 'Operation', 'Operation; ≋ streamed, ×n choices', 118, 3, (row) => row.operation, false),
  { ...column('model', 'Model', 'Model', 130, 2, (row) => row.model, false), grow: true },
  column('e2e', 'E2E', 'End-to-end latency', 72, 0, (row) => row.e2e_s ?? row.duration_s),
  column('phases', 'Phases', 'Queue, prefill, decode; as long as the longest shown', 110, 4, null, false),
  column('ttft', 'TTFT', 'Time to first token', 70, 0, (row) => row.ttft_s),
  column('tpot', 'TPOT', 'Time per output token', 70, 2, (row) => row.tpot_s),
  column('queue', 'Queue', 'Time waiting', 70, 1, (row) => row.queue_s),
  column('input_tokens', 'In', 'Prompt tokens', 58, 1, (row) => row.input_tokens),
  column('cached_tokens', 'Cached', 'Prompt tokens from the cache', 62, 5, (row) => row.cached_tokens),
  column('output_tokens', 'Out', 'Generated tokens', 58, 1, (row) => row.output_tokens),
  column('finish_reason', 'Finish', 'Finish reason', 76, 2, (row) => row.finish_reasons.join(), false),
  column('preemptions', 'Preempt', 'Preemptions', 62, 5, (row) => row.preemptions),
];

function column(
  name: string,
  label: string,
  title: string,
  width: number,
  spare: number,
  key: Column['key'],
  numeric = true,
): Column {
  return { name, label, title, width, spare, key, numeric };
}

/** The columns that fit, in their order: those most spared are left out first. */
export function fitColumns(width: number): Column[] {
  let shown = [...COLUMNS];
  for (let spare = 5; spare > 0; spare -= 1) {
    if (shown.reduce((sum, each) => sum + each.width, 0) <= width) break;
    shown = shown.filter((each) => each.spare < spare);
  }
  return shown;
}

/** A sorted copy; what is not known goes last either way, equal rows newest first. */
export function sortRows(rows: readonly RequestRow[], sort: string): RequestRow[] {
  const descending = sort.startsWith('-');
  const key = COLUMNS.find((each) => each.name === (descending ? sort.slice(1) : sort))?.key;
  if (!key) return [...rows];
  const sign = descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const left = key(a);
    const right = key(b);
    if (left === right) return b.start_ms - a.start_ms;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  });
}
