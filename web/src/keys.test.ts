import { describe, expect, it } from 'vitest';
import { isTakenByElement, KeyReader, KEYS } from './keys.ts';

describe('the keyboard', () => {
  it('knows pairs', () => {
    const keys = new KeyReader();
    expect(keys.read('g', 0)).toBeNull();
    expect(keys.read('r', 300)).toBe('requests');
  });

  it('forgets the first of a pair after a while, and after another key', () => {
    const keys = new KeyReader();
    keys.read('g', 0);
    expect(keys.read('o', 5000)).toBeNull();
    keys.read('g', 6000);
    expect(keys.read('j', 6100)).toBe('next');
    expect(keys.read('o', 6200)).toBeNull();
  });

  it('names space, escape and arrows', () => {
    const keys = new KeyReader();
    expect([' ', 'Escape', 'ArrowDown', 'ArrowUp'].map((key) => keys.read(key, 0))).toEqual([
      'pause',
      'back',
      'next',
      'previous',
    ]);
  });

  it('has no key with two meanings', () => {
    expect(new Set(KEYS.map((key) => key.keys)).size).toBe(KEYS.length);
  });

  it('leaves typing, and pressing a button, to the element', () => {
    expect(isTakenByElement('j', 'INPUT', false)).toBe(true);
    expect(isTakenByElement('Escape', 'INPUT', false)).toBe(false);
    expect(isTakenByElement('Enter', 'BUTTON', false)).toBe(true);
    expect(isTakenByElement('j', 'BUTTON', false)).toBe(false);
  });
});
