// Numbers as people read them: three significant digits, the unit always there, an en dash for "not known".

/** What a number means, and so how it is written. */
export type Unit = 'seconds' | 'requests/s' | 'tokens/s' | 'events/s' | 'steps/s' | 'tokens' | 'count' | 'ratio';

export const UNKNOWN = '–';

/** A number and its unit apart, for places that set them in different type. */
export type Quantity = { value: string; unit: string };

/** Zeros at the end stay, so that numbers below each other line up: 2.70, 21.0. */
function significant(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return size >= 0.9995 ? value.toFixed(2) : value.toPrecision(2);
}

function trimZeros(text: string): string {
  return text.replace(/(\.\d*?)0+(?=$|\D)/, '$1').replace(/\.(?=$|\D)/, '');
}

function thousands(value: number): Quantity {
  const size = Math.abs(value);
  if (size >= 999_950_000) return { value: significant(value / 1e9), unit: 'G' };
  if (size >= 999_950) return { value: significant(value / 1e6), unit: 'M' };
  if (size >= 9_999.5) return { value: significant(value / 1e3), unit: 'k' };
  if (size >= 1000 || Number.isInteger(value)) return { value: integer(value), unit: '' };
  return { value: significant(value), unit: '' };
}

/** `1,234`. */
export function integer(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A duration given in seconds. */
export function secondsQuantity(seconds: number): Quantity {
  const size = Math.abs(seconds);
  if (size === 0) return { value: '0', unit: 's' };
  if (size < 0.000_999_5) return { value: significant(seconds * 1e6), unit: 'µs' };
  if (size < 0.999_5) return { value: significant(seconds * 1e3), unit: 'ms' };
  if (size < 119.5) return { value: significant(seconds), unit: 's' };
  if (size < 7200) {
    const whole = Math.round(seconds);
    return { value: `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, '0')}`, unit: 's' };
  }
  const minutes = Math.round(seconds / 60);
  return { value: `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')}`, unit: 'm' };
}

const SUFFIX: Record<Exclude<Unit, 'seconds' | 'ratio'>, string> = {
  'requests/s': 'req/s',
  'tokens/s': 'tok/s',
  'events/s': '/s',
  'steps/s': 'steps/s',
  tokens: 'tok',
  count: '',
};

/** The number of this unit, number and unit apart. */
export function quantity(value: number | null | undefined, unit: Unit): Quantity {
  if (value === null || value === undefined || !Number.isFinite(value)) return { value: UNKNOWN, unit: '' };
  if (unit === 'seconds') return secondsQuantity(value);
  if (unit === 'ratio') return { value: percent(value), unit: '%' };
  const scaled = thousands(value);
  return { value: scaled.value, unit: scaled.unit + (scaled.unit && SUFFIX[unit] ? ' ' : '') + SUFFIX[unit] };
}

function percent(ratio: number): string {
  const value = ratio * 100;
  if (value === 0 || value === 100) return String(value);
  if (Math.abs(value) < 0.1) return value.toPrecision(1);
  // 99.97 % must not read as 100 %.
  return value > 99.9 && value < 100 ? (Math.floor(value * 100) / 100).toFixed(2) : value.toFixed(1);
}

/** The number of this unit as one text: `1.24 s`, `12.3 k tok/s`, `98.2 %`. */
export function format(value: number | null | undefined, unit: Unit): string {
  const { value: number, unit: suffix } = quantity(value, unit);
  return suffix ? `${number} ${suffix}` : number;
}

/** As short as an axis needs it: the panel's title has the unit of everything but durations and shares. */
export function formatTick(value: number, unit: Unit): string {
  if (unit === 'seconds' || unit === 'ratio') return trimZeros(format(value, unit));
  const { value: number, unit: suffix } = thousands(value);
  return trimZeros(number + suffix);
}

/** Writes the times of an axis that ends at `high` seconds, so finely that marks `step` seconds apart differ. */
export function timeFormat(high: number, step: number): (seconds: number) => string {
  const [factor, suffix] = high < 0.001 ? [1e6, 'µs'] : high < 1 ? [1e3, 'ms'] : [1, 's'];
  const decimals = Math.min(6, Math.max(0, Math.ceil(-Math.log10(step * factor) - 1e-9)));
  return (seconds) => `${(seconds * factor).toFixed(decimals)} ${suffix}`;
}

/** A duration in seconds as one text. */
export function duration(seconds: number | null | undefined): string {
  return format(seconds, 'seconds');
}

/** A size in bytes. */
export function bytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = size;
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${index === 0 ? integer(value) : significant(value)} ${units[index] ?? ''}`;
}
