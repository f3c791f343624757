import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Compiled } from '../../support/compiled.js';
import { Worker } from '../../concurrency/processes/workers.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { crowd, lasting } from '../row.js';
import { now } from './ledger.js';
import type { LoadPlan, LoadReport } from './plan.js';

const FOLDER = 'test/faults/load';
const LOAD_WORKER = `${FOLDER}/worker.ts`;
/** What `Compiled` has to make. */
export const LOAD_PROGRAMS = ['worker', 'ledger', 'zipf', 'internals'].map(
  (name) => `${FOLDER}/${name}.ts`,
);

export const PROCESSES = 3;

/** What is back after a second may take longer on a machine without time. */
const MOST_PATIENCE = 4;

export interface Fault {
  /** Of the cache in each process. */
  optionsOf: (process: number) => Partial<RedisCacheOptions>;
  load?: Partial<Omit<LoadPlan, 'options'>>;
  /** Of single processes. */
  more?: (process: number) => Partial<LoadPlan>;
  /** How long it lasts at least, and how long the load goes on after it. */
  lastsMs: number;
  afterMs?: number;
  begin: () => unknown;
  /** The load goes on for as long as this takes. */
  end: () => unknown;
}

/** What the processes have to say, and when the fault was there; CLOCK_MONOTONIC in ms. */
export interface Run {
  reports: LoadReport[];
  warmFrom: number;
  from: number;
  until: number;
}

/** Runs the load in all processes at once, with the fault in the middle of it. */
export async function underLoad(compiled: Compiled, fault: Fault): Promise<Run> {
  const warmUpMs = lasting(2_000, 1_000);
  const { lastsMs, afterMs = lasting(5_000, 2_500) } = fault;
  const shared = {
    namespace: `f${randomBytes(6).toString('hex')}`,
    databaseUrl: process.env.TEST_REDIS_URL!,
    emptyWithinMs: 5_000 * crowd(),
    restMs: 500,
    keys: 1_000,
    keyPrefix: '',
    readsPerSecond: lasting(500, 300),
    evictsPerSecond: 50 / PROCESSES,
    loaderMs: { least: 5, most: 20 },
    ...fault.load,
  };
  const plans = Array.from({ length: PROCESSES }, (_, i): LoadPlan => {
    return { ...shared, options: fault.optionsOf(i), ...fault.more?.(i) };
  });
  const workers = await Worker.startAll<LoadReport>(compiled, LOAD_WORKER, plans);
  try {
    const reports = Promise.all(workers.map((worker) => worker.go()));
    reports.catch(() => undefined);
    const warmFrom = now() + warmUpMs / 2;
    await sleep(warmUpMs);
    const from = now();
    await fault.begin();
    await sleep(Math.max(0, from + lastsMs - now()));
    await fault.end();
    const until = now();
    await sleep(afterMs * Math.min(crowd(), MOST_PATIENCE));
    for (const worker of workers) worker.say('stop');
    await Promise.all(workers.map((worker) => worker.hasSaid('emptied')));
    for (const worker of workers) worker.say('rest');
    return { reports: await reports, warmFrom, from, until };
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
}
