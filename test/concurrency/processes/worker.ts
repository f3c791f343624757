/**
 * One process of a concurrency test: a cache over the shared Redis, driven by messages of its parent. The "database" is
 * a counter per row in the same Redis, which is linearizable, as the guarantee asks of a source.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { loadSettings } from '../../../lib/cache/entry.options.js';
import { assemble } from '../../../lib/module/assemble.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';
import type { HistoryPlan, Read, Report, StampedePlan, WorkerPlan } from './plan.js';

const plan = JSON.parse(process.argv[2]!) as WorkerPlan;
const cache = assemble(
  resolveOptions(
    { ...plan.options, namespace: plan.namespace, topology: { type: 'single', url: plan.url } },
    'the worker',
  ),
  { log: { warn: () => undefined } },
);
const database = new Redis(plan.url);
const row = (key: string): string => `row:${plan.namespace}:${key}`;

/** CLOCK_MONOTONIC in ms: the same clock in all processes of a machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const random = (most: number): number => Math.random() * most;

await cache.connect();
process.on('message', (message: 'go' | 'end') => void (message === 'go' ? run() : end()));
process.send!('ready');

async function run(): Promise<void> {
  process.send!(plan.kind === 'history' ? await history(plan) : await stampede(plan));
}

async function end(): Promise<void> {
  await cache.close();
  database.disconnect();
  process.disconnect();
}

function emptyReport(): Report {
  return { reads: [], readsAtRest: [], evicts: [], loads: 0, errors: [] };
}

/** As `getOrSet` does it, and with what only the engine tells: where the value came from. */
async function timedRead(key: string, loader: () => Promise<number>): Promise<Read> {
  const began = now();
  const { source, value } = await cache.engine.load({
    key: cache.engine.keySpace().entry(key),
    kind: 'value',
    loader,
    settings: loadSettings('the worker', undefined, cache.engine.options),
  });
  return { key, version: value.take() as number, source, began, ended: now() };
}

async function history(plan: HistoryPlan): Promise<Report> {
  const report = emptyReport();
  const until = now() + plan.runMs;
  const anyKey = (): string => `k${Math.floor(random(plan.keys))}`;

  const load = async (key: string): Promise<number> => {
    report.loads++;
    await sleep(random(plan.loaderMs));
    const version = Number((await database.get(row(key))) ?? 0);
    await sleep(random(plan.loaderMs));
    return version;
  };
  const read = async (key: string): Promise<void> => {
    report.reads.push(await timedRead(key, () => load(key)));
  };
  const write = async (key: string): Promise<void> => {
    const commit = (): Promise<number> => database.incr(row(key));
    const way = plan.writes[Math.floor(random(plan.writes.length))]!;
    let version: number;
    if (way === 'evict') {
      version = await commit();
      await cache.service.evict(key);
    } else if (way === 'withWrite') version = await cache.service.withWrite(key, commit);
    else version = await cache.service.writeThrough(key, commit);
    report.evicts.push({ key, version, ended: now() });
  };
  const loop = async (step: (key: string) => Promise<void>, pauseMs: number): Promise<void> => {
    while (now() < until) {
      await step(anyKey()).catch((error: Error) => report.errors.push(error.message));
      await sleep(random(pauseMs));
    }
  };
  await Promise.all([
    ...Array.from({ length: plan.readers }, () => loop(read, 2)),
    loop(write, 2 * plan.writePauseMs),
  ]);
  // At rest: what is cached now is what everybody would see from here on.
  await sleep(plan.restMs);
  for (let i = 0; i < plan.keys; i++)
    report.readsAtRest.push(await timedRead(`k${i}`, () => load(`k${i}`)));
  return report;
}

async function stampede({ callers, loadMs }: StampedePlan): Promise<Report> {
  const report = emptyReport();
  const load = async (): Promise<number> => {
    report.loads++;
    process.send!('loading');
    await sleep(loadMs);
    return database.incr(row('stampede'));
  };
  const call = async (): Promise<void> => {
    report.reads.push(await timedRead('stampede', load));
  };
  await Promise.all(Array.from({ length: callers }, call));
  return report;
}
