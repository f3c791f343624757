import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Compiled } from '../support/compiled.js';
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

  it('R1 R4 R6 killed, and started again → reads go on, evicts say so', async () => {
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
  });

  it('R6 R7 frozen → reads go on, nothing queues up, late commands change nothing', async () => {
    const lastsMs = lasting(10_000, 2_000);
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
  });

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
