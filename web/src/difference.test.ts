import { describe, expect, it } from 'vitest';
import type { RequestRow } from './api/types.ts';
import { differences } from './difference.ts';
import { aRow } from './row.fixture.ts';

const many = (count: number, fields: (index: number) => Partial<RequestRow>) =>
  Array.from({ length: count }, (_, index) => aRow(fields(index)));

describe('what is different inside the box', () => {
  it('puts the property that tells the two apart first', () => {
    const inside = many(100, (i) => ({ preemptions: 1, model: i % 2 ? 'a' : 'b' }));
    const rest = many(100, (i) => ({ preemptions: i % 50 === 0 ? 1 : 0, model: i % 2 ? 'a' : 'b' }));
    const [first] = differences(inside, rest);
    expect(first?.name).toBe('preempted');
    expect(first?.score).toBeGreaterThan(0.8);
    expect(first?.shares[0]).toMatchObject({ inside: 1, rest: 0.02, insideCount: 100, restCount: 2 });
  });

  it('is nothing where both are drawn from the same', () => {
    const rows = (shift: number) => many(60, (i) => ({ instance: `i${(i + shift) % 30}` }));
    expect(differences(rows(0), rows(7)).filter((each) => each.score > 0.02)).toEqual([]);
  });

  it('is not made up from a handful of requests', () => {
    const inside = many(2, (i) => ({ instance: `i${i}` }));
    const rest = many(200, (i) => ({ instance: `i${i % 40}` }));
    expect(differences(inside, rest).find((each) => each.name === 'instance')?.score ?? 0).toBeLessThan(0.2);
  });

  it('leaves out properties with one value only', () => {
    const names = differences(
      many(5, () => ({})),
      many(5, () => ({ model: 'b' })),
    ).map((each) => each.name);
    expect(names).toEqual(['model']);
  });

  it('adds rare values up, and does not offer them as a filter', () => {
    const [found] = differences(
      many(50, (i) => ({ model: `m${i % 9}` })),
      many(50, () => ({ model: 'm0' })),
    );
    expect(found?.shares).toHaveLength(5);
    expect(found?.shares.at(-1)).toMatchObject({ value: '5 others', exact: false });
    expect(found?.shares.reduce((sum, share) => sum + share.inside, 0)).toBeCloseTo(1);
  });

  it('names buckets by their whole numbers', () => {
    const shares = differences(
      many(9, () => ({ queue_depth: 0 })),
      many(9, () => ({ queue_depth: 12 })),
    )[0]?.shares;
    expect(shares?.map((share) => share.value)).toEqual(['0', '10–49']);
  });

  it('is nothing when there is nothing to compare with', () => {
    expect(differences([], [aRow()])).toEqual([]);
    expect(differences([aRow()], [])).toEqual([]);
  });
});
