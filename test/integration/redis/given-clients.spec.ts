import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { sharedCluster } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';

type Client = Redis | Cluster;

const BYTES = Buffer.from([...Array(256).keys()]);

const URL = (): string => process.env.TEST_REDIS_URL!;

/** An application may have another copy of ioredis than this package, and of another version. */
const redis5 = (options: RedisOptions = {}): Redis =>
  new Redis5(URL(), options as object) as unknown as Redis;
const redis6 = (options: RedisOptions = {}): Redis => new Redis(URL(), options);

const given: Client[] = [];
afterEach(() => given.splice(0).forEach((client) => client.disconnect()));

async function open(make: () => Client, namespace: string): Promise<TestCache> {
  const client = make();
  given.push(client);
  const type = client.isCluster ? 'cluster' : 'single';
  const topology = { type, client } as unknown as RedisCacheOptions['topology'];
  return openCache(topology, { namespace });
}

describe('a client of the application', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'a function that gives null'],
    ['a promise', Promise.resolve(), 'a function that gives a promise'],
    ['a number', 7, 'a function that gives a value of type number'],
  ])('T6 a function that gives %s → CacheOptionsError', async (_, made, what) => {
    for (const type of ['single', 'cluster'] as const) {
      const topology = { type, client: () => made } as unknown as RedisCacheOptions['topology'];
      await expect(openCache(topology)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
        problems: [{ path: 'topology.client', given: what }],
      });
    }
  });

  it('T6 one client of twelve caches → no warning of a leak, and no listener is left', async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    const client = redis6();
    const before = client.eventNames().map((name) => client.listenerCount(name));
    const caches: TestCache[] = [];
    for (let i = 0; i < 12; i++) caches.push(await open(() => client, `many-${i}`));
    for (const cache of caches) await cache.close();
    // Node warns in the next tick.
    await new Promise(setImmediate);
    process.off('warning', hear);
    expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
    expect(client.eventNames().map((name) => client.listenerCount(name))).toEqual(before);
    expect(client.getMaxListeners()).toBe(10);
  });

  it.each<[string, () => Promise<() => Client>]>([
    ['of ioredis 6', async () => redis6],
    ['of ioredis 5', async () => redis5],
    [
      'of ioredis 6, with auto-pipelining',
      async () => () => redis6({ enableAutoPipelining: true }),
    ],
    [
      'of ioredis 5, with auto-pipelining',
      async () => () => redis5({ enableAutoPipelining: true }),
    ],
    ['with friendly stacks', async () => () => redis6({ showFriendlyErrorStack: true })],
    ['that gives numbers as text', async () => () => redis6({ stringNumbers: true })],
    [
      'a Cluster of ioredis 6',
      async () => {
        const nodes = [...(await sharedCluster())];
        return () => new Cluster(nodes);
      },
    ],
    [
      'a Cluster of ioredis 5',
      async () => {
        const nodes = [...(await sharedCluster())];
        return () => new Cluster5(nodes) as unknown as Cluster;
      },
    ],
  ])('T6 %s → does all that a cache of its own does', async (_, prepare) => {
    const make = await prepare();
    const namespace = `t${randomBytes(6).toString('hex')}`;
    const [cache, other] = [await open(make, namespace), await open(make, namespace)];
    const { service } = cache;
    await waitFor(() => [...cache.buses, ...other.buses].every((bus) => bus.live));
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
    await service.setMany(keys.map((key, i) => [key, { i }]));
    const found = await Promise.all(keys.map((key) => other.service.get(key)));
    expect(found).toEqual(keys.map((_, i) => ({ i })));
    expect(await service.get('alone')).toBeUndefined();
    const load = (): Promise<unknown> => service.getOrSet('bytes', () => BYTES, { tags: ['t'] });
    expect(await load()).toEqual(BYTES);
    expect(await other.service.get('bytes')).toEqual(BYTES);
    await service.evictTags('t');
    expect(await service.get('bytes')).toBeUndefined();
    await service.evict('key 0');
    await waitFor(async () => (await other.service.get('key 0')) === undefined);
    expect(await service.increment('count', 2)).toBe(2);
    expect([...cache.errors, ...other.errors]).toEqual([]);
  });
});
