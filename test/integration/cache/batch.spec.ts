import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheBatchError, CacheEvictError } from '../../../lib/common/errors.js';
import type { Key } from '../../../lib/keys/encode-key.js';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { TestCluster } from '../../support/cluster.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const KEYS = Array.from({ length: 1_000 }, (_, i) => `key-${i}`);
const rowsOf = (keys: readonly Key[]): [Key, string][] =>
  keys.map((key) => [key, `row ${String(key)}`]);

/** How often a server has run each command since its statistics were reset. */
async function callsAt(admin: Redis): Promise<Record<string, number>> {
  const stats = await admin.info('commandstats');
  const found = stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g);
  return Object.fromEntries([...found].map(([, name, calls]) => [name!, Number(calls)]));
}

describe('batches and their commands', () => {
  let server: TestServer;
  let admin: Redis;

  beforeAll(async () => {
    server = await startServer();
    admin = new Redis(server.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  it('M2 M3 no keys → no command', async () => {
    const { service } = await openCache({ type: 'single', url: server.url }, { l1: false });
    await admin.config('RESETSTAT');
    await service.setMany([]);
    await service.evict([]);
    await service.getMany([]);
    await service.getOrSetMany([], rowsOf);
    await service.writeThroughMany([], () => []);
    const { get, mget, evalsha, eval: text } = await callsAt(admin);
    expect({ get, mget, evalsha, text }).toEqual({});
  });

  it('M1 M4 1000 missing keys → two MGETs, and 32 acquisitions, or fills, in a command', async () => {
    // No lease is renewed meanwhile, however slow the machine is.
    const options = { l1: false, lease: { ttl: '1m' } } as const;
    const { service } = await openCache({ type: 'single', url: server.url }, options);
    await service.getOrSet('scripts are known', () => 1);
    await admin.config('RESETSTAT');
    expect((await service.getOrSetMany(KEYS, rowsOf)).size).toBe(1_000);
    const { mget, evalsha, eval: text } = await callsAt(admin);
    expect({ mget, evalsha, text }).toEqual({ mget: 2, evalsha: 2 * Math.ceil(1_000 / 32) });
    await admin.config('RESETSTAT');
    expect((await service.getMany(KEYS)).size).toBe(1_000);
    expect((await callsAt(admin)).mget).toBe(2);
  });

  it('M3 W3 11 500 keys, more than are sent and wait at a time → all are evicted, and barred', async () => {
    const { service, errors } = await openCache({ type: 'single', url: server.url }, { l1: false });
    const keys = Array.from({ length: 11_500 }, (_, i) => `many-${i}`);
    await service.setMany(keys.map((key) => [key, 1] as const));
    expect(await service.evict(keys)).toBe(11_500);
    await service.withWrite(keys, async () => undefined);
    expect(errors.filter(({ operation }) => operation !== 'heartbeat')).toEqual([]);
  }, 120_000);

  describe('200 ms away', () => {
    const RTT_MS = 200;
    let proxy: FaultProxy;
    let cache: TestCache;

    beforeAll(async () => {
      proxy = await FaultProxy.start(server.url);
    });
    afterAll(() => proxy.close());
    beforeEach(async () => {
      proxy.set('pass');
      const timeouts = { read: 5_000, write: 5_000 };
      cache = await openCache({ type: 'single', url: proxy.url }, { l1: false, timeouts });
      // Scripts and tag table are there.
      await cache.service.getOrSetMany(['warm', 'up'], rowsOf);
      await cache.service.set('warm', 1);
      proxy.set({ delayMs: RTT_MS });
    });

    /** How many round trips this process has spent waiting: what it worked meanwhile depends on the machine. */
    async function tripsOf(call: () => Promise<unknown>): Promise<number> {
      const before = performance.eventLoopUtilization();
      await call();
      return performance.eventLoopUtilization(before).idle / RTT_MS;
    }

    it('M1 getMany of 1000 → one round trip', async () => {
      expect(await tripsOf(() => cache.service.getMany(KEYS))).toBeLessThan(1.5);
    });

    it('M1 getMany of 1000 with tags of their own, one of which was evicted → two round trips: entries, then their tags', async () => {
      proxy.set('pass');
      await cache.service.setMany(KEYS.map((key, i) => [key, i, { tags: [key] }] as const));
      await cache.service.evictTags('key-7');
      proxy.set({ delayMs: RTT_MS });
      const found = new Map<Key, number>();
      const trips = await tripsOf(async () => {
        for (const [key, value] of await cache.service.getMany<number>(KEYS)) found.set(key, value);
      });
      expect([found.size, found.has('key-7'), found.get('key-8')]).toEqual([999, false, 8]);
      expect(trips).toBeLessThan(2.5);
    });

    it('M4 getOrSetMany of 1000 missing → three round trips: read, acquire, fill', async () => {
      expect(await tripsOf(() => cache.service.getOrSetMany(KEYS, rowsOf))).toBeLessThan(3.5);
    });

    it('M2 setMany of 1000 → two round trips at most: the tag clock, and the writes', async () => {
      const entries = KEYS.map((key, i) => [key, i] as const);
      expect(await tripsOf(() => cache.service.setMany(entries))).toBeLessThan(2.5);
    });

    it('M3 evict of 1000 → two round trips at most: there are slots for 999 at a time', async () => {
      expect(await tripsOf(() => cache.service.evict(KEYS))).toBeLessThan(2.5);
    });

    it('W3 writeThroughMany of 500 → three round trips: the tag clock, and a barrier put up and taken down', async () => {
      const keys = KEYS.slice(0, 500);
      const write = (): Promise<unknown> =>
        cache.service.writeThroughMany(keys, () => rowsOf(keys));
      expect(await tripsOf(write)).toBeLessThan(3.5);
    });
  });

  it('2000 missing keys → the event loop goes on turning', async () => {
    const { service } = await openCache({ type: 'single', url: server.url }, { l1: false });
    const keys = Array.from({ length: 2_000 }, (_, i) => `many-${i}`);
    let turns = 0;
    let isOver = false;
    const counting = (async () => {
      while (!isOver) {
        await nextTurn();
        turns++;
      }
    })();
    expect((await service.getOrSetMany(keys, rowsOf)).size).toBe(2_000);
    isOver = true;
    await counting;
    // Slices of 128 keys, on the way to Redis and back.
    expect(turns).toBeGreaterThan(2 * 15);
  });

  it('R4 M4 Redis is down → the loader runs once for all missing keys, and what it gives is returned', async () => {
    const proxy = await FaultProxy.start(server.url);
    const { service, errors } = await openCache({ type: 'single', url: proxy.url });
    proxy.set('reset');
    const loader = jest.fn(async (missing: Key[]) => rowsOf(missing));
    const values = await service.getOrSetMany(KEYS, loader);
    expect([...values]).toEqual(rowsOf(KEYS));
    expect(loader.mock.calls.map(([keys]) => keys.length)).toEqual([1_000]);
    // Said once for the call, not for each key.
    expect(errors.filter(({ operation }) => operation === 'getOrSetMany')).toHaveLength(1);
    await proxy.close();
  });
});

describe('M6 batches on a cluster', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.start({ replicas: 0 });
  }, 60_000);
  afterAll(() => cluster.stop());

  it('M6 getMany — keys with one hash tag → one command; others → one for each slot', async () => {
    const { service, engine } = await openCache(
      { type: 'cluster', nodes: [...cluster.seeds] },
      { l1: false },
    );
    const together = Array.from({ length: 100 }, (_, i) => `{user:7}:${i}`);
    await service.setMany(together.map((key, i) => [key, i]));
    const calls = async (...commands: string[]): Promise<number> => {
      const stats = await Promise.all(cluster.nodes.map(({ admin }) => callsAt(admin)));
      return stats
        .flatMap((of) => commands.map((name) => of[name] ?? 0))
        .reduce((a, b) => a + b, 0);
    };
    const reset = (): Promise<unknown> =>
      Promise.all(cluster.nodes.map(({ admin }) => admin.config('RESETSTAT')));
    await reset();
    expect((await service.getMany(together)).size).toBe(100);
    expect(await calls('mget', 'get')).toBe(1);
    await reset();
    expect(await service.getMany(KEYS)).toEqual(new Map());
    const slots = new Set(KEYS.map((key) => hashSlot(engine.keySpace().entry(key).redisKey)));
    expect(await calls('mget', 'get')).toBe(slots.size);
  });
});

