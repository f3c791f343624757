import { beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRecord, type EntryHeader } from '../../lib/codec/envelope.js';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, TOPOLOGIES, VARIANTS, type TestCache } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';
import { ManualClock } from './support/manual-clock.js';

const LIFE_MS = 600;

describe.each(VARIANTS)('sliding on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    ({ service } = cache);
  });

  it('X9 get, getMany, getOrSet → lives on as long as it is read, and then ends', async () => {
    const keys = ['got', 'got with others', 'got or loaded'] as const;
    for (const key of keys) await service.set(key, 'kept', { ttl: LIFE_MS, sliding: true });
    await service.set('fixed', 'kept', { ttl: LIFE_MS });
    const began = performance.now();
    while (performance.now() - began < 1.3 * LIFE_MS) {
      expect(await service.get(keys[0])).toBe('kept');
      expect(await service.getMany([keys[1]])).toEqual(new Map([[keys[1], 'kept']]));
      expect(await service.getOrSet(keys[2], () => 'loaded anew')).toBe('kept');
      await sleep(20);
    }
    expect(await service.get('fixed')).toBeUndefined();
    for (const key of keys) expect(await service.ttl(key)).toBeGreaterThan(LIFE_MS / 4);
    // By what there is: a `ttl` that Redis is too late for is none, either.
    const isGone = async (key: string): Promise<boolean> =>
      (await service.inspect(key).catch(() => 'unknown')) === undefined;
    for (const key of keys) await waitFor(() => isGone(key));
    expect((await service.getMany(keys)).size).toBe(0);
  });

  it('X9 has and get in one tick → prolonged, for one of them has used it', async () => {
    await service.set('k', 'kept', { ttl: '1h', sliding: true });
    await service.touch('k', '30m');
    await Promise.all([service.has('k'), service.get('k')]);
    await waitFor(async () => (await service.ttl('k'))! > 31 * 60_000);
  });

  it('X9 a loaded value, one written through → slide as well; one with expiresAt does not', async () => {
    const options = { ttl: '1h', sliding: true } as const;
    await service.getOrSet('k', () => 1, options);
    await service.writeThrough('through', () => 2, options);
    const until = Date.now() + 9e5;
    await service.getOrSet('moment', ({ setExpiresAt }) => (setExpiresAt(until), 3), options);
    await expect(
      service.set('k', 1, { sliding: true, expiresAt: Date.now() + 9e5 }),
    ).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    await expect(service.set('k', 1, { sliding: 1 } as never)).rejects.toMatchObject({
      code: 'ERR_CACHE_OPTIONS',
    });
    const slides = async (key: string): Promise<unknown> => {
      const { parts } = cache.engine;
      const bytes = await parts.store.read(cache.engine.keySpace().entry(key).redisKey);
      return (readRecord(bytes!) as { header: EntryHeader }).header.sliding ?? false;
    };
    expect(await slides('k')).toBe(true);
    expect(await slides('through')).toBe(true);
    expect(await slides('moment')).toBe(false);
  });
});

describe('sliding by the clock', () => {
  const clock = new ManualClock();
  let cache: TestCache;
  let service: CacheService;
  /** How often a life has been prolonged. */
  let touches: number;

  beforeEach(async () => {
    cache = await openCache('memory', { grace: '10s' }, { clock });
    ({ service } = cache);
    touches = 0;
    const { store } = cache.engine['parts'];
    const touch = store.touch.bind(store);
    store.touch = (...args) => (touches++, touch(...args));
    await service.set('k', 'kept', { ttl: '100s', sliding: true });
  });

  const read = async (): Promise<unknown> => {
    const value = await service.get('k');
    await new Promise((resolve) => setImmediate(resolve));
    return value;
  };

  it('X9 many reads → one touch in a tenth of the life, from copies as well', async () => {
    for (let s = 0; s < 1_000; s++) {
      expect(await read()).toBe('kept');
      clock.advance(1_000);
    }
    expect(touches).toBe(99);
    clock.advance(89_999);
    expect(await read()).toBe('kept');
    clock.advance(100_000);
    expect(await read()).toBeUndefined();
    expect(await service.getOrSet('k', () => Promise.reject(new Error('down')))).toBe('kept');
  });

  it('X9 C8 read within a memo → its life is prolonged, and its answer stays', async () => {
    await service.set('k', 'kept', { ttl: '1h', sliding: true });
    await service.touch('k', '30m');
    const { stats } = await service.withStats(() =>
      service.withMemo(async () => {
        await service.get('k');
        await waitFor(async () => (await service.ttl('k'))! > 31 * 60_000);
        await service.get('k');
      }),
    );
    expect(stats.hits.memo).toBe(1);
  });

  it('X9 more are read at once than are prolonged at a time → a later read prolongs the others', async () => {
    const keys = Array.from({ length: 80 }, (_, i) => `k${i}`);
    await service.setMany(
      keys.map((key) => [key, 'kept'] as const),
      { ttl: '100s', sliding: true },
    );
    clock.advance(50_000);
    await service.getMany(keys);
    await waitFor(() => touches >= 64);
    await new Promise((resolve) => setImmediate(resolve));
    expect(touches).toBe(64);
    await service.getMany(keys);
    await waitFor(() => touches >= 80);
    clock.advance(60_000);
    expect((await service.getMany(keys)).size).toBe(80);
  });

  it('X9 readonly, ttl, has, peek → only peek prolongs', async () => {
    await read();
    clock.advance(50_000);
    await service.run('readonly', read);
    await service.ttl('k');
    await service.inspect('k');
    expect(await service.has('k')).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(touches).toBe(0);
    expect(service.peek('k')).toBe('kept');
    await waitFor(() => touches === 1);
  });

  it('X9 written anew before the touch → another life is not prolonged', async () => {
    await read();
    clock.advance(50_000);
    const { store } = cache.engine['parts'];
    const load = store.read.bind(store);
    store.read = async (key) => {
      store.read = load;
      await service.set('k', 'other', { ttl: '20s' });
      return load(key);
    };
    expect(service.peek('k')).toBe('kept');
    await waitFor(async () => (await service.get('k')) === 'other');
    expect(touches).toBe(0);
    expect(await service.ttl('k')).toBe(20_000);
  });
});

for (const topology of TOPOLOGIES.filter((name) => name !== 'memory'))
  it(`X9 sliding in two processes on ${topology} → reads of the one keep the copy of the other`, async () => {
    const one = await openCache(topology);
    const two = await openCache(topology, { namespace: one.namespace });
    await one.service.set('k', 'kept', { ttl: LIFE_MS, sliding: true });
    expect(await two.service.get('k')).toBe('kept');
    const began = performance.now();
    while (performance.now() - began < 1.3 * LIFE_MS) {
      expect(await one.service.get('k')).toBe('kept');
      await sleep(20);
    }
    expect(await two.service.get('k')).toBe('kept');
  });
