import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheService } from '../../../lib/cache/cache.service.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { openCache } from '../../support/caches.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const KEYS = Array.from({ length: 60 }, (_, i) => `user:${i}`);

describe('while the list of shards is changed', () => {
  let servers: TestServer[];

  beforeAll(async () => {
    servers = await Promise.all([startServer(), startServer(), startServer()]);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  const shards = (which: readonly number[]) =>
    which.map((i) => ({ name: `shard-${i}`, url: servers[i]!.url }));

  /** Two processes in the middle of a roll-out: one has the list of before, one that of after. */
  async function both(before: number[], after: number[], options: Partial<RedisCacheOptions> = {}) {
    const [from, to] = [shards(before), shards(after)];
    const old = await openCache({ type: 'sharded', shards: from, previousShards: to }, options);
    const young = await openCache(
      { type: 'sharded', shards: to, previousShards: from },
      { ...options, namespace: old.namespace },
    );
    await waitFor(() => [...old.buses, ...young.buses].every(({ live }) => live));
    return { old, young };
  }

  const evicts: [string, (service: CacheService) => Promise<unknown>][] = [
    ['evict', (service) => service.evict(KEYS)],
    ['evictTags', (service) => service.evictTags('all')],
    ['clear', (service) => service.clear()],
    ['evictPattern', (service) => service.evictPattern('user:*')],
    ['withWrite', (service) => service.withWrite(KEYS, async () => undefined)],
  ];
  const changes: [string, number[], number[]][] = [
    ['grows', [0, 1], [0, 1, 2]],
    ['shrinks', [0, 1, 2], [0, 1]],
    ['grows from one', [0], [0, 1]],
    ['is another', [0], [1, 2]],
  ];
  const cases = changes.flatMap(([change, before, after]) =>
    evicts.map(([name, evict]) => ({ change, before, after, name, evict })),
  );

  it.each(cases)('T2 it $change → $name by either is one for both', async (test) => {
    const { old, young } = await both(test.before, test.after);
    for (const [evicting, reading] of [
      [old, young],
      [young, old],
    ] as const) {
      // Each alone has the entries now, and copies of them.
      for (const key of KEYS) await reading.service.getOrSet(key, () => 'old', { tags: ['all'] });
      await test.evict(evicting.service);
      await expectNothing(evicting.service);
      // In the other process copies go when it hears of it.
      await waitFor(() => expectNothing(reading.service).then(() => true), { timeoutMs: 1_000 });
    }
  });

  it.each(changes)(
    'T2 it %s → what one sets, the other has, or loads',
    async (_, before, after) => {
      const { old, young } = await both(before, after);
      for (const [setting, reading] of [
        [old, young],
        [young, old],
      ] as const) {
        for (const key of KEYS) await reading.service.getOrSet(key, () => 'old');
        for (const key of KEYS) await setting.service.set(key, 'new');
        await waitFor(
          async () => ![...(await reading.service.getMany(KEYS)).values()].includes('old'),
          { timeoutMs: 1_000 },
        );
        await reading.service.evict(KEYS);
      }
    },
  );

  it('T2 keys that stay → are hits for both, those that move → loaded once by each', async () => {
    const { old, young } = await both([0, 1], [0, 1, 2], { l1: false });
    for (const key of KEYS) await old.service.set(key, 'old');
    const loader = jest.fn(() => 'loaded');
    for (const key of KEYS) await young.service.getOrSet(key, loader);
    const client = new Redis(servers[2]!.url);
    const moved = await client.exists(...KEYS.map((key) => `${old.namespace}:k${key}`));
    client.disconnect();
    expect(loader).toHaveBeenCalledTimes(moved);
    expect(moved).toBeGreaterThan(5);
    expect(moved).toBeLessThan(KEYS.length * 0.6);
    expect((await old.service.getMany(KEYS)).size).toBe(KEYS.length);
  });

  it.each(changes)(
    'T2 G3 it %s → keys lists what get finds, each once',
    async (_, before, after) => {
      const { old, young } = await both(before, after, { l1: false });
      for (const key of KEYS) await old.service.set(key, 'old');
      for (const key of KEYS.slice(30)) await young.service.getOrSet(key, () => 'loaded');
      const alone = await openCache(
        { type: 'sharded', shards: shards(after) },
        { l1: false, namespace: old.namespace },
      );
      for (const { service } of [old, young, alone]) {
        const hits = await service.getMany(KEYS);
        const found = KEYS.filter((key) => hits.has(key));
        expect((await listed(service)).toSorted()).toEqual(found.toSorted());
      }
      await young.service.evictPattern('user:*');
      await expectNothing(old.service);
    },
  );

  describe('T2 going back to the list of before, within the ttl', () => {
    const [before, after] = [[0], [1, 2]] as const;

    /** What was stored under the list of before, and was changed under the one after. */
    async function changedMeanwhile(): Promise<string> {
      const old = await openCache({ type: 'sharded', shards: shards(before) });
      const { namespace } = old;
      for (const key of KEYS) await old.service.set(key, 'old');
      const young = await openCache({ type: 'sharded', shards: shards(after) }, { namespace });
      for (const key of KEYS) await young.service.getOrSet(key, () => 'old');
      await young.service.evict(KEYS);
      return namespace;
    }

    /** How many of the old values those find who have the list of before again. */
    async function foundAgain(namespace: string): Promise<number> {
      const topology = {
        type: 'sharded',
        shards: shards(before),
        previousShards: shards(after),
      } as const;
      const { service } = await openCache(topology, { namespace });
      return (await service.getMany(KEYS)).size;
    }

    it('without a clear → what was evicted meanwhile is there again', async () => {
      expect(await foundAgain(await changedMeanwhile())).toBe(KEYS.length);
    });

    it('cleared while evicts reach both → nothing is', async () => {
      const namespace = await changedMeanwhile();
      const topology = {
        type: 'sharded',
        shards: shards(after),
        previousShards: shards(before),
      } as const;
      const { service } = await openCache(topology, { namespace });
      await service.clear();
      expect(await foundAgain(namespace)).toBe(0);
    });
  });
});

async function listed(service: CacheService): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of service.keys()) keys.push(key);
  return keys;
}

async function expectNothing(service: CacheService): Promise<void> {
  expect((await service.getMany(KEYS)).size).toBe(0);
}
