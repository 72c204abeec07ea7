import { describe, expect, it } from 'vitest';
import { gapHeat, gapHistogram, gaps, gapStats, quantile } from './gap.ts';

describe('the gaps between tokens', () => {
  it('are one fewer than the tokens', () => {
    expect(gaps([0.5, 0.7, 1.0]).map((gap) => Number(gap.toFixed(6)))).toEqual([0.2, 0.3]);
    expect(gaps([0.5])).toEqual([]);
    expect(gaps([])).toEqual([]);
  });

  it('are never negative, though clocks may step back', () => {
    expect(gaps([1, 0.9, 1.2])[0]).toBe(0);
  });

  it('have percentiles that are values which occurred', () => {
    const stats = gapStats([0.01, 0.02, 0.03, 0.04, 1]);
    expect(stats).toMatchObject({ count: 5, p50: 0.03, p99: 1, max: 1 });
    expect(gapStats([])).toBeNull();
    expect(quantile([1, 2, 3, 4], 0)).toBe(1);
  });

  it('are all in the histogram, a stall as well as a burst', () => {
    const values = [...Array.from({ length: 5000 }, (_, i) => 0.01 + i * 1e-6), 0.001, 3];
    const bins = gapHistogram(values, 30);
    expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(values.length);
    expect(bins.at(-1)?.count).toBe(1);
    expect(bins[0]?.count).toBe(1);
  });

  it('make one bar when they are all the same, and none when there are none', () => {
    expect(gapHistogram([0.02, 0.02], 10)[0]?.count).toBe(2);
    expect(gapHistogram([], 10)).toEqual([]);
    expect(gapHistogram([0, 0], 10)).toEqual([]);
  });

  it('are hot by how many medians long they are', () => {
    expect(gapHeat(0.01, 0.02)).toBe(0);
    expect(gapHeat(0.4, 0.02)).toBe(1);
    expect(gapHeat(0.1, 0.02)).toBeGreaterThan(gapHeat(0.05, 0.02));
    expect(gapHeat(0.1, 0)).toBe(0);
  });
});
