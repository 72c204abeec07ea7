import { describe, expect, it } from 'vitest';
import { linear, linearTicks, logarithmic, logDomain, logTicks, timeTicks } from './scale.ts';

describe('scales', () => {
  it('go there and back', () => {
    for (const scale of [linear(10, 20, 0, 500), logarithmic(0.001, 100, 300, 0)]) {
      for (const value of [12, 15, 19.5]) expect(scale.toValue(scale.toPixel(value))).toBeCloseTo(value, 9);
    }
  });

  it('put what a log scale cannot show on its low end', () => {
    const scale = logarithmic(0.01, 10, 100, 0);
    expect(scale.toPixel(0)).toBe(100);
    expect(scale.toPixel(-5)).toBe(100);
  });
});

describe('the domain of a log axis', () => {
  it('ends at 1, 2 or 5 outside the values', () => {
    expect(logDomain([0.013, 4.2])).toEqual([0.01, 5]);
    expect(logDomain([0.02, 50])).toEqual([0.02, 50]);
  });

  it('is at least a decade, so that noise does not look like a storm', () => {
    const [low, high] = logDomain([1.1, 1.2]);
    expect(high / low).toBeGreaterThanOrEqual(10);
  });

  it('ignores zeros, and exists without values', () => {
    expect(logDomain([0, 0.5, 0])[0]).toBeGreaterThan(0);
    expect(logDomain([])).toEqual([0.001, 10]);
    expect(logDomain([0])).toEqual([0.001, 10]);
  });
});

describe('marks', () => {
  it('of a log axis are 1, 2, 5 or decades only', () => {
    expect(logTicks(0.01, 0.1)).toEqual([0.01, 0.02, 0.05, 0.1]);
    expect(logTicks(0.001, 100)).toEqual([0.001, 0.01, 0.1, 1, 10, 100]);
  });

  it('of a linear axis lie inside and are not too many', () => {
    expect(linearTicks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    for (const [low, high] of [
      [0.0031, 0.0047],
      [-3, 12_345],
    ] as const) {
      const ticks = linearTicks(low, high, 6);
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.length).toBeLessThanOrEqual(8);
      expect(ticks.every((tick) => tick >= low && tick <= high)).toBe(true);
    }
    expect(linearTicks(1, 1, 5)).toEqual([]);
  });

  it('of a time axis are whole minutes where minutes are apart', () => {
    const from = Date.UTC(2026, 0, 1, 10, 2, 13);
    const ticks = timeTicks(from, from + 900_000, 6);
    expect(ticks.length).toBeGreaterThan(2);
    expect(ticks.every((tick) => tick % 60_000 === 0 && tick >= from)).toBe(true);
  });
});
