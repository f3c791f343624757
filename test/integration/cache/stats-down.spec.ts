import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheService } from '../../../lib/cache/cache.service.js';
import { openCache, plainClient, type TestCache } from '../../support/caches.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

describe('stats while Redis fails', () => {
  let server: TestServer;
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    server = await startServer();
    cache = await openCache({ type: 'single', url: server.url });
    ({ service } = cache);
  });

  afterEach(() => server.stop());

  it('O1 R1 calls without Redis → degraded, one each; errors by operation, as onError hears them', async () => {
    await server.kill();
    const { stats } = await service.withStats(async () => {
      await service.get('k');
      await service.has('k');
      await service.ttl('k');
      await service.take('k');
      await service.touch('k', '1m');
      await service.getMany(['k', 'l']);
      await service.getOrSet('k', () => 'loaded');
      await service.set('k', 1);
      await service.setMany([
        ['k', 1],
        ['l', 2],
      ]);
    });
    expect(stats).toMatchObject({
      hits: { memo: 0, l1: 0, redis: 0 },
      misses: 5,
      loads: 1,
      sets: 0,
      refusedSets: 0,
      degraded: 11,
    });
    const heard: Record<string, number> = {};
    for (const { operation } of cache.errors) heard[operation] = (heard[operation] ?? 0) + 1;
    expect(service.stats().errors).toEqual(heard);
    expect(Object.keys(stats.errors)).toEqual(
      expect.arrayContaining(['get', 'has', 'ttl', 'take', 'touch', 'getMany', 'getOrSet', 'set']),
    );
  });

  it('O1 R1 writes without Redis → degraded, one for each key', async () => {
    await server.kill();
    const { stats } = await service.withStats(async () => {
      const keys = [
        ['x', 1],
        ['x', 2],
      ];
      await service.withWrite(keys, async () => 1).catch(() => undefined);
      await service.writeThrough('c', () => 1).catch(() => undefined);
    });
    expect(stats).toMatchObject({ degraded: 3, sets: 0, refusedSets: 0 });
    await server.restart();
    await waitFor(() => service.stats().journal === 0, { timeoutMs: 10_000 });
  });

  it('O1 an evict that does not get through → journal until it has, one error', async () => {
    await server.pause();
    const { stats } = await service.withStats(() => service.evict('k').catch(() => undefined));
    expect(stats).toMatchObject({ evicts: 1, errors: { evict: 1 } });
    expect(service.stats().journal).toBe(1);
    await server.resume();
    await waitFor(() => service.stats().journal === 0);
  });

  it('O4 I4 the subscriber is lost → counted once', async () => {
    await waitFor(() => cache.listener.live);
    expect(service.stats().subscriberLosses).toBe(0);
    await server.kill();
    await waitFor(() => service.stats().subscriberLosses === 1);
  });
});

describe('stats of messages', () => {
  it('I4 O4 malformed and missing messages → counted, with the gaps they leave', async () => {
    const { service, namespace, listener } = await openCache('single');
    await waitFor(() => listener.live);
    const client = plainClient();
    const say = (message: string): Promise<number> => client.publish(`${namespace}:i`, message);
    const invalidations = (): object => service.stats().invalidations;
    const evict = (sequence: number): Promise<number> =>
      say(JSON.stringify([1, 'stranger00', 0, sequence, 'evict', [`${namespace}:kx`]]));
    await evict(1);
    await waitFor(() => service.stats().invalidations.received === 1);
    expect(invalidations()).toEqual({ received: 1, published: 0, malformed: 0, gaps: 0 });
    await say('{');
    await say('[2]');
    await waitFor(() => service.stats().invalidations.malformed === 2);
    expect(invalidations()).toMatchObject({ received: 1, gaps: 2 });
    await evict(1); // again: harmless
    await evict(3); // the second is missing
    await waitFor(() => service.stats().invalidations.received === 3);
    expect(invalidations()).toEqual({ received: 3, published: 0, malformed: 2, gaps: 3 });
  });
});
