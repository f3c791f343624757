import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Compiled } from '../support/compiled.js';
import type { Report, StampedePlan } from './processes/plan.js';
import { runTogether, STAMPEDE_PROGRAMS, Worker } from './processes/workers.js';

const plan = (more: Partial<StampedePlan> = {}): StampedePlan => ({
  url: process.env.TEST_REDIS_URL!,
  namespace: `s${randomBytes(6).toString('hex')}`,
  callers: 500,
  loadMs: 200,
  ...more,
});

const loadsOf = (reports: readonly Report[]): number =>
  reports.reduce((sum, report) => sum + report.loads, 0);

const versionsOf = (reports: readonly Report[]): Set<number> =>
  new Set(reports.flatMap((report) => report.reads.map((read) => read.version)));

/** From the first call to the last answer, over all processes. */
function longestWait(reports: readonly Report[]): number {
  const reads = reports.flatMap((report) => report.reads);
  return Math.max(...reads.map((read) => read.ended)) - Math.min(...reads.map((r) => r.began));
}

describe('many callers of one missing key', () => {
  let compiled: Compiled;

  beforeAll(async () => {
    compiled = await Compiled.make(STAMPEDE_PROGRAMS);
  });
  afterAll(() => compiled.remove());

  it('L2 8 processes with 500 callers each → one load, one value', async () => {
    const shared = plan();
    const reports = await runTogether(compiled, Array<StampedePlan>(8).fill(shared));
    expect(loadsOf(reports)).toBe(1);
    expect(versionsOf(reports)).toEqual(new Set([1]));
    expect(reports.flatMap((report) => report.reads)).toHaveLength(4000);
    const beyond = longestWait(reports) - shared.loadMs;
    console.log(`the last of 4000 callers waited ${Math.round(beyond)} ms beyond the load`);
  }, 30_000);

  it('L7 the process that loads is killed → everybody else is served by one further load', async () => {
    const shared = plan({ options: { lease: { ttl: 1000 } } });
    const holder = await Worker.start(compiled, { ...shared, loadMs: 60_000, callers: 1 });
    const others = await Promise.all([1, 2].map(() => Worker.start(compiled, shared)));
    void holder.go().catch(() => undefined);
    await holder.hasSaid('loading');
    const reports = others.map((worker) => worker.go());
    const killedAt = Number(process.hrtime.bigint()) / 1e6;
    holder.kill();
    const served = await Promise.all(reports);
    expect(loadsOf(served)).toBe(1);
    expect(versionsOf(served)).toEqual(new Set([1]));
    const last = Math.max(...served.flatMap((r) => r.reads.map((read) => read.ended)));
    console.log(
      `lease 1000 ms, load ${shared.loadMs} ms: the last of 1000 waiters was served ${Math.round(last - killedAt)} ms after the kill`,
    );
    await Promise.all(others.map((worker) => worker.end()));
  }, 30_000);
});
