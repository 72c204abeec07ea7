// The page's URL is its state: what is on the screen can be linked, reloaded and stepped back to.
import { isFilterName, type Filters } from './filter.ts';
import { DEFAULT_RANGE, type Range } from './range.ts';

/** What the scatter's vertical axis shows. */
export const MEASURES = ['e2e', 'ttft', 'tpot', 'queue'] as const;
export type Measure = (typeof MEASURES)[number];

/** How the scatter draws: by itself, always dots, always a heatmap. */
export const PLOTS = ['auto', 'dots', 'heat'] as const;
export type Plot = (typeof PLOTS)[number];

/** What the Engines screen's charts are split by; `auto` by what there are several of. */
export const SPLITS = ['auto', 'model', 'instance', 'engine_index', 'none'] as const;
export type Split = (typeof SPLITS)[number];

/** Engine lines that the Engines screen can show the metrics of; `auto` that of the first engine. */
export const LINES = ['auto', 'vllm_v1', 'vllm_v0', 'sglang'] as const;

/** Seconds between refreshes; 0 is off. */
export const REFRESHES = [0, 2, 5, 10] as const;
export type Refresh = (typeof REFRESHES)[number];

/** A box drawn on the scatter: times in Unix milliseconds, the measure in seconds. */
export type Box = { from: number; to: number; low: number; high: number };

export type Place =
  | { screen: 'overview' }
  | { screen: 'requests' }
  | { screen: 'request'; trace: string; span: string }
  | { screen: 'engines' }
  | { screen: 'setup' }
  | { screen: 'unknown'; path: string };

export type UrlState = {
  place: Place;
  range: Range;
  refresh: Refresh;
  filters: Filters;
  q: string;
  /** Column, with `-` in front for descending. */
  sort: string;
  measure: Measure;
  plot: Plot;
  line: (typeof LINES)[number];
  split: Split;
  box: Box | null;
  /** `trace.span` of the request in the side panel. */
  peek: string;
  ticked: readonly string[];
  /** Panels that show their table. */
  data: readonly string[];
  /** The part of a request's time that the waterfall shows, in seconds from its start. */
  zoom: readonly [number, number] | null;
  folded: readonly string[];
  /** Span whose attributes are shown. */
  selected: string;
};

export const DEFAULT_STATE: UrlState = {
  place: { screen: 'overview' },
  range: DEFAULT_RANGE,
  refresh: 5,
  filters: {},
  q: '',
  sort: '-start',
  measure: 'e2e',
  plot: 'auto',
  line: 'auto',
  split: 'auto',
  box: null,
  peek: '',
  ticked: [],
  data: [],
  zoom: null,
  folded: [],
  selected: '',
};

/** Two can be compared. */
export const TICKED_MAX = 2;

export function parseUrl(url: URL): UrlState {
  const params = url.searchParams;
  const one = <T extends string>(name: string, allowed: readonly T[], fallback: T): T =>
    allowed.find((value) => value === params.get(name)) ?? fallback;
  const filters: Record<string, string[]> = {};
  for (const [name, value] of params) {
    if (isFilterName(name) && value !== '') (filters[name] ??= []).push(value);
  }
  const zoom = numbers(params.get('zoom'), 2);
  return {
    place: parsePlace(url),
    range: { from: params.get('from') ?? DEFAULT_RANGE.from, to: params.get('to') ?? DEFAULT_RANGE.to },
    refresh: REFRESHES.find((seconds) => String(seconds || 'off') === params.get('refresh')) ?? DEFAULT_STATE.refresh,
    filters,
    q: params.get('q') ?? '',
    sort: params.get('sort') ?? DEFAULT_STATE.sort,
    measure: one('y', MEASURES, DEFAULT_STATE.measure),
    plot: one('plot', PLOTS, DEFAULT_STATE.plot),
    line: one('line', LINES, DEFAULT_STATE.line),
    split: one('split', SPLITS, DEFAULT_STATE.split),
    box: parseBox(params.get('box')),
    peek: params.get('peek') ?? '',
    ticked: params.getAll('tick').slice(0, TICKED_MAX),
    data: params.getAll('data'),
    zoom: zoom?.[0] !== undefined && zoom[1] !== undefined && zoom[0] < zoom[1] ? [zoom[0], zoom[1]] : null,
    folded: params.getAll('fold'),
    selected: params.get('select') ?? '',
  };
}

function parsePlace(url: URL): Place {
  const path = url.pathname.replace(/\/+$/, '');
  if (path === '') return { screen: 'overview' };
  if (path === '/requests') return { screen: 'requests' };
  if (path === '/engines') return { screen: 'engines' };
  if (path === '/setup') return { screen: 'setup' };
  const request = /^\/requests\/([^/]+)$/.exec(path);
  if (request?.[1]) return { screen: 'request', trace: request[1], span: url.searchParams.get('span') ?? '' };
  return { screen: 'unknown', path };
}

function numbers(text: string | null, length: number): number[] | null {
  const values = (text ?? '').split('~').map(Number);
  return text && values.length === length && values.every(Number.isFinite) ? values : null;
}

function parseBox(text: string | null): Box | null {
  const [from, to, low, high] = numbers(text, 4) ?? [];
  if (from === undefined || to === undefined || low === undefined || high === undefined) return null;
  return from < to && low < high ? { from, to, low, high } : null;
}

/** The path and query for a state; defaults are left out, so that a plain screen has a plain URL. */
export function formatUrl(state: UrlState): string {
  const params = new URLSearchParams();
  const put = (name: string, value: string, fallback = '') => {
    if (value !== fallback) params.set(name, value);
  };
  if (state.place.screen === 'request') put('span', state.place.span);
  put('from', state.range.from, DEFAULT_RANGE.from);
  put('to', state.range.to, DEFAULT_RANGE.to);
  put('refresh', String(state.refresh || 'off'), String(DEFAULT_STATE.refresh));
  for (const name of Object.keys(state.filters).sort()) {
    for (const value of state.filters[name] ?? []) params.append(name, value);
  }
  put('q', state.q);
  put('sort', state.sort, DEFAULT_STATE.sort);
  put('y', state.measure, DEFAULT_STATE.measure);
  put('plot', state.plot, DEFAULT_STATE.plot);
  put('line', state.line, DEFAULT_STATE.line);
  put('split', state.split, DEFAULT_STATE.split);
  const { box, zoom } = state;
  if (box) params.set('box', [Math.floor(box.from), Math.ceil(box.to), short(box.low), short(box.high)].join('~'));
  put('peek', state.peek);
  for (const id of state.ticked) params.append('tick', id);
  for (const id of state.data) params.append('data', id);
  if (zoom) params.set('zoom', zoom.map(short).join('~'));
  for (const id of state.folded) params.append('fold', id);
  put('select', state.selected);
  const query = params.toString();
  return formatPlace(state.place) + (query ? `?${query}` : '');
}

function formatPlace(place: Place): string {
  switch (place.screen) {
    case 'overview':
      return '/';
    case 'requests':
      return '/requests';
    case 'engines':
      return '/engines';
    case 'setup':
      return '/setup';
    case 'request':
      return `/requests/${encodeURIComponent(place.trace)}`;
    case 'unknown':
      return place.path;
  }
}

function short(value: number): number {
  return Number(value.toPrecision(6));
}

/** The name of a request in `peek` and `tick`: a trace may hold several. */
export function requestId(row: { trace_id: string; span_id: string }): string {
  return `${row.trace_id}.${row.span_id}`;
}

export function splitRequestId(id: string): { trace: string; span: string } {
  const [trace = '', span = ''] = id.split('.');
  return { trace, span };
}
