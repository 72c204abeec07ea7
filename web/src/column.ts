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
  /** Where there is little room, the columns with the highest number are left out; 0 stays. */
  spare: number;
  key: ((row: RequestRow) => number | string | null) | null;
};

export const COLUMNS: readonly Column[] = [
  column('start', 'Time', 'When the request arrived, local time', 98, 0, (row) => row.start_ms),
  column('status', 'Status', 'How it ended', 92, 0, (row) => row.status, false),
  column('operation', 'Operation', 'Operation; ≋ streamed, ×n choices', 118, 7, (row) => row.operation, false),
  { ...column('model', 'Model', 'Model', 130, 3, (row) => row.model, false), grow: true },
  column('e2e', 'E2E', 'End-to-end latency', 72, 0, (row) => row.e2e_s ?? row.duration_s),
  column('phases', 'Phases', 'Shares of queue, prefill and decode', 110, 8, null, false),
  column('ttft', 'TTFT', 'Time to first token', 70, 0, (row) => row.ttft_s),
  column('tpot', 'TPOT', 'Time per output token', 70, 5, (row) => row.tpot_s),
  column('queue', 'Queue', 'Time waiting', 70, 4, (row) => row.queue_s),
  column('input_tokens', 'In', 'Prompt tokens', 58, 2, (row) => row.input_tokens),
  column('cached_tokens', 'Cached', 'Prompt tokens from the cache', 62, 10, (row) => row.cached_tokens),
  column('output_tokens', 'Out', 'Generated tokens', 58, 1, (row) => row.output_tokens),
  column('finish_reason', 'Finish', 'Finish reason', 76, 6, (row) => row.finish_reasons.join(' '), false),
  column('preemptions', 'Preempt', 'Preemptions', 62, 9, (row) => row.preemptions),
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

/** The columns that fit, in their order; those that are spared least choose first. */
export function fitColumns(width: number): Column[] {
  const shown = new Set(COLUMNS.filter((column) => column.spare === 0));
  let used = [...shown].reduce((sum, column) => sum + column.width, 0);
  for (const column of COLUMNS.toSorted((x, y) => x.spare - y.spare)) {
    if (shown.has(column) || used + column.width > width) continue;
    shown.add(column);
    used += column.width;
  }
  return COLUMNS.filter((column) => shown.has(column));
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

/** The order to ask the server for: only columns that it sorts by matter when it cannot send all rows. */
export function serverSort(sort: string): string {
  const name = sort.replace(/^-/, '');
  const column = COLUMNS.find((each) => each.name === name);
  return column?.numeric ? sort : '-start';
}
