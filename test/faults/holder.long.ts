import { randomBytes } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { Compiled } from '../support/compiled.js';
import { STAMPEDE_PROGRAMS, Worker } from '../concurrency/processes/workers.js';
import type { StampedePlan } from '../concurrency/processes/plan.js';
import { now } from './load/ledger.js';
import { Row } from './row.js';
import { owned } from './support/owned.js';

it('the process that loads is killed, 1000 wait in others → one other takes over', async () => {
  const row = new Row('12', 'holder of the lease killed, 1000 waiters elsewhere');
  const compiled = owned(await Compiled.make(STAMPEDE_PROGRAMS), (made) => made.remove());
  const leaseMs = 1_000;
  const plan: StampedePlan = {
    url: process.env.TEST_REDIS_URL!,
    namespace: `f${randomBytes(6).toString('hex')}`,
    callers: 500,
    loadMs: 200,
    options: { lease: { ttl: leaseMs } },
  };
  const holder = await Worker.start(compiled, { ...plan, loadMs: 60_000, callers: 1 });
  const others = await Promise.all([1, 2].map(() => Worker.start(compiled, plan)));
  void holder.go().catch(() => undefined);
  await holder.hasSaid('loading');
  const reports = others.map((worker) => worker.go());
  const killedAt = now();
  holder.kill();
  const served = await Promise.all(reports);
  await Promise.all(others.map((worker) => worker.end()));
  const reads = served.flatMap((report) => report.reads);
  row.is('served', reads.length, 1_000);
  const last = Math.max(...reads.map(({ ended }) => ended)) - killedAt;
  row.atMost('the last after', last, { bound: leaseMs + plan.loadMs + 100 });
  row.is('loads, with the one that was killed', 1 + served[0]!.loads + served[1]!.loads, 2);
  row.is('values', new Set(reads.map(({ version }) => version)).size, 1);
  expect(row.broken).toEqual([]);
});
