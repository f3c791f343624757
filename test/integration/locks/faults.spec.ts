import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockLostError } from '../../../lib/common/errors.js';
import type { HeldLock } from '../../../lib/locks/held-lock.js';
import { RedisLockStore } from '../../../lib/locks/redis-lock-store.js';
import { openTopology, patientGuard } from '../../contract/support/tag-backends.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const UNREACHABLE = { code: expect.stringMatching(/^ERR_CACHE_(CONNECTION|TIMEOUT)$/) };

/** How long after `began` a lock's signal has fired. */
async function lostAfterMs(signal: AbortSignal, began: number): Promise<number> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return performance.now() - began;
}

describe('locks when Redis fails', () => {
  let server: TestServer;
  let cache: TestCache;
  let client: Redis;
  let proxy: FaultProxy;

  beforeEach(async () => {
    server = await startServer();
    cache = await openCache({ type: 'single', url: server.url });
    client = new Redis(server.url);
    client.on('error', () => undefined);
    proxy = await FaultProxy.start(server.url);
  });
  afterEach(async () => {
    client.disconnect();
    await proxy.close();
    await server.stop();
  });

  it.each(['open', 'strict'] as const)(
    'L11 failure %s, server killed → every method rejects at once, and fn does not run',
    async (failure) => {
      const { locks } = await openCache({ type: 'single', url: server.url }, { failure });
      const lock = await locks.acquire('held');
      await server.kill();
      const work = jest.fn(async () => 1);
      const began = performance.now();
      for (const call of [
        locks.acquire('x'),
        locks.tryAcquire('x'),
        locks.withLock('x', work),
        locks.acquire(['x', 'y']),
        locks.isLocked('x'),
        locks.forceRelease('x'),
        lock.extend('1m'),
        lock.release(),
      ])
        await expect(call).rejects.toMatchObject(UNREACHABLE);
      expect(performance.now() - began).toBeLessThan(1_500);
      expect(work).not.toHaveBeenCalled();
    },
  );

  it('L9 server frozen while a lock is held → its signal fires when the hold must be over, not before', async () => {
    const ttl = 1_000;
    const began = performance.now();
    const lock = await cache.locks.acquire('x', { ttl });
    const grantedAt = performance.now();
    const lost = lostAfterMs(lock.signal, 0);
    await server.pause();
    const lostAt = await lost;
    await server.resume();
    // The last renewal that was answered was sent between the grant and the freeze.
    expect(lostAt - began).toBeGreaterThanOrEqual(ttl);
    expect(lostAt - grantedAt).toBeLessThan(ttl + ttl / 3 + 300);
    expect(lock.signal.reason).toBeInstanceOf(LockLostError);
    expect(lock.signal.reason.cause).toMatchObject(UNREACHABLE);
    expect(cache.errors).toContainEqual({ operation: 'lockRenew', error: lock.signal.reason });
    await waitFor(() => cache.locks.tryAcquire('x'), { timeoutMs: 10_000 });
  });

  it('L6 server frozen for less than the ttl → the lock is kept', async () => {
    const lock = await cache.locks.acquire('x', { ttl: 3_000 });
    await server.pause();
    await expect(lock.extend('1s')).rejects.toMatchObject(UNREACHABLE);
    await server.resume();
    await waitFor(() => cache.locks.isLocked('x'), { timeoutMs: 2_500 });
    await sleep(3_500);
    expect(lock.signal.aborted).toBe(false);
    expect(await lock.release()).toBe(true);
  }, 15_000);

  it('server restarted without its data while a lock is held → its signal fires', async () => {
    const ttl = 900;
    const lock = await cache.locks.acquire('x', { ttl });
    const lost = lostAfterMs(lock.signal, performance.now());
    await server.restart();
    expect(await lost).toBeLessThan(ttl + 300);
  });

  it('server frozen when a lock is released → rejects, nothing more is renewed; it may be tried again', async () => {
    const lock = await cache.locks.acquire('x', { ttl: 5_000 });
    await server.pause();
    await expect(lock.release()).rejects.toMatchObject(UNREACHABLE);
    await server.resume();
    await waitFor(async () => !(await cache.locks.isLocked('x')));
    expect(await lock.release()).toBe(false);
    expect(lock.signal.aborted).toBe(false);
  });

  it('server killed while withLock runs → its result all the same, and a report', async () => {
    const work = async (): Promise<string> => (await server.kill(), 'done');
    expect(await cache.locks.withLock('x', work)).toBe('done');
    expect(cache.errors).toContainEqual({
      operation: 'lockRelease',
      error: expect.objectContaining(UNREACHABLE),
    });
  });

  it('L3 messages do not arrive → waiters come by timer, in bounded time', async () => {
    const deaf = await openCache(
      { type: 'single', url: server.url },
      { namespace: cache.namespace },
    );
    await Promise.all(deaf.buses.map((bus) => bus.close()));
    const lock = await cache.locks.acquire('x');
    const waiting = deaf.locks.acquire('x');
    await waitFor(() => deaf.engine.pending().wakeups === 1);
    await sleep(100);
    const began = performance.now();
    await lock.release();
    const next = await waiting;
    expect(performance.now() - began).toBeLessThan(1_500);
    await next.release();
  });

  it('the answer to an acquire is lost → it rejects, and the lock is not left held', async () => {
    const far = await openCache({ type: 'single', url: proxy.url }, { namespace: cache.namespace });
    proxy.set('drop-replies');
    await expect(far.locks.acquire('x', { ttl: '1m' })).rejects.toMatchObject(UNREACHABLE);
    await waitFor(() => cache.locks.tryAcquire('x'), { timeoutMs: 2_000 });
  });

  it('L11 R3 several names, Redis fails once all are granted → rejects, is told of, and none is held', async () => {
    const extend = jest.spyOn(RedisLockStore.prototype, 'extend');
    extend.mockImplementation(async function (this: RedisLockStore, key) {
      proxy.set('drop-replies');
      extend.mockRestore();
      return this.extend(key, { id: 'nobody', ttlMs: 1, token: 1n });
    });
    const far = await openCache({ type: 'single', url: proxy.url }, { namespace: cache.namespace });
    await expect(far.locks.acquire(['x', 'y'], { ttl: '1m' })).rejects.toMatchObject(UNREACHABLE);
    const told = far.errors.filter(({ operation }) => operation === 'lockAcquire');
    expect(told).toEqual([
      { operation: 'lockAcquire', error: expect.objectContaining(UNREACHABLE) },
    ]);
    await waitFor(() => cache.locks.tryAcquire(['x', 'y']), { timeoutMs: 2_000 });
  });

  it('L4 wakes that may not be published → released all the same, and granted to the next', async () => {
    await client.acl('SETUSER', 'mute', 'on', '>pw', '~*', 'resetchannels', '+@all');
    const topology = openTopology(`redis://mute:pw@${server.host}:${server.port}`);
    await topology.connect();
    const mute = new RedisLockStore(topology, { wakePrefix: 'w:', guard: patientGuard() });
    const [holder, next] = ['A', 'B'].map((id) => id.repeat(20)) as [string, string];
    const acquire = (id: string) => mute.acquire('x', { id, ttlMs: 60_000, ifHeld: 'queue' });
    await acquire(holder);
    expect(await acquire(next)).toMatchObject({ state: 'held' });
    expect(await mute.release('x', { id: holder })).toBe(true);
    expect(await acquire(next)).toMatchObject({ state: 'granted' });
    await topology.close();
  });

  it('memory full → locks are granted, renewed and released', async () => {
    await client.config('SET', 'maxmemory', '1');
    await expect(client.set('k', 'v')).rejects.toThrow('OOM');
    const lock = await cache.locks.acquire('x', { ttl: 300 });
    const waiting = cache.locks.acquire('x', { wait: '1m' });
    await waitFor(() => cache.engine.pending().wakeups === 1);
    await sleep(500);
    expect(lock.signal.aborted).toBe(false);
    expect(await lock.extend('1s')).toBe(true);
    expect(await lock.release()).toBe(true);
    expect(await (await waiting).release()).toBe(true);
  });

  it('this process is busy for longer than the ttl → the signal fires as soon as it runs again', async () => {
    const lock = await cache.locks.acquire('x', { ttl: 150 });
    busyFor(400);
    expect(await lostAfterMs(lock.signal, performance.now())).toBeLessThan(100);
  });

  it('this process is busy while the answer to a renewal comes → the lock is kept', async () => {
    const lock = (await cache.locks.acquire('x', { ttl: 1_500 })) as HeldLock;
    // So that the server has the script; a hold is never shortened.
    await lock.extend(1);
    const { store } = lock['parts'];
    const extend = store.extend.bind(store);
    const renewalSent = new Promise<number>((resolve) => {
      store.extend = (...renewal) => {
        const sentAt = performance.now();
        const answer = extend(...renewal);
        resolve(sentAt);
        return answer;
      };
    });
    // The renewal after 500 ms is answered after 900 ms, and then holds until 2 000 ms.
    await client.call('CLIENT', 'PAUSE', '900', 'ALL');
    const busyUntilMs = (await renewalSent) + 1_100;
    // Out of a check callback timers run first, and sockets are read after them.
    await new Promise<void>((resolve) => setImmediate(() => resolve(busyUntil(busyUntilMs))));
    await sleep(100);
    // Says why, if it is lost.
    expect(lock.signal.reason).toBeUndefined();
    expect(await lock.release()).toBe(true);
  });
});

const busyFor = (ms: number): void => busyUntil(performance.now() + ms);

function busyUntil(moment: number): void {
  while (performance.now() < moment);
}
