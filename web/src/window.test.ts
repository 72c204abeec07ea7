import { describe, expect, it } from 'vitest';
import { keepAnchor, scrollIntoView, visibleWindow } from './window.ts';

describe('the window of a long list', () => {
  it('draws what is seen and little more, whatever the length', () => {
    const { first, last, height } = visibleWindow(10_000, 24, 120_000, 480);
    expect(first).toBeLessThanOrEqual(5000);
    expect(last).toBeGreaterThanOrEqual(5020);
    expect(last - first).toBeLessThan(60);
    expect(height).toBe(240_000);
  });

  it('stays inside a list that has become shorter than the scroll position', () => {
    expect(visibleWindow(3, 24, 120_000, 480)).toMatchObject({ first: 3, last: 3 });
    expect(visibleWindow(0, 24, 0, 480)).toEqual({ first: 0, last: 0, height: 0 });
  });

  it('moves as little as it must to show a row', () => {
    expect(scrollIntoView(10, 20, 0, 100)).toBe(120);
    expect(scrollIntoView(2, 20, 100, 100)).toBe(40);
    expect(scrollIntoView(6, 20, 100, 100)).toBe(100);
  });

  it('keeps what is read in its place when rows come in above it', () => {
    expect(keepAnchor(480, 20, 27, 24)).toBe(480 + 7 * 24);
    expect(keepAnchor(24, 5, 2, 24)).toBe(0);
    expect(keepAnchor(480, 20, -1, 24)).toBe(480);
  });
});
