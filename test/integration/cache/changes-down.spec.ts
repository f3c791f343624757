import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { openCache, type TestCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

/** What Redis being away means for counters, touch, take and raw strings. */
describe('Redis fails under changes in place', () => {
  let server: TestServer;

  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(() => server.stop());

  const open = (failure: 'open' | 'strict'): Promise<TestCache> =>
    openCache({ type: 'single', url: server.url }, { failure });

  it.each(['open', 'strict'] as const)(
    'N1 R1 failure %s, server killed → what counts rejects, with its error',
    async (failure) => {
      const { service } = await open(failure);
      await server.kill();
      for (const call of [
        service.increment('n'),
        service.decrement('n'),
        service.raw.increment('n'),
        service.raw.decrement('n'),
        service.raw.evict('n'),
      ])
        await expect(call).rejects.toMatchObject({
          code: expect.stringMatching(/^ERR_CACHE_(CONNECTION|TIMEOUT)$/),
        });
    },
  );

  it('R1 failure open, server killed → nothing touched, taken, read or set; reported', async () => {
    const cache = await open('open');
    const { service } = cache;
    await service.set('k', 1);
    await server.kill();
    expect(await service.touch('k', '1h')).toBe(false);
    expect(await service.touchMany(['k', 'l'], '1h')).toBe(0);
    expect(await service.take('k')).toBeUndefined();
    expect(await service.raw.get('k')).toBeUndefined();
    expect(await service.raw.getBuffer('k')).toBeUndefined();
    expect(await service.raw.ttl('k')).toBeUndefined();
    expect(await service.raw.set('k', 'x')).toBe(false);
    const reported = new Set(cache.errors.map(({ operation }) => operation));
    for (const operation of ['touch', 'touchMany', 'take', 'raw.get', 'raw.ttl', 'raw.set'])
      expect(reported).toContain(operation);
  });

  it('R2 failure strict, an evict has not reached Redis → reads of what it concerns reject, and load nothing', async () => {
    const { service, engine } = await open('strict');
    await server.kill();
    const evicts = [service.evict('k'), service.namespace('n').evictTags('t')];
    for (const evict of evicts)
      await expect(evict).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
    const load = jest.fn(() => 1);
    for (const read of [
      service.get('k'),
      service.getOrSet('k', load),
      service.namespace('n').get('any'),
      service.namespace('n').getOrSet('any', load),
    ])
      await expect(read).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
        message: expect.stringMatching(/has not reached Redis yet/),
      });
    await expect(service.getMany(['k', 'l'])).rejects.toMatchObject({
      failed: [{ key: 'k' }, { key: 'l' }],
    });
    expect(load).not.toHaveBeenCalled();
    await server.restart();
    await waitFor(() => engine.pending().journal === 0, { timeoutMs: 10_000 });
    expect(await service.get('k')).toBeUndefined();
  });

  it('R2 failure strict, server killed → typed errors, and none with the value', async () => {
    const { service } = await open('strict');
    await server.kill();
    const calls = [
      service.touch('k', '1h'),
      service.touchMany(['k', 'l'], '1h'),
      service.take('k'),
      service.raw.get('k'),
      service.raw.ttl('k'),
      service.raw.set('k', 'a-secret-payload'),
    ];
    for (const result of await Promise.allSettled(calls)) {
      const { reason } = result as PromiseRejectedResult;
      expect(reason).toMatchObject({
        code: expect.stringMatching(/^ERR_CACHE_(CONNECTION|TIMEOUT)$/),
      });
      expect(JSON.stringify([reason, reason.cause, reason.stack])).not.toContain('secret');
    }
    const batch = await service.touchMany(['k', 'l'], '1h').catch((error: unknown) => error);
    expect(batch).toMatchObject({ name: 'CacheBatchError', succeeded: [] });
  });

  it('N1 while an evict of the key has not reached Redis → rejected: what was counted would be lost', async () => {
    const { service } = await open('open');
    await service.increment('n', 5);
    await server.pause();
    await expect(service.evict('n')).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
    await expect(service.increment('n')).rejects.toMatchObject({ key: 'n' });
    await server.resume();
    const sum = (): Promise<number> => service.increment('n').catch(() => 0);
    await waitFor(async () => (await sum()) === 1);
  });

  it('T9 the answer is lost with the connection → what counts rejects, and was counted once', async () => {
    const proxy = await FaultProxy.start(server.url);
    const client = new Redis(server.url);
    try {
      const { service } = await openCache({ type: 'single', url: proxy.url });
      const key = service.raw.keyOf('n');
      await service.raw.increment('n');
      proxy.set('drop-replies');
      const lost = service.raw.increment('n');
      await expect(lost).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
      expect(await client.get(key)).toBe('2');
      proxy.set('pass');
      await waitFor(async () => (await service.raw.get('n')) === '2');
      expect(await service.raw.increment('n')).toBe(3);
    } finally {
      client.disconnect();
      await proxy.close();
    }
  });
});
