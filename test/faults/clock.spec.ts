import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/common/clock.js';
import { openCache } from '../support/caches.js';
import { Compiled } from '../support/compiled.js';
import { waitFor } from '../support/wait-for.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { lasting, Row, WHOLE } from './row.js';

const HOUR_MS = 3_600_000;

let compiled: Compiled;
let jumpedMs = 0;

beforeAll(async () => {
  compiled = await Compiled.make(LOAD_PROGRAMS);
});
afterAll(() => compiled.remove());
afterEach(() => {
  jumpedMs = 0;
});

it.each(WHOLE ? [HOUR_MS, -HOUR_MS] : [-HOUR_MS])(
  'the clock of one process jumps by %d ms under load → nothing is outdated, nothing expires',
  async (byMs) => {
    const row = new Row('29', `clock of one process jumps ${byMs > 0 ? 'ahead' : 'back'} an hour`);
    const run = await underLoad(compiled, {
      optionsOf: () => ({ topology: { type: 'single', url: process.env.TEST_REDIS_URL! } }),
      more: (i) => (i === 0 ? { clockJump: { afterMs: 1_500, byMs } } : {}),
      lastsMs: lasting(5_000, 2_000),
      afterMs: 0,
      begin: () => undefined,
      end: () => undefined,
    });
    judged.judgeCommon(row, run, { copyAgeMs: 250 });
    const loads = run.reports.reduce((sum, report) => sum + report.loads, 0);
    const evicts = run.reports.reduce((sum, report) => sum + report.evicts.length, 0);
    row.atMost('loads', loads, { bound: evicts + 1_000, unit: '', slack: 1 });
    expect(row.broken).toEqual([]);
  },
  60_000,
);

it.each([
  ['ahead', HOUR_MS],
  ['back', -HOUR_MS],
])(
  'the clock jumps an hour %s → an entry lives as long as before',
  async (name, byMs) => {
    const row = new Row('29', `clock jumps ${name}, one entry`);
    const ttlMs = 1_500;
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
    for (let i = 0; i < 20; i++) await read();
    row.is('loads while it lives', loads, 0);
    await sleep(storedAt + ttlMs + 100 - performance.now());
    await waitFor(async () => (await read()) > 1, { timeoutMs: 5_000 }).catch(() => undefined);
    const outlivedMs = loads > 0 ? performance.now() - storedAt - ttlMs : Infinity;
    row.atMost('it outlives its ttl by', outlivedMs, { bound: 1_000, slack: 2 });
    expect(row.broken).toEqual([]);
  },
  20_000,
);
