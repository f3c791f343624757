import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheService } from '../../../lib/cache/cache.service.js';
import type { CacheEvictError } from '../../../lib/common/errors.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { openCache, type TestCache } from '../../support/caches.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const KEYS = Array.from({ length: 60 }, (_, i) => `user:${i}`);

describe('a sharded cache', () => {
  let servers: TestServer[];
  let raw: Redis[];

  beforeAll(async () => {
    servers = await Promise.all([startServer(), startServer(), startServer()]);
    raw = servers.map(({ url }) => {
      const client = new Redis(url, {
        retryStrategy: () => 20,
        maxRetriesPerRequest: null,
        disconnectTimeout: 10,
      });
      client.on('error', () => undefined);
      return client;
    });
  });
  afterAll(async () => {
    for (const client of raw) client.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  });

  const shards = (...which: number[]) =>
    which.map((i) => ({ name: `shard-${i}`, url: servers[i]!.url }));

  const open = (options: Partial<RedisCacheOptions> = {}): Promise<TestCache> =>
    openCache({ type: 'sharded', shards: shards(0, 1, 2) }, options);

  /** Which servers hold the entry of a key. */
  async function holders({ namespace }: TestCache, key: string): Promise<number[]> {
    const found = await Promise.all(raw.map((client) => client.exists(`${namespace}:k${key}`)));
    return found.flatMap((exists, i) => (exists ? [i] : []));
  }

  /** Keys by the server that holds their entries. */
  async function byHolder(cache: TestCache, keys: readonly string[] = KEYS): Promise<string[][]> {
    const found = await Promise.all(keys.map((key) => holders(cache, key)));
    return servers.map((_, i) => keys.filter((__, at) => found[at]!.includes(i)));
  }

  const setAll = (service: CacheService): Promise<void> =>
    service.setMany(KEYS.map((key) => [key, key] as const));

  it('T2 every key → on one server, each server has some, all are read', async () => {
    const cache = await open({ l1: false });
    await setAll(cache.service);
    const held = await byHolder(cache);
    expect(held.flat().sort()).toEqual([...KEYS].sort());
    for (const keys of held) expect(keys.length).toBeGreaterThan(5);
    expect([...(await cache.service.getMany(KEYS)).values()]).toEqual(KEYS);
  });

  it('T4 M6 equal hash tags → one server, and one command for all of them', async () => {
    const { service } = await open({ l1: false });
    const keys = Array.from({ length: 30 }, (_, i) => `{user}:${i}`);
    await service.setMany(keys.map((key) => [key, 1] as const));
    await Promise.all(raw.map((client) => client.config('RESETSTAT')));
    expect((await service.getMany(keys)).size).toBe(30);
    const reads = await Promise.all(raw.map(readsOf));
    expect(reads.toSorted((a, b) => a - b)).toEqual([0, 0, 1]);
  });

  it('M6 getMany over all servers → one read at each', async () => {
    const { service } = await open({ l1: false });
    await setAll(service);
    await Promise.all(raw.map((client) => client.config('RESETSTAT')));
    expect((await service.getMany(KEYS)).size).toBe(KEYS.length);
    expect(await Promise.all(raw.map(readsOf))).toEqual([1, 1, 1]);
  });

  it('evict of many, tags, clear, keys, evictPattern → on all servers', async () => {
    const { service } = await open();
    const load = (): Promise<unknown> =>
      Promise.all(KEYS.map((key) => service.getOrSet(key, () => 1, { tags: ['all'] })));
    const left = async (): Promise<number> => (await service.getMany(KEYS)).size;
    const listed: string[] = [];
    await load();
    for await (const key of service.keys('user:*')) listed.push(key);
    expect(listed.sort()).toEqual([...KEYS].sort());
    expect(await service.evict(KEYS)).toBe(KEYS.length);
    await load();
    expect(await left()).toBe(KEYS.length);
    await service.evictTags('all');
    expect(await left()).toBe(0);
    await load();
    await service.clear();
    expect(await left()).toBe(0);
    await load();
    expect(await service.evictPattern('user:?')).toBe(10);
    expect(await left()).toBe(KEYS.length - 10);
  });

  it('another process evicts → copies go, whatever server tells of it', async () => {
    const one = await open();
    const two = await open({ namespace: one.namespace });
    await waitFor(() => [...one.buses, ...two.buses].every(({ live }) => live));
    for (const key of KEYS) await one.service.getOrSet(key, () => 'old');
    expect(await two.service.getOrSet(KEYS[0]!, () => 'new')).toBe('old');
    await two.service.evict(KEYS);
    await waitFor(async () => (await one.service.getMany(KEYS)).size === 0);
    for (const key of KEYS) await one.service.getOrSet(key, () => 'new', { tags: ['t'] });
    await two.service.evictTags('t');
    await waitFor(async () => (await one.service.getMany(KEYS)).size === 0);
  });

  describe('one server fails', () => {
    let cache: TestCache;
    let service: CacheService;
    let lost: string[];
    let kept: string[];

    beforeEach(async () => {
      cache = await open({ l1: false });
      service = cache.service;
      await setAll(service);
      const held = await byHolder(cache);
      lost = held[1]!;
      kept = [...held[0]!, ...held[2]!];
    });

    afterEach(async () => {
      await servers[1]!.restart();
      await waitFor(() => cache.engine.pending().journal === 0);
    });

    const back = (): Promise<boolean> => waitFor(() => service.set(lost[0]!, 'back'));

    it('R1 R4 killed → its keys are loaded and not stored elsewhere, the others are hits', async () => {
      await servers[1]!.kill();
      const loader = jest.fn(() => 'loaded');
      for (const key of kept) expect(await service.getOrSet(key, loader)).toBe(key);
      expect(loader).not.toHaveBeenCalled();
      for (const key of lost) expect(await service.getOrSet(key, loader)).toBe('loaded');
      expect(loader).toHaveBeenCalledTimes(lost.length);
      expect(await service.get(lost[0]!)).toBeUndefined();
      for (const client of [raw[0]!, raw[2]!])
        expect(await client.exists(...lost.map((key) => `${cache.namespace}:k${key}`))).toBe(0);
      await servers[1]!.restart();
      await back();
      expect(await holders(cache, lost[0]!)).toEqual([1]);
    });

    it('M7 getMany, one killed → the hits of the others, in order', async () => {
      await servers[1]!.kill();
      const found = await service.getMany(KEYS);
      expect([...found.keys()]).toEqual(KEYS.filter((key) => kept.includes(key)));
      await servers[1]!.restart();
      await back();
    });

    it('R7 frozen → reads of its keys end at their deadline, others are not held up', async () => {
      await servers[1]!.pause();
      const begin = performance.now();
      const slow = service.getOrSet(lost[0]!, () => 'loaded');
      for (const key of kept.slice(0, 10)) expect(await service.get(key)).toBe(key);
      expect(performance.now() - begin).toBeLessThan(250);
      expect(await slow).toBe('loaded');
      expect(performance.now() - begin).toBeLessThan(900);
      await servers[1]!.resume();
      await back();
    });

    it('evict of many, one killed → CacheEvictError with its keys, the others are gone', async () => {
      await servers[1]!.kill();
      const error = (await service
        .evict(KEYS)
        .catch((reason: unknown) => reason)) as CacheEvictError;
      expect(error.code).toBe('ERR_CACHE_EVICT');
      // The list may be meant as one key, which is somewhere as well.
      const failed = error.failed.filter((key) => typeof key === 'string');
      expect(failed).toEqual(KEYS.filter((key) => lost.includes(key)));
      for (const client of [raw[0]!, raw[2]!])
        expect(await client.exists(...kept.map((key) => `${cache.namespace}:k${key}`))).toBe(0);
      expect(cache.engine.pending().journal).toBe(error.failed.length);
      await servers[1]!.restart();
      await waitFor(() => cache.engine.pending().journal === 0);
    });

    it('evict, one partitioned away and back with what it had → nobody here reads the old value', async () => {
      await servers[1]!.pause();
      await expect(service.evict(lost)).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
      expect(await service.getOrSet(lost[0]!, () => 'new')).toBe('new');
      await servers[1]!.resume();
      expect(await service.get(lost[0]!)).not.toBe(lost[0]!);
      await waitFor(() => cache.engine.pending().journal === 0);
      for (const key of lost) expect(await service.get(key)).toBeUndefined();
    });

    it('evictTags, clear, one killed → CacheEvictError, repeated until done everywhere', async () => {
      await servers[1]!.kill();
      for (const call of [() => service.evictTags('t'), () => service.clear()])
        await expect(call()).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
      await servers[1]!.restart();
      await waitFor(() => cache.engine.pending().journal === 0);
      expect((await service.getMany(KEYS)).size).toBe(0);
    });

    it('locks → those of the others work, those of it fail', async () => {
      await servers[1]!.kill();
      const results = await Promise.allSettled(
        KEYS.map((name) => cache.locks.withLock(name, async () => name)),
      );
      const failed = results.filter(({ status }) => status === 'rejected');
      expect(failed.length).toBeGreaterThan(5);
      expect(failed.length).toBeLessThan(KEYS.length * 0.6);
      for (const { reason } of failed as PromiseRejectedResult[])
        expect(reason.code).toMatch(/^ERR_CACHE_(CONNECTION|TIMEOUT)$/);
      await servers[1]!.restart();
      await back();
    });

    it('T10 down from the start → the others are used', async () => {
      await servers[1]!.kill();
      const begin = performance.now();
      const late = await open({ namespace: cache.namespace });
      expect(performance.now() - begin).toBeLessThan(1_000);
      expect(await late.service.get(kept[0]!)).toBe(kept[0]!);
      expect(await late.service.get(lost[0]!)).toBeUndefined();
      await servers[1]!.restart();
      await waitFor(() => late.service.set(lost[0]!, 1));
    });
  });
});

async function readsOf(client: Redis): Promise<number> {
  const stats = await client.info('commandstats');
  const calls = [...stats.matchAll(/^cmdstat_m?get:calls=(\d+)/gm)].map(([, count]) =>
    Number(count),
  );
  return calls.reduce((sum, count) => sum + count, 0);
}
