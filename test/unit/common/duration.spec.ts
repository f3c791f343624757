import { describe, expect, it } from '@jest/globals';
import { durationProblem, parseDuration, type Duration } from '../../../lib/common/duration.js';
import { CacheOptionsError } from '../../../lib/common/errors.js';

describe('X6 parseDuration', () => {
  it.each<[Duration, number]>([
    [1, 1],
    [300_000, 300_000],
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['1m1ms', 60_001],
    ['0.5s', 500],
  ])('%p → %d ms', (given, ms) => {
    expect(parseDuration(given)).toBe(ms);
  });

  it.each<[Duration, number]>([
    [0.2, 1],
    [1e-9, 1],
    [10.5, 11],
    ['1.5ms', 2],
    ['1.07m', 64_200],
    ['0.07h', 252_000],
  ])('fraction %p → rounded up to %d ms, and not by an error of floating point', (given, ms) => {
    expect(parseDuration(given)).toBe(ms);
  });

  it.each([
    ...[0, -0, -1, NaN, -Infinity, 1e300, null, undefined, true, 5n, {}, ['5m'], new Date(5)],
    ...['', '5', '0s', '-5m', '5 m', ' 5m', '5M', '5min', '30m1h', '5m5m', '.s', '1.2.3s', '1e3s'],
    ...['Infinity', 'ms', '5m\n', '99999999999d'],
  ])('%p → CacheOptionsError', (given) => {
    expect(() => parseDuration(given as Duration)).toThrow(CacheOptionsError);
  });

  it('bad value → the error names path, what was given and what is accepted', () => {
    expect(() => parseDuration('soon', { minMs: 10, infinity: true }, 'lease.ttl')).toThrow(
      /lease\.ttl: given "soon", accepted a positive number of milliseconds.*'1h30m', at least 10 ms, or Infinity/,
    );
  });

  it('Infinity → only where the rule allows it', () => {
    expect(() => parseDuration(Infinity)).toThrow(CacheOptionsError);
    expect(parseDuration(Infinity, { infinity: true, maxMs: 10 })).toBe(Infinity);
  });
});

describe('durationProblem', () => {
  it('a duration → undefined', () => {
    expect(durationProblem('5m')).toBeUndefined();
    expect(durationProblem(10, { minMs: 10, maxMs: 10 })).toBeUndefined();
  });

  it.each<[unknown, string]>([
    ['never', '"never"'],
    [0, '0'],
    [null, 'null'],
    [() => 1, 'a value of type function'],
    ['x'.repeat(1000), `"${'x'.repeat(40)}"`],
  ])('%p → what was given, shortened', (given, text) => {
    expect(durationProblem(given)).toBe(text);
  });

  it('outside the bounds → what was given', () => {
    expect(durationProblem('9ms', { minMs: 10 })).toBe('"9ms"');
    expect(durationProblem('11ms', { maxMs: 10 })).toBe('"11ms"');
  });
});
