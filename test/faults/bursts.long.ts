import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { NOTHING_PENDING, openCache } from '../support/caches.js';
import { Compiled } from '../support/compiled.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { Worker } from '../concurrency/processes/workers.js';
import type { BurstPlan, BurstReport } from './load/burst-plan.js';
import { max } from './load/judge-load.js';
import { Row } from './row.js';
import { operator } from './support/states.js';

const BURST = 'test/faults/load/burst.ts';

describe('many misses at once', () => {
  let compiled: Compiled;
  let server: TestServer;
  let raw: Redis;

  beforeAll(async () => {
    compiled = await Compiled.make([BURST, 'test/faults/load/ledger.ts']);
  });
  afterAll(() => compiled.remove());
  beforeEach(async () => {
    server = await startServer();
    raw = operator(server);
  });
  afterEach(async () => {
    raw.disconnect();
    await server.stop();
  });

  const plan = (more: Partial<BurstPlan>): BurstPlan => ({
    namespace: `f${randomBytes(6).toString('hex')}`,
    options: { topology: { type: 'single', url: server.url } },
    callers: 10_000,
    waves: 1,
    wavesPerNote: 1,
    keys: 1,
    loadMs: 200,
    failingPercent: 0,
    evicts: false,
    ...more,
  });

  async function burst(processes: number, shared: BurstPlan): Promise<BurstReport[]> {
    const plans = Array.from({ length: processes }, () => shared);
    const workers = await Worker.startAll<BurstReport>(compiled, BURST, plans);
    await raw.config('RESETSTAT');
    try {
      return await Promise.all(workers.map((worker) => worker.go()));
    } finally {
      await Promise.all(workers.map((worker) => worker.end()));
    }
  }

  const span = (reports: readonly BurstReport[]): number =>
    max(reports.map(({ ended }) => ended)) - Math.min(...reports.map(({ began }) => began));

  /** A machine that does other things says little about time, and as much as ever about work. */
  function judgeTime(row: Row, reports: readonly BurstReport[], bound: number): void {
    row.atMost('all are served after', span(reports), { bound, slack: Infinity });
    row.atMost('  of which a process worked', max(reports.map(({ cpuMs }) => cpuMs)), { bound });
  }

  function judgeRest(row: Row, reports: readonly BurstReport[]): void {
    row.is(
      'wrong answers',
      reports.reduce((sum, { wrong }) => sum + wrong, 0),
      0,
    );
    for (const { left } of reports) row.is('left in the tables', left, NOTHING_PENDING);
  }

  it.each([1, 3])(
    '10 000 calls for one key in each of %d processes → one load',
    async (processes) => {
      const row = new Row(
        '24',
        `10 000 misses of one key, ${processes} process${processes > 1 ? 'es' : ''}`,
      );
      const shared = plan({});
      const reports = await burst(processes, { ...shared, keys: 1 });
      const loads = reports.reduce((sum, report) => sum + report.loads, 0);
      // Where a process gets no answer in time it loads for itself.
      const alone = reports.filter(({ swallowed }) => swallowed.length > 0).length;
      row.is('loads', loads <= 1 + alone ? 1 : loads, 1, `${loads}, ${alone} were on their own`);
      judgeTime(row, reports, shared.loadMs + 300);
      const calls = /cmdstat_(?:get|mget|evalsha|eval|zmscore):calls=(\d+)/g;
      const counts = [...(await raw.info('commandstats')).matchAll(calls)].map(([, n]) =>
        Number(n),
      );
      const each = counts.reduce((a, b) => a + b, 0) / processes;
      // And those of the one key that is read to warm up.
      row.atMost('commands of a process', each, { bound: 30, unit: '', slack: 1 });
      const grown = max(reports.map(({ heapMb }) => heapMb.at(-1)! - heapMb[0]!));
      row.atMost('heap afterwards', grown, { bound: 5, unit: 'MB more', slack: 1.5 });
      judgeRest(row, reports);
      expect(row.broken).toEqual([]);
    },
  );

  it('10 000 calls for as many keys → so many loads at a time, and evicts get through', async () => {
    const row = new Row('25', '10 000 misses of as many keys');
    const { options, ...shared } = plan({ keys: 10_000, loadMs: 10, evicts: true });
    const limited = { ...shared, options: { ...options, loaderConcurrency: 500 } };
    const [report] = (await burst(1, limited)) as [BurstReport];
    row.is('loads', report.loads, 10_000);
    row.atMost('at a time', report.mostAtOnce, { bound: 500, unit: '', slack: 1 });
    row.atMost('an evict takes', max(report.evictMs), { bound: 500 });
    // Their answers wait behind those of the loads in this one process.
    const unit = `of ${report.evictMs.length}`;
    row.atMost('evicts that reject', report.evictsRejected, { bound: 1, unit });
    judgeTime(row, [report], 2_000);
    row.note('the event loop stands still for at most', `${report.stallMs.toFixed(0)} ms`);
    row.note('the first failures', report.swallowed.slice(0, 2).join(', '));
    const grown = report.heapMb.at(-1)! - report.heapMb[0]!;
    row.note(
      'heap afterwards, with its copies',
      `${grown.toFixed(1)} MB more, ${report.copies} copies`,
    );
    judgeRest(row, [report]);
    expect(row.broken).toEqual([]);
  });

  it('bulks of thousands of keys, with the timeouts that are the default → all of it is carried out', async () => {
    const row = new Row('25', '3 000 keys in one call, 10 000 calls at once');
    const { service, errors } = await openCache({ type: 'single', url: server.url });
    const keys = Array.from({ length: 3_000 }, (_, i) => `k${i}`);
    await service.setMany(keys.map((key) => [key, key] as const));
    row.is('read of what setMany has stored', (await service.getMany(keys)).size, keys.length);
    row.is('evicted', await service.evict(keys), keys.length);
    const sets = Array.from({ length: 10_000 }, (_, i) => service.set(`s${i}`, 'x'.repeat(500)));
    row.is('set', (await Promise.all(sets)).filter(Boolean).length, sets.length);
    row.is(
      'connections lost',
      errors.filter(({ operation }) => operation === 'connection'),
      [],
    );
    expect(row.broken).toEqual([]);
  });

  it('ever new keys, a tenth of the loads fails → memory is bounded', async () => {
    const waves = 800;
    const keys = 500 * waves;
    const row = new Row('26', `${keys / 1_000} 000 distinct keys, a tenth of the loads fails`);
    const { options, ...shared } = plan({ callers: 500, waves, wavesPerNote: 40, keys, loadMs: 0 });
    const small = { ...options, ttl: '20s', l1: { maxEntries: 2_000 } } as const;
    const [report] = (await burst(1, { ...shared, failingPercent: 10, options: small })) as [
      BurstReport,
    ];
    row.is('loads', report.loads, keys);
    row.atMost('copies', report.copies, { bound: 2_000, unit: '', slack: 1 });
    const perMillion = slope(report.heapMb.slice(6, -1)) * (1_000_000 / (500 * 40));
    row.atMost('heap, after warm-up', perMillion, { bound: 1, unit: 'MB per million', slack: 3 });
    row.note('heap', report.heapMb.map((mb) => mb.toFixed(1)).join(' '));
    judgeRest(row, [report]);
    expect(row.broken).toEqual([]);
  }, 180_000);
});

/** Of a straight line through all of them, per step. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  let above = 0;
  let below = 0;
  for (const [i, value] of values.entries()) {
    above += (i - middle) * (value - mean);
    below += (i - middle) ** 2;
  }
  return above / below;
}
