import { describe, expect, it } from 'vitest';
import { METRICS } from './api/metrics.ts';
import type { EngineLine, EngineRow, SeriesSet } from './api/types.ts';
import { GROUPS, isChosen, lineFilters, matches, shortInstance, splitLines, splitOf, toggleEngine } from './engine.ts';

const ROW: EngineRow = {
  service: 'app',
  instance: 'a',
  engine_index: 0,
  model: 'm',
  line: 'vllm_v1',
  version: '0.32.0',
  host: 'h',
  running: 1,
  waiting: 0,
  kv_usage: 0.1,
  generation_tokens_per_s: 5,
  ttft_p50_s: 0.1,
  last_ms: 0,
};

const panels = (line: EngineLine) => GROUPS[line].flatMap((group) => group.panels);

describe('the charts of an engine line', () => {
  it.each(['vllm_v1', 'vllm_v0', 'sglang'] as const)('of %s are its documented metrics, each once', (line) => {
    const documented = METRICS.filter((metric) => metric.lines.includes(line)).map((metric) => metric.name);
    const shown = panels(line).map((panel) => panel.id);
    expect(shown.filter((id) => id !== 'prefix_hit_ratio').toSorted()).toEqual(documented.toSorted());
  });

  it('say the exact name, the unit and how the number is made', () => {
    const source = (line: EngineLine, id: string) => panels(line).find((panel) => panel.id === id)?.source;
    expect(source('vllm_v1', 'gen_ai_vllm_request_queue_time_seconds')).toBe(
      'gen_ai_vllm_request_queue_time_seconds (counter, unit s): time spent WAITING. Shown: ' +
        'increase(gen_ai_vllm_request_queue_time_seconds) ÷ increase(gen_ai_vllm_request_success): the mean',
    );
    expect(source('sglang', 'gen_ai_server_request_duration')).toContain('÷ increase(num_requests_total)');
    expect(source('vllm_v0', 'num_tokens_iter')).toContain('rate(num_tokens_iter)');
  });

  it('show a level as its last value, also where the documented type is counter', () => {
    const key = (line: EngineLine, id: string) => panels(line).find((panel) => panel.id === id)?.lines[0]?.key;
    expect(key('sglang', 'sglang_num_running_reqs')).toBe('metric.sglang_num_running_reqs:last');
    expect(key('sglang', 'sglang_token_usage')).toBe('metric.sglang_token_usage:last');
    expect(key('vllm_v0', 'num_running_sys')).toBe('metric.num_running_sys:last');
    expect(key('sglang', 'sglang_log_count')).toBe('metric.sglang_log_count:rate');
  });
});

describe('a click on an engine', () => {
  it('filters by it alone, keeps filters of other kinds, and a second one undoes that', () => {
    const filters = toggleEngine({ instance: ['b', 'c'], model: ['x'], status: ['ok'] }, ROW);
    expect(filters).toEqual({ status: ['ok'], service: ['app'], instance: ['a'], engine_index: ['0'] });
    expect(isChosen(ROW, filters)).toBe(true);
    expect(matches(ROW, filters)).toBe(true);
    expect(matches({ ...ROW, engine_index: 1 }, filters)).toBe(false);
    expect(toggleEngine(filters, ROW)).toEqual({ status: ['ok'] });
  });
});

describe('the split', () => {
  it('is by what there are several of', () => {
    expect(splitOf('auto', [ROW])).toBe('model');
    expect(splitOf('auto', [ROW, { ...ROW, engine_index: 1 }])).toBe('engine_index');
    expect(splitOf('auto', [ROW, { ...ROW, instance: 'b' }])).toBe('instance');
    expect(splitOf('none', [ROW, { ...ROW, instance: 'b' }])).toBe('none');
  });

  it('gives a value the same colour in all charts and the filter its whole name', () => {
    const panel = panels('vllm_v1')[0];
    const id = '0a1b2c3d-0000-4000-8000-000000000000';
    const one = (instance: string) => ({
      name: 'metric.gen_ai_vllm_num_requests_running',
      stat: 'last',
      labels: { instance },
      unit: '1',
      values: [1],
    });
    const set: SeriesSet = { times_ms: [0], step_ms: 1, series: [one('z'), one(id)] };
    const lines = panel ? splitLines(panel, set, 'instance') : [];
    expect(lines.map((line) => [line.label, line.value, line.ink])).toEqual([
      ['z', 'z', 'series-2'],
      ['0a1b2c3d', id, 'series-1'],
    ]);
    expect(shortInstance('gpu-a:8000')).toBe('gpu-a:8000');
  });

  it('keeps another line with metrics of the same name out', () => {
    const other: EngineRow = { ...ROW, instance: 'b', line: 'sglang' };
    expect(lineFilters({}, [ROW], 'vllm_v1')).toEqual({});
    expect(lineFilters({}, [ROW, other], 'sglang')).toEqual({ instance: ['b'] });
  });
});
