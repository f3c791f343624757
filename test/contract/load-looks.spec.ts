import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { CacheConnectionError } from '../../lib/common/errors.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { evictInVain } from './support/evict-in-vain.js';

/** As many as it takes until nobody looks first any more. */
const LONG_RUN = 64;

const GRACE = { grace: '1m', staleWhileRevalidate: true } as const;

describe.each(VARIANTS)('after many misses in a row on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;
  let missed = 0;
  /** Memory is looked at in no time. */
  const looksFirst = topology === 'memory';

  beforeEach(async () => {
    cache = await openCache(topology, { ...variant, ...GRACE });
    ({ service } = cache);
  });

  async function missMany(misses = LONG_RUN): Promise<void> {
    const keys = Array.from({ length: misses }, () => `missing${missed++}`);
    await Promise.all(keys.map((key) => service.getOrSet(key, () => key)));
  }

  const looks = (): jest.Spied<TestCache['engine']['parts']['store']['readsOf']> =>
    jest.spyOn(cache.engine['parts'].store, 'readsOf');

  /** What `fn` counts. */
  async function counted(fn: () => Promise<unknown>): Promise<Record<string, number>> {
    const { stats } = await service.withStats(fn);
    const { misses, hits, loads, waits } = stats;
    return { misses, hits: hits.redis, loads, joined: waits.process };
  }

  it('L1 O1 one more → it is not looked for, loaded once, stored and counted as a miss', async () => {
    await missMany();
    const looked = looks();
    const loader = jest.fn(() => 'loaded');
    expect(await counted(() => service.getOrSet('k', loader))).toMatchObject({
      misses: 1,
      hits: 0,
      loads: 1,
    });
    expect(looked).toHaveBeenCalledTimes(looksFirst ? 1 : 0);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(await service.inspect('k')).toMatchObject({ state: 'fresh' });
    expect(await service.get('k')).toBe('loaded');
  });

  it('L1 not many → it is looked for', async () => {
    await missMany(LONG_RUN - 1);
    const looked = looks();
    await service.getOrSet('k', () => 'loaded');
    expect(looked).toHaveBeenCalledTimes(1);
  });

  it('L1 many callers of one missing key → that is one miss of them', async () => {
    for (let i = 0; i < 2; i++)
      await Promise.all(Array.from({ length: LONG_RUN }, () => service.getOrSet(`k${i}`, () => i)));
    const looked = looks();
    await service.getOrSet('k', () => 'loaded');
    expect(looked).toHaveBeenCalledTimes(1);
  });

  it('L1 O1 it is there after all → a hit, no load, and the next is looked for', async () => {
    await service.set('k', 'stored');
    await missMany();
    const loader = jest.fn(() => 'loaded');
    const look = (): Promise<unknown> => service.getOrSet('k', loader);
    expect(await counted(look)).toMatchObject({ misses: 0, hits: 1, loads: 0 });
    const looked = looks();
    expect(await service.getOrSet('other', () => 'loaded')).toBe('loaded');
    expect(looked).toHaveBeenCalledTimes(1);
    expect(loader).not.toHaveBeenCalled();
    expect(await look()).toBe('stored');
  });

  it('E3 it is there in grace → served, and refreshed in the background', async () => {
    await service.set('k', 'old', { ttl: 1 });
    await waitFor(async () => (await service.get('k')) === undefined);
    await missMany();
    expect(await service.getOrSet('k', () => 'new')).toBe('old');
    const looked = looks();
    await service.getOrSet('other', () => 'loaded');
    expect(looked.mock.calls.filter(([key]) => key.endsWith('other'))).toHaveLength(1);
    await waitFor(async () => (await service.get('k')) === 'new');
  });

  it('T1 a tag of it has been evicted → loaded anew', async () => {
    await service.set('k', 'old', { tags: ['tag'] });
    await service.evictTags(['tag']);
    await missMany();
    const looked = looks();
    expect(await service.getOrSet('k', () => 'new', { tags: ['tag'] })).toBe('new');
    expect(await service.get('k')).toBe('new');
    // By keys that are not as good as missing the run ends: each of them would take a trip more.
    looked.mockClear();
    await service.getOrSet('other', () => 'loaded');
    expect(looked).toHaveBeenCalledTimes(1);
  });

  it('L1 callers at once → one load, and each counts as a miss', async () => {
    await missMany();
    const gate = new Gate();
    const loader = jest.fn(async () => (await gate.pass(), 'loaded'));
    const all = counted(() => {
      const callers = Array.from({ length: 10 }, () => service.getOrSet('k', loader));
      return gate.arrived().then(() => (gate.open(), Promise.all(callers)));
    });
    expect(await all).toMatchObject({ misses: 10, hits: 0, loads: 1, joined: 9 });
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('O1 R4 the lease cannot be asked for → loaded, and counted as a miss', async () => {
    await missMany();
    const gone = new CacheConnectionError('gone');
    jest.spyOn(cache.engine['parts'].store, 'acquire').mockRejectedValue(gone);
    const load = (): Promise<unknown> => service.getOrSet('k', () => 'loaded');
    expect(await counted(load)).toMatchObject({ misses: 1, hits: 0, loads: 1 });
  });

  it('R1 an evict of it has not reached Redis → loaded, and what is still there is not served', async () => {
    await service.set('k', 'old');
    await missMany();
    const letThrough = await evictInVain(cache, 'k');
    expect(await service.getOrSet('k', () => 'new')).toBe('new');
    await letThrough();
    expect(await service.get('k')).toBeUndefined();
  });

  it('L7 the loader fails → its error for all, one load, nothing stored', async () => {
    await missMany();
    const error = new Error('source is down');
    const loader = jest.fn(() => Promise.reject(error));
    const failing = counted(async () => {
      const callers = Array.from({ length: 10 }, () => service.getOrSet('k', loader));
      for (const each of await Promise.allSettled(callers))
        expect(each).toEqual({ status: 'rejected', reason: error });
    });
    expect(await failing).toMatchObject({ misses: 10, loads: 1 });
    expect(await service.get('k')).toBeUndefined();
  });

  it('I7 readonly, bypass and force → as ever', async () => {
    await service.set('k', 'stored');
    await missMany();
    const loader = jest.fn(() => 'loaded');
    expect(await service.run('readonly', () => service.getOrSet('k', loader))).toBe('stored');
    await missMany();
    expect(await service.run('bypass', () => service.getOrSet('k', loader))).toBe('loaded');
    expect(await service.get('k')).toBe('stored');
    const acquired = jest.spyOn(cache.engine['parts'].store, 'acquire');
    expect(await service.getOrSet('k', () => 'forced', { force: true })).toBe('forced');
    expect(acquired).toHaveBeenCalledTimes(1);
    expect(await service.get('k')).toBe('forced');
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('W1 a write barrier → loaded, and not stored', async () => {
    await missMany();
    await service.withWrite('k', async () => {
      expect(await service.getOrSet('k', () => 'loaded')).toBe('loaded');
    });
    expect(await service.get('k')).toBeUndefined();
  });

  it('L5 evict during the load → it stores nothing', async () => {
    await missMany();
    const gate = new Gate();
    const first = service.getOrSet('k', async () => (await gate.pass(), 'old'));
    await gate.arrived();
    await service.evict('k');
    gate.open();
    expect(await first).toBe('old');
    expect(await service.get('k')).toBeUndefined();
  });

  if (variant.l1 !== false)
    it('L1 a copy in between → tells nothing of what Redis has', async () => {
      await service.set('copied', 'stored');
      await missMany(LONG_RUN - 1);
      await waitFor(async () => (await service.get('copied'), service.peek('copied')) === 'stored');
      // With options, or it is not even asked for here.
      expect(await service.getOrSet('copied', () => 'loaded', {})).toBe('stored');
      await missMany(1);
      const looked = looks();
      await service.getOrSet('k', () => 'loaded');
      expect(looked).toHaveBeenCalledTimes(looksFirst ? 1 : 0);
      // Nor is the lease asked for where there is one.
      const acquired = jest.spyOn(cache.engine['parts'].store, 'acquire');
      expect(await service.getOrSet('copied', () => 'loaded', {})).toBe('stored');
      expect(acquired).not.toHaveBeenCalled();
    });

  if (topology !== 'memory')
    it('L5 another process sets what is loaded here → who comes then has that, and does not wait', async () => {
      const other = await openCache(topology, { ...variant, namespace: cache.namespace });
      await missMany();
      const gate = new Gate();
      const first = service.getOrSet('k', async () => (await gate.pass(), 'old'));
      await gate.arrived();
      await other.service.set('k', 'new');
      expect(await service.getOrSet('k', () => 'old')).toBe('new');
      gate.open();
      expect(await first).toBe('old');
    });

  if (topology !== 'memory')
    it('L2 another process loads it → waits, and no second load', async () => {
      const other = await openCache(topology, { ...variant, namespace: cache.namespace });
      await missMany();
      const gate = new Gate();
      const theirs = other.service.getOrSet('k', async () => (await gate.pass(), 'theirs'));
      await gate.arrived();
      const loader = jest.fn(() => 'ours');
      const ours = Array.from({ length: 3 }, () => service.getOrSet('k', loader));
      await waitFor(() => cache.engine.pending().waits > 0);
      const looked = looks();
      const acquired = jest.spyOn(cache.engine['parts'].store, 'acquire');
      ours.push(service.getOrSet('k', loader));
      await waitFor(() => looked.mock.calls.length > 0);
      // This process is registered there already.
      expect(acquired).not.toHaveBeenCalled();
      gate.open();
      expect(await Promise.all([theirs, ...ours])).toEqual(['theirs', ...ours.map(() => 'theirs')]);
      expect(loader).not.toHaveBeenCalled();
    });
});
