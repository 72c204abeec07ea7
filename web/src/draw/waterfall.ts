// The bars of a request's spans along one time axis, and the small map above them.
import type { Stage } from '../api/types.ts';
import { timeFormat } from '../number.ts';
import { linear, linearTicks, type Scale } from './scale.ts';
import { font, hatch, ink, inkOn, surface } from './surface.ts';

/** A bar; times in seconds from the request's start. */
export type Bar = {
  id: string;
  stage: Stage;
  from: number;
  to: number;
  label: string;
  failed: boolean;
  marks: number[];
};

export const ROW_PX = 22;

/** Space for the axis above the bars. */
export const AXIS_PX = 22;

const SIDE_PX = 8;

/** A bar is never thinner than this: a short stage is a stage. */
const BAR_MIN_PX = 2;

export function waterfallScale(zoom: readonly [number, number], width: number): Scale {
  return linear(zoom[0], zoom[1], SIDE_PX, width - SIDE_PX);
}

export type WaterfallScene = {
  bars: readonly Bar[];
  zoom: readonly [number, number];
  width: number;
  height: number;
  scrollTop: number;
  selected: string;
  /** Seconds under the pointer, for the crosshair. */
  pointer: number | null;
};

export function drawWaterfall(canvas: HTMLCanvasElement, scene: WaterfallScene): void {
  const target = surface(canvas, scene.width, scene.height);
  if (!target) return;
  const { context } = target;
  const scale = waterfallScale(scene.zoom, scene.width);
  const ticks = linearTicks(scene.zoom[0], scene.zoom[1], Math.max(2, scene.width / 110));
  context.strokeStyle = ink('grid');
  context.lineWidth = 1;
  for (const tick of ticks) {
    const x = Math.round(scale.toPixel(tick)) + 0.5;
    segment(context, x, AXIS_PX - 4, x, scene.height);
  }
  const first = Math.max(0, Math.floor(scene.scrollTop / ROW_PX));
  const last = Math.min(scene.bars.length, Math.ceil((scene.scrollTop + scene.height) / ROW_PX) + 1);
  context.save();
  context.beginPath();
  context.rect(0, AXIS_PX, scene.width, scene.height - AXIS_PX);
  context.clip();
  scene.bars.slice(first, last).forEach((bar, offset) => {
    const top = AXIS_PX + (first + offset) * ROW_PX - scene.scrollTop;
    drawBar(context, bar, scale, top, scene);
  });
  context.restore();
  drawAxis(context, scene, ticks, scale);
}

