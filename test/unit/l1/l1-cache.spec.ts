import { describe, expect, it, jest } from '@jest/globals';
import { L1Cache, type L1Options } from '../../../lib/l1/l1-cache.js';
import type { Shortcut } from '../../../lib/common/shortcut.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

/** `shortcuts`: each key is always asked for by the same one, after it has been asked for once. */
function tierOf(shortcuts: boolean, more: Partial<L1Options>) {
  const clock = new ManualClock();
  const cache = new L1Cache<string>({
    maxEntries: 3,
    ttlMs: Infinity,
    clock,
    shardOf: (key) => Number(key[0]),
    ...more,
  });
  const keep = (key: string, freshMs = 1_000, bytes = 10): void =>
    cache.put(key, key, { note: cache.note(key), freshMs, bytes });
  cache.open(0);
  cache.open(1);
  if (shortcuts) {
    const known = new Map<string, Shortcut>();
    const get = cache.get.bind(cache);
    cache.get = (key) => {
      if (!known.has(key)) known.set(key, { copy: undefined });
      return get(key, known.get(key));
    };
  }
  return { cache, clock, keep };
}

describe.each([
  ['looked up', false],
  ['by shortcuts', true],
])('L1Cache, %s', (_, shortcuts) => {
  const tier = (more: Partial<L1Options> = {}) => tierOf(shortcuts, more);

  it('O1 bytes, onFull — copies come, go for want of room, and are dropped → told exactly', () => {
    const onFull = jest.fn();
    const { cache, keep } = tier({ onFull });
    for (const key of ['0a', '0b', '0c', '0d']) keep(key);
    expect([cache.size, cache.bytes, onFull.mock.calls.length]).toEqual([3, 36, 1]);
    keep('0d');
    cache.drop('0c');
    expect([cache.size, cache.bytes, onFull.mock.calls.length]).toEqual([2, 24, 1]);
  });

  it('C1 more entries than its bound → the least recently used goes', () => {
    const { cache, keep } = tier();
    for (const key of ['0a', '0b', '0c']) keep(key);
    cache.get('0a');
    keep('0d');
    expect(['0a', '0b', '0c', '0d'].map((key) => cache.get(key))).toEqual([
      '0a',
      undefined,
      '0c',
      '0d',
    ]);
    expect(cache.size).toBe(3);
    for (let i = 0; i < 3; i++) expect(cache.get('0a')).toBe('0a');
    keep('0e');
    expect(['0a', '0c', '0d', '0e'].map((key) => cache.get(key))).toEqual([
      '0a',
      undefined,
      '0d',
      '0e',
    ]);
  });

  it('C1 many copies, one used now and then → it stays while all others go', () => {
    const { cache, keep } = tier({ maxEntries: 1_000 });
    const given = [];
    for (let i = 0; i < 5_000; i++) {
      keep(`0${i}`);
      if (i % 100 === 0) given.push(cache.get('00'));
    }
    expect(given).toEqual(Array(50).fill('00'));
    expect(cache.size).toBe(1_000);
    expect(cache.get('03999')).toBeUndefined();
  });

  it('C1 C5 gone for want of room, replaced, dropped → nobody gets what was there before', () => {
    const { cache, keep } = tier();
    keep('0a');
    expect(cache.get('0a')).toBe('0a');
    cache.put('0a', 'newer', { note: cache.note('0a'), freshMs: 1_000, bytes: 10 });
    expect(cache.get('0a')).toBe('newer');
    for (const key of ['0b', '0c', '0d']) keep(key);
    expect(cache.get('0a')).toBeUndefined();
    expect(cache.get('0d')).toBe('0d');
    cache.drop('0d');
    expect(cache.get('0d')).toBeUndefined();
    keep('0d');
    expect(cache.get('0d')).toBe('0d');
  });

  it('C1 more bytes than its bound → the least recently used go; one larger than all is not kept', () => {
    const { cache, keep } = tier({ maxEntries: 100, maxBytes: 50 });
    keep('0a', 1_000, 20);
    keep('0b', 1_000, 20);
    keep('0c', 1_000, 20);
    expect([cache.get('0a'), cache.get('0c')]).toEqual([undefined, '0c']);
    keep('0d', 1_000, 60);
    expect(cache.get('0d')).toBeUndefined();
    expect(cache.get('0c')).toBe('0c');
  });

  it('C1 X11 no longer than the entry is fresh, nor than ttl', () => {
    const { cache, clock, keep } = tier({ ttlMs: 500 });
    keep('0a', 100);
    keep('0b', 10_000);
    clock.advance(99);
    expect(cache.get('0a')).toBe('0a');
    clock.advance(1);
    expect(cache.get('0a')).toBeUndefined();
    expect([cache.size, cache.bytes]).toEqual([1, 12]);
    clock.advance(399);
    expect(cache.get('0b')).toBe('0b');
    clock.advance(1);
    expect(cache.get('0b')).toBeUndefined();
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });

  it.each([1, 100, 999, 1_000, 1_001, 7_000])(
    'C1 X11 read every %d ms while it grows old → there until its very end, and not a moment longer',
    (every) => {
      for (const lifeMs of [1_000, 10_000, 11_000, 25_000]) {
        const { cache, clock, keep } = tier();
        keep('0a', lifeMs);
        const given = new Set<string | undefined>();
        while (clock.monotonic() < lifeMs) {
          given.add(cache.get('0a'));
          clock.advance(Math.min(every, lifeMs - clock.monotonic()));
        }
        expect([...given, cache.get('0a')]).toEqual(['0a', undefined]);
      }
    },
  );

  it('C1 copies that live for long → the clock is looked at once a second, and at no time where nothing is read', () => {
    const { cache, clock, keep } = tier();
    keep('0a', 60_000);
    keep('0b', Infinity);
    const looks = jest.spyOn(clock, 'monotonic');
    for (let ms = 0; ms < 3_000; ms += 10) {
      for (const key of ['0a', '0b']) expect(cache.get(key)).toBe(key);
      clock.advance(10);
    }
    expect(looks).toHaveBeenCalledTimes(3);
    clock.advance(60_000);
    expect(looks).toHaveBeenCalledTimes(3);
    expect(clock.pendingTimers).toBe(0);
  });

  it('X11 the process has stood still for nine seconds, and no timer has had its turn → what has expired is gone', () => {
    const lives = [1, 5_000, 9_000, 9_999, 10_000];
    for (const [lifeMs, other] of lives.flatMap((ms) => [
      [ms, 60_000] as const,
      [ms, Infinity] as const,
    ])) {
      const { cache, clock, keep } = tier();
      keep('0a', lifeMs);
      keep('0b', other);
      cache.get('0b');
      clock.advance(999);
      clock.standStill(9_001);
      expect(cache.get('0a')).toBeUndefined();
    }
  });

  it('X11 no timer ever has its turn → gone after a thousand hits at most, each time', () => {
    const { cache, clock, keep } = tier();
    clock.setTimer = () => undefined;
    for (let again = 0; again < 3; again++) {
      keep('0a', 20_000);
      expect(cache.get('0a')).toBe('0a');
      clock.standStill(30_000);
      let hits = 0;
      while (cache.get('0a') === '0a' && hits < 5_000) hits++;
      expect(hits).toBeLessThanOrEqual(1_024);
    }
  });

  it('X11 a timer was lost, and others run again → exact once more after a thousand hits', () => {
    const { cache, clock, keep } = tier();
    const lost = jest.spyOn(clock, 'setTimer').mockReturnValue(undefined);
    keep('0a', Infinity);
    cache.get('0a');
    lost.mockRestore();
    clock.advance(30_000);
    for (let hits = 0; hits < 1_025; hits++) cache.get('0a');
    keep('0b', 20_000);
    expect(cache.get('0b')).toBe('0b');
    clock.advance(20_000);
    expect(cache.get('0b')).toBeUndefined();
  });

  it('X11 for longer than that → gone once a timer has had its turn', () => {
    const { cache, clock, keep } = tier();
    keep('0a', 20_000);
    cache.get('0a');
    clock.standStill(30_000);
    clock.advance(0);
    expect(cache.get('0a')).toBeUndefined();
  });

  it.each<[string, (cache: L1Cache<string>) => void]>([
    ['the key is dropped', (cache) => cache.drop('0a')],
    ['its shard is cleared', (cache) => cache.clear(0)],
    ['the listener of its shard is lost and comes back', (cache) => (cache.shut(0), cache.open(0))],
  ])('C5 %s while a read is on its way → its reply is not kept', (_, happen) => {
    const { cache } = tier();
    const note = cache.note('0a');
    happen(cache);
    cache.put('0a', 'old', { note, freshMs: 1_000, bytes: 1 });
    expect(cache.get('0a')).toBeUndefined();
  });

  it('C5 a read sent while the listener is lost, its reply there once it is back → not kept', () => {
    const { cache } = tier();
    cache.shut(0);
    const note = cache.note('0a');
    cache.open(0);
    cache.put('0a', 'old', { note, freshMs: 1_000, bytes: 1 });
    expect(cache.get('0a')).toBeUndefined();
  });

  it('C5 another key is dropped while a read is on its way → its reply is kept', () => {
    const { cache } = tier();
    const note = cache.note('0a');
    cache.drop('0b');
    cache.put('0a', 'read', { note, freshMs: 1_000, bytes: 1 });
    expect(cache.get('0a')).toBe('read');
  });

  it('C5 its shard is cleared while a read is on its way, and another was quicker → its reply does not replace that one', () => {
    const { cache, keep } = tier();
    const note = cache.note('0a');
    cache.clear(0);
    keep('0a');
    cache.put('0a', 'old', { note, freshMs: 1_000, bytes: 1 });
    expect(cache.get('0a')).toBe('0a');
  });

  it('C4 the listener of one shard is lost → its copies are not used, those of others are', () => {
    const { cache, keep } = tier();
    keep('0a');
    keep('1a');
    cache.shut(0);
    expect([cache.get('0a'), cache.get('1a')]).toEqual([undefined, '1a']);
    keep('0a');
    expect(cache.get('0a')).toBeUndefined();
    cache.open(0);
    expect(cache.get('0a')).toBeUndefined();
    keep('0a');
    expect(cache.get('0a')).toBe('0a');
    cache.clear(0);
    expect([cache.get('0a'), cache.get('1a')]).toEqual([undefined, '1a']);
  });
});

it('C5 two shortcuts to one copy → once it is dropped neither has it', () => {
  const { cache, keep } = tierOf(false, {});
  const [one, other]: Shortcut[] = [{ copy: undefined }, { copy: undefined }];
  keep('0a');
  for (const shortcut of [one, other, one]) expect(cache.get('0a', shortcut)).toBe('0a');
  cache.drop('0a');
  for (const shortcut of [one, other]) expect(cache.get('0a', shortcut)).toBeUndefined();
});
