import { describe, expect, it } from '@jest/globals';
import { Reporter } from '../../../lib/observe/reporter.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

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
});