function segment(context: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function drawAxis(context: CanvasRenderingContext2D, scene: WaterfallScene, ticks: number[], scale: Scale): void {
  context.fillStyle = ink('muted');
  context.font = font(10.5);
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  const step = (ticks[1] ?? 1) - (ticks[0] ?? 0);
  const write = timeFormat(scene.zoom[1], step);
  for (const tick of ticks) {
    const label = write(tick);
    const half = context.measureText(label).width / 2;
    const x = Math.min(scene.width - half - 2, Math.max(half + 2, scale.toPixel(tick)));
    context.fillText(label, x, AXIS_PX / 2 - 1);
  }
  if (scene.pointer === null) return;
  const x = scale.toPixel(scene.pointer);
  context.strokeStyle = ink('muted');
  context.setLineDash([3, 3]);
  segment(context, x, AXIS_PX, x, scene.height);
  context.setLineDash([]);
  const label = timeFormat(scene.zoom[1], step / 10)(scene.pointer);
  const width = context.measureText(label).width + 8;
  const left = Math.min(scene.width - width, Math.max(0, x - width / 2));
  context.fillStyle = ink('text');
  context.fillRect(left, 1, width, AXIS_PX - 5);
  context.fillStyle = ink('panel');
  context.fillText(label, left + width / 2, AXIS_PX / 2 - 1);
}

function drawBar(context: CanvasRenderingContext2D, bar: Bar, scale: Scale, top: number, scene: WaterfallScene): void {
  if (bar.id === scene.selected) {
    context.fillStyle = ink('selected');
    context.fillRect(0, top, scene.width, ROW_PX);
  }
  const left = scale.toPixel(bar.from);
  const width = Math.max(BAR_MIN_PX, scale.toPixel(bar.to) - left);
  context.fillStyle = ink(`stage-${bar.stage}`);
  context.fillRect(left, top + 5, width, ROW_PX - 10);
  if (bar.stage === 'wait') {
    // Waiting is told from work by its pattern too.
    context.strokeStyle = ink('panel');
    context.lineWidth = 1;
    hatch(context, left, top + 5, width, ROW_PX - 10, 5);
  }
  if (bar.failed) {
    context.fillStyle = ink('error');
    context.fillRect(left, top + ROW_PX - 5, width, 2);
  }
  context.fillStyle = ink('text');
  for (const mark of bar.marks) context.fillRect(scale.toPixel(mark) - 0.5, top + 3, 1, ROW_PX - 6);
  drawLabel(context, bar, left, width, top, scene.width);
}

/** Beside the bar on the side that has room, where it can be read on any colour. */
function drawLabel(
  context: CanvasRenderingContext2D,
  bar: Bar,
  left: number,
  width: number,
  top: number,
  total: number,
): void {
  context.font = font(10.5);
  context.textBaseline = 'middle';
  const needed = context.measureText(bar.label).width + 6;
  const y = top + ROW_PX / 2 + 0.5;
  const right = left + width;
  if (right < 0 || left > total) return;
  if (right + needed <= total) {
    context.fillStyle = ink('text');
    context.textAlign = 'left';
    context.fillText(bar.label, Math.max(0, right) + 5, y);
  } else if (left >= needed) {
    context.fillStyle = ink('text');
    context.textAlign = 'right';
    context.fillText(bar.label, left - 5, y);
  } else {
    context.fillStyle = inkOn(ink(`stage-${bar.stage}`));
    context.textAlign = 'right';
    context.fillText(bar.label, Math.min(right, total) - 5, y);
  }
}

/** The bar under a pixel; the row counts, as thin bars are hard to hit. */
export function hitRow(count: number, y: number, scrollTop: number): number | null {
  const row = Math.floor((y - AXIS_PX + scrollTop) / ROW_PX);
  return y < AXIS_PX || row < 0 || row >= count ? null : row;
}

export const MINIMAP_PX = 36;

export function drawMinimap(
  canvas: HTMLCanvasElement,
  bars: readonly Bar[],
  total: readonly [number, number],
  zoom: readonly [number, number],
  width: number,
): void {
  const target = surface(canvas, width, MINIMAP_PX);
  if (!target) return;
  const { context } = target;
  const scale = waterfallScale(total, width);
  const row = Math.max(1, Math.min(5, (MINIMAP_PX - 8) / Math.max(1, bars.length)));
  bars.forEach((bar, index) => {
    context.fillStyle = ink(`stage-${bar.stage}`);
    const left = scale.toPixel(bar.from);
    const y = 4 + ((index * row) % (MINIMAP_PX - 8));
    context.fillRect(left, y, Math.max(1, scale.toPixel(bar.to) - left), Math.max(1, row - 0.5));
  });
  const [left, right] = [scale.toPixel(zoom[0]), scale.toPixel(zoom[1])];
  context.fillStyle = ink('panel');
  context.globalAlpha = 0.65;
  context.fillRect(0, 0, left, MINIMAP_PX);
  context.fillRect(right, 0, width - right, MINIMAP_PX);
  context.globalAlpha = 1;
  context.strokeStyle = ink('accent');
  context.lineWidth = 1;
  context.strokeRect(Math.round(left) + 0.5, 0.5, Math.max(2, Math.round(right - left) - 1), MINIMAP_PX - 1);
}

/** A zoom of `width` times the one now around `center`, kept inside `total` and no finer than a microsecond. */
export function zoomAround(
  zoom: readonly [number, number],
  total: readonly [number, number],
  center: number,
  factor: number,
): [number, number] {
  const width = Math.min(total[1] - total[0], Math.max(1e-6, (zoom[1] - zoom[0]) * factor));
  const share = (center - zoom[0]) / (zoom[1] - zoom[0]);
  return moveInto([center - share * width, center + (1 - share) * width], total);
}

/** Shifts a zoom, its width kept, so that it lies inside `total`. */
export function moveInto(zoom: readonly [number, number], total: readonly [number, number]): [number, number] {
  const width = Math.min(zoom[1] - zoom[0], total[1] - total[0]);
  const from = Math.min(total[1] - width, Math.max(total[0], zoom[0]));
  return [from, from + width];
}
