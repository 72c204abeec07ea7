// Latency against time: a dot for each request, or cells counted where there are too many for dots.
import { linear, logarithmic, logDomain, logTicks, timeTicks, type Scale } from './scale.ts';
import { font, hatch, ink, surface } from './surface.ts';

/** `index` is its place among the rows; `tone` its colour and shape: 0 ok, 1 aborted, 2 refused, 3 failed. */
export type Dot = { index: number; x: number; y: number; tone: number };

export type ScatterView = { x: Scale; y: Scale; width: number; height: number };

export type PixelBox = { left: number; right: number; top: number; bottom: number };

/** Beyond this many, dots hide each other and cells say more. */
export const DOTS_MAX = 4000;

const MARGIN = { left: 54, right: 10, top: 8, bottom: 20 };

const CELL_PX = { width: 6, height: 6 };

export const TONES = ['ok', 'abort', 'refused', 'error'] as const;

export function scatterView(dots: readonly Dot[], span: { from: number; to: number }, width: number, height: number) {
  const [low, high] = logDomain(dots.map((dot) => dot.y));
  return {
    x: linear(span.from, span.to, MARGIN.left, width - MARGIN.right),
    y: logarithmic(low, high, height - MARGIN.bottom, MARGIN.top),
    width,
    height,
  } satisfies ScatterView;
}

/** Number of dots in each cell, row by row from the top left. */
export function heatCells(
  dots: readonly Dot[],
  view: ScatterView,
): { counts: Uint32Array; columns: number; max: number } {
  const left = MARGIN.left;
  const columns = Math.max(1, Math.ceil((view.width - MARGIN.right - left) / CELL_PX.width));
  const rows = Math.max(1, Math.ceil((view.height - MARGIN.bottom - MARGIN.top) / CELL_PX.height));
  const counts = new Uint32Array(columns * rows);
  let max = 0;
  for (const dot of dots) {
    const column = Math.floor((view.x.toPixel(dot.x) - left) / CELL_PX.width);
    const row = Math.floor((view.y.toPixel(dot.y) - MARGIN.top) / CELL_PX.height);
    if (column < 0 || column >= columns) continue;
    const index = Math.min(rows - 1, Math.max(0, row)) * columns + column;
    const count = (counts[index] ?? 0) + 1;
    counts[index] = count;
    max = Math.max(max, count);
  }
  return { counts, columns, max };
}

/** The dot nearest to a pixel within `radius`, if there is one. */
export function hitDot(dots: readonly Dot[], view: ScatterView, px: number, py: number, radius = 8): Dot | null {
  let best: Dot | null = null;
  let bestDistance = radius * radius;
  for (const dot of dots) {
    const distance = (view.x.toPixel(dot.x) - px) ** 2 + (view.y.toPixel(dot.y) - py) ** 2;
    if (distance <= bestDistance) {
      best = dot;
      bestDistance = distance;
    }
  }
  return best;
}

/** Two corners as a box inside the plot; null when it is too small to have been meant. */
export function dragBox(view: ScatterView, from: [number, number], to: [number, number]): PixelBox | null {
  const x = (value: number) => Math.min(view.width - MARGIN.right, Math.max(MARGIN.left, value));
  const y = (value: number) => Math.min(view.height - MARGIN.bottom, Math.max(MARGIN.top, value));
  const box = {
    left: x(Math.min(from[0], to[0])),
    right: x(Math.max(from[0], to[0])),
    top: y(Math.min(from[1], to[1])),
    bottom: y(Math.max(from[1], to[1])),
  };
  return box.right - box.left < 4 || box.bottom - box.top < 4 ? null : box;
}

export type ScatterScene = {
  dots: readonly Dot[];
  view: ScatterView;
  heat: boolean;
  box: PixelBox | null;
  /** Before this time there are requests that are not here, as there were too many; null where all are here. */
  since: number | null;
  /** Those to ring: the chosen one and the one under the pointer. */
  ringed: readonly Dot[];
  formatTime: (ms: number) => string;
  formatValue: (seconds: number) => string;
};

