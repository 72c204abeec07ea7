import { expect, it } from 'vitest';
import { inBox, measured, measureTable, slowestBox } from './measure.ts';
import { aRow } from './row.fixture.ts';

const rows = Array.from({ length: 100 }, (_, index) =>
  aRow({ span_id: String(index), start_ms: index, ttft_s: index + 1 }),
);

it('a request that never reached the engine waited as long as its HTTP request took', () => {
  expect(measured(aRow({ e2e_s: null, duration_s: 0.2 }), 'e2e')).toBe(0.2);
  expect(measured(aRow({ ttft_s: null }), 'ttft')).toBeNull();
});

it('the box around the slowest five per cent holds just those', () => {
  const box = slowestBox(rows, 'ttft', 0.05, { from: 0, to: 100 });
  if (!box) throw new Error('no box');
  const inside = rows.filter(inBox(box, 'ttft'));
  expect(inside.map((row) => row.ttft_s)).toEqual([95, 96, 97, 98, 99, 100]);
  expect(slowestBox([], 'ttft', 0.05, { from: 0, to: 1 })).toBeNull();
});

it('the table of the scatter counts every request of the time once', () => {
  const table = measureTable(rows, 'ttft', { from: 0, to: 100 }, 20);
  expect(table).toHaveLength(20);
  expect(table.reduce((sum, piece) => sum + piece.count, 0)).toBe(100);
  expect(table[0]).toMatchObject({ from: 0, count: 5, p50: 3, max: 5, bad: 0 });
  expect(measureTable([], 'ttft', { from: 0, to: 100 }, 2)[0]).toMatchObject({ count: 0, p50: null, max: null });
});
