import { beforeEach, describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CacheService } from '../../lib/cache/cache.service.js';
import type { CacheCounts, CacheStats } from '../../lib/observe/stats.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

const NOTHING: CacheCounts = {
  hits: { memo: 0, l1: 0, redis: 0 },
  misses: 0,
  bypassed: 0,
  staleServed: 0,
  loads: 0,
  loadErrors: 0,
  loadMs: 0,
  waits: { process: 0, cluster: 0 },
  waitMs: 0,
  lostLeases: 0,
  sets: 0,
  refusedSets: 0,
  evicts: 0,
  tagEvicts: 0,
  clears: 0,
  refreshes: { triggered: 0, skipped: 0, dropped: 0, failed: 0 },
  unstorable: { unserialisable: 0, tooLarge: 0 },
  undecodable: 0,
  degraded: 0,
  errors: {},
};

describe.each(VARIANTS)('stats on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    ({ service } = cache);
  });

  /** Times are whatever they are, and hits of copies and of Redis are told apart elsewhere. */
  const counted = ({ hits, ...counts }: CacheCounts): object => ({
    ...counts,
    hits: hits.memo + hits.l1 + hits.redis,
    loadMs: 0,
    waitMs: 0,
  });

  /** Exactly what `fn` counts, and not a thing more. */
  async function expectCounts(
    fn: () => unknown,
    expected: Partial<Omit<CacheCounts, 'hits'>> & { hits?: number },
  ): Promise<void> {
    const { stats } = await service.withStats(fn);
    expect(counted(stats)).toEqual({ ...NOTHING, hits: 0, ...expected });
  }

  it('O1 nothing done → zeros, frozen to the bottom', () => {
    const { l1, invalidations, subscriberLosses, journal, ...counts } = service.stats();
    expect(counts).toEqual(NOTHING);
    expect({ l1, subscriberLosses, journal }).toEqual({
      l1: { entries: 0, bytes: 0, evictions: 0 },
      subscriberLosses: 0,
      journal: 0,
    });
    expect(invalidations).toMatchObject({ malformed: 0, gaps: 0 });
    const stats = service.stats();
    for (const part of [stats, ...Object.values(stats)]) expect(Object.isFrozen(part)).toBe(true);
  });

  it('O1 a snapshot → does not change any more', async () => {
    const before = service.stats();
    await service.get('k');
    expect(before.misses).toBe(0);
    expect(service.stats().misses).toBe(1);
  });

  it('O1 get, getMany — one hit or miss per key', async () => {
    await service.setMany([1, 2, 3, 4, 5, 6, 7].map((n) => [`k${n}`, n]));
    await expectCounts(() => service.get('k1'), { hits: 1 });
    await expectCounts(() => service.get('absent'), { misses: 1 });
    const keys = Array.from({ length: 10 }, (_unused, i) => `k${i + 1}`);
    await expectCounts(() => service.getMany(keys), { hits: 7, misses: 3 });
  });

  it('O1 has, ttl, keys, inspect, peek of nothing → not counted', async () => {
    await service.set('k', 1);
    await expectCounts(async () => {
      for (const key of ['k', 'absent']) {
        await service.has(key);
        await service.ttl(key);
        await service.inspect(key);
      }
      for await (const key of service.keys()) expect(key).toBe('k');
      service.peek('absent');
    }, {});
  });

  it('O1 hits — told apart by where the value was', async () => {
    const reader =
      topology === 'memory'
        ? cache
        : await openCache(topology, { ...variant, namespace: cache.namespace });
    await waitFor(() => reader.listener.live);
    const { received } = reader.service.stats().invalidations;
    await service.set('k', 1);
    // Its message would take the copy away.
    if (reader !== cache)
      await waitFor(() => reader.service.stats().invalidations.received > received);
    const { stats } = await reader.service.withStats(async () => {
      await reader.service.get('k');
      await reader.service.get('k');
      await reader.service.getOrSet('k', () => 2);
      await reader.service.getOrSet('k', () => 2, { ttl: '1m' });
      await reader.service.withMemo(async () => {
        await reader.service.get('k');
        await reader.service.get('k');
      });
    });
    const [l1, redis] = variant.l1 === false ? [0, 5] : [4, 1];
    expect(stats.hits).toEqual({ memo: 1, l1, redis });
  });

  it('O1 getOrSet — a miss and a load, then a hit', async () => {
    await expectCounts(() => service.getOrSet('k', () => 1), { misses: 1, loads: 1 });
    await expectCounts(() => service.getOrSet('k', () => 1), { hits: 1 });
    await expectCounts(() => service.getOrSet('k', () => 1, { ttl: '1m' }), { hits: 1 });
  });

  it('O1 getOrSetMany — hits and misses by key, one load', async () => {
    await service.set('a', 1);
    const load = (missing: readonly unknown[]): [string, number][] =>
      missing.map((key) => [key as string, 2]);
    await expectCounts(() => service.getOrSetMany(['a', 'b', 'c'], load), {
      hits: 1,
      misses: 2,
      loads: 1,
    });
    await expectCounts(() => service.getOrSetMany(['a', 'b', 'c'], load), { hits: 3 });
  });

  it('O1 a loader that throws → a load, an error of a load; its time is counted', async () => {
    const gate = new Gate();
    await expectCounts(
      async () => {
        const load = service.getOrSet('k', () => gate.pass());
        await gate.arrived();
        gate.fail(new Error('down'));
        await expect(load).rejects.toThrow('down');
      },
      { misses: 1, loads: 1, loadErrors: 1 },
    );
    const { loadMs } = service.stats();
    expect(loadMs).toBeGreaterThan(0);
  });

  it('O1 a loader that ends after its time is over → one load, one error', async () => {
    const strict = await openCache(topology, { ...variant, loaderTimeout: 20 });
    const gate = new Gate();
    const load = strict.service.getOrSet('k', () => gate.pass());
    await expect(load).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    const { loadMs } = strict.service.stats();
    gate.open();
    await nextTurn();
    expect(strict.service.stats()).toMatchObject({ loads: 1, loadErrors: 1, loadMs });
  });

  it('O5 A7 a loader that is late, after loads of others → counted, and its signal heard, where it was called', async () => {
    const { service: strict } = await openCache(topology, { ...variant, loaderTimeout: 20 });
    const caller = new AsyncLocalStorage<string>();
    const by = <T>(name: string, call: () => Promise<T>): ReturnType<typeof strict.withStats<T>> =>
      caller.run(name, () => strict.withStats(call));
    await by('another', () => strict.getOrSet('other', () => 1));
    let heard: string | undefined;
    const { stats } = await by('its own', async () => {
      const load = strict.getOrSet('k', ({ signal }) => {
        signal.addEventListener('abort', () => (heard = caller.getStore()));
        return new Promise(() => undefined);
      });
      await expect(load).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    });
    expect(stats).toMatchObject({ loads: 1, loadErrors: 1 });
    expect(heard).toBe('its own');
  });

  it('A7 O1 loaders that end or fail in time → counted once, and their signals do not fire later', async () => {
    const strict = await openCache(topology, { ...variant, loaderTimeout: 500 });
    const signals: AbortSignal[] = [];
    const load = (key: string, end: () => unknown): Promise<unknown> =>
      strict.service.getOrSet(key, ({ signal }) => (signals.push(signal), end()));
    expect(await load('ended', () => 1)).toBe(1);
    await expect(load('failed', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    // Whose time is over after theirs.
    const late = load('late', () => new Promise(() => undefined));
    await expect(late).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, true]);
    expect(strict.service.stats()).toMatchObject({ loads: 3, loadErrors: 2 });
  });

  it('O1 O2 ten callers at once → ten misses, one load, nine waits', async () => {
    const gate = new Gate();
    await expectCounts(
      async () => {
        const callers = Array.from({ length: 10 }, () =>
          service.getOrSet('k', async () => (await gate.pass(), 1)),
        );
        await gate.arrived();
        await waitFor(() => service.stats().waits.process === 9);
        gate.open();
        expect(await Promise.all(callers)).toEqual(Array.from({ length: 10 }, () => 1));
      },
      { misses: 10, loads: 1, waits: { process: 9, cluster: 0 } },
    );
    expect(service.stats().waitMs).toBeGreaterThan(0);
  });

  it('O1 force and modes → bypassed, neither hit nor miss', async () => {
    await service.set('k', 1);
    await expectCounts(() => service.getOrSet('k', () => 2, { force: true }), {
      bypassed: 1,
      loads: 1,
    });
    await expectCounts(
      () =>
        service.run('refresh', async () => {
          await service.get('k');
          await service.getMany(['k', 'absent']);
          await service.getOrSet('k', () => 3);
        }),
      { bypassed: 4, loads: 1 },
    );
    await expectCounts(
      () =>
        service.run('bypass', async () => {
          await service.get('k');
          await service.getOrSet('k', () => 4);
          await service.set('k', 5);
        }),
      { bypassed: 2, loads: 1, refusedSets: 1 },
    );
  });

  it('O1 set, setMany, writeThrough → stored or refused, by value', async () => {
    await expectCounts(() => service.set('k', 1), { sets: 1 });
    await expectCounts(() => service.set('k', 1, { if: 'absent' }), { refusedSets: 1 });
    await expectCounts(
      () =>
        service.setMany([
          ['a', 1],
          ['b', 2],
        ]),
      { sets: 2 },
    );
    await expectCounts(() => service.writeThrough('k', () => 2), { sets: 1 });
    await expectCounts(() => service.writeThrough('k', (context) => (context.skip(), 2)), {});
    const refused = (): Promise<number> =>
      service.run('readonly', () => service.writeThrough('k', () => 2));
    await expectCounts(refused, { refusedSets: 1 });
  });

  it('O1 evict, evictTags, evictPattern, clear → by key, tag, match and call', async () => {
    await service.setMany([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]);
    await expectCounts(() => service.evict('a'), { evicts: 1 });
    await expectCounts(
      () =>
        service.evict([
          ['x', 1],
          ['x', 2],
        ]),
      { evicts: 2 },
    );
    await expectCounts(() => service.evictTags(['t', 'u']), { tagEvicts: 2 });
    await expectCounts(() => service.evictPattern('[bc]'), { evicts: 2 });
    await expectCounts(() => service.clear(), { clears: 1 });
  });

  it('O1 take → a hit or a miss', async () => {
    await service.set('k', 1);
    await expectCounts(() => service.take('k'), { hits: 1 });
    await expectCounts(() => service.take('k'), { misses: 1 });
    const validate = () => ({ issues: [{ message: 'no' }] });
    const schema = { '~standard': { version: 1, vendor: 'own', validate } } as const;
    await service.set('k', 1);
    const unfit = { misses: 1, undecodable: 1, errors: { take: 1 } };
    await expectCounts(() => service.take('k', { schema }), unfit);
  });

  it('O3 E8 a value in grace, served while it is refreshed → a miss, and stale served; one refresh', async () => {
    const options = { ttl: 1, grace: '1h', staleWhileRevalidate: true } as const;
    await service.getOrSet('k', () => 'old', options);
    // The clock of an entry counts whole milliseconds, that of a copy does not.
    await waitFor(async () => (await service.inspect('k'))!.state === 'stale');
    await waitFor(() => service.peek('k') === undefined);
    await expectCounts(
      async () => {
        const fresh = { ...options, ttl: '1h' };
        expect(await service.getOrSet('k', () => 'new', fresh)).toBe('old');
        await waitFor(async () => (await service.inspect('k'))!.state === 'fresh');
      },
      {
        misses: 1,
        staleServed: 1,
        loads: 1,
        refreshes: { triggered: 1, skipped: 0, dropped: 0, failed: 0 },
      },
    );
  });

  it('O1 increment → a set', async () => {
    await expectCounts(() => service.increment('n'), { sets: 1 });
  });

  it('O2 a load whose key is evicted meanwhile → a lost lease', async () => {
    const gate = new Gate();
    await expectCounts(
      async () => {
        const load = service.getOrSet('k', async () => (await gate.pass(), 1));
        await gate.arrived();
        await service.evict('k');
        gate.open();
        await load;
      },
      { misses: 1, loads: 1, evicts: 1, lostLeases: 1 },
    );
  });

  it('S5 S6 O1 what cannot be stored → counted by why', async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const large = 'x'.repeat(2 * 1024 * 1024);
    await expectCounts(() => service.getOrSet('a', () => circular), {
      misses: 1,
      loads: 1,
      unstorable: { unserialisable: 1, tooLarge: 0 },
      errors: { getOrSet: 1 },
    });
    await expectCounts(() => service.set('b', large).catch(() => undefined), {
      unstorable: { unserialisable: 0, tooLarge: 1 },
    });
  });

  it('O5 withStats — nested, at once, and afterwards → each counts its own', async () => {
    const inner: CacheCounts[] = [];
    const outer = await service.withStats(async () => {
      await service.get('one');
      inner.push(
        ...(await Promise.all(
          [1, 2].map(async (times) => {
            const { stats } = await service.withStats(async () => {
              for (let i = 0; i < times; i++) await service.get('two');
            });
            return stats;
          }),
        )),
      );
      return 'result';
    });
    await service.get('three');
    expect(inner.map(({ misses }) => misses)).toEqual([1, 2]);
    expect(outer).toMatchObject({ result: 'result', stats: { misses: 4 } });
    expect(service.stats().misses).toBe(5);
    await expect(service.withStats(() => Promise.reject(new Error('own')))).rejects.toThrow('own');
  });

  it('O1 namespaces → counted together; another cache → by itself', async () => {
    const other = await openCache(topology, variant);
    await service.namespace('users').get('k');
    expect([service.stats().misses, other.service.stats().misses]).toEqual([1, 0]);
    expect(service.namespace('users').stats()).toEqual(service.stats());
  });

  it('C1 O1 copies → entries and bytes as they are now', async () => {
    if (variant.l1 !== false) await waitFor(() => cache.listener.live);
    await service.set('k', 'x'.repeat(1_000));
    await service.get('k');
    const { l1 }: CacheStats = service.stats();
    const kept = variant.l1 === false ? 0 : 1;
    expect([l1.entries, Math.floor(l1.bytes / 1_000), l1.evictions]).toEqual([kept, kept, 0]);
    await service.evict('k');
    expect(service.stats().l1).toEqual({ entries: 0, bytes: 0, evictions: 0 });
  });

  it('C1 O1 more copies than there is room for → those that went are counted', async () => {
    const l1 = variant.l1 ?? { maxEntries: 5 };
    const { service, listener } = await openCache(topology, { ...variant, l1 });
    if (l1) await waitFor(() => listener.live);
    for (let i = 0; i < 20; i++) await service.getOrSet(`k${i}`, () => i);
    const { entries, evictions } = service.stats().l1;
    expect([entries, evictions]).toEqual(l1 ? [5, 15] : [0, 0]);
  });

  // In memory there is no other process.
  if (topology === 'memory') return;

  it('O2 a load that another process runs → one miss and one wait there, no load', async () => {
    const a = await openCache(topology, variant);
    const b = await openCache(topology, { ...variant, namespace: a.namespace });
    const gate = new Gate();
    const load = a.service.getOrSet('k', async () => (await gate.pass(), 1));
    await gate.arrived();
    const { stats } = await b.service.withStats(async () => {
      const waiting = b.service.getOrSet('k', () => 2);
      await waitFor(() => b.service.stats().waits.cluster === 1);
      gate.open();
      expect(await waiting).toBe(1);
    });
    await load;
    expect(stats).toMatchObject({ misses: 1, loads: 0, waits: { process: 0, cluster: 1 } });
    expect(stats.hits).toEqual({ memo: 0, l1: 0, redis: 0 });
    expect(stats.waitMs).toBeGreaterThan(0);
  });

  it('O2 a load whose key is evicted by another process meanwhile → a lost lease', async () => {
    const a = await openCache(topology, variant);
    const b = await openCache(topology, { ...variant, namespace: a.namespace });
    const gate = new Gate();
    const load = a.service.getOrSet('k', async () => (await gate.pass(), 1));
    await gate.arrived();
    await b.service.evict('k');
    gate.open();
    expect(await load).toBe(1);
    expect(a.service.stats().lostLeases).toBe(1);
  });

  it('O4 invalidations → published here, received there', async () => {
    const a = await openCache(topology, variant);
    const b = await openCache(topology, { ...variant, namespace: a.namespace });
    await waitFor(() => a.listener.live && b.listener.live);
    const { published } = a.service.stats().invalidations;
    const { received } = b.service.stats().invalidations;
    await a.service.evict('k');
    expect(a.service.stats().invalidations.published - published).toBe(1);
    await waitFor(() => b.service.stats().invalidations.received > received);
    expect(b.service.stats().invalidations.received - received).toBe(1);
  });
});
