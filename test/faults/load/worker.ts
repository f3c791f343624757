/**
 * One process under load, whatever befalls its Redis. It records every read and every evict; the "database" is a counter
 * per row in another Redis.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { loadSettings } from '../../../lib/cache/entry.options.js';
import { systemClock } from '../../../lib/common/clock.js';
import { assemble } from '../../../lib/module/assemble.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';
import { LoadLedger, now } from './ledger.js';
import { openInternals } from './internals.js';
import type { LoadPlan, LoadReport } from './plan.js';
import { zipf } from './zipf.js';

const SAMPLE_MS = 250;
const TICK_MS = 10;

const plan = JSON.parse(process.argv[2]!) as LoadPlan;
const report: LoadReport = {
  reads: [],
  readsAtRest: [],
  evicts: [],
  failedEvicts: [],
  evictMs: [],
  loads: 0,
  mostLoadsAtOnce: 0,
  errors: [],
  unhandled: [],
  samples: [],
  emptied: { afterMs: 0 },
  log: [],
  swallowed: {},
};
for (const event of ['unhandledRejection', 'uncaughtException'] as const)
  process.on(event, (error) => report.unhandled.push(`${event}: ${String(error)}`));

let jumpedMs = 0;
const onError = ({ operation, error }: { operation: string; error: Error }): void => {
  const name = `${operation}:${(error as { code?: string }).code ?? error.name}`;
  report.swallowed[name] = (report.swallowed[name] ?? 0) + 1;
};
const cache = assemble(
  resolveOptions({ ...plan.options, namespace: plan.namespace, onError }, 'the worker'),
  {
    clock: { ...systemClock, now: () => Date.now() + jumpedMs },
    log: { warn: (line) => void report.log.push(line) },
  },
);
const internals = openInternals(cache);
const settings = loadSettings('the worker', undefined, cache.engine.options);
const keySpace = cache.engine.keySpace();
const database = new Redis(plan.databaseUrl);
const row = (key: string): string => `row:${plan.namespace}:${key}`;
const ledger = new LoadLedger();
const running = new Set<Promise<void>>();

await cache.connect();
process.on('message', (message: 'go' | 'stop' | 'rest' | 'end') => {
  if (message === 'go') void run();
  else if (message === 'end') void end();
});
process.send!('ready');

async function load(key: string, askedAt: number): Promise<number> {
  report.loads++;
  const ended = ledger.began(key, askedAt);
  const { least, most } = plan.loaderMs;
  const pauseMs = least + Math.random() * (most - least);
  await sleep(pauseMs / 2);
  const version = Number((await database.get(row(key))) ?? 0);
  await sleep(pauseMs / 2);
  ended();
  return version;
}

/** As `getOrSet` does it, and with what only the engine tells: where the value came from. */
async function read(key: string, reads: LoadReport['reads'] | LoadReport['readsAtRest']) {
  const began = now();
  try {
    const loader = (): Promise<number> => load(key, began);
    const entry = keySpace.entry(key);
    const served = await cache.engine.load({ key: entry, kind: 'value', loader, settings });
    const { source, value } = served;
    const version = value.take() as number;
    const ended = now();
    const overheadMs = ended - began - ledger.loadingMs(key, began, ended);
    reads.push({ key, version, source, began, ended, overheadMs } as LoadReport['reads'][number]);
  } catch (error) {
    report.errors.push(String(error));
  }
}

async function write(key: string): Promise<void> {
  const version = await database.incr(row(key));
  const began = now();
  ledger.evict(key, 'begins');
  try {
    await cache.service.evict(key);
    const ended = now();
    report.evicts.push({ key, version, ended });
    report.evictMs.push(ended - began);
  } catch (error) {
    const { code = String(error) } = error as { code?: string };
    report.failedEvicts.push({ key, version, began, ended: now(), code });
  }
  ledger.evict(key, 'ends');
}

/** Calls `step` so many times a second, on average and in even ticks, without waiting for what it does. */
function steadily(perSecond: number, step: () => Promise<void>): () => void {
  const began = now();
  let done = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((now() - began) / 1_000) * perSecond);
    for (; done < due; done++) {
      const one = step().finally(() => running.delete(one));
      running.add(one);
    }
  }, TICK_MS);
  return () => clearInterval(timer);
}

function takeSamples(): () => void {
  const delay = monitorEventLoopDelay({ resolution: TICK_MS });
  delay.enable();
  const timer = setInterval(() => {
    report.samples.push({
      at: now(),
      rssMb: process.memoryUsage.rss() / 2 ** 20,
      loopDelayMs: Math.max(0, delay.percentile(99) / 1e6 - TICK_MS),
      queued: internals.queued(),
      opened: internals.opened(),
    });
    delay.reset();
  }, SAMPLE_MS);
  return () => clearInterval(timer);
}

async function run(): Promise<void> {
  const draw = zipf(plan.keys, 1.1);
  const anyKey = (): string => plan.keyPrefix + draw();
  const { clockJump } = plan;
  if (clockJump) setTimeout(() => (jumpedMs = clockJump.byMs), clockJump.afterMs);
  const stops = [
    takeSamples(),
    steadily(plan.readsPerSecond, () => read(anyKey(), report.reads)),
    steadily(plan.evictsPerSecond, () => write(anyKey())),
  ];
  await told('stop');
  stops.forEach((stop) => stop());
  await Promise.all(running);
  report.emptied = await emptied();
  process.send!('emptied');
  await told('rest');
  await sleep(plan.restMs);
  const all = Array.from({ length: plan.keys }, (_, i) => `${plan.keyPrefix}k${i}`);
  await Promise.all(all.map((key) => read(key, report.readsAtRest)));
  report.mostLoadsAtOnce = ledger.mostAtOnce;
  process.send!(report);
}

function told(what: 'stop' | 'rest'): Promise<void> {
  return new Promise((resolve) => {
    process.on('message', (message) => message === what && resolve());
  });
}

async function emptied(): Promise<LoadReport['emptied']> {
  const began = now();
  for (;;) {
    const left = cache.engine.pending();
    if (Object.values(left).every((size) => size === 0)) return { afterMs: now() - began };
    if (now() - began > plan.emptyWithinMs) return { left };
    await sleep(20);
  }
}

async function end(): Promise<void> {
  await cache.close();
  database.disconnect();
  process.disconnect();
}
