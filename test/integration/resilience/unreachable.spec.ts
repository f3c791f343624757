import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../lib/common/clock.js';
import { createConnection } from '../../../lib/redis/connection.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';
import { Readers } from './readers.js';

/** The numbers that are promised are for a machine that has nothing else to do. */
const SLACK = 3;

describe('Redis does not answer', () => {
  let server: TestServer;
  let proxy: FaultProxy;
  let client: Redis;
  let probe: Redis;
  let cache: TestCache;
  const load: Readers[] = [];
  /** When the log told that Redis does not answer, and that it does again. */
  let told: { open: number[]; closed: number[] };

  beforeEach(async () => {
    server = await startServer();
    proxy = await FaultProxy.start(server.url);
    const context = { clock: systemClock, connectTimeoutMs: 2_000, onError: () => undefined };
    client = createConnection({ url: proxy.url }, context);
    probe = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    probe.on('error', () => undefined);
    told = { open: [], closed: [] };
    const warn = (line: string): void => {
      if (line.includes('does not answer, and')) told.open.push(performance.now());
      if (line.includes('answers again')) told.closed.push(performance.now());
    };
    cache = await openCache({ type: 'single', client }, { l1: false }, { log: { warn } });
  });
  afterEach(async () => {
    await Promise.all(load.splice(0).map((readers) => readers.stop()));
    client.disconnect();
    probe.disconnect();
    await proxy.close();
    await server.stop();
  });

  function startReaders(count = 20): Readers {
    const readers = new Readers(cache.service, count);
    load.push(readers);
    return readers;
  }

  const faults: [string, () => unknown, () => unknown][] = [
    ['killed', () => server.kill(), () => server.restart()],
    ['frozen', () => server.pause(), () => server.resume()],
    ['behind a cut network', () => proxy.set('drop'), () => proxy.set('pass')],
    ['behind one that resets connections', () => proxy.set('reset'), () => proxy.set('pass')],
  ];

  it.each(faults)(
    'R7 %s, under load → a deadline, then no wait; hits as soon as it answers',
    async (name, begin, end) => {
      const readers = startReaders();
      await waitFor(() => readers.hits() > 100);
      let mostQueued = 0;
      const watch = setInterval(() => {
        mostQueued = Math.max(mostQueued, client.commandQueue.length);
      }, 5);

      const from = performance.now();
      await begin();
      await waitFor(() => told.open.length > 0);
      const openedAt = told.open[0]!;
      // Those that had begun, and found it open at their next command, are through by then.
      const throughAt = openedAt + 10;
      await sleep(1_500);
      await waitFor(() => readers.between(throughAt, Infinity).length > 500);
      const endedAt = performance.now();
      await end();
      await probe.ping();
      const pongAt = performance.now();
      const hit = (await waitFor(() => readers.firstHitAfter(pongAt)))!;
      clearInterval(watch);
      await readers.stop();

      const before = readers.between(from, openedAt);
      const open = readers.between(throughAt, endedAt);
      const measured = {
        openedAfterMs: openedAt - from,
        longestBeforeMs: before.at(-1) ?? 0,
        thenMedianMs: open[Math.floor(open.length / 2)]!,
        thenP99Ms: open[Math.floor(open.length * 0.99)]!,
        hitsAfterPongMs: hit.beganAt + hit.tookMs - pongAt,
        mostQueued,
      };
      print(name, measured);
      expect(measured.openedAfterMs).toBeLessThan(1_000 * SLACK);
      expect(measured.longestBeforeMs).toBeLessThan(320 * SLACK);
      expect(measured.thenMedianMs).toBeLessThan(2 * SLACK);
      expect(measured.hitsAfterPongMs).toBeLessThan(2_000 * SLACK);
      expect(mostQueued).toBeLessThanOrEqual(1_000);
      expect(told.closed.length).toBeLessThanOrEqual(told.open.length);
    },
  );

  it('200 ms away → hits, and not taken for an outage', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const readers = startReaders(keys.length);
    await waitFor(() => readers.hits() > 100);
    await cache.service.evict(keys);
    proxy.set({ delayMs: 200 });
    const from = performance.now();
    for (let i = 0; i < 5; i++) await cache.service.evict(keys).catch(() => undefined);
    const hits = readers.hits();
    await waitFor(() => readers.hits() > hits + 100);
    const reads = readers.between(from, performance.now());
    proxy.set('pass');
    const changes = told.open.length + told.closed.length;
    print('200 ms away', {
      changes,
      medianMs: reads[Math.floor(reads.length / 2)]!,
      longestMs: reads.at(-1)!,
    });
    expect(changes).toBeLessThanOrEqual(2);
  });

  it('this process stands still for half a second, again and again → not taken for an outage', async () => {
    const readers = startReaders(100);
    await waitFor(() => readers.hits() > 100);
    const before = readers.reads.length - readers.hits();
    for (let i = 0; i < 5; i++) {
      const until = performance.now() + 500;
      while (performance.now() < until);
      const hits = readers.hits();
      await waitFor(() => readers.hits() > hits + 200);
    }
    await readers.stop();
    expect(told.open).toEqual([]);
    expect(readers.reads.length - readers.hits()).toBe(before);
  });

  it('a burst of writes and reads to one that is frozen → at most 1 000 commands in the client', async () => {
    await cache.service.set('warm', 1);
    await server.pause();
    const { service } = cache;
    const all: Promise<unknown>[] = [];
    let mostQueued = 0;
    for (let i = 0; i < 3_000; i++) {
      all.push(
        service.set(`k${i}`, i),
        service.evict(`k${i}`).catch(() => undefined),
        // Each a command of its own.
        service.increment(`n${i}`).catch(() => undefined),
      );
      if (i % 100 === 0) await sleep(1);
      mostQueued = Math.max(mostQueued, client.commandQueue.length);
    }
    await Promise.all(all);
    mostQueued = Math.max(mostQueued, client.commandQueue.length);
    print('a burst', { mostQueued });
    expect(mostQueued).toBeGreaterThan(500);
    expect(mostQueued).toBeLessThanOrEqual(1_000);
    await server.resume();
    await waitFor(() => cache.engine.pending().journal === 0, { timeoutMs: 10_000 });
  });

  it('a bulk larger than that, Redis well → all of it is carried out', async () => {
    const entries = Array.from({ length: 3_000 }, (_, i): [string, number] => [`k${i}`, i]);
    const patient = await openCache(
      { type: 'single', url: server.url },
      { timeouts: { read: '10s', write: '10s' } },
    );
    await patient.service.setMany(entries);
    const keys = entries.map(([key]) => key);
    expect((await patient.service.getMany(keys)).size).toBe(3_000);
    expect(await patient.service.evict(keys)).toBe(3_000);
    expect(patient.errors).toEqual([]);
  });
});

