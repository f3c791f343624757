import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { openCache, plainClient, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { lasting, Row } from './row.js';
import { PATIENT } from './support/states.js';

const redisKeyOf = ({ engine }: TestCache, key: string): string =>
  engine.keySpace().entry(key).redisKey;

/** Two caches that share nothing but Redis, as two processes would. */
async function two(options: Parameters<typeof openCache>[1] = {}): Promise<[TestCache, TestCache]> {
  const a = await openCache('single', { ...PATIENT, ...options });
  const b = await openCache('single', { ...PATIENT, ...options, namespace: a.namespace });
  await waitFor(() => a.buses[0]!.live && b.buses[0]!.live);
  return [a, b];
}

it('a loader throws → everybody who waited for it hears that, the next one loads', async () => {
  const row = new Row('13', 'loader throws');
  const [a, b] = await two();
  const raw = plainClient();
  const gate = new Gate();
  const thrown = new Error('no such row');
  const calls = Array.from({ length: 50 }, () => a.service.getOrSet('k', () => gate.pass()));
  const settled = Promise.allSettled(calls);
  await gate.arrived();
  let loadedElsewhere = 0;
  const elsewhere = b.service.getOrSet('k', () => ((loadedElsewhere = performance.now()), 1));
  await waitFor(() => b.engine.pending().waits === 1);
  const failedAt = performance.now();
  gate.fail(thrown);
  const reasons = (await settled).map((result) => (result as PromiseRejectedResult).reason);
  row.is('callers that get that very error', reasons.filter((r) => r === thrown).length, 50);
  await elsewhere;
  row.atMost('who waits in another process loads after', loadedElsewhere - failedAt, { bound: 50 });
  await expect(a.service.getOrSet('other', () => Promise.reject(thrown))).rejects.toBe(thrown);
  const rejectedAt = performance.now();
  await waitFor(async () => (await raw.exists(redisKeyOf(a, 'other'))) === 0, { intervalMs: 1 });
  row.atMost('nothing is at the key after', performance.now() - rejectedAt, { bound: 50 });
  expect(row.broken).toEqual([]);
});

it('a loader throws all the time, errorBackoff → so many loads and no more, in all processes', async () => {
  const row = new Row('13', 'loader throws for ever, errorBackoff 100 ms');
  const forMs = lasting(3_000, 1_000);
  const caches = await two({ errorBackoff: 100 });
  let loads = 0;
  const thrown = new Error('still no such row');
  const load = (): Promise<never> => (loads++, Promise.reject(thrown));
  let others = 0;
  const until = performance.now() + forMs;
  const call = async ({ service }: TestCache): Promise<void> => {
    while (performance.now() < until)
      await service.getOrSet('k', load).catch((error) => void (others += error === thrown ? 0 : 1));
  };
  await Promise.all(caches.flatMap((cache) => Array.from({ length: 10 }, () => call(cache))));
  row.atMost('loads', loads, { bound: (11 * forMs) / 1_000, unit: `in ${forMs} ms`, slack: 1.1 });
  row.is('other errors', others, 0);
  expect(row.broken).toEqual([]);
});

it('a third of all loads throws → errors are the loader’s own, values are right', async () => {
  const row = new Row('13', 'loader throws, every third time');
  const caches = await two();
  let loads = 0;
  const load = async (key: string): Promise<string> => {
    await sleep(2);
    if (++loads % 3 === 0) throw new Error(`of ${key}`);
    return key;
  };
  let wrong = 0;
  const call = async (i: number): Promise<void> => {
    const key = `k${i % 20}`;
    const { service } = caches[i % 2]!;
    if (i % 7 === 0) await service.evict(key);
    const got = await service.getOrSet(key, () => load(key)).catch((e: Error) => e.message);
    if (got !== key && got !== `of ${key}`) wrong++;
  };
  for (let i = 0; i < 600; i += 30)
    await Promise.all(Array.from({ length: 30 }, (_, n) => call(i + n)));
  row.is('wrong answers', wrong, 0, '600');
  expect(row.broken).toEqual([]);
});

it('a loader hangs → the call ends, the loader is told, the lease is free', async () => {
  const row = new Row('14', 'loader hangs, loaderTimeout 300 ms');
  const [a, b] = await two({ loaderTimeout: 300 });
  const began = performance.now();
  let firedAt = 0;
  const told = await a.service
    .getOrSet('k', ({ signal }) => {
      signal.addEventListener('abort', () => (firedAt = performance.now()));
      return new Promise(() => undefined);
    })
    .then(String, (error: { code: string }) => error.code);
  const endedAt = performance.now();
  row.is('rejects with', told, 'ERR_CACHE_TIMEOUT');
  row.atMost('  off by', Math.abs(endedAt - began - 300), { bound: 50 });
  row.atMost('its signal fired off by', Math.abs(firedAt - began - 300), { bound: 50 });
  let loadedElsewhere = 0;
  await b.service.getOrSet('k', () => ((loadedElsewhere = performance.now()), 1));
  row.atMost('another process loads after', loadedElsewhere - endedAt, { bound: 50 });
  expect(row.broken).toEqual([]);
});

it('a loader hangs, softTimeout → the old value stands in at once', async () => {
  const row = new Row('14', 'loader hangs, softTimeout 200 ms');
  const grace = { ttl: 50, grace: '1m', softTimeout: 200, loaderTimeout: '1m' } as const;
  const [a] = await two(grace);
  await a.service.set('k', 'old');
  await waitFor(async () => (await a.service.get('k')) === undefined);
  const gate = new Gate();
  const began = performance.now();
  const given = await a.service.getOrSet('k', async () => (await gate.pass(), 'new'));
  row.is('gives', given, 'old');
  row.atMost('  off by', Math.abs(performance.now() - began - 200), { bound: 50 });
  gate.open();
  await waitFor(() => a.engine.pending().flights === 0);
  expect(row.broken).toEqual([]);
});
