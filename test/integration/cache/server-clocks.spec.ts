import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { openCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import { shardUrls } from '../../support/shards.js';
import { waitFor } from '../../support/wait-for.js';

it('a shard whose clock is ahead of ours → its entries, and no others, are as old as it says', async () => {
  const cache = await openCache('sharded', { l1: false, ttl: '1m', grace: '1h' });
  const { service, engine, buses } = cache;
  const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
  await service.setMany(keys.map((key) => [key, 'v'] as const));
  // Measured once a second, and by then different again.
  Object.defineProperty(buses[1]!, 'serverOffsetMs', { get: () => 120_000, set: () => {} });

  const shard = new Redis((await shardUrls())[1]!);
  const isThere = async (key: string): Promise<boolean> =>
    (await shard.exists(engine.keySpace().entry(key).redisKey)) === 1;
  const isStale = async (key: string): Promise<boolean> => (await service.inspect(key))!.ttl === 0;
  const there = await Promise.all(keys.map(isThere));
  shard.disconnect();
  expect(await Promise.all(keys.map(isStale))).toEqual(there);
  expect(new Set(there).size).toBe(2);

  const read = async (key: string): Promise<boolean> =>
    (await service.getOrSet(key, () => 'new')) === 'new';
  expect(await Promise.all(keys.map(read))).toEqual(there);
});

it.each([600_000, -600_000])(
  'E8 a server far away, and a clock here that is off by %d ms → lives go by the clock of the server',
  async (offMs) => {
    const proxy = await FaultProxy.start(process.env.TEST_REDIS_URL!);
    proxy.set({ delayMs: 60 });
    const clock = { ...systemClock, now: () => Date.now() + offMs };
    const cache = await openCache(
      { type: 'single', url: proxy.url },
      { grace: '1m', l1: false },
      { clock },
    );
    const parts = cache.engine.parts;
    await waitFor(() => Math.abs(parts.serverOffsetMs('k') + offMs) < 1_000);
    let loads = 0;
    const load = (): Promise<number> => cache.service.getOrSet('k', () => ++loads, { ttl: 2_000 });
    expect([await load(), await load()]).toEqual([1, 1]);
    await waitFor(async () => (await cache.service.get('k')) === undefined);
    await cache.close();
    await proxy.close();
  },
);
