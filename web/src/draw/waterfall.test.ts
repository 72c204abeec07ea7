import { describe, expect, it } from 'vitest';
import { hitToken, heatClass, stripScale } from './strip.ts';
import { inkOn } from './surface.ts';
import { AXIS_PX, hitRow, moveInto, ROW_PX, zoomAround } from './waterfall.ts';

describe('the zoom of a waterfall', () => {
  const total = [0, 10] as const;

  it('keeps what is under the pointer there', () => {
    const [from, to] = zoomAround([2, 6], total, 3, 0.5);
    expect((3 - from) / (to - from)).toBeCloseTo((3 - 2) / (6 - 2));
    expect(to - from).toBeCloseTo(2);
  });

  it('never leaves the request, and never gets thinner than a microsecond', () => {
    expect(zoomAround([2, 6], total, 3, 100)).toEqual([0, 10]);
    const [from, to] = zoomAround([2, 2 + 1e-6], total, 2, 0.1);
    expect(to - from).toBeGreaterThanOrEqual(1e-6 * 0.999);
    expect(moveInto([8, 13], total)).toEqual([5, 10]);
    expect(moveInto([-3, 2], total)).toEqual([0, 5]);
  });
});

it('a label on a bar is black on light colours and white on dark ones', () => {
  expect(['#ffffff', '#a9b3c0', '#ff9830'].map(inkOn)).toEqual(Array(3).fill('#000000'));
  expect(['#000000', '#566173', '#173f8a'].map(inkOn)).toEqual(Array(3).fill('#ffffff'));
});

it('a pixel belongs to the row that is scrolled under it, and the axis to none', () => {
  expect(hitRow(9, AXIS_PX + 1, 0)).toBe(0);
  expect(hitRow(9, AXIS_PX + 1, 3 * ROW_PX)).toBe(3);
  expect(hitRow(9, AXIS_PX - 1, 0)).toBeNull();
  expect(hitRow(2, AXIS_PX + 5 * ROW_PX, 0)).toBeNull();
});

it('a pixel belongs to the nearest token within reach', () => {
  const times = [1, 2, 3, 4];
  const scale = stripScale([0, 5], 516);
  expect(hitToken(times, scale, scale.toPixel(2.05))).toBe(1);
  expect(hitToken(times, scale, scale.toPixel(4.9))).toBeNull();
  expect(hitToken([], scale, 100)).toBeNull();
});

it('the three colours of gaps go by medians: usual, long, stall', () => {
  expect([0, 0.29, 0.3, 0.69, 0.7, 1].map(heatClass)).toEqual([0, 0, 1, 1, 2, 2]);
});
