// Time ranges: what the URL says (`now-15m`, ISO, Unix milliseconds), what it means now, and the step to draw it with.

/** A range as the user wrote it. Relative ends stay relative. */
export type Range = { from: string; to: string };

/** A range in Unix milliseconds. */
export type Span = { from: number; to: number };

export const DEFAULT_RANGE: Range = { from: 'now-15m', to: 'now' };

/** The choices that the range menu offers. */
export const QUICK_RANGES: { label: string; range: Range }[] = [
  ['5 minutes', 'now-5m'],
  ['15 minutes', 'now-15m'],
  ['30 minutes', 'now-30m'],
  ['1 hour', 'now-1h'],
  ['3 hours', 'now-3h'],
  ['6 hours', 'now-6h'],
  ['12 hours', 'now-12h'],
  ['24 hours', 'now-24h'],
  ['2 days', 'now-2d'],
  ['7 days', 'now-7d'],
  ['30 days', 'now-30d'],
].map(([label, from]) => ({ label: `Last ${label}`, range: { from: from ?? 'now', to: 'now' } }));

const UNIT_MS: Record<string, number> = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 };

/** Widths that a bucket may have, in seconds: those that people read without thinking. */
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800];

/** One end of a range in Unix milliseconds; null when the text means nothing. */
export function parseInstant(text: string, now: number): number | null {
  const trimmed = text.trim();
  if (trimmed === 'now') return now;
  const relative = /^now-(\d+(?:\.\d+)?)([smhdw])$/.exec(trimmed);
  if (relative) return now - Number(relative[1]) * (UNIT_MS[relative[2] ?? ''] ?? Number.NaN);
  if (/^\d{10,16}(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return null;
  const parsed = Date.parse(trimmed.replace(' ', 'T'));
  return Number.isNaN(parsed) ? null : parsed;
}

/** The range in milliseconds; null when an end means nothing or the ends are the wrong way round. */
export function resolveRange(range: Range, now: number): Span | null {
  const from = parseInstant(range.from, now);
  const to = parseInstant(range.to, now);
  return from === null || to === null || from >= to ? null : { from, to };
}

export function isRelative(range: Range): boolean {
  return range.from.startsWith('now') || range.to.startsWith('now');
}

/** An absolute range for the URL, in whole milliseconds outwards, so that its edges stay inside. */
export function absoluteRange(span: Span): Range {
  return { from: new Date(Math.floor(span.from)).toISOString(), to: new Date(Math.ceil(span.to)).toISOString() };
}

/** A range as the server takes it: relative ends as they are, all others as ISO with their zone. */
export function normalizeRange(range: Range, now: number): Range | null {
  if (!resolveRange(range, now)) return null;
  const end = (text: string) =>
    text.startsWith('now') ? text : new Date(parseInstant(text, now) ?? now).toISOString();
  return { from: end(range.from.trim()), to: end(range.to.trim()) };
}

/** What the range button says. */
export function rangeLabel(range: Range, now: number): string {
  const quick = QUICK_RANGES.find((q) => q.range.from === range.from && q.range.to === range.to);
  if (quick) return quick.label;
  if (range.to === 'now' && range.from.startsWith('now-')) return `Last ${range.from.slice(4)}`;
  const span = resolveRange(range, now);
  if (!span) return `${range.from} – ${range.to}`;
  const sameDay = new Date(span.from).toDateString() === new Date(span.to).toDateString();
  return `${dateTime(span.from)} – ${sameDay ? clock(span.to) : dateTime(span.to)}`;
}

/** A range three times as wide around the same middle, never past now; for "nothing here" and for zooming out. */
export function widen(range: Range, now: number): Range {
  if (range.to === 'now' && range.from.startsWith('now-')) {
    const width = now - (parseInstant(range.from, now) ?? now);
    const wider = QUICK_RANGES.find((q) => now - (parseInstant(q.range.from, now) ?? now) >= width * 2.5);
    return wider ? wider.range : { from: 'now-30d', to: 'now' };
  }
  const span = resolveRange(range, now);
  if (!span) return DEFAULT_RANGE;
  const width = span.to - span.from;
  return absoluteRange({ from: span.from - width, to: Math.min(now, span.to + width) });
}

/** The step in seconds that cuts the span into at most `buckets` pieces. */
export function stepFor(span: Span, buckets: number): number {
  const wanted = (span.to - span.from) / 1000 / Math.max(1, buckets);
  return STEPS_S.find((step) => step >= wanted) ?? STEPS_S.at(-1) ?? 604800;
}

const two = (value: number) => String(value).padStart(2, '0');

/** `14:03:21` in local time. */
export function clock(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `14:03:21.042` in local time. */
export function clockMs(ms: number): string {
  return `${clock(ms)}.${String(Math.floor(((ms % 1000) + 1000) % 1000)).padStart(3, '0')}`;
}

/** `2026-11-24 14:03:21` in local time. */
export function dateTime(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms)}`;
}

/** `3 s ago`, `12 m ago`: how long before `now` something was. */
export function ago(ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 100) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} m ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} d ago`;
}