describe('M7 M8 batches, one of two shards is dead', () => {
  let servers: TestServer[];
  let proxy: FaultProxy;

  beforeAll(async () => {
    servers = await Promise.all([startServer(), startServer()]);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));
  beforeEach(async () => {
    proxy = await FaultProxy.start(servers[1]!.url);
  });

  /** A cache with 40 entries, and then one shard gone; `dead` and `live`: the keys on either, in order. */
  async function openHalf(options: Partial<RedisCacheOptions> = {}) {
    const shards = [
      { name: 'one', url: servers[0]!.url },
      { name: 'two', url: proxy.url },
    ];
    const cache = await openCache({ type: 'sharded', shards }, { l1: false, ...options });
    const keys = KEYS.slice(0, 40);
    await cache.service.setMany(keys.map((key) => [key, `value of ${key}`]));
    const raw = new Redis(servers[0]!.url);
    const there = await Promise.all(keys.map((key) => raw.exists(`${cache.namespace}:k${key}`)));
    raw.disconnect();
    proxy.set('reset');
    const live = keys.filter((_, i) => there[i]);
    const dead = keys.filter((_, i) => !there[i]);
    expect(Math.min(live.length, dead.length)).toBeGreaterThan(5);
    return { cache, service: cache.service, keys, live, dead };
  }

  /** The shard is back, and what had to be evicted there is. */
  async function recovered(cache: TestCache): Promise<void> {
    proxy.set('pass');
    await waitFor(() => cache.engine.pending().journal === 0, { timeoutMs: 10_000 });
  }

  const failureOf = async <E>(call: Promise<unknown>): Promise<E> =>
    call.then(
      () => Promise.reject(new Error('It did not fail')),
      (error: unknown) => error as E,
    );

  it('M7 getMany, open → the hits of the live shard, in order; reported once', async () => {
    const { cache, service, keys, live } = await openHalf();
    expect([...(await service.getMany(keys)).keys()]).toEqual(live);
    expect(cache.errors.filter(({ operation }) => operation === 'getMany')).toHaveLength(1);
    await proxy.close();
  });

  it('M8 getMany, strict → which keys have failed and which not, in the order given, each with its cause', async () => {
    const { service, keys, live, dead } = await openHalf({ failure: 'strict' });
    const error = await failureOf<CacheBatchError>(service.getMany(keys));
    expect(error).toMatchObject({ name: 'CacheBatchError', code: 'ERR_CACHE_CONNECTION' });
    expect(error.failed.map(({ key }) => key)).toEqual(dead);
    expect(error.succeeded).toEqual(live);
    for (const { cause } of error.failed)
      expect(cause).toHaveProperty('code', expect.stringMatching(/^ERR_CACHE_/));
    expect(error.message).toMatch(/^getMany failed for \d+ of 40 keys; the first: .*two/);
    expect(error.message).not.toContain('key-');
    await proxy.close();
  });

  it('M8 setMany → open: the live shard’s are stored, reported once; strict: which are not', async () => {
    const { cache, service, keys, live } = await openHalf();
    const entries = keys.map((key) => [key, 'new'] as const);
    await service.setMany(entries);
    expect([...(await service.getMany(keys))]).toEqual(live.map((key) => [key, 'new']));
    expect(cache.errors.filter(({ operation }) => operation === 'setMany')).toHaveLength(1);
    proxy.set('pass');
    const strict = await openHalf({ failure: 'strict' });
    const error = await failureOf<CacheBatchError>(strict.service.setMany(entries));
    expect(error.failed.map(({ key }) => key)).toEqual(strict.dead);
    expect(error.succeeded).toEqual(strict.live);
    await proxy.close();
  });

  it('M8 evict → the keys that are not evicted, in the order given; the others are', async () => {
    const { cache, service, keys, live, dead } = await openHalf();
    const error = await failureOf<CacheEvictError>(service.evict(keys));
    expect(error.failed.filter((key) => typeof key === 'string')).toEqual(dead);
    expect(await service.getMany(live)).toEqual(new Map());
    await recovered(cache);
    expect(await service.getMany(keys)).toEqual(new Map());
    await proxy.close();
  });

  it('M4 M7 getOrSetMany, open → one call of the loader for the dead shard’s keys; strict → CacheBatchError, no load', async () => {
    const { service, keys, dead } = await openHalf();
    const loader = jest.fn(async (missing: Key[]) => rowsOf(missing));
    const values = await service.getOrSetMany<string>(keys, loader);
    expect(loader.mock.calls.map(([asked]) => asked)).toEqual([dead]);
    for (const key of keys)
      expect(values.get(key)).toBe(dead.includes(key) ? `row ${key}` : `value of ${key}`);
    proxy.set('pass');
    const strict = await openHalf({ failure: 'strict' });
    loader.mockClear();
    const error = await failureOf<CacheBatchError>(
      strict.service.getOrSetMany<string>(keys, loader),
    );
    expect(error.failed.map(({ key }) => key)).toEqual(strict.dead);
    expect(loader).not.toHaveBeenCalled();
    await proxy.close();
  });

  it('W3 writeThroughMany, open → written, and the dead shard’s keys in a CacheEvictError that has the result', async () => {
    const { cache, service, keys, live, dead } = await openHalf();
    const error = await failureOf<CacheEvictError>(
      service.writeThroughMany(keys, () => rowsOf(keys)),
    );
    expect(error.name).toBe('CacheEvictError');
    expect(new Set(error.failed)).toEqual(new Set(dead));
    expect([...(error.result as Map<Key, string>)]).toEqual(rowsOf(keys));
    expect([...(await service.getMany(live))]).toEqual(rowsOf(live));
    await recovered(cache);
    await proxy.close();
  });

  it('W3 writeThroughMany, open — keys in no order, of which one is left out → failed in the order given, result without it', async () => {
    const { cache, service, keys, dead } = await openHalf();
    const given = keys.toReversed();
    const written = given.slice(1);
    const error = await failureOf<CacheEvictError>(
      service.writeThroughMany(given, () => rowsOf(written)),
    );
    expect(error.failed).toEqual(given.filter((key) => dead.includes(key)));
    expect([...(error.result as Map<Key, string>)]).toEqual(rowsOf(written));
    await recovered(cache);
    await proxy.close();
  });
});
