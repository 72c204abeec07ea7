import { describe, expect, it } from 'vitest';
import { dragBox, heatCells, hitDot, scatterView, type Dot } from './scatter.ts';

const dots: Dot[] = Array.from({ length: 6000 }, (_, index) => ({
  index,
  x: index,
  y: 0.01 * (1 + (index % 100)),
  tone: 0,
}));
const view = scatterView(dots, { from: 0, to: 6000 }, 800, 200);

describe('the scatter', () => {
  it('counts every dot in exactly one cell', () => {
    const { counts, max } = heatCells(dots, view);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(dots.length);
    expect(max).toBeGreaterThan(1);
  });

  it('does not count dots from before or after the time shown', () => {
    const { counts } = heatCells([{ index: 0, x: -500, y: 1, tone: 0 }], view);
    expect(counts.every((count) => count === 0)).toBe(true);
  });

  it('finds the dot nearest to the pointer, and none far from all', () => {
    const dot = dots[1234];
    if (!dot) throw new Error('no dot');
    expect(hitDot(dots, view, view.x.toPixel(dot.x), view.y.toPixel(dot.y))?.index).toBe(1234);
    expect(hitDot([dot], view, view.x.toPixel(dot.x) + 30, view.y.toPixel(dot.y))).toBeNull();
  });

  it('takes a drag in any direction as a box inside the plot, and a twitch as none', () => {
    const box = dragBox(view, [400, 150], [200, 50]);
    expect(box).toEqual({ left: 200, right: 400, top: 50, bottom: 150 });
    expect(dragBox(view, [-100, -100], [2000, 2000])).toMatchObject({ top: 8, bottom: 180 });
    expect(dragBox(view, [100, 100], [102, 101])).toBeNull();
  });
});
