import { describe, expect, it } from 'vitest';
import type { RequestDetail, RequestPage, SeriesSet } from '../src/api/types.ts';
import { treeRows } from '../src/tree.ts';
import { answer } from './answer.ts';
import { Traffic } from './traffic.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const traffic = new Traffic(NOW);
const ask = (path: string) => answer(traffic, new URL(path, 'http://mock'), NOW);

describe('the made-up traffic', () => {
  it('has more requests in an hour than one answer may hold', () => {
    const page = ask('/api/requests?from=now-1h&limit=10000').body as RequestPage;
    expect(page.rows).toHaveLength(10_000);
    expect(page.total).toBeGreaterThan(10_000);
    expect(page.next_offset).toBe(10_000);
  });

  it('tells a request whose spans are one tree', () => {
    const row = (ask('/api/requests?preempted=true&limit=1').body as RequestPage).rows[0];
    const detail = ask(`/api/requests/${row?.trace_id}`).body as RequestDetail;
    const rows = treeRows(detail.spans, new Set());
    expect(rows.filter((each) => each.depth === 0)).toHaveLength(1);
    expect(rows).toHaveLength(detail.spans.length);
    expect(rows.filter((each) => each.span.stage === 'wait').length).toBeGreaterThan(1);
  });

  it('has a gap, which is null and not zero', () => {
    const set = ask('/api/series?series=ttft:p95&from=now-15m&step=10s').body as SeriesSet;
    expect(set.series[0]?.values.some((value) => value === null)).toBe(true);
    expect(set.series[0]?.values.some((value) => value !== null)).toBe(true);
  });

  it('refuses as the server does', () => {
    expect(ask('/api/requests?min_ttft=soon')).toMatchObject({ status: 400, body: { error: { field: 'min_ttft' } } });
    expect(ask('/api/requests/00')).toMatchObject({ status: 404 });
  });
});
