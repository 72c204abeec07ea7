// The gaps between the tokens of one choice: inter-token latency (ITL).

/** What the gaps look like, in seconds; null where there are fewer than two tokens. */
export type GapStats = { count: number; mean: number; p50: number; p95: number; p99: number; max: number };

/** One bar of the histogram, gaps from `low` to `high` seconds. */
export type GapBin = { low: number; high: number; count: number };

/** Seconds between each token and the one before it. */
export function gaps(offsets: readonly number[]): number[] {
  return offsets.slice(1).map((offset, index) => Math.max(0, offset - (offsets[index] ?? offset)));
}

/** The value that a share of the sorted values does not pass (nearest rank). */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? 0;
}

export function gapStats(values: readonly number[]): GapStats | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    mean: sorted.reduce((sum, gap) => sum + gap, 0) / sorted.length,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: sorted.at(-1) ?? 0,
  };
}

/** Bars of equal width on a log scale: a stall of a second and a gap of a millisecond are both seen. */
export function gapHistogram(values: readonly number[], bins: number): GapBin[] {
  const positive = values.filter((gap) => gap > 0);
  if (positive.length === 0 || bins < 1) return [];
  const low = Math.log10(reduce(positive, Math.min));
  const high = Math.max(Math.log10(reduce(positive, Math.max)), low + 0.01);
  const width = (high - low) / bins;
  const result = Array.from({ length: bins }, (_, index) => ({
    low: 10 ** (low + index * width),
    high: 10 ** (low + (index + 1) * width),
    count: 0,
  }));
  for (const gap of positive) {
    const bin = result[Math.min(bins - 1, Math.floor((Math.log10(gap) - low) / width))];
    if (bin) bin.count += 1;
  }
  return result;
}

/** Spreading a very long list into the arguments of Math.min overflows the stack. */
function reduce(values: readonly number[], pick: (a: number, b: number) => number): number {
  return values.reduce((best, value) => pick(best, value));
}

/** 0 for the usual gap or a shorter one, 1 for twenty times it or more, logarithmic between: what colours a tick. */
export function gapHeat(gap: number, median: number): number {
  if (median <= 0 || gap <= median) return 0;
  return Math.min(1, Math.log(gap / median) / Math.log(20));
}
