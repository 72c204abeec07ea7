import { describe, expect, it } from 'vitest';
import { parseBound, parseFilterText, predicate, toggleValue, withValue, withoutValue } from './filter.ts';
import { aRow } from './row.fixture.ts';
import { lastWord, suggestions } from './suggestion.ts';

describe('what is typed into the filter box', () => {
  it.each([
    ['model:Qwen/Qwen3-8B', { model: ['Qwen/Qwen3-8B'] }, ''],
    ['ttft>500ms', { min_ttft: ['0.5'] }, ''],
    ['e2e<=2m', { max_e2e: ['120'] }, ''],
    ['input_tokens>8k', { min_input_tokens: ['8000'] }, ''],
    ['preempted finish:length', { preempted: ['true'], finish_reason: ['length'] }, ''],
    ['out of memory', {}, 'out of memory'],
    ['mood:good ttft>soon', {}, 'mood:good ttft>soon'],
    ['status:failed connection reset', { status: ['failed'] }, 'connection reset'],
  ])('“%s”', (text, filters, q) => {
    expect(parseFilterText(text, {})).toEqual({ filters, q });
  });

  it('adds to the filters that are there', () => {
    expect(parseFilterText('model:b', { model: ['a'] }).filters).toEqual({ model: ['a', 'b'] });
  });

  it('takes bounds without the noise of floating point', () => {
    expect(parseBound('100us')).toBe(0.0001);
    expect(parseBound('0.3ms')).toBe(0.0003);
    expect(parseBound('-1')).toBeNull();
  });
});

describe('a filter', () => {
  it('of a bound or a flag has one value', () => {
    expect(withValue({ min_ttft: ['1'] }, 'min_ttft', '2')).toEqual({ min_ttft: ['2'] });
    expect(withValue({ stream: ['true'] }, 'stream', 'false')).toEqual({ stream: ['false'] });
  });

  it('goes when its last value goes', () => {
    expect(withoutValue({ model: ['a'], status: ['ok'] }, 'model', 'a')).toEqual({ status: ['ok'] });
    expect(toggleValue(toggleValue({}, 'model', 'a'), 'model', 'a')).toEqual({});
  });
});

describe('the filter of the rows at hand', () => {
  const rows = [
    aRow({ span_id: '1', model: 'a', ttft_s: 0.5, finish_reasons: ['stop', 'length'] }),
    aRow({ span_id: '2', model: 'b', ttft_s: null, status: 'refused', finish_reasons: [] }),
    aRow({ span_id: '3', model: 'b', ttft_s: 2, preemptions: 1, stream: false }),
  ];
  const found = (filters: Record<string, string[]>) => rows.filter(predicate(filters)).map((row) => row.span_id);

  it('takes any value of one filter, and all filters together', () => {
    expect(found({ model: ['a', 'b'] })).toEqual(['1', '2', '3']);
    expect(found({ model: ['b'], status: ['ok'] })).toEqual(['3']);
  });

  it('has its bounds inside, and rows that do not know the figure outside', () => {
    expect(found({ min_ttft: ['0.5'] })).toEqual(['1', '3']);
    expect(found({ max_ttft: ['0.5'] })).toEqual(['1']);
  });

  it('finds one choice’s finish reason among several', () => {
    expect(found({ finish_reason: ['length'] })).toEqual(['1']);
  });

  it('knows flags', () => {
    expect(found({ preempted: ['true'] })).toEqual(['3']);
    expect(found({ stream: ['true'] })).toEqual(['1', '2']);
  });

  it('leaves to the server what only the server knows', () => {
    expect(found({ min_mood: ['3'] })).toEqual(['1', '2', '3']);
  });
});

describe('suggestions', () => {
  const facets = {
    facets: {
      model: [
        { value: 'Qwen/Qwen3-8B', count: 5 },
        { value: 'failing-model', count: 2 },
      ],
      status: [{ value: 'failed', count: 3 }],
    },
  };

  it('are values that contain the word, most frequent first', () => {
    expect(suggestions('FAIL', facets).map((each) => each.value)).toEqual(['failed', 'failing-model']);
  });

  it('are the values of one filter after its name', () => {
    expect(suggestions('model:', facets).map((each) => each.value)).toEqual(['Qwen/Qwen3-8B', 'failing-model']);
    expect(suggestions('mood:', facets)).toEqual([]);
  });

  it('are none for nothing', () => {
    expect(suggestions('', facets)).toEqual([]);
    expect(lastWord('status:failed ')).toBe('');
    expect(lastWord('one two')).toBe('two');
  });
});
