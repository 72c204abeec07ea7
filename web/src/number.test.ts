import { describe, expect, it } from 'vitest';
import { bytes, duration, format, formatTick, integer, timeFormat, UNKNOWN } from './number.ts';

describe('a duration', () => {
  it.each([
    [0, '0 s'],
    [0.000_000_4, '0.40 µs'],
    [0.000_412, '412 µs'],
    [0.000_999_9, '1.00 ms'],
    [0.0123, '12.3 ms'],
    [0.0999_9, '100 ms'],
    [0.9996, '1.00 s'],
    [2.7, '2.70 s'],
    [61.26, '61.3 s'],
    [150, '2 m 30 s'],
    [9000, '2 h 30 m'],
  ])('of %d seconds reads %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  it('that is not known is a dash, and zero is not', () => {
    expect(duration(null)).toBe(UNKNOWN);
    expect(duration(Number.NaN)).toBe(UNKNOWN);
    expect(duration(0)).not.toBe(UNKNOWN);
  });
});

describe('a number with a unit', () => {
  it.each([
    [18, 'count', '18'],
    [18.26, 'count', '18.3'],
    [8407.3, 'tokens/s', '8,407 tok/s'],
    [9_999.7, 'tokens/s', '10.0 k tok/s'],
    [1_234_567, 'tokens', '1.23 M tok'],
    [0.092, 'events/s', '0.092 /s'],
    [0.5, 'ratio', '50.0 %'],
    [0, 'ratio', '0 %'],
    [1, 'ratio', '100 %'],
    [0.0004, 'ratio', '0.04 %'],
  ] as const)('%d as %s reads %s', (value, unit, text) => {
    expect(format(value, unit)).toBe(text);
  });

  it('never rounds up to a full hundred per cent', () => {
    expect(format(0.99996, 'ratio')).toBe('99.99 %');
  });
});

it('whole numbers have commas between thousands', () => {
  expect([7, 1234, 1_234_567].map(integer)).toEqual(['7', '1,234', '1,234,567']);
});

it('marks on an axis have no zeros to fill up', () => {
  expect([2, 0.05].map((value) => formatTick(value, 'seconds'))).toEqual(['2 s', '50 ms']);
  expect(formatTick(0.25, 'ratio')).toBe('25 %');
  expect(formatTick(10_000, 'tokens/s')).toBe('10k');
});

it('marks on a zoomed axis differ from each other', () => {
  const write = timeFormat(10.002, 0.0005);
  expect(write(10.0005)).toBe('10.0005 s');
  expect(write(10.001)).toBe('10.0010 s');
  expect(timeFormat(0.5, 0.1)(0.2)).toBe('200 ms');
});

it('sizes are in powers of 1024', () => {
  expect([512, 1536, 5_242_880].map(bytes)).toEqual(['512 B', '1.50 KiB', '5.00 MiB']);
});
