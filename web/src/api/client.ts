// Talks to the server's JSON API: one function that gets, one error that says what to do.
import type { Filters } from '../filter.ts';
import type { Range } from '../range.ts';
import type { ErrorBody } from './types.ts';

/** What the server (or the way to it) says is wrong, with a next step. */
export class ApiFailure extends Error {
  readonly code: string;
  readonly hint: string;
  /** The query parameter at fault, if it was one. */
  readonly field: string | null;

  constructor(code: string, message: string, hint: string, field: string | null = null) {
    super(message);
    this.name = 'ApiFailure';
    this.code = code;
    this.hint = hint;
    this.field = field;
  }
}

export type Query = readonly (readonly [name: string, value: string])[];

/** Most rows that one answer may hold. */
export const ROWS_MAX = 10_000;

export function apiUrl(path: string, query: Query = []): string {
  // Commas and colons read better in a copied command than their escapes.
  const readable = (value: string) => encodeURIComponent(value).replace(/%2C/g, ',').replace(/%3A/g, ':');
  const text = query.map(([name, value]) => `${name}=${readable(value)}`);
  return path + (text.length > 0 ? `?${text.join('&')}` : '');
}

export function rangeQuery(range: Range): Query {
  return [
    ['from', range.from],
    ['to', range.to],
  ];
}

export function filterQuery(filters: Filters): Query {
  return Object.keys(filters)
    .sort()
    .flatMap((name) => (filters[name] ?? []).map((value) => [name, value] as const));
}

/** How far the server’s clock is ahead of this one, in milliseconds: what is "now" and partial is its to say. */
let clockSkew = 0;

export function serverNow(): number {
  return Date.now() + clockSkew;
}

function learnClock(response: Response): void {
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds: below two, the difference may be rounding and travel time.
  if (!Number.isNaN(date)) clockSkew = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
}

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await send(url, signal);
  learnClock(response);
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    throw new ApiFailure('bad_answer', `the server's answer is no JSON: HTTP ${response.status}`, WRONG_SERVER_HINT);
  }
  if (response.ok) return body as T;
  if (isErrorBody(body)) {
    const { code, message, hint, field } = body.error;
    throw new ApiFailure(code, message, hint, field);
  }
  throw new ApiFailure('bad_answer', `the server refused: HTTP ${response.status}`, WRONG_SERVER_HINT);
}

const WRONG_SERVER_HINT = 'Check that this address is `tachograph serve` itself, and not something in front of it.';

async function send(url: string, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { headers: { accept: 'application/json' }, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiFailure(
      'unreachable',
      'the server does not answer',
      'Start it again with `tachograph serve`; this page goes on by itself when it is back.',
    );
  }
}

function isErrorBody(body: unknown): body is ErrorBody {
  if (typeof body !== 'object' || body === null || !('error' in body)) return false;
  const { error } = body;
  return typeof error === 'object' && error !== null && 'message' in error && 'hint' in error;
}

/** The command that asks the same. */
export function curl(url: string, origin: string): string {
  return `curl -s '${origin}${url.replace(/'/g, '%27')}'`;
}
