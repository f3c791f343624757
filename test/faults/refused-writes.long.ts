import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Compiled } from '../support/compiled.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { Row } from './row.js';
import { FULL, operator, REFUSING, SERVER_ARGS, type RefusingState } from './support/states.js';

describe('a server that answers and does not write, under load', () => {
  let compiled: Compiled;
  let server: TestServer;
  let raw: Redis;

  beforeAll(async () => {
    compiled = await Compiled.make(LOAD_PROGRAMS);
    server = await startServer({ args: SERVER_ARGS });
    raw = operator(server);
  });
  afterAll(async () => {
    raw.disconnect();
    await server.stop();
    await compiled.remove();
  });

  it.each([FULL, ...REFUSING].map((state): [string, RefusingState] => [state.says, state]))(
    '%s → no read is rejected or outdated',
    async (_, state) => {
      const row = new Row(state === FULL ? '5' : '6', `${state.says} under load`);
      const run = await underLoad(compiled, {
        optionsOf: () => ({ topology: { type: 'single', url: server.url } }),
        lastsMs: 5_000,
        begin: () => state.enter(raw),
        end: () => state.leave(raw),
      });
      judged.judgeCommon(row, run, { copyAgeMs: 250 });
      const during = judged.overheads(judged.readsBetween(run, run.from, run.until));
      row.atMost('what a read takes beyond its load, p50', during.p50, { bound: 2 });
      // Whoever waits for a lease that cannot be given back.
      row.atMost('  most', during.most, { bound: 1_100 });
      const evicts = judged.failedEvicts(run);
      if (state === FULL) row.none('evicts that reject', evicts.count);
      else row.is('evicts reject with', evicts.codes, ['ERR_CACHE_EVICT'], `${evicts.count}`);
      row.atMost('hits again', judged.hitsAgainMs(run, run.until), { bound: 2_000 });
      row.none('times taken for an outage', judged.timesOpened(run));
      expect(row.broken).toEqual([]);
    },
  );
});
