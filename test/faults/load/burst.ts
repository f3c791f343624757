/** One process with very many misses, all at once or one wave after the other. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assemble } from '../../../lib/module/assemble.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';
import { now } from './ledger.js';
import type { BurstPlan, BurstReport } from './burst-plan.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const plan = JSON.parse(process.argv[2]!) as BurstPlan;
const report: BurstReport = {
  began: 0,
  ended: 0,
  loads: 0,
  mostAtOnce: 0,
  wrong: 0,
  evictMs: [],
  evictsRejected: 0,
  swallowed: [],
  cpuMs: 0,
  stallMs: 0,
  heapMb: [],
  copies: 0,
  left: {},
};
const onError = ({ operation, error }: { operation: string; error: Error }): void => {
  if (report.swallowed.length < 5) report.swallowed.push(`${operation}: ${error.message}`);
};
const cache = assemble(
  resolveOptions({ ...plan.options, namespace: plan.namespace, onError }, 'the worker'),
  {
    log: { warn: () => undefined },
  },
);
let atOnce = 0;

await cache.connect();
process.on('message', (message: 'go' | 'end') => void (message === 'go' ? run() : end()));
process.send!('ready');

async function call(i: number): Promise<void> {
  const key = `k${i % plan.keys}`;
  const fails = i % 100 < plan.failingPercent;
  const load = async (): Promise<string> => {
    report.loads++;
    report.mostAtOnce = Math.max(report.mostAtOnce, ++atOnce);
    if (plan.loadMs > 0) await sleep(plan.loadMs);
    atOnce--;
    if (fails) throw new Error(key);
    return key;
  };
  const got = await cache.service.getOrSet(key, load).catch((error: Error) => error.message);
  if (got !== key) report.wrong++;
}

async function evictMeanwhile(): Promise<void> {
  while (report.ended === 0) {
    const began = now();
    await cache.service.evict('nobody reads it').catch(() => report.evictsRejected++);
    report.evictMs.push(now() - began);
    await sleep(20);
  }
}

async function noteHeap(): Promise<void> {
  // Timers and sockets let go of what they hold a moment later.
  await sleep(100);
  collectGarbage();
  report.heapMb.push(process.memoryUsage().heapUsed / 2 ** 20);
}

async function run(): Promise<void> {
  await cache.service.getOrSet('warm', () => 1);
  await noteHeap();
  report.began = now();
  const usedBefore = process.cpuUsage();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const evicting = plan.evicts ? evictMeanwhile() : undefined;
  for (let wave = 0; wave < plan.waves; wave++) {
    const from = wave * plan.callers;
    await Promise.all(Array.from({ length: plan.callers }, (_, i) => call(from + i)));
    if (plan.waves > 1 && wave % plan.wavesPerNote === plan.wavesPerNote - 1) await noteHeap();
  }
  report.ended = now();
  report.stallMs = delay.max / 1e6;
  const { user, system } = process.cpuUsage(usedBefore);
  report.cpuMs = (user + system) / 1_000;
  await evicting;
  await sleep(500);
  await noteHeap();
  report.copies = cache.engine['parts'].tier?.size ?? 0;
  report.left = cache.engine.pending();
  process.send!(report);
}

async function end(): Promise<void> {
  await cache.close();
  process.disconnect();
}
