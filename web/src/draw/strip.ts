// The token strip: one tick for each token along time, coloured by the gap before it; and the gaps' histogram.
import type { GapBin } from '../gap.ts';
import { gapHeat } from '../gap.ts';
import { timeFormat } from '../number.ts';
import { linear, linearTicks, type Scale } from './scale.ts';
import { font, hatch, ink, surface } from './surface.ts';

/** Times of one choice's tokens in seconds from the request's start. */
export type StripRow = { times: readonly number[]; gaps: readonly number[]; median: number };

export const STRIP_ROW_PX = 26;

const AXIS_PX = 18;
const SIDE_PX = 8;

export function stripHeight(rows: number): number {
  return rows * STRIP_ROW_PX + AXIS_PX;
}

export function stripScale(span: readonly [number, number], width: number): Scale {
  return linear(span[0], span[1], SIDE_PX, width - SIDE_PX);
}

export type StripScene = {
  rows: readonly StripRow[];
  /** Times in seconds in which nothing could come because the sequence waited. */
  waits: readonly (readonly [number, number])[];
  span: readonly [number, number];
  width: number;
  hover: { row: number; token: number } | null;
};

export function drawStrip(canvas: HTMLCanvasElement, scene: StripScene): void {
  const { rows, span, width } = scene;
  const height = stripHeight(rows.length);
  const target = surface(canvas, width, height);
  if (!target) return;
  const { context } = target;
  const scale = stripScale(span, width);
  drawStripAxis(context, scene, scale, height);
  context.strokeStyle = ink('stage-wait');
  for (const [from, to] of scene.waits) {
    hatch(context, scale.toPixel(from), 0, scale.toPixel(to) - scale.toPixel(from), height - AXIS_PX, 5);
  }
  const heats = [ink('gap-usual'), ink('gap-long'), ink('gap-stall')];
  rows.forEach((row, index) => {
    const bottom = (index + 1) * STRIP_ROW_PX - 2;
    row.times.forEach((time, token) => {
      const heat = gapHeat(row.gaps[token - 1] ?? 0, row.median);
      context.fillStyle = heats[heatClass(heat)] ?? '#888';
      // A long gap is taller as well as of another colour.
      const tall = STRIP_ROW_PX - 13 + heat * 9;
      const isHover = scene.hover?.row === index && scene.hover.token === token;
      context.fillRect(scale.toPixel(time) - (isHover ? 1.5 : 0.5), bottom - tall, isHover ? 3 : 1, tall);
    });
  });
}

function drawStripAxis(context: CanvasRenderingContext2D, scene: StripScene, scale: Scale, height: number): void {
  const { span, width } = scene;
  context.font = font(10.5);
  context.fillStyle = ink('muted');
  context.strokeStyle = ink('grid');
  context.lineWidth = 1;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const ticks = linearTicks(span[0], span[1], Math.max(2, width / 110));
  const write = timeFormat(span[1], (ticks[1] ?? 1) - (ticks[0] ?? 0));
  for (const tick of ticks) {
    const x = Math.round(scale.toPixel(tick)) + 0.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height - AXIS_PX + 3);
    context.stroke();
    const half = context.measureText(write(tick)).width / 2;
    context.fillText(write(tick), Math.min(width - half - 2, Math.max(half + 2, x)), height - AXIS_PX / 2 + 1);
  }
}

/** 0: a usual gap, 1: a long one (from about 2.5 medians), 2: a stall (from about 8 medians). */
export function heatClass(heat: number): 0 | 1 | 2 {
  return heat < 0.3 ? 0 : heat < 0.7 ? 1 : 2;
}

/** The token nearest to a pixel in a sorted row. */
export function hitToken(times: readonly number[], scale: Scale, px: number): number | null {
  if (times.length === 0) return null;
  const wanted = scale.toValue(px);
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  const before = times[low - 1];
  const nearest = before !== undefined && wanted - before < (times[low] ?? 0) - wanted ? low - 1 : low;
  return Math.abs(scale.toPixel(times[nearest] ?? 0) - px) <= 12 ? nearest : null;
}

export function drawHistogram(
  canvas: HTMLCanvasElement,
  bins: readonly GapBin[],
  median: number,
  width: number,
  height: number,
  formatTime: (seconds: number) => string,
): void {
  const target = surface(canvas, width, height);
  const last = bins.at(-1);
  const first = bins[0];
  if (!target || !first || !last) return;
  const { context } = target;
  const top = Math.max(...bins.map((bin) => bin.count));
  const step = width / bins.length;
  const floor = height - AXIS_PX;
  const heats = [ink('gap-usual'), ink('gap-long'), ink('gap-stall')];
  bins.forEach((bin, index) => {
    context.fillStyle = heats[heatClass(gapHeat(Math.sqrt(bin.low * bin.high), median))] ?? '#888';
    // A bin with one gap among thousands is still seen.
    const tall = bin.count === 0 ? 0 : Math.max(2, (bin.count / top) * (floor - 4));
    context.fillRect(index * step + 0.5, floor - tall, Math.max(1, step - 1), tall);
  });
  context.fillStyle = ink('grid');
  context.fillRect(0, floor, width, 1);
  context.font = font(10.5);
  context.fillStyle = ink('muted');
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.fillText(formatTime(first.low), 0, height - AXIS_PX / 2 + 1);
  context.textAlign = 'right';
  context.fillText(formatTime(last.high), width, height - AXIS_PX / 2 + 1);
}