export function drawScatter(canvas: HTMLCanvasElement, scene: ScatterScene): void {
  const { view, dots } = scene;
  const target = surface(canvas, view.width, view.height);
  if (!target) return;
  const { context } = target;
  drawAxes(context, scene);
  context.save();
  context.beginPath();
  context.rect(MARGIN.left, MARGIN.top - 4, view.width - MARGIN.left - MARGIN.right, view.height - MARGIN.bottom);
  context.clip();
  if (scene.heat) drawHeat(context, dots, view);
  // Over cells only what went wrong is drawn as dots: it is rare and must not drown.
  TONES.forEach((tone, index) => {
    if (!scene.heat || index > 0) drawTone(context, dots, view, index, ink(tone));
  });
  if (scene.since !== null) {
    context.strokeStyle = ink('line-strong');
    context.lineWidth = 1;
    hatch(context, MARGIN.left, 0, view.x.toPixel(scene.since) - MARGIN.left, view.height, 7);
  }
  context.restore();
  drawRings(context, scene);
  if (scene.box) drawBox(context, scene.box);
}

function drawAxes(context: CanvasRenderingContext2D, { view, formatTime, formatValue }: ScatterScene): void {
  context.strokeStyle = ink('grid');
  context.fillStyle = ink('muted');
  context.font = font(10.5);
  context.lineWidth = 1;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  for (const tick of logTicks(view.y.low, view.y.high)) {
    const y = Math.round(view.y.toPixel(tick)) + 0.5;
    line(context, MARGIN.left, y, view.width - MARGIN.right, y);
    context.fillText(formatValue(tick), MARGIN.left - 6, y);
  }
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  for (const tick of timeTicks(view.x.low, view.x.high, Math.max(2, (view.width - 60) / 110))) {
    const x = Math.round(view.x.toPixel(tick)) + 0.5;
    line(context, x, MARGIN.top, x, view.height - MARGIN.bottom);
    if (x < view.width - 24) context.fillText(formatTime(tick), Math.max(x, MARGIN.left + 14), view.height - 5);
  }
}

function line(context: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function drawHeat(context: CanvasRenderingContext2D, dots: readonly Dot[], view: ScatterView): void {
  const { counts, columns, max } = heatCells(dots, view);
  context.fillStyle = ink('ok');
  const { width, height } = CELL_PX;
  counts.forEach((count, index) => {
    if (count === 0) return;
    // One request is seen, and so is the difference between ten and a hundred.
    context.globalAlpha = 0.14 + 0.86 * (max > 1 ? Math.log(count) / Math.log(max) : 1);
    const x = MARGIN.left + (index % columns) * width;
    context.fillRect(x, MARGIN.top + Math.floor(index / columns) * height, width - 0.5, height - 0.5);
  });
  context.globalAlpha = 1;
}

/** Each tone has its own shape too: disc, ring, square, cross. */
function drawTone(
  context: CanvasRenderingContext2D,
  dots: readonly Dot[],
  view: ScatterView,
  tone: number,
  color: string,
) {
  context.fillStyle = color;
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.globalAlpha = tone === 0 ? (dots.length > 1500 ? 0.5 : 0.75) : 1;
  context.beginPath();
  for (const dot of dots) {
    if (dot.tone !== tone) continue;
    const x = view.x.toPixel(dot.x);
    const y = view.y.toPixel(dot.y);
    if (tone === 0) context.rect(x - 1.25, y - 1.25, 2.5, 2.5);
    else if (tone === 1) {
      context.moveTo(x + 2.5, y);
      context.arc(x, y, 2.5, 0, 2 * Math.PI);
    } else if (tone === 2) context.rect(x - 2.5, y - 2.5, 5, 5);
    else {
      context.moveTo(x - 3, y - 3);
      context.lineTo(x + 3, y + 3);
      context.moveTo(x - 3, y + 3);
      context.lineTo(x + 3, y - 3);
    }
  }
  if (tone === 0) context.fill();
  else context.stroke();
  context.globalAlpha = 1;
}

function drawRings(context: CanvasRenderingContext2D, { view, ringed }: ScatterScene): void {
  context.strokeStyle = ink('text');
  context.lineWidth = 1.5;
  for (const dot of ringed) {
    context.beginPath();
    context.arc(view.x.toPixel(dot.x), view.y.toPixel(dot.y), 6, 0, 2 * Math.PI);
    context.stroke();
  }
}

function drawBox(context: CanvasRenderingContext2D, box: PixelBox): void {
  const [w, h] = [box.right - box.left, box.bottom - box.top];
  context.fillStyle = ink('accent');
  context.globalAlpha = 0.12;
  context.fillRect(box.left, box.top, w, h);
  context.globalAlpha = 1;
  context.strokeStyle = ink('accent');
  context.lineWidth = 1;
  context.strokeRect(Math.round(box.left) + 0.5, Math.round(box.top) + 0.5, Math.round(w), Math.round(h));
}
