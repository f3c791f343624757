import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheService } from '../../../lib/cache/cache.service.js';
import type { CacheEvictError } from '../../../lib/common/errors.js';
import { NOTHING_PENDING, openCache, type TestCache } from '../../support/caches.js';
import { Gate } from '../../support/gate.js';
import { startServer } from '../../support/start-server.js';
import type { TestServer } from '../../support/server.js';
import { waitFor } from '../../support/wait-for.js';

describe('Redis fails', () => {
  let server: TestServer;
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    server = await startServer();
    cache = await openCache({ type: 'single', url: server.url });
    service = cache.service;
  });

  afterEach(() => server.stop());

  const back = (): Promise<boolean> =>
    waitFor(() => service.set('probe', 1), { timeoutMs: 10_000 });

  it('R1 every read, server killed → as if nothing were cached, reported, at once', async () => {
    await service.set('k', 1);
    await server.kill();
    const begin = performance.now();
    expect(await service.get('k')).toBeUndefined();
    expect(await service.has('k')).toBe(false);
    expect(await service.getMany(['k', 'l'])).toEqual(new Map());
    expect(await service.ttl('k')).toBeUndefined();
    expect(await service.set('k', 2)).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1_500);
    const reported = new Set(cache.errors.map(({ operation }) => operation));
    for (const operation of ['get', 'has', 'getMany', 'ttl', 'set'])
      expect(reported).toContain(operation);
  });

  it('R4 getOrSet, server killed → the loader runs once for all callers, its value is returned', async () => {
    await server.kill();
    const gate = new Gate();
    const loader = jest.fn(async () => (await gate.pass(), 'loaded'));
    const callers = Array.from({ length: 100 }, () => service.getOrSet('k', loader));
    await gate.arrived();
    gate.open();
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['loaded']));
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.engine.pending()).toEqual(NOTHING_PENDING);
  });

  it('R2 failure strict, server killed → typed errors, with a cause and without the value', async () => {
    const strict = await openCache({ type: 'single', url: server.url }, { failure: 'strict' });
    await server.kill();
    const secret = 'a-secret-payload';
    const calls = [
      strict.service.get('k'),
      strict.service.has('k'),
      strict.service.getMany(['k']),
      strict.service.ttl('k'),
      strict.service.set('k', secret),
      strict.service.setMany([['k', secret]]),
      strict.service.getOrSet('k', () => secret),
    ];
    for (const result of await Promise.allSettled(calls)) {
      const { reason } = result as PromiseRejectedResult;
      expect(reason).toMatchObject({
        code: expect.stringMatching(/^ERR_CACHE_(CONNECTION|TIMEOUT)$/),
      });
      expect(JSON.stringify([reason, reason.cause, reason.message, reason.stack])).not.toContain(
        secret,
      );
    }
  });

  it('R7 server frozen → reads take their deadline and no longer', async () => {
    await service.set('k', 1);
    await server.pause();
    const begin = performance.now();
    expect(await service.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(performance.now() - begin).toBeLessThan(900);
    await server.resume();
    await back();
  });

  it('evict, server killed → CacheEvictError; the key is bypassed here until the evict has got through', async () => {
    await service.set('k', 'old');
    await service.set('other', 'kept');
    await server.pause();
    await expect(service.evict(['k', ['a', 1]])).rejects.toMatchObject({
      code: 'ERR_CACHE_EVICT',
      failed: ['k', ['a', 1]],
    });
    expect(cache.engine.pending().journal).toBe(2);
    expect(await service.getOrSet('k', () => 'new')).toBe('new');
    await server.resume();
    await waitFor(() => cache.engine.pending().journal === 0);
    expect(await service.get('k')).toBeUndefined();
    expect(await service.get('other')).toBe('kept');
    expect(await service.getOrSet('k', () => 'new')).toBe('new');
    expect(await service.get('k')).toBe('new');
  });

  it('evict, while it has not got through → a value that is still in Redis is not served', async () => {
    await service.set('k', 'old');
    const client = new Redis(server.url);
    await client.call('CLIENT', 'PAUSE', '500', 'WRITE');
    await expect(service.evict('k')).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
    expect(await client.exists(`${cache.namespace}:kk`)).toBe(1);
    expect(await service.get('k')).toBeUndefined();
    expect(await service.has('k')).toBe(false);
    expect(await service.ttl('k')).toBeUndefined();
    await waitFor(() => cache.engine.pending().journal === 0);
    client.disconnect();
  });

  it('evict, failing while a schema looks at what was read → that is not served', async () => {
    const gate = new Gate();
    const validate = async (value: unknown) => (await gate.pass(), { value });
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    await service.set('k', 'old');
    const reading = service.get('k', { schema });
    await gate.arrived();
    await server.pause();
    await expect(service.evict('k')).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
    gate.open();
    expect(await reading).toBeUndefined();
    await server.resume();
    await waitFor(() => cache.engine.pending().journal === 0, { timeoutMs: 10_000 });
  });

  const itself = 'bypasses the cache for it until then';
  const namespace = 'bypasses the cache for its namespace until then';
  it.each<[string, act: (cache: CacheService) => Promise<unknown>, object, text: string[]]>([
    [
      'evict',
      (c) => c.evict('k'),
      { kind: 'keys', failed: ['k'] },
      ['One key is not evicted yet', itself],
    ],
    [
      'evictTags',
      (c) => c.evictTags(['user', 't']),
      { kind: 'tags', failed: ['user', 't'] },
      ['2 tags are not evicted yet', namespace],
    ],
    [
      'evictPattern',
      (c) => c.evictPattern('k*'),
      { kind: 'pattern', failed: ['k*'] },
      ['What matches the pattern is not evicted yet, or not all of it', namespace],
    ],
    [
      'clear',
      (c) => c.namespace('n').clear(),
      { kind: 'namespace', failed: [expect.stringMatching(/^t[0-9a-f]{12}\/n$/)] },
      ['The namespace is not cleared yet', namespace],
    ],
  ])(
    'O7 R6 %s, Redis takes no writes → its error and onError say which call it was, once',
    async (operation, act, what, [begin, end]) => {
      await service.set('k', 'old');
      const client = new Redis(server.url);
      await client.call('CLIENT', 'PAUSE', '700', 'WRITE');
      const error = (await act(service).catch((reason: unknown) => reason)) as CacheEvictError;
      expect(error).toMatchObject({ code: 'ERR_CACHE_EVICT', ...what });
      expect(error.message).toBe(`${begin}; the evict is retried, and this process ${end}`);
      await waitFor(() => cache.engine.pending().journal === 0, { timeoutMs: 10_000 });
      // The heartbeat may fail meanwhile, by itself.
      const heard = cache.errors.filter((event) => event.error.name === 'CacheEvictError');
      expect(heard).toEqual([{ operation, error }]);
      expect(service.stats().errors).toMatchObject({ [operation]: 1 });
      expect(cache.log.filter((line) => line.startsWith(`${operation} failed: `))).toHaveLength(1);
      client.disconnect();
    },
  );

  it('G2 R6 evictPattern, its signal aborts after it has failed → the evict gets through all the same', async () => {
    await service.set('k', 'old');
    const abort = new AbortController();
    await server.pause();
    await expect(service.evictPattern('k*', { signal: abort.signal })).rejects.toMatchObject({
      code: 'ERR_CACHE_EVICT',
    });
    abort.abort();
    await server.resume();
    await waitFor(() => cache.engine.pending().journal === 0, { timeoutMs: 10_000 });
    await back();
    expect(await service.get('k')).toBeUndefined();
  });

  it('R6 more evicts by tag than are remembered → further ones are a clear of the namespace', async () => {
    const name = randomBytes(6).toString('hex');
    const quiet = await openCache(
      { type: 'single', url: server.url },
      { evictFailure: 'queue', namespace: name },
    );
    await quiet.service.set('k', 'old');
    await server.pause();
    const tags = Array.from({ length: 10_100 }, (_, i) => `order:${i}`);
    await Promise.all(tags.map((tag) => quiet.service.evictTags([tag])));
    expect(quiet.engine.pending().journal).toBe(10_001);
    await server.resume();
    await waitFor(() => quiet.engine.pending().journal === 0, { timeoutMs: 30_000 });
    expect(await quiet.service.get('k')).toBeUndefined();
  }, 60_000);

  it('evictFailure queue → resolves, and is retried all the same', async () => {
    const quiet = await openCache({ type: 'single', url: server.url }, { evictFailure: 'queue' });
    await quiet.service.set('k', 'old');
    await server.pause();
    expect(await quiet.service.evict('k')).toBe(0);
    expect(quiet.errors.at(-1)).toMatchObject({
      operation: 'evict',
      error: { code: 'ERR_CACHE_EVICT' },
    });
    await server.resume();
    await waitFor(() => quiet.engine.pending().journal === 0);
    expect(await quiet.service.has('k')).toBe(false);
  });

  it.each(['queue', 'throw'] as const)(
    'R3 evictFailure %s → onError hears what the call gives, if it gives anything',
    async (evictFailure) => {
      const heard: unknown[] = [];
      const quiet = await openCache(
        { type: 'single', url: server.url },
        { evictFailure, onError: ({ operation, returning }) => heard.push([operation, returning]) },
      );
      await quiet.service.set('k', 'old');
      await server.pause();
      const calls = [quiet.service.evict('k'), quiet.service.evictPattern('k*')];
      await Promise.allSettled(calls);
      const given = evictFailure === 'queue' ? 0 : undefined;
      for (const operation of ['evict', 'evictPattern'])
        expect(heard).toContainEqual([operation, given]);
      await server.resume();
      await waitFor(() => quiet.engine.pending().journal === 0, { timeoutMs: 10_000 });
    },
  );

  it('withWrite, server killed → the transaction runs, and the error carries its result', async () => {
    await server.kill();
    const transaction = jest.fn(async () => 'committed');
    await expect(service.withWrite('k', transaction)).rejects.toMatchObject({
      code: 'ERR_CACHE_EVICT',
      failed: ['k'],
      result: 'committed',
    });
    await expect(service.writeThrough('k', transaction)).rejects.toMatchObject({
      result: 'committed',
    });
    expect(transaction).toHaveBeenCalledTimes(2);
    await server.restart();
    await waitFor(() => cache.engine.pending().journal === 0);
  });

  it('withWrite, server killed, failure strict → rejects before the transaction runs', async () => {
    const strict = await openCache({ type: 'single', url: server.url }, { failure: 'strict' });
    await server.kill();
    const transaction = jest.fn(async () => 'committed');
    await expect(strict.service.withWrite('k', transaction)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_CACHE_(CONNECTION|TIMEOUT)$/),
    });
    expect(transaction).not.toHaveBeenCalled();
    await server.restart();
    await waitFor(() => strict.engine.pending().journal === 0);
  });

  it('Redis goes while the loader runs → its value is returned, later callers load anew', async () => {
    const gate = new Gate();
    const loading = service.getOrSet('k', async () => (await gate.pass(), 'loaded'));
    await gate.arrived();
    await server.kill();
    gate.open();
    expect(await loading).toBe('loaded');
    expect(await service.getOrSet('k', () => 'again')).toBe('again');
    await server.restart();
    await back();
    expect(await service.getOrSet('k', () => 'cached')).toBe('cached');
    expect(await service.get('k')).toBe('cached');
  });

  it('the log → one line per cause in ten seconds, no values', async () => {
    await server.kill();
    for (let i = 0; i < 50; i++) await service.set('k', 'a-secret-payload');
    expect(cache.log.length).toBeLessThanOrEqual(4);
    expect(cache.log.join()).not.toContain('secret');
  });
});
