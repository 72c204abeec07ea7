// The keyboard: which key means what. Screens say what they do about it.

export type Action =
  | 'help'
  | 'overview'
  | 'requests'
  | 'engines'
  | 'setup'
  | 'filter'
  | 'time'
  | 'pause'
  | 'next'
  | 'previous'
  | 'open'
  | 'back'
  | 'copy-link'
  | 'theme'
  | 'tick'
  | 'zoom-in'
  | 'zoom-out'
  | 'left'
  | 'right';

/** What the help sheet lists, in its order. */
export const KEYS: readonly { keys: string; action: Action; says: string }[] = [
  { keys: '?', action: 'help', says: 'this list' },
  { keys: 'g o', action: 'overview', says: 'go to Overview' },
  { keys: 'g r', action: 'requests', says: 'go to Requests' },
  { keys: 'g e', action: 'engines', says: 'go to Engines' },
  { keys: 'g s', action: 'setup', says: 'go to Setup' },
  { keys: '/', action: 'filter', says: 'filter' },
  { keys: 't', action: 'time', says: 'time range' },
  { keys: 'Space', action: 'pause', says: 'pause or go on refreshing' },
  { keys: 'j', action: 'next', says: 'next request or span' },
  { keys: 'k', action: 'previous', says: 'previous request or span' },
  { keys: 'Enter', action: 'open', says: 'open the request' },
  { keys: 'x', action: 'tick', says: 'tick the request (two at most)' },
  { keys: 'Esc', action: 'back', says: 'close, then back' },
  { keys: 'w', action: 'zoom-in', says: 'waterfall: zoom in' },
  { keys: 's', action: 'zoom-out', says: 'waterfall: zoom out' },
  { keys: 'a', action: 'left', says: 'waterfall: move left' },
  { keys: 'f', action: 'right', says: 'waterfall: move right' },
  { keys: 'y', action: 'copy-link', says: 'copy a link to this view' },
  { keys: 'd', action: 'theme', says: 'dark or light' },
];

const NAMES: Record<string, string> = { ' ': 'Space', Escape: 'Esc', ArrowDown: 'j', ArrowUp: 'k' };

/** A key waits this long for the second one of its pair, in milliseconds. */
const PAIR_MS = 1200;

/** Turns key presses into actions; remembers the first key of a pair. */
export class KeyReader {
  #first: { key: string; at: number } | null = null;

  read(key: string, at: number): Action | null {
    const name = NAMES[key] ?? key;
    const first = this.#first;
    this.#first = null;
    if (first && at - first.at < PAIR_MS) {
      const pair = KEYS.find((each) => each.keys === `${first.key} ${name}`);
      if (pair) return pair.action;
    }
    if (KEYS.some((each) => each.keys.startsWith(`${name} `))) {
      this.#first = { key: name, at };
      return null;
    }
    return KEYS.find((each) => each.keys === name)?.action ?? null;
  }
}

/** Whether the key belongs to the element it was pressed in, and not to the page. */
export function isTakenByElement(key: string, tag: string, editable: boolean): boolean {
  if (key === 'Escape') return false;
  if (editable || tag === 'INPUT' || tag === 'TEXTAREA' || tag === 'SELECT') return true;
  return (tag === 'BUTTON' || tag === 'A' || tag === 'SUMMARY') && (key === ' ' || key === 'Enter');
}
