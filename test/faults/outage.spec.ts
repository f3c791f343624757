import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { surplusLoads } from '../concurrency/history/checker.js';
import { Compiled } from '../support/compiled.js';
import { FaultProxy } from '../support/proxy.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { lasting, Row } from './row.js';

/** Until it is plain that the server does not answer. */
const NOTICED_MS = 1_000;

describe('the server as a whole', () => {
  let compiled: Compiled;
  let server: TestServer;

  beforeAll(async () => {
    compiled = await Compiled.make(LOAD_PROGRAMS);
  });
  afterAll(() => compiled.remove());
  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(() => server.stop());

  const single = () => ({ topology: { type: 'single', url: server.url } }) as const;

  it('killed, and started again → reads go on, evicts say so', async () => {
    const lastsMs = lasting(5_000, 2_000);
    const row = new Row('1', `server killed, ${lastsMs / 1_000} s down`);
    const run = await underLoad(compiled, {
      optionsOf: single,
      lastsMs,
      begin: () => server.kill(),
      end: () => server.restart(),
    });
    judged.judgeCommon(row, run, { copyAgeMs: 250 });
    const evicts = judged.failedEvicts(run);
    row.is('evicts reject with', evicts.codes, ['ERR_CACHE_EVICT'], `${evicts.count}`);
    row.atMost('  within', evicts.longestMs, { bound: 320 });
    judgeOutage(row, run);
    expect(row.broken).toEqual([]);
  }, 60_000);

  it('frozen → reads go on, nothing queues up, late commands change nothing', async () => {
    const lastsMs = lasting(10_000, 5_000);
    const row = new Row('2', `server frozen for ${lastsMs / 1_000} s`);
    const run = await underLoad(compiled, {
      optionsOf: single,
      lastsMs,
      begin: () => server.pause(),
      end: () => server.resume(),
    });
    judged.judgeCommon(row, run, { copyAgeMs: 3_500 });
    row.atMost('commands in the client', judged.mostQueued(run), {
      bound: 1_000,
      unit: '',
      slack: 1,
    });
    judgeOutage(row, run);
    expect(row.broken).toEqual([]);
  }, 60_000);

  it('far away → no outage, and no more loads than before', async () => {
    const lastsMs = lasting(10_000, 3_000);
    const row = new Row('3', 'each reply 200 ms late');
    const proxy = await FaultProxy.start(server.url);
    const run = await underLoad(compiled, {
      optionsOf: () => ({ topology: { type: 'single', url: proxy.url } }),
      lastsMs,
      begin: () => proxy.set({ delayMs: 200 }),
      end: () => proxy.set('pass'),
    });
    await proxy.close();
    judged.judgeCommon(row, run, { copyAgeMs: 500 });
    row.atMost('times taken for an outage', judged.timesOpened(run), { bound: 2, unit: '' });
    const during = judged.readsBetween(run, run.from, run.until);
    const calm = judged.overheads(judged.undisturbed(run, during));
    // One reply for the miss, one for the lease, one for the fill.
    row.atMost('what a read takes beyond its load, p99', calm.p99, { bound: 610 });
    const all = judged.overheads(during);
    row.note(
      '  with the keys that are evicted meanwhile',
      `${all.p99.toFixed(0)} ms, most ${all.most.toFixed(0)} ms`,
    );
    const evicts = run.reports.reduce((sum, { evicts }) => sum + evicts.length, 0);
    row.atMost('loads without a reason', Math.max(0, surplusLoads(run.reports, 1_000)), {
      bound: Math.ceil(0.05 * (evicts + 1_000)),
      unit: `of ${evicts + 1_000}`,
      slack: 1,
    });
    expect(row.broken).toEqual([]);
  }, 60_000);

  function judgeOutage(row: Row, run: Parameters<typeof judged.readsBetween>[0]): void {
    const { from, until } = run;
    const noticed = from + NOTICED_MS;
    const before = judged.overheads(judged.readsBetween(run, from, noticed));
    const then = judged.overheads(judged.readsBetween(run, noticed, until));
    row.atMost('most that a read takes beyond its load, first second', before.most, { bound: 350 });
    row.atMost('  then, p50', then.p50, { bound: 2 });
    row.note('  then, p99 and most', `${then.p99.toFixed(1)} and ${then.most.toFixed(1)} ms`);
    row.atMost('hits again, after the server is back', judged.hitsAgainMs(run, until), {
      bound: 2_000,
    });
    row.note('times taken for an outage', `${judged.timesOpened(run)}`);
  }
});
