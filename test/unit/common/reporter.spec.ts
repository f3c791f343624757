import { describe, expect, it } from '@jest/globals';
import { Reporter } from '../../../lib/observe/reporter.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

function setUp(): { reporter: Reporter; clock: ManualClock; lines: string[] } {
  const lines: string[] = [];
  const clock = new ManualClock();
  const log = { warn: (line: string) => void lines.push(line) };
  return { reporter: new Reporter({ clock, log }), clock, lines };
}

describe('Reporter', () => {
  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no place for it');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no place for it'))],
  ])('O7 onError %s → a line in the log, and nothing else', async (_, onError) => {
    const lines: string[] = [];
    const log = { warn: (line: string) => void lines.push(line) };
    const reporter = new Reporter({ clock: new ManualClock(), log, onError });
    reporter.report('get', undefined, new Error('Redis is down'));
    await new Promise(setImmediate);
    expect(lines).toEqual([
      'get failed: Redis is down',
      'the onError handler threw: Error: no place for it',
    ]);
  });

  it('O7 warn — one cause again and again → a line every ten seconds, with what was left out since the last', () => {
    const { reporter, clock, lines } = setUp();
    const warn = (): void => reporter.warn('down', 'Redis is down');
    for (let i = 0; i < 3; i++) warn();
    clock.advance(9_999);
    warn();
    expect(lines.splice(0)).toEqual(['Redis is down']);
    clock.advance(1);
    warn();
    warn();
    expect(lines.splice(0)).toEqual(['Redis is down (and 3 more like it)']);
    clock.advance(10_000);
    warn();
    expect(lines.splice(0)).toEqual(['Redis is down (and 1 more like it)']);
    clock.advance(10_000);
    warn();
    expect(lines).toEqual(['Redis is down']);
  });

  it('O7 report — other operations, other codes → a line of each', () => {
    const { reporter, lines } = setUp();
    const coded = (code: string): Error => Object.assign(new Error(code), { code });
    for (const operation of ['get', 'set'])
      for (const error of [coded('A'), coded('B'), new TypeError('C'), new RangeError('D')]) {
        reporter.report(operation, undefined, error);
        reporter.report(operation, undefined, error);
      }
    const texts = ['A', 'B', 'C', 'D'];
    expect(lines).toEqual(
      ['get', 'set'].flatMap((of) => texts.map((text) => `${of} failed: ${text}`)),
    );
  });

  it('O7 warn — more causes than are remembered → each is told, and none is kept for ever', () => {
    const { reporter, lines } = setUp();
    for (let i = 0; i < 256; i++) reporter.warn(`cause ${i}`, `${i}`);
    reporter.warn('cause 0', '0');
    expect(lines).toHaveLength(256);
    reporter.warn('cause 256', '256');
    reporter.warn('cause 0', '0');
    expect(lines.slice(256)).toEqual(['256', '0']);
  });
});
