import { describe, expect, it } from 'vitest';
import { COLUMNS, fitColumns, serverSort, sortRows } from './column.ts';
import { aRow } from './row.fixture.ts';

describe('sorting', () => {
  const rows = [
    aRow({ span_id: 'none', ttft_s: null, start_ms: 1 }),
    aRow({ span_id: 'slow', ttft_s: 2, start_ms: 2 }),
    aRow({ span_id: 'fast', ttft_s: 1, start_ms: 3 }),
    aRow({ span_id: 'later', ttft_s: 1, start_ms: 4 }),
  ];
  const order = (sort: string) => sortRows(rows, sort).map((row) => row.span_id);

  it('puts what is not known last either way, and the newest of equals first', () => {
    expect(order('ttft')).toEqual(['later', 'fast', 'slow', 'none']);
    expect(order('-ttft')).toEqual(['slow', 'later', 'fast', 'none']);
  });

  it('by a column that does not exist leaves the server’s order', () => {
    expect(order('mood')).toEqual(['none', 'slow', 'fast', 'later']);
  });

  it('asks the server only for orders that it has', () => {
    expect(serverSort('-ttft')).toBe('-ttft');
    expect(serverSort('model')).toBe('-start');
    expect(serverSort('mood')).toBe('-start');
  });
});

describe('columns', () => {
  it('are all there where there is room, and the dearest where there is none', () => {
    expect(fitColumns(5000)).toHaveLength(COLUMNS.length);
    const names = fitColumns(100).map((column) => column.name);
    expect(names).toEqual(['start', 'status', 'e2e', 'ttft']);
  });

  it('never take more room than there is, once the dearest fit', () => {
    for (let width = 400; width < 1400; width += 50) {
      expect(fitColumns(width).reduce((sum, column) => sum + column.width, 0)).toBeLessThanOrEqual(width);
    }
  });
});
