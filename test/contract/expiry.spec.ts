import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import type { LoadOptions } from '../../lib/cache/entry.options.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Within so many ms below it: what a slow machine takes. */
const SLOW_MS = 10_000;

describe.each(VARIANTS)('expiry on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, { ...variant, ttl: '10m', negativeTtl: '2m' });
    service = cache.service;
  });

  async function expectLife(key: string, ms: number): Promise<void> {
    const left = await service.ttl(key);
    expect(left).toBeLessThanOrEqual(ms);
    expect(left).toBeGreaterThan(ms - SLOW_MS);
  }

  const inMs = (ms: number): Date => new Date(Date.now() + ms);
  const isWrong = async (call: () => Promise<unknown>, text: string | RegExp): Promise<void> =>
    expect(call()).rejects.toMatchObject({
      code: 'ERR_CACHE_OPTIONS',
      message: expect.stringMatching(text),
    });

  describe('X1 whose ttl', () => {
    it('nothing said → the module’s; for a null its negativeTtl', async () => {
      await service.set('set', 1);
      await service.getOrSet('load', () => 1);
      await service.getOrSet('null', () => null);
      await expectLife('set', 10 * MINUTE);
      await expectLife('load', 10 * MINUTE);
      await expectLife('null', 2 * MINUTE);
    });

    it('the call’s → goes before the module’s; its negativeTtl before both', async () => {
      await service.getOrSet('load', () => 1, { ttl: '1h30m' });
      await service.getOrSet('null', () => null, { ttl: '1h', negativeTtl: '1m' });
      await expectLife('load', 1.5 * HOUR);
      await expectLife('null', MINUTE);
    });

    it('the loader’s → goes before all of them', async () => {
      const options = { ttl: '1h', negativeTtl: '1m' };
      await service.getOrSet('load', ({ setTtl }) => (setTtl('20m'), 1), options);
      await service.getOrSet('null', ({ setTtl }) => (setTtl('20m'), null), options);
      await expectLife('load', 20 * MINUTE);
      await expectLife('null', 20 * MINUTE);
    });

    it('Infinity → none, without jitter either', async () => {
      await service.set('key', 1, { ttl: Infinity });
      expect(await service.ttl('key')).toBe(Infinity);
    });
  });

  describe('X4 expiresAt', () => {
    it.each([
      ['a Date', (): Date => inMs(HOUR)],
      ['milliseconds', (): number => Date.now() + HOUR],
      ['a Date of another realm', (): Date => structuredClone(inMs(HOUR))],
    ])('%s → kept until then', async (_what, at) => {
      await service.set('set', 1, { expiresAt: at() });
      await service.getOrSet('load', () => 1, { expiresAt: at() });
      await service.writeThrough('write', async () => 1, { expiresAt: at() });
      await service.setMany([['many', 1]], { expiresAt: at() });
      for (const key of ['set', 'load', 'write', 'many']) await expectLife(key, HOUR);
    });

    it('soon → over by then', async () => {
      const at = inMs(80);
      await service.set('key', 1, { expiresAt: at });
      await waitFor(async () => !(await service.has('key')));
      expect(Date.now()).toBeGreaterThanOrEqual(at.getTime() - 5);
    });

    it('beside ttl → CacheOptionsError, before anything runs', async () => {
      const loader = jest.fn(() => 1);
      const both = { ttl: '1h', expiresAt: inMs(HOUR) };
      await isWrong(() => service.set('key', 1, both), /expiresAt: given beside ttl/);
      await isWrong(() => service.getOrSet('key', loader, both), /expiresAt: given beside ttl/);
      await isWrong(() => service.writeThrough('key', loader, both), /expiresAt/);
      expect(loader).not.toHaveBeenCalled();
    });

    it.each([
      ['an invalid Date', new Date(NaN)],
      ['seconds', 1_900_000_000],
      ['NaN', NaN],
      ['Infinity', Infinity],
      ['text', '2040-01-01'],
      ['null', null],
    ])('%s → CacheOptionsError, before the loader runs', async (_what, expiresAt) => {
      const loader = jest.fn(() => 1);
      const options = { expiresAt } as never;
      await isWrong(() => service.set('key', 1, options), /expiresAt/);
      await isWrong(() => service.getOrSet('key', loader, options), /expiresAt/);
      expect(loader).not.toHaveBeenCalled();
    });

    it('a moment that has passed → set is told so; what was loaded or written is returned, not stored', async () => {
      const expiresAt = inMs(-1);
      await isWrong(() => service.set('key', 1, { expiresAt }), /has passed/);
      await isWrong(() => service.setMany([['key', 1]], { expiresAt }), /has passed/);
      expect(await service.getOrSet('key', () => 2, { expiresAt })).toBe(2);
      expect(await service.writeThrough('key', async () => 3, { expiresAt })).toBe(3);
      expect(await service.has('key')).toBe(false);
    });

    it('setExpiresAt — in a loader → goes before the call’s options; the last word counts', async () => {
      const options = { ttl: '5m' };
      await service.getOrSet('load', (c) => (c.setExpiresAt(inMs(HOUR)), 1), options);
      await expectLife('load', HOUR);
      await service.getOrSet('last', (c) => (c.setExpiresAt(inMs(HOUR)), c.setTtl('2h'), 1));
      await expectLife('last', 2 * HOUR);
      await service.getOrSet('past', (c) => (c.setExpiresAt(0 + 1e11), 'value'));
      expect(await service.has('past')).toBe(false);
      const wrong = service.getOrSet('wrong', (c) => c.setExpiresAt('soon' as never));
      await expect(wrong).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    });

    it('setExpiresAt — in a writer, and for several keys → likewise', async () => {
      await service.writeThrough('one', async (c) => (c.setExpiresAt(inMs(HOUR)), 1));
      await service.getOrSetMany(['a', 'b'], (missing, c) => {
        c.setExpiresAt('a', inMs(HOUR));
        return missing.map((key) => [key, 1] as const);
      });
      await service.writeThroughMany(['c', 'd'], (c) => {
        c.setExpiresAt('c', inMs(HOUR));
        c.setExpiresAt('d', inMs(-1));
        return [
          ['c', 1],
          ['d', 1],
        ] as const;
      });
      await expectLife('one', HOUR);
      await expectLife('a', HOUR);
      await expectLife('b', 10 * MINUTE);
      await expectLife('c', HOUR);
      expect(await service.has('d')).toBe(false);
    });
  });

  describe('X5 ttl as a function', () => {
    const ttl = (value: { minutes: number }): string => `${value.minutes}m`;

    it('set, load, write → what it says of the value', async () => {
      await service.set('set', { minutes: 3 }, { ttl });
      await service.getOrSet('load', () => ({ minutes: 4 }), { ttl });
      await service.writeThrough('write', async () => ({ minutes: 5 }), { ttl });
      await expectLife('set', 3 * MINUTE);
      await expectLife('load', 4 * MINUTE);
      await expectLife('write', 5 * MINUTE);
    });

    it('M2 several values → each its own', async () => {
      await service.setMany(
        [1, 2, 3].map((n) => [`set ${n}`, { minutes: n }] as const),
        { ttl },
      );
      await service.getOrSetMany(
        ['4', '5'],
        (missing) => missing.map((key) => [key, { minutes: Number(key) }] as const),
        { ttl },
      );
      for (const n of [1, 2, 3]) await expectLife(`set ${n}`, n * MINUTE);
      for (const n of [4, 5]) await expectLife(`${n}`, n * MINUTE);
    });

    it('A3 a null → negativeTtl goes before it; without one it is asked', async () => {
      await service.getOrSet('negative', () => null, { ttl: () => '1h' });
      await expectLife('negative', 2 * MINUTE);
      const { service: plain } = await openCache(topology, { ...variant, ttl: '10m' });
      await plain.getOrSet('null', () => null, { ttl: (value) => (value ? '1h' : '30s') });
      expect(await plain.ttl('null')).toBeLessThanOrEqual(30_000);
    });

    it.each<[string, options: () => LoadOptions]>([
      ['ttl', () => ({ ttl: '30s' })],
      ['expiresAt', () => ({ expiresAt: Date.now() + 30_000 })],
    ])(
      'A3 a null, %s of the call ends sooner than the module’s negativeTtl → then',
      async (_what, options) => {
        await service.getOrSet('one', () => null, options());
        await service.getOrSetMany(['many'], () => [['many', null]], options());
        await service.getOrSet('own', () => null, { ...options(), negativeTtl: '1m' });
        for (const key of ['one', 'many']) await expectLife(key, 30_000);
        await expectLife('own', MINUTE);
      },
    );

    it('A3 a null, expiresAt of the call has passed → returned, not stored', async () => {
      expect(await service.getOrSet('key', () => null, { expiresAt: inMs(-1) })).toBeNull();
      expect(await service.has('key')).toBe(false);
    });

    it('setTtl of the loader → goes before it', async () => {
      await service.getOrSet('key', ({ setTtl }) => (setTtl('20m'), { minutes: 4 }), { ttl });
      await expectLife('key', 20 * MINUTE);
    });

    it.each([[0], [NaN], ['soon'], [undefined], [Promise.resolve('1m')]])(
      'X3 it says %p → CacheOptionsError, nothing stored, the lease free',
      async (wrong) => {
        const options = { ttl: () => wrong as never };
        await isWrong(() => service.set('key', 1, options), /ttl/);
        await isWrong(() => service.getOrSet('key', () => 1, options), /ttl/);
        await isWrong(() => service.writeThrough('key', async () => 1, options), /ttl/);
        expect(await service.has('key')).toBe(false);
        expect(await service.getOrSet('key', () => 'next')).toBe('next');
      },
    );

    it('a function that throws → its error, nothing stored, the lease free', async () => {
      const own = new Error('no idea');
      const options = {
        ttl: (): never => {
          throw own;
        },
      };
      for (const call of [
        service.set('key', 1, options),
        service.getOrSet('key', () => 1, options),
        service.writeThrough('key', async () => 1, options),
      ])
        await expect(call).rejects.toBe(own);
      expect(await service.getOrSet('key', () => 'next')).toBe('next');
    });
  });

  it.each([[0], [-1], [NaN], [new Date()], [-Infinity], [null], [''], ['1x'], ['-1m'], [{}]])(
    'X3 a ttl of %p → CacheOptionsError, before the loader runs',
    async (ttl) => {
      const loader = jest.fn(() => 1);
      await isWrong(() => service.set('key', 1, { ttl: ttl as never }), /ttl/);
      await isWrong(() => service.getOrSet('key', loader, { ttl: ttl as never }), /ttl/);
      expect(loader).not.toHaveBeenCalled();
    },
  );

  it('X10 ttlJitter — every ttl that ends → shorter by up to that share, never longer, none for Infinity', async () => {
    const jittered = await openCache(topology, { ...variant, ttl: '10m', ttlJitter: 0.5 });
    const keys = Array.from({ length: 60 }, (_key, i) => `key ${i}`);
    await jittered.service.setMany(keys.map((key) => [key, 1] as const));
    const lives = await Promise.all(keys.map((key) => jittered.service.ttl(key)));
    for (const life of lives) {
      expect(life).toBeGreaterThan(5 * MINUTE - SLOW_MS);
      expect(life).toBeLessThanOrEqual(10 * MINUTE);
    }
    expect(Math.max(...lives.map(Number)) - Math.min(...lives.map(Number))).toBeGreaterThan(MINUTE);
    await jittered.service.set('moment', 1, { expiresAt: inMs(HOUR) });
    expect(await jittered.service.ttl('moment')).toBeLessThanOrEqual(HOUR);
    expect(await jittered.service.ttl('moment')).toBeGreaterThan(HOUR / 2 - SLOW_MS);
    await jittered.service.set('none', 1, { ttl: Infinity });
    expect(await jittered.service.ttl('none')).toBe(Infinity);
    await jittered.service.set('short', 1, { ttl: 1 });
    await waitFor(async () => !(await jittered.service.has('short')));
  });

  it('X7 ttl — there, for ever, absent → told apart', async () => {
    await service.set('there', 1, { ttl: 5_000 });
    await service.set('ever', 1, { ttl: Infinity });
    expect(await service.ttl('there')).toBeLessThanOrEqual(5_000);
    expect(await service.ttl('there')).toBeGreaterThan(0);
    expect(await service.ttl('ever')).toBe(Infinity);
    expect(await service.ttl('absent')).toBeUndefined();
  });

  it('B5 set — if absent, if present → by what counts: expired, in grace, cleared or of an evicted tag is absent', async () => {
    const states: [string, () => Promise<unknown>][] = [
      ['expired', () => service.set('k', 'old', { ttl: 30 })],
      ['in grace', () => service.getOrSet('k', () => 'old', { ttl: 30, grace: '1h' })],
      ['cleared', async () => (await service.set('k', 'old'), service.clear())],
      [
        'evicted',
        async () => (await service.set('k', 'old', { tags: ['t'] }), service.evictTags('t')),
      ],
    ];
    for (const [state, make] of states) {
      await make();
      await waitFor(async () => !(await service.has('k')));
      const seen = [state, await service.set('k', 'no', { if: 'present' })];
      seen.push(await service.set('k', 'new', { if: 'absent' }));
      seen.push(await service.set('k', 'no', { if: 'absent' }));
      seen.push(await service.set('k', 'newer', { if: 'present' }));
      seen.push((await service.get('k'))!);
      expect(seen).toEqual([state, false, true, false, true, 'newer']);
      await service.evict('k');
    }
  });
});
