// Turns a panel's numbers into a uPlot chart: shared crosshair, drag to zoom, hatched last bucket, thresholds.
import uPlot from 'uplot';
import type { Unit } from '../number.ts';
import { formatTick } from '../number.ts';
import { clock, dateTime } from '../range.ts';
import { serverNow } from '../api/client.ts';
import { font, hatch, ink } from './surface.ts';

export type ChartShape = {
  kind: 'lines' | 'stacked' | 'bars';
  unit: Unit;
  max: number | null;
  thresholds: readonly { at: number; ink: string }[];
};

type Drawn = { label: string; ink: string; dash?: readonly number[]; width?: number; values: (number | null)[] };

export type ChartSource = {
  times: () => readonly number[];
  step: () => number;
  drawn: () => readonly Drawn[];
  oncursor: (index: number | null) => void;
  onzoom: (from: number, to: number) => void;
  onpick: (index: number) => void;
};

/** All charts with this key share one crosshair. */
const SYNC_KEY = 'overview';

/** A drag shorter than this is a click. */
const DRAG_MIN_PX = 5;

/** Sums up to and including each line; where nothing is known stays a gap. */
export function stack(lines: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const sums: (number | null)[] = lines[0]?.map(() => null) ?? [];
  return lines.map((line) => {
    line.forEach((value, index) => {
      if (value !== null) sums[index] = (sums[index] ?? 0) + value;
    });
    return [...sums];
  });
}

/** Times in seconds at the buckets' middles and the values to draw: stacks last first, so that nothing is hidden. */
export function chartData(
  shape: ChartShape,
  times: readonly number[],
  step: number,
  drawn: readonly Drawn[],
): uPlot.AlignedData {
  const middles = times.map((time) => (time + step / 2) / 1000);
  const lines = drawn.map((line) => line.values);
  return [middles, ...(shape.kind === 'lines' ? lines : stack(lines).reverse())];
}

/** A point that has gaps on both sides has no line to be seen by. */
export function loneIndexes(values: readonly (number | null | undefined)[]): number[] {
  const known = (index: number) => typeof values[index] === 'number';
  return values.flatMap((_, index) => (known(index) && !known(index - 1) && !known(index + 1) ? [index] : []));
}

function seriesOptions(shape: ChartShape, line: Drawn): uPlot.Series {
  const color = ink(line.ink);
  const points = { show: true, size: 4, fill: color, filter: lonePoints };
  const base = { label: line.label, stroke: color, points } satisfies uPlot.Series;
  if (shape.kind === 'bars') {
    const paths = uPlot.paths.bars?.({ size: [0.86, 40], align: 0 });
    return { ...base, fill: color, width: 0, points: { show: false }, ...(paths ? { paths } : {}) };
  }
  if (shape.kind === 'stacked') return { ...base, fill: color, width: 0.5 };
  return { ...base, width: line.width ?? 1, ...(line.dash ? { dash: [...line.dash] } : {}) };
}

const lonePoints: uPlot.Series.Points.Filter = (u, index) => loneIndexes([...(u.data[index] ?? [])]);

function yRange(shape: ChartShape): uPlot.Range.Function {
  return (_u, _min, max) => {
    if (shape.max !== null) return [0, shape.max];
    return [0, Number.isFinite(max) && max > 0 ? max * 1.12 : 1];
  };
}

function axes(shape: ChartShape): uPlot.Axis[] {
  const look = {
    stroke: ink('muted'),
    font: font(10.5),
    grid: { stroke: ink('grid'), width: 1 },
    ticks: { show: false },
  };
  return [
    {
      ...look,
      size: 20,
      gap: 3,
      space: 70,
      values: (_u, splits, _axis, _space, increment) =>
        splits.map((split) => {
          if (increment >= 86_400) return dateTime(split * 1000).slice(5, 10);
          return increment >= 60 ? clock(split * 1000).slice(0, 5) : clock(split * 1000);
        }),
    },
    {
      ...look,
      size: 50,
      gap: 4,
      space: 28,
      values: (_u, splits) => splits.map((split) => formatTick(split, shape.unit)),
    },
  ];
}

function drawThresholds(u: uPlot, shape: ChartShape): void {
  const { ctx, bbox } = u;
  const top = u.scales['y']?.max ?? 0;
  for (const threshold of shape.thresholds) {
    if (threshold.at > top) continue;
    const y = Math.round(u.valToPos(threshold.at, 'y', true));
    ctx.save();
    ctx.strokeStyle = ink(threshold.ink);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

/** The last bucket is not over yet: what it shows will still change. */
function drawPartial(u: uPlot, source: ChartSource): void {
  const last = source.times().at(-1);
  if (last === undefined || last + source.step() <= serverNow()) return;
  const { ctx, bbox } = u;
  const left = Math.max(bbox.left, u.valToPos(last / 1000, 'x', true));
  ctx.save();
  ctx.strokeStyle = ink('line-strong');
  ctx.lineWidth = devicePixelRatio;
  hatch(ctx, left, bbox.top, bbox.left + bbox.width - left, bbox.height, 5 * devicePixelRatio);
  ctx.restore();
}

function onSelect(u: uPlot, source: ChartSource): void {
  const { left, width } = u.select;
  if (width >= DRAG_MIN_PX) source.onzoom(u.posToVal(left, 'x') * 1000, u.posToVal(left + width, 'x') * 1000);
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}

export function chartOptions(shape: ChartShape, source: ChartSource, width: number, height: number): uPlot.Options {
  const lines = source.drawn();
  const ordered = shape.kind === 'lines' ? lines : lines.toReversed();
  return {
    width,
    height,
    padding: [6, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 5 },
      drag: { x: true, y: false, setScale: false, dist: DRAG_MIN_PX },
      // Only the pointer is shared: a drag belongs to the chart that it happens in.
      sync: {
        key: SYNC_KEY,
        filters: {
          pub: (type) => type === 'mousemove' || type === 'mouseleave',
          sub: (type) => type === 'mousemove' || type === 'mouseleave',
        },
      },
      bind: {
        click: (u, _target, handler) => (event) => {
          handler(event);
          const index = u.cursor.idx;
          if (typeof index === 'number') source.onpick(index);
          return null;
        },
      },
    },
    scales: {
      x: {
        time: true,
        range: () => {
          const times = source.times();
          return [(times[0] ?? 0) / 1000, ((times.at(-1) ?? 0) + source.step()) / 1000];
        },
      },
      y: { range: yRange(shape) },
    },
    axes: axes(shape),
    series: [{}, ...ordered.map((line) => seriesOptions(shape, line))],
    hooks: {
      setCursor: [(u) => source.oncursor(u.cursor.idx ?? null)],
      setSelect: [(u) => onSelect(u, source)],
      draw: [
        (u) => {
          drawThresholds(u, shape);
          drawPartial(u, source);
        },
      ],
    },
  };
}
