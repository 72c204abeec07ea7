import { describe, expect, it } from 'vitest';
import type { SeriesSet } from './api/types.ts';
import { PANELS, seriesUrl, STATS } from './panel.ts';
import { drawnLines, labelRows, statLevel, statValue } from './series.ts';

const set = (series: [key: string, labels: Record<string, string>, values: (number | null)[]][]): SeriesSet => ({
  times_ms: [0],
  step_ms: 1000,
  series: series.map(([key, labels, values]) => {
    const [name = '', stat = ''] = key.split(':');
    return { name, stat, labels, unit: '1', values };
  }),
});

const panel = (id: string) => {
  const found = PANELS.find((each) => each.id === id);
  if (!found) throw new Error(`no panel: ${id}`);
  return found;
};

describe('a panel', () => {
  it('asks for each series once', () => {
    const state = { range: { from: 'now-5m', to: 'now' }, filters: { model: ['m'] } };
    expect(seriesUrl([panel('finish')], state, 5)).toBe(
      '/api/series?series=requests:count&from=now-5m&to=now&model=m&step=5s&by=finish_reason',
    );
    expect(seriesUrl([panel('queue'), panel('phases')], state, 5)).toContain(
      'series=queue:p50,queue:p95,queue:p99,queue:mean,prefill:mean,decode:mean&',
    );
  });

  it('has its own name and no other’s', () => {
    expect(new Set(PANELS.map((each) => each.id)).size).toBe(PANELS.length);
  });

  it('keeps its order and colours, and shows reasons that it has no colour for', () => {
    const lines = drawnLines(
      panel('finish'),
      set([
        ['requests:count', { finish_reason: 'tool_calls' }, [3]],
        ['requests:count', { finish_reason: 'length' }, [2]],
        ['requests:count', { finish_reason: 'stop' }, [1]],
      ]),
    );
    expect(lines.map((line) => line.label)).toEqual(['stop', 'length', 'tool_calls']);
    expect(lines[0]?.ink).toBe('stop');
  });

  it('leaves out a line that the server does not know', () => {
    expect(drawnLines(panel('tokens'), set([['prompt_tokens:rate', {}, [1]]])).map((line) => line.label)).toEqual([
      'prompt',
    ]);
  });
});

describe('a figure', () => {
  const stat = (id: string) => {
    const found = STATS.find((each) => each.id === id);
    if (!found) throw new Error(`no stat: ${id}`);
    return found;
  };

  it('is a share where it says so, and not known where nothing was', () => {
    const counted = (errors: number, all: number) =>
      set([
        ['errors:count', {}, [errors]],
        ['requests:count', {}, [all]],
      ]);
    expect(statValue(stat('errors'), counted(3, 100))).toBe(0.03);
    expect(statValue(stat('errors'), counted(0, 0))).toBeNull();
    expect(statValue(stat('errors'), set([]))).toBeNull();
  });

  it('is marked from its thresholds on', () => {
    expect(statLevel(stat('kv'), 0.89)).toBe('fine');
    expect(statLevel(stat('kv'), 0.9)).toBe('warn');
    expect(statLevel(stat('kv'), 0.98)).toBe('bad');
    expect(statLevel(stat('preemptions'), 0)).toBe('fine');
    expect(statLevel(stat('preemptions'), 0.01)).toBe('warn');
    expect(statLevel(stat('ttft'), 99)).toBe('fine');
    expect(statLevel(stat('kv'), null)).toBe('fine');
  });
});

it('the models come busiest first', () => {
  const rows = labelRows(
    set([
      ['requests:rate', { model: 'a' }, [1]],
      ['requests:rate', { model: 'b' }, [5]],
      ['ttft:p95', { model: 'b' }, [null]],
    ]),
    'model',
    'requests:rate',
  );
  expect(rows.map((row) => row.label)).toEqual(['b', 'a']);
  expect(rows[0]?.values.get('ttft:p95')).toBeNull();
});
