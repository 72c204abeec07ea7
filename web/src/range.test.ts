import { describe, expect, it } from 'vitest';
import { absoluteRange, normalizeRange, parseInstant, rangeLabel, resolveRange, stepFor, widen } from './range.ts';

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);

describe('an instant', () => {
  it.each([
    ['now', NOW],
    ['now-15m', NOW - 900_000],
    ['now-1.5h', NOW - 5_400_000],
    ['now-7d', NOW - 604_800_000],
    ['2026-11-24T11:00:00Z', NOW - 3_600_000],
    ['2026-11-24 11:00:00Z', NOW - 3_600_000],
    [String(NOW), NOW],
  ])('is read from %s', (text, expected) => {
    expect(parseInstant(text, NOW)).toBe(expected);
  });

  it.each(['', 'yesterday', 'now+5m', 'now-5x', '12', '2026-99-99', 'now-'])('is not read from “%s”', (text) => {
    expect(parseInstant(text, NOW)).toBeNull();
  });
});

describe('a range', () => {
  it('whose ends are the wrong way round means nothing', () => {
    expect(resolveRange({ from: 'now', to: 'now-5m' }, NOW)).toBeNull();
    expect(resolveRange({ from: 'now', to: 'now' }, NOW)).toBeNull();
  });

  it('keeps its edges inside when it becomes absolute', () => {
    expect(absoluteRange({ from: NOW + 0.4, to: NOW + 10.2 })).toEqual({
      from: '2026-11-24T12:00:00.000Z',
      to: '2026-11-24T12:00:00.011Z',
    });
  });

  it('that was typed is sent with its zone, and relative ends as they are', () => {
    const typed = normalizeRange({ from: '2026-11-24 08:00', to: ' now ' }, NOW);
    expect(typed?.from).toMatch(/^2026-11-2[34]T\d\d:00:00\.000Z$/);
    expect(typed?.to).toBe('now');
    expect(normalizeRange({ from: 'soon', to: 'now' }, NOW)).toBeNull();
  });

  it('is named as people name it', () => {
    expect(rangeLabel({ from: 'now-15m', to: 'now' }, NOW)).toBe('Last 15 minutes');
    expect(rangeLabel({ from: 'now-25m', to: 'now' }, NOW)).toBe('Last 25m');
    expect(rangeLabel({ from: 'nonsense', to: 'now' }, NOW)).toBe('nonsense – now');
  });

  it('widens to a relative one when it is relative, and stays out of the future when it is not', () => {
    expect(widen({ from: 'now-15m', to: 'now' }, NOW)).toEqual({ from: 'now-1h', to: 'now' });
    expect(widen({ from: 'now-30d', to: 'now' }, NOW)).toEqual({ from: 'now-30d', to: 'now' });
    const wider = resolveRange(widen(absoluteRange({ from: NOW - 60_000, to: NOW - 30_000 }), NOW), NOW);
    expect(wider).toEqual({ from: NOW - 90_000, to: NOW });
  });

  it('is cut into steps that people read without thinking, and never into more pieces than asked for', () => {
    for (const minutes of [1, 5, 15, 60, 360, 1440, 10_080, 43_200]) {
      const span = { from: NOW - minutes * 60_000, to: NOW };
      expect((minutes * 60) / stepFor(span, 100)).toBeLessThanOrEqual(100);
    }
    expect(stepFor({ from: NOW - 900_000, to: NOW }, 100)).toBe(10);
  });
});
