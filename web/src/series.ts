// From the API's series to what a panel draws and what a figure says.
import type { Series, SeriesSet } from './api/types.ts';
import type { Line, Panel, Stat } from './panel.ts';

/** `value` is what a filter takes, where the line stands for one value of a label. */
export type DrawnLine = Line & { values: (number | null)[]; value?: string };

function find(set: SeriesSet, key: string): Series | undefined {
  return set.series.find((series) => `${series.name}:${series.stat}` === key);
}

/** The lines of a panel in its order; for one that is split, the values seen, those with a known colour first. */
export function drawnLines(panel: Panel, set: SeriesSet): DrawnLine[] {
  const by = panel.by;
  if (by === undefined) {
    return panel.lines.flatMap((line) => {
      const series = find(set, line.key);
      return series ? [{ ...line, values: series.values }] : [];
    });
  }
  const seen = set.series.map((series) => ({ label: series.labels[by] ?? '', values: series.values }));
  const known = panel.lines.flatMap((line) => {
    const series = seen.find((each) => each.label === line.label);
    return series ? [{ ...line, values: series.values }] : [];
  });
  const others = seen
    .filter((each) => !panel.lines.some((line) => line.label === each.label))
    .map((each) => ({ key: '', label: each.label || 'none', ink: 'stage-other', values: each.values }));
  return [...known, ...others];
}

/** The figure over the whole range: the set was asked for with one bucket. */
export function statValue(stat: Stat, set: SeriesSet): number | null {
  const value = find(set, stat.key)?.values.at(-1) ?? null;
  if (stat.per === undefined) return value;
  const divisor = find(set, stat.per)?.values.at(-1) ?? null;
  return value === null || divisor === null || divisor === 0 ? null : value / divisor;
}

/** Whether the figure is to be marked: from `warn` and from `bad` on. */
export function statLevel(stat: Stat, value: number | null): 'fine' | 'warn' | 'bad' {
  if (value === null) return 'fine';
  if (stat.bad !== undefined && value >= stat.bad) return 'bad';
  return stat.warn !== undefined && value >= stat.warn ? 'warn' : 'fine';
}

/** A row of the models table. */
export type LabelRow = { label: string; values: Map<string, number | null> };

/** One row for each value that the set was split by, largest first by `order`. */
export function labelRows(set: SeriesSet, by: string, order: string): LabelRow[] {
  const rows = new Map<string, LabelRow>();
  for (const series of set.series) {
    const label = series.labels[by] ?? '';
    let row = rows.get(label);
    if (!row) rows.set(label, (row = { label, values: new Map() }));
    row.values.set(`${series.name}:${series.stat}`, series.values.at(-1) ?? null);
  }
  return [...rows.values()].sort((a, b) => (b.values.get(order) ?? 0) - (a.values.get(order) ?? 0));
}
