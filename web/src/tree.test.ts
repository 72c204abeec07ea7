import { describe, expect, it } from 'vitest';
import { aSpan } from './row.fixture.ts';
import { extent, treeRows } from './tree.ts';

const outline = (spans: ReturnType<typeof aSpan>[], folded: string[] = []) =>
  treeRows(spans, new Set(folded)).map((row) => `${'  '.repeat(row.depth)}${row.span.span_id}`);

const tree = [
  aSpan({ span_id: 'decode', parent_span_id: 'request', start_ms: 30 }),
  aSpan({ span_id: 'http' }),
  aSpan({ span_id: 'wait', parent_span_id: 'request', start_ms: 10 }),
  aSpan({ span_id: 'request', parent_span_id: 'http', start_ms: 5 }),
];

describe('the rows of a waterfall', () => {
  it('have parents before children and siblings by start, in whatever order the spans come', () => {
    const expected = ['http', '  request', '    wait', '    decode'];
    expect(outline(tree)).toEqual(expected);
    expect(outline(tree.toReversed())).toEqual(expected);
  });

  it('hide what is below a folded one, and say that it has something below', () => {
    expect(outline(tree, ['request'])).toEqual(['http', '  request']);
    expect(treeRows(tree, new Set(['request']))[1]).toMatchObject({ children: 2, folded: true });
  });

  it('have a span whose parent never came as a root', () => {
    expect(outline([aSpan({ span_id: 'orphan', parent_span_id: 'lost' })])).toEqual(['orphan']);
  });

  it('lose nothing to spans that claim each other, or themselves, as parents', () => {
    const loop = [
      aSpan({ span_id: 'a', parent_span_id: 'b' }),
      aSpan({ span_id: 'b', parent_span_id: 'a' }),
      aSpan({ span_id: 'c', parent_span_id: 'c' }),
    ];
    expect(
      treeRows(loop, new Set())
        .map((row) => row.span.span_id)
        .sort(),
    ).toEqual(['a', 'b', 'c']);
  });

  it('have a span once that was sent twice', () => {
    expect(outline([aSpan({ span_id: 'a' }), aSpan({ span_id: 'a' })])).toEqual(['a']);
  });
});

it('the extent goes from the first start to the last end, and is never empty', () => {
  expect(extent([aSpan({ start_ms: 50, duration_s: 2 }), aSpan({ start_ms: 10, duration_s: 0.1 })])).toEqual({
    from: 10,
    to: 2050,
  });
  const none = extent([]);
  expect(none.to).toBeGreaterThan(none.from);
  const instant = extent([aSpan({ start_ms: 5, duration_s: 0 })]);
  expect(instant.to).toBeGreaterThan(instant.from);
});
