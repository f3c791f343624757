/** One process of a crew: readers and a writer on the same few rows, for one plan after another. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryPlan, Report } from './plan.js';
import { now, TimedCache } from './timed-cache.js';

let plan: HistoryPlan;
let timed: TimedCache;

process.on('message', (message: HistoryPlan | 'go' | 'end') => void hear(message));

async function hear(message: HistoryPlan | 'go' | 'end'): Promise<void> {
  if (message === 'go') process.send!(await history());
  else if (message === 'end') {
    await timed.close();
    process.send!('ended');
  } else {
    plan = message;
    timed = await TimedCache.connect(plan);
    process.send!('ready');
  }
}

const random = (most: number): number => Math.random() * most;

async function history(): Promise<Report> {
  const { report, service } = timed;
  const until = now() + plan.runMs;
  const anyKey = (): string => `k${Math.floor(random(plan.keys))}`;

  const load = async (key: string): Promise<number> => {
    report.loads++;
    await sleep(random(plan.loaderMs));
    const version = await timed.row(key);
    await sleep(random(plan.loaderMs));
    return version;
  };
  const read = async (key: string): Promise<void> => {
    report.reads.push(await timed.read(key, () => load(key)));
  };
  const write = async (key: string): Promise<void> => {
    const commit = (): Promise<number> => timed.commit(key);
    const way = plan.writes[Math.floor(random(plan.writes.length))]!;
    let version: number;
    if (way === 'evict') {
      version = await commit();
      await service.evict(key);
    } else if (way === 'withWrite') version = await service.withWrite(key, commit);
    else version = await service.writeThrough(key, commit);
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
    report.readsAtRest.push(await timed.read(`k${i}`, () => load(`k${i}`)));
  return report;
}
