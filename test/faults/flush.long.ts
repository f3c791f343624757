import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Compiled } from '../support/compiled.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { Row } from './row.js';
import { operator } from './support/states.js';

let compiled: Compiled;
let server: TestServer;
let raw: Redis;

beforeAll(async () => {
  compiled = await Compiled.make(LOAD_PROGRAMS);
  server = await startServer();
  raw = operator(server);
});
afterAll(async () => {
  raw.disconnect();
  await server.stop();
  await compiled.remove();
});

it('everything is flushed under load, scripts too → one load more for each key', async () => {
  const row = new Row('30', 'FLUSHALL, SCRIPT FLUSH, CONFIG RESETSTAT');
  const keys = 300;
  const run = await underLoad(compiled, {
    optionsOf: () => ({ topology: { type: 'single', url: server.url } }),
    load: { keys },
    lastsMs: 5_000,
    begin: async () => {
      await raw.script('FLUSH');
      await raw.flushall();
      await raw.config('RESETSTAT');
    },
    end: async () => {
      await raw.flushall();
      await sleep(10);
      await raw.script('FLUSH');
    },
  });
  judged.judgeCommon(row, run, { copyAgeMs: 250 });
  const sum = (of: (report: (typeof run.reports)[number]) => number): number =>
    run.reports.reduce((total, report) => total + of(report), 0);
  const swallowed = run.reports.flatMap((report) => Object.entries(report.swallowed));
  const failures = swallowed.reduce((total, [, count]) => total + count, 0);
  row.none('failures', failures, swallowed.map(([name]) => name).join(', '));
  // A load that runs when its lease is flushed is begun again.
  const reasons = 3 * keys + sum((r) => r.evicts.length);
  const running = 2 * run.reports.length;
  row.atMost(
    'loads',
    sum((r) => r.loads),
    { bound: reasons + running + failures, unit: '', slack: 1 },
  );
  expect(row.broken).toEqual([]);
});
