import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Compiled } from '../support/compiled.js';
import type { BatchPlan, BatchReport } from './processes/batch-worker.js';
import { Worker } from './processes/workers.js';

const PROGRAM = 'test/concurrency/processes/batch-worker.ts';
const KEYS = Array.from({ length: 400 }, (_, i) => `key-${i}`);

/** Of 300 keys from `first` on, batches of 60 that overlap. */
const windows = (first: number): string[][] =>
  Array.from({ length: 7 }, (_, i) => KEYS.slice(first + i * 40, first + i * 40 + 60));

describe('batches of several processes', () => {
  let compiled: Compiled;

  beforeAll(async () => {
    compiled = await Compiled.make([PROGRAM]);
  });
  afterAll(() => compiled.remove());

  it('M4 L2 2 processes, batches that overlap within them and between them → each key is loaded once, and all see that value', async () => {
    const plan = (first: number): BatchPlan => ({
      url: process.env.TEST_REDIS_URL!,
      namespace: `b${randomBytes(6).toString('hex')}`,
      batches: windows(first),
      loadMs: 100,
    });
    const { namespace } = plan(0);
    const plans = [0, 100].map((first) => ({ ...plan(first), namespace }));
    const workers = await Worker.startAll<BatchReport>(compiled, PROGRAM, plans);
    const reports = await Promise.all(workers.map((worker) => worker.go()));
    await Promise.all(workers.map((worker) => worker.end()));
    const loaded = reports.flatMap((report) => report.loaded.flat());
    expect(loaded.sort()).toEqual([...KEYS].sort());
    const seen = new Map<string, Set<string>>(KEYS.map((key) => [key, new Set()]));
    for (const [key, value] of reports.flatMap((report) => report.values.flat()))
      seen.get(key)!.add(value);
    for (const values of seen.values()) expect(values.size).toBe(1);
    for (const [i, report] of reports.entries())
      expect(report.values.map((batch) => batch.map(([key]) => key))).toEqual(plans[i]!.batches);
  }, 30_000);
});
