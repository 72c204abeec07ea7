import { describe, expect, it } from 'vitest';
import { DEFAULT_STATE, formatUrl, parseUrl, requestId, splitRequestId, type UrlState } from './url.ts';

const parse = (path: string) => parseUrl(new URL(path, 'http://tachograph.test'));

describe('the URL', () => {
  it('of a plain screen is plain', () => {
    expect(formatUrl(DEFAULT_STATE)).toBe('/');
    expect(formatUrl({ ...DEFAULT_STATE, place: { screen: 'requests' } })).toBe('/requests');
  });

  it('brings back every part of the state that was put into it', () => {
    const state: UrlState = {
      place: { screen: 'request', trace: 'abc', span: 'def' },
      range: { from: 'now-6h', to: '2026-11-24T12:00:00.000Z' },
      refresh: 0,
      filters: { model: ['a/b', 'c d'], min_ttft: ['0.5'], preempted: ['true'] },
      q: 'hello & goodbye',
      sort: 'ttft',
      measure: 'queue',
      line: 'sglang',
      split: 'instance',
      plot: 'heat',
      box: { from: 1000, to: 2000, low: 0.001, high: 2.5 },
      peek: 'abc.def',
      ticked: ['a.1', 'b.2'],
      data: ['ttft', 'kv'],
      zoom: [0.25, 1.75],
      folded: ['x'],
      selected: 'y',
    };
    expect(parse(formatUrl(state))).toEqual(state);
  });

  it('keeps a relative range relative', () => {
    expect(formatUrl(parse('/?from=now-1h'))).toBe('/?from=now-1h');
  });

  it.each([
    ['/?refresh=3', 'refresh'],
    ['/?y=mood', 'measure'],
    ['/?plot=pie', 'plot'],
    ['/?box=1~2~3', 'box'],
    ['/?box=2~1~1~2', 'box'],
    ['/?box=a~b~c~d', 'box'],
    ['/?zoom=2~1', 'zoom'],
    ['/?zoom=~', 'zoom'],
  ] as const)('that says nonsense (%s) falls back to the default', (path, part) => {
    expect(parse(path)[part]).toEqual(DEFAULT_STATE[part]);
  });

  it('passes bounds on that only a newer server knows', () => {
    expect(parse('/requests?min_mood=3').filters).toEqual({ min_mood: ['3'] });
  });

  it('ticks two requests at most', () => {
    expect(parse('/requests?tick=a&tick=b&tick=c').ticked).toEqual(['a', 'b']);
  });

  it('of no screen is remembered as it is', () => {
    expect(parse('/no/such').place).toEqual({ screen: 'unknown', path: '/no/such' });
  });
});

it('a request is named by its trace and its span', () => {
  expect(splitRequestId(requestId({ trace_id: 'abc', span_id: 'def' }))).toEqual({ trace: 'abc', span: 'def' });
});
