import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Compiled, type Mutation } from '../../support/compiled.js';
import type { HistoryPlan, Report } from '../processes/plan.js';
import { runTogether, WORKER } from '../processes/workers.js';
import { surplusLoads, violationsOf } from './checker.js';

const PROCESSES = 3;
/** More of it finds more; the suite keeps to what a continuous run can afford. */
const RUN_MS = Number(process.env.TEST_HISTORY_MS ?? 3_000);

const plan = (more: Partial<HistoryPlan>): HistoryPlan => ({
  kind: 'history',
  url: process.env.TEST_REDIS_URL!,
  namespace: `h${randomBytes(6).toString('hex')}`,
  runMs: RUN_MS,
  restMs: 300,
  readers: 8,
  keys: 4,
  loaderMs: 7.5,
  writePauseMs: 5,
  writes: ['evict'],
  ...more,
});

async function run(compiled: Compiled, more: Partial<HistoryPlan>): Promise<Report[]> {
  const shared = plan(more);
  return runTogether(
    compiled,
    Array.from({ length: PROCESSES }, () => shared),
  );
}

function summary(reports: readonly Report[]): string {
  const count = (list: 'reads' | 'evicts'): number =>
    reports.reduce((sum, report) => sum + report[list].length, 0);
  const loads = reports.reduce((sum, report) => sum + report.loads, 0);
  const stale = violationsOf(reports).length;
  return `${count('reads')} reads, ${count('evicts')} evicts, ${loads} loads, ${stale} stale`;
}

describe(`the history of ${PROCESSES} processes`, () => {
  let compiled: Compiled;

  beforeAll(async () => {
    compiled = await Compiled.make([WORKER]);
  });
  afterAll(() => compiled.remove());

  it.each<[string, Partial<HistoryPlan>]>([
    ['evict after each commit', {}],
    ['leases shorter than the load', { options: { lease: { ttl: 10 } }, loaderMs: 20 }],
    ['one hot row, written all the time', { keys: 1, writePauseMs: 2 }],
    ['writes behind a barrier', { writes: ['withWrite', 'writeThrough'] }],
    ['all ways of writing', { writes: ['evict', 'withWrite', 'writeThrough'] }],
  ])(
    '%s → no read is older than an evict that had returned before it',
    async (name, more) => {
      const reports = await run(compiled, more);
      console.log(`${name}: ${summary(reports)}`);
      expect(reports.flatMap((report) => report.errors)).toEqual([]);
      expect(violationsOf(reports).slice(0, 3)).toEqual([]);
      expect(Math.min(...reports.map((report) => report.evicts.length))).toBeGreaterThan(10);
      // A lost lease, and a read under a barrier, are further reasons for a load.
      const everyLoadHasItsEvict = !more.options && !more.writes;
      const surplus = everyLoadHasItsEvict ? surplusLoads(reports, more.keys ?? 4) : 0;
      expect(surplus).toBeLessThanOrEqual(0);
    },
    RUN_MS + 20_000,
  );
});

describe('the checker can fail', () => {
  it.each<[string, Mutation]>([
    [
      'nocas: FILL stores whatever is at the key',
      {
        file: 'store/lua/fill.lua',
        from: "if id ~= expectId or (kind ~= 'L' and kind ~= 'V') then return REFUSED end",
        to: '',
      },
    ],
    [
      'lockkeep: EVICT leaves the lease',
      {
        file: 'store/lua/evict.lua',
        from: 'local waiting = waiters(kind)',
        to: "if kind == 'L' then return ABSENT end\nlocal waiting = waiters(kind)",
      },
    ],
    [
      'joinany: whoever joined takes a result that was not stored',
      {
        file: 'cache/read/reader',
        from: 'return cameBefore ? {',
        to: 'return true ? {',
      },
    ],
  ])(
    '%s → stale reads are found',
    async (name, mutation) => {
      const compiled = await Compiled.make([WORKER], [mutation]);
      try {
        const reports = await run(compiled, { keys: 2, writePauseMs: 4 });
        console.log(`${name}: ${summary(reports)}`);
        expect(violationsOf(reports).length).toBeGreaterThan(0);
      } finally {
        await compiled.remove();
      }
    },
    RUN_MS + 20_000,
  );
});
