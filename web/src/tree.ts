// The spans of a trace as the rows of a waterfall.
import type { Span } from './api/types.ts';

/** One row: a span, how deep it is, and whether it has rows below it. */
export type TreeRow = { span: Span; depth: number; children: number; folded: boolean; parents: string[] };

/**
 * Rows in reading order: parents before children, siblings by start. A span whose parent is not in the trace is a root;
 * spans that are each other's ancestors are roots too, so that nothing is lost.
 */
export function treeRows(spans: readonly Span[], folded: ReadonlySet<string>): TreeRow[] {
  const byId = new Map(spans.map((span) => [span.span_id, span]));
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const span of byId.values()) {
    const parent = span.parent_span_id;
    if (parent !== null && parent !== span.span_id && byId.has(parent)) {
      children.set(parent, [...(children.get(parent) ?? []), span]);
    } else {
      roots.push(span);
    }
  }
  const rows: TreeRow[] = [];
  const seen = new Set<string>();
  const visit = (start: Span, hidden: boolean) => {
    const stack = [{ span: start, depth: 0, hidden, parents: [] as string[] }];
    for (let top = stack.pop(); top; top = stack.pop()) {
      if (seen.has(top.span.span_id)) continue;
      seen.add(top.span.span_id);
      const below = byStart(children.get(top.span.span_id) ?? []);
      const isFolded = folded.has(top.span.span_id);
      const { span, depth, parents } = top;
      if (!top.hidden) rows.push({ span, depth, children: below.length, folded: isFolded, parents });
      for (const child of below.reverse()) {
        stack.push({
          span: child,
          depth: depth + 1,
          hidden: top.hidden || isFolded,
          parents: [...parents, span.span_id],
        });
      }
    }
  };
  for (const root of byStart(roots)) visit(root, false);
  for (const span of byId.values()) if (!seen.has(span.span_id)) visit(span, false);
  return rows;
}

function byStart(spans: Span[]): Span[] {
  return spans.toSorted((a, b) => a.start_ms - b.start_ms || b.duration_s - a.duration_s);
}

/** First start and last end of the spans, in Unix milliseconds; at least a microsecond wide. */
export function extent(spans: readonly Span[]): { from: number; to: number } {
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const span of spans) {
    from = Math.min(from, span.start_ms);
    to = Math.max(to, span.start_ms + span.duration_s * 1000);
  }
  if (!Number.isFinite(from)) return { from: 0, to: 0.001 };
  return { from, to: Math.max(to, from + 0.001) };
}
