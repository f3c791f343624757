import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../contract/support/manual-clock.js';
import { TagMirror } from '../../../lib/cache/tag-mirror.js';

const versions = (clock: number) => ({ clock, floor: 0, tags: new Map<string, number>() });

const clock = new ManualClock();

function mirror(): TagMirror {
  const trusted = new TagMirror({ oneTable: true, clock });
  trusted.trust(true);
  return trusted;
}

describe('TagMirror', () => {
  it('G4 a tag, a namespace is evicted → what was loaded before is not admitted, what comes later is', () => {
    const own = mirror();
    const horizon = own.of('a');
    expect(horizon.admits(5, ['t'])).toBe(true);
    own.apply({ reason: 'evict', path: 'a', tags: ['t'], version: 6 });
    expect([horizon.admits(5, ['t']), horizon.admits(5, ['u']), horizon.admits(6, ['t'])]).toEqual([
      false,
      true,
      true,
    ]);
    own.apply({ reason: 'clear', path: 'a', version: 8 });
    expect([horizon.admits(7, undefined), horizon.admits(8, undefined)]).toEqual([false, true]);
    expect(own.of('b').admits(1, ['t'])).toBe(true);
  });

  it('G4 a clear is heard of late → what has been evicted by tag since then stays so', () => {
    const own = mirror();
    own.apply({ reason: 'evict', path: 'a', tags: ['t'], version: 10 });
    expect(own.apply({ reason: 'clear', path: 'a', version: 5 })).toBe(true);
    expect([own.of('a').admits(7, ['t']), own.of('a').admits(7, ['u'])]).toEqual([false, true]);
  });

  it('clockOf — nothing known, messages may be lost, several tables → undefined', () => {
    const own = mirror();
    expect(own.clockOf('a')).toBeUndefined();
    own.note('a', versions(7));
    expect(own.clockOf('a')).toBe(7);
    own.trust(false);
    expect(own.clockOf('a')).toBeUndefined();
    const several = new TagMirror({ oneTable: false, clock });
    several.trust(true);
    several.note('a', versions(7));
    expect(several.clockOf('a')).toBeUndefined();
  });

  it('clockOf — the table is lost, and its server’s clock is behind → never ahead of the table', () => {
    const own = mirror();
    own.note('a', versions(100));
    own.note('a', undefined);
    expect(own.clockOf('a')).toBeUndefined();
    own.note('a', versions(50));
    expect(own.clockOf('a')).toBe(50);
  });

  it('clockOf — an older look comes late → unknown until the next', () => {
    const own = mirror();
    own.note('a', versions(7));
    own.apply({ reason: 'evict', path: 'a', tags: ['t'], version: 9 });
    expect(own.clockOf('a')).toBe(9);
    for (const _ of [1, 2]) own.note('a', versions(7));
    expect(own.clockOf('a')).toBeUndefined();
    own.note('a', versions(9));
    expect(own.clockOf('a')).toBe(9);
  });

  it('clockOf — for a tenth of a second, unless messages may have been lost', () => {
    const own = mirror();
    own.note('a', versions(7));
    clock.advance(99);
    expect(own.clockOf('a')).toBe(7);
    clock.advance(2);
    expect(own.clockOf('a')).toBeUndefined();
    own.note('a', versions(7));
    clock.advance(1);
    own.distrust();
    expect(own.clockOf('a')).toBeUndefined();
  });

  it('more tags than are remembered → what was loaded before the last of them goes', () => {
    const own = mirror();
    const horizon = own.of('a');
    for (let i = 1; i <= 10_001; i++)
      own.apply({ reason: 'evict', path: 'a', tags: [`t${i}`], version: i });
    expect(horizon.admits(10_000, ['other'])).toBe(false);
    expect(horizon.admits(10_001, ['t1'])).toBe(true);
  });

  it('more namespaces than are remembered → the copies of the first go', () => {
    const own = mirror();
    const first = own.of('first');
    for (let i = 0; i < 10_000; i++) own.of(`n${i}`);
    expect(first.admits(Number.MAX_SAFE_INTEGER, undefined)).toBe(false);
    expect(own.of('first').admits(1, undefined)).toBe(true);
  });
});
