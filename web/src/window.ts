// Which rows of a long list are on the screen, and how the list stays still while it grows.

/** Rows `first` to `last` (not included), and the height that stands for all of them. */
export type Window = { first: number; last: number; height: number };

/** Rows drawn beyond each edge, so that a fast scroll does not show the ground. */
const OVERSCAN_ROWS = 8;

export function visibleWindow(count: number, rowHeight: number, scrollTop: number, viewport: number): Window {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight) - OVERSCAN_ROWS;
  const last = Math.ceil((Math.max(0, scrollTop) + viewport) / rowHeight) + OVERSCAN_ROWS;
  return { first: clamp(first, 0, count), last: clamp(last, 0, count), height: count * rowHeight };
}

/** The scroll position that puts row `index` on the screen with the least movement. */
export function scrollIntoView(index: number, rowHeight: number, scrollTop: number, viewport: number): number {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + viewport) return top + rowHeight - viewport;
  return scrollTop;
}

/** Moves a scroll position along with its anchor row, which was at `before` and is at `after` now. */
export function keepAnchor(scrollTop: number, before: number, after: number, rowHeight: number): number {
  return before < 0 || after < 0 ? scrollTop : Math.max(0, scrollTop + (after - before) * rowHeight);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
