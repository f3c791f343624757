import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Compiled } from '../support/compiled.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { Row } from './row.js';

const HOUR_MS = 3_600_000;

let compiled: Compiled;

beforeAll(async () => {
  compiled = await Compiled.make(LOAD_PROGRAMS);
});
afterAll(() => compiled.remove());

it.each([HOUR_MS, -HOUR_MS])(
  'the clock of one process jumps by %d ms under load → nothing is outdated, nothing expires',
  async (byMs) => {
    const row = new Row('29', `clock of one process jumps ${byMs > 0 ? 'ahead' : 'back'} an hour`);
    const run = await underLoad(compiled, {
      optionsOf: () => ({ topology: { type: 'single', url: process.env.TEST_REDIS_URL! } }),
      more: (i) => (i === 0 ? { clockJump: { afterMs: 1_500, byMs } } : {}),
      lastsMs: 5_000,
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
);
