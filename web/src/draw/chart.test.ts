import { describe, expect, it } from 'vitest';
import { loneIndexes, stack } from './chart.ts';

describe('a stack', () => {
  it('adds up from below', () => {
    expect(
      stack([
        [1, 2],
        [3, 4],
      ]),
    ).toEqual([
      [1, 2],
      [4, 6],
    ]);
  });

  it('has a gap where nothing is known, and no gap where one part is not', () => {
    expect(
      stack([
        [null, 1],
        [null, null],
      ]),
    ).toEqual([
      [null, 1],
      [null, 1],
    ]);
  });
});

it('a value between gaps gets a point, as it has no line', () => {
  expect(loneIndexes([1, null, 2, null, 3, 4, null, 5])).toEqual([0, 2, 7]);
  expect(loneIndexes([])).toEqual([]);
});
