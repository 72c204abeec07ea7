// Scales from values to pixels and back, and the marks on their axes.

export type Scale = {
  toPixel: (value: number) => number;
  toValue: (pixel: number) => number;
  low: number;
  high: number;
};

export function linear(low: number, high: number, from: number, to: number): Scale {
  const width = high - low || 1;
  return {
    low,
    high,
    toPixel: (value) => from + ((value - low) / width) * (to - from),
    toValue: (pixel) => low + ((pixel - from) / (to - from || 1)) * width,
  };
}

/** Logarithmic; what is below the low end, zero too, sits on it. */
export function logarithmic(low: number, high: number, from: number, to: number): Scale {
  const base = Math.log10(low);
  const width = Math.log10(high) - base || 1;
  return {
    low,
    high,
    toPixel: (value) => from + ((Math.log10(Math.max(low, value)) - base) / width) * (to - from),
    toValue: (pixel) => 10 ** (base + ((pixel - from) / (to - from || 1)) * width),
  };
}

/** The ends of a log axis around all values: the next 1, 2 or 5 outwards, and at least a factor of ten apart. */
export function logDomain(values: Iterable<number>): [low: number, high: number] {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const value of values) {
    if (value > 0 && value < low) low = value;
    if (value > high) high = value;
  }
  if (high === 0) return [0.001, 10];
  low = roundOut(low, -1);
  high = roundOut(high, 1);
  return high / low < 10 ? [roundOut(high / 10, -1), high] : [low, high];
}

function roundOut(value: number, direction: 1 | -1): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10];
  // A value on a mark stays there in spite of the rounding of floats.
  const step =
    direction > 0
      ? steps.find((each) => each * decade >= value * (1 - 1e-9))
      : steps.findLast((each) => each * decade <= value * (1 + 1e-9));
  return Number(((step ?? 1) * decade).toPrecision(6));
}

/** Marks of a log axis: decades, with 2 and 5 between them where there are few. */
export function logTicks(low: number, high: number): number[] {
  const steps = Math.log10(high / low) > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(6));
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return ticks;
}

/** Marks of a linear axis at 1, 2 or 5 times a power of ten, at most `count` of them. */
export function linearTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [];
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((each) => each * decade >= rough * (1 - 1e-9)) ?? 10) * decade;
  const ticks: number[] = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}

const TIME_STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800,
];

/** Marks of a time axis at whole seconds, minutes, hours or days of local time, at most `count` of them. */
export function timeTicks(from: number, to: number, count: number): number[] {
  const rough = (to - from) / 1000 / Math.max(1, count);
  const step = (TIME_STEPS_S.find((each) => each >= rough) ?? 604800) * 1000;
  const offset = new Date(from).getTimezoneOffset() * 60_000;
  const ticks: number[] = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) ticks.push(at);
  return ticks;
}
