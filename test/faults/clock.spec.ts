import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { systemClock } from '../../lib/common/clock.js';
import { openCache } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';
import { Row } from './row.js';

const HOUR_MS = 3_600_000;

it.each([
  ['ahead', HOUR_MS],
  ['back', -HOUR_MS],
])('the clock jumps an hour %s → an entry lives as long as before', async (name, byMs) => {
  const row = new Row('29', `clock jumps ${name}, one entry`);
  const ttlMs = 1_500;
  let jumpedMs = 0;
  const clock = { ...systemClock, now: () => Date.now() + jumpedMs };
  const cache = await openCache('single', { ttl: ttlMs }, { clock });
  const { service: writer } = await openCache('single', { namespace: cache.namespace });
  await waitFor(() => cache.buses[0]!.live);
  let loads = 0;
  const read = (): Promise<number> => cache.service.getOrSet('k', () => ++loads + 1);
  await writer.set('k', 1, { ttl: ttlMs });
  const storedAt = performance.now();
  jumpedMs = byMs;
  // The first one comes from Redis, and is kept as a copy by a time that is wrong.
  for (let i = 0; i < 20 && performance.now() < storedAt + ttlMs / 2; i++) await read();
  row.is('loads while it lives', loads, 0);
  await sleep(storedAt + ttlMs + 100 - performance.now());
  await waitFor(async () => (await read()) > 1, { timeoutMs: 5_000 }).catch(() => undefined);
  const outlivedMs = loads > 0 ? performance.now() - storedAt - ttlMs : Infinity;
  row.atMost('it outlives its ttl by', outlivedMs, { bound: 1_000, slack: 2 });
  expect(row.broken).toEqual([]);
});
