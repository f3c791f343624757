import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { systemClock, type Clock } from '../../../lib/common/clock.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { Gate } from '../../support/gate.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

/** After so long a waiter looks by itself. */
const FALLBACK_MS = 1_000;
/** Under it nobody looks by itself, nor finds the bus silent: who is served was woken. */
const WITHOUT_FALLBACK: Clock = {
  ...systemClock,
  setTimer: (ms, fn) => systemClock.setTimer(ms >= FALLBACK_MS ? 60_000 : ms, fn),
};
const LONG_LEASE = { lease: { ttl: '10s' } } satisfies Partial<RedisCacheOptions>;

async function timed(promise: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await promise;
  return performance.now() - begin;
}

describe('two caches over one Redis', () => {
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

  const at = (user = '') => ({
    type: 'single' as const,
    url: `redis://${user}127.0.0.1:${server.port}`,
  });

  async function openLive(
    namespace: string,
    { clock = systemClock, options = {} as Partial<RedisCacheOptions> } = {},
  ): Promise<TestCache> {
    const cache = await openCache(at(), { ...LONG_LEASE, ...options, namespace }, { clock });
    await waitFor(() => cache.buses.every((bus) => bus.live));
    return cache;
  }

  const isWaiting = (cache: TestCache) => waitFor(() => cache.engine.pending().waits === 1);

  it('L3 L1 getOrSet — another process loads → one load, and the message that it is there wakes the waiter', async () => {
    const a = await openLive('woken');
    const b = await openLive('woken', { clock: WITHOUT_FALLBACK });
    const gate = new Gate();
    const loadA = jest.fn(async () => {
      await gate.pass();
      return 'of a';
    });
    const loadB = jest.fn(() => 'of b');
    const first = a.service.getOrSet('key', loadA);
    await gate.arrived();
    const second = b.service.getOrSet('key', loadB);
    await isWaiting(b);
    gate.open();
    expect(await first).toBe('of a');
    expect(await second).toBe('of a');
    expect(loadA).toHaveBeenCalledTimes(1);
    expect(loadB).not.toHaveBeenCalled();
  });

  it('L3 getOrSet — many wait for many keys in another process → all served at once, one load each', async () => {
    const a = await openLive('many');
    const b = await openLive('many');
    const gate = new Gate();
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    const load = jest.fn(async () => {
      await gate.pass();
      return 'value';
    });
    const loading = keys.map((key) => a.service.getOrSet(key, load));
    await gate.arrived(keys.length);
    const latencies: number[] = [];
    const waiting = [...keys, ...keys].map(async (key) => {
      await b.service.getOrSet(key, load);
      latencies.push(performance.now());
    });
    await waitFor(() => b.engine.pending().waits === keys.length);
    const opened = performance.now();
    gate.open();
    await Promise.all([...loading, ...waiting]);
    expect(load).toHaveBeenCalledTimes(keys.length);
    // A timer would have taken a second, counted from before the gate was opened.
    latencies.sort((x, y) => x - y);
    expect(latencies[keys.length]! - opened).toBeLessThan(FALLBACK_MS / 4);
  });

  it('L3 getOrSet — the load of another process fails → the waiter is woken and loads, once', async () => {
    const a = await openLive('fails');
    const b = await openLive('fails', { clock: WITHOUT_FALLBACK });
    const gate = new Gate();
    const load = jest.fn(() => 'of b');
    const first = a.service.getOrSet('key', () => gate.pass());
    const outcome = first.catch((error: Error) => error.message);
    await gate.arrived();
    const seconds = [1, 2, 3].map(() => b.service.getOrSet('key', load));
    await isWaiting(b);
    gate.fail(new Error('database is away'));
    expect(await outcome).toBe('database is away');
    expect(await Promise.all(seconds)).toEqual(['of b', 'of b', 'of b']);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('L3 evict — another process waits for a load of this key → it is woken and loads what is there now', async () => {
    const a = await openLive('evicted');
    const b = await openLive('evicted', { clock: WITHOUT_FALLBACK });
    const gate = new Gate();
    const first = a.service.getOrSet('key', async () => {
      await gate.pass();
      return 'old';
    });
    await gate.arrived();
    const second = b.service.getOrSet('key', () => 'new');
    await isWaiting(b);
    await a.service.evict('key');
    expect(await second).toBe('new');
    gate.open();
    await first;
    expect(await b.service.get('key')).toBe('new');
  });

  it('L3 getOrSet — the waiter is cut off while the value comes → served within the fallback, one load', async () => {
    const a = await openLive('cut-off');
    const b = await openLive('cut-off');
    const gate = new Gate();
    const load = jest.fn(async () => {
      await gate.pass();
      return 'value';
    });
    const first = a.service.getOrSet('key', load);
    await gate.arrived();
    const second = b.service.getOrSet('key', load);
    await isWaiting(b);
    await admin.client('KILL', 'TYPE', 'PUBSUB');
    gate.open();
    expect(await timed(second)).toBeLessThan(FALLBACK_MS + 300);
    expect(await second).toBe('value');
    await first;
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('L3 T14 getOrSet — subscribers are killed all the time → one load per key, nothing fails', async () => {
    const a = await openLive('killed');
    const b = await openLive('killed');
    let rounds = 0;
    let over = false;
    const killing = (async () => {
      while (!over) {
        await admin.client('KILL', 'TYPE', 'PUBSUB');
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    const load = jest.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return 'value';
    });
    const until = performance.now() + 1_500;
    while (performance.now() < until) {
      const key = `key-${rounds++}`;
      const served = await Promise.all([a, b, b].map((cache) => cache.service.getOrSet(key, load)));
      expect(served).toEqual(['value', 'value', 'value']);
    }
    over = true;
    await killing;
    expect(load).toHaveBeenCalledTimes(rounds);
    await waitFor(() => [a, b].every((cache) => cache.buses[0]!.live));
    expect([...a.errors, ...b.errors]).toEqual([]);
  });

  it('T14 R6 a user that may use no channel → the cache works by the timer, not live, one line in the log', async () => {
    await admin.acl('SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels');
    const a = await openCache(at('mute:secret@'), { ...LONG_LEASE, namespace: 'mute' });
    const b = await openCache(at('mute:secret@'), { ...LONG_LEASE, namespace: 'mute' });
    const gate = new Gate();
    const load = jest.fn(async () => {
      await gate.pass();
      return 'value';
    });
    const first = a.service.getOrSet('key', load);
    await gate.arrived();
    const second = b.service.getOrSet('key', load);
    await isWaiting(b);
    gate.open();
    expect(await timed(second)).toBeLessThan(FALLBACK_MS + 300);
    expect([await first, await second]).toEqual(['value', 'value']);
    expect(load).toHaveBeenCalledTimes(1);
    await waitFor(() => b.errors.length > 0);
    expect(b.buses[0]!.live).toBe(false);
    expect(b.errors.map(({ operation }) => operation)).toEqual(['subscribe']);
    expect(b.log).toEqual([expect.stringMatching(/^subscribe failed: NOPERM/)]);
  });

  it('T14 connections — several to the server, several caches → one subscriber per cache, none when closed', async () => {
    const own = await startServer();
    const counting = new Redis(own.url);
    const subscribers = async (): Promise<string[]> =>
      [...String(await counting.client('LIST', 'TYPE', 'PUBSUB')).matchAll(/^id=\d+/gm)].map(
        String,
      );
    const topology = { type: 'single' as const, url: own.url };
    const given = new Redis(own.url);
    const caches = await Promise.all([
      openCache(topology),
      openCache({ ...topology, connections: 4 }),
      openCache({ type: 'single', client: given }),
    ]);
    try {
      await waitFor(() => caches.every((cache) => cache.buses[0]!.live));
      const before = await subscribers();
      expect(before).toHaveLength(3);
      await counting.client('KILL', 'TYPE', 'PUBSUB');
      await waitFor(async () => {
        const after = await subscribers();
        return after.length === 3 && !after.some((id) => before.includes(id));
      });
      await Promise.all(caches.map((cache) => cache.close()));
      await waitFor(async () => (await subscribers()).length === 0);
      expect(await given.ping()).toBe('PONG');
    } finally {
      given.disconnect();
      counting.disconnect();
      await own.stop();
    }
  });

  it('connect — the server cannot be reached → no later than the command connection gives up', async () => {
    const own = await startServer();
    await own.pause();
    try {
      const cache = await openCache(
        { type: 'single', url: own.url },
        { timeouts: { connect: '300ms' } },
      );
      expect(await timed(cache.connect())).toBeLessThan(100);
      expect(cache.buses[0]!.live).toBe(false);
      expect(await timed(cache.close())).toBeLessThan(1_000);
    } finally {
      await own.stop();
    }
  });

  it('no Redis → no bus', async () => {
    expect((await openCache('memory')).buses).toEqual([]);
  });
});