describe('Redis answers, and refuses', () => {
  let server: TestServer;
  let admin: Redis;

  beforeEach(async () => {
    server = await startServer();
    admin = new Redis(server.url);
  });
  afterEach(async () => {
    admin.disconnect();
    await server.stop();
  });

  it.each([
    ['OOM', () => admin.config('SET', 'maxmemory', '1')],
    ['NOPERM', () => admin.call('ACL', 'SETUSER', 'default', '-evalsha', '-eval')],
    ['NOREPLICAS', () => admin.config('SET', 'min-replicas-to-write', '1')],
  ])('R8 %s → stored entries are served all the while', async (code, refuse) => {
    const log: string[] = [];
    const cache = await openCache(
      { type: 'single', url: server.url },
      { l1: false },
      { log: { warn: (line) => log.push(line) } },
    );
    await cache.service.set('k', 'v');
    await refuse();
    for (let i = 0; i < 50; i++) {
      const [stored, value] = await Promise.all([
        cache.service.set('other', i),
        cache.service.get('k'),
      ]);
      expect([stored, value]).toEqual([false, 'v']);
    }
    expect(cache.errors.every(({ error }) => error.message.includes(code))).toBe(true);
    expect(log.join()).not.toContain('does not answer');
  });
});

/** What was measured, for whoever runs it alone. */
function print(what: string, measured: Record<string, number>): void {
  const numbers = Object.entries(measured).map(([name, value]) => `${name} ${value.toFixed(1)}`);
  process.stdout.write(`  ${what}: ${numbers.join(', ')}\n`);
}
