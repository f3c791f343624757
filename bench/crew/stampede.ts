/** One process of several whose callers all ask for one missing key. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Bench } from '../bench.js';
import type { Cache } from '../contenders/cache.js';
import { LOADING } from '../contenders/loading.js';
import { serve } from './member.js';

export interface StampedeSetup {
  readonly redisUrl: string;
  /** The same for all: their caches have the same names. */
  readonly run: string;
}

export interface StampedeTask {
  /** Which cache; one that is not installed is in none of the processes. */
  readonly cache: string;
  readonly key: string;
  readonly callers: number;
  readonly loadMs: number;
}

export interface Stampede {
  readonly loads: number;
  /** Ids of the values that callers were given. */
  readonly values: readonly string[];
  readonly slowestMs: number;
}

await serve<StampedeSetup, StampedeTask, Stampede>(async ({ redisUrl, run }) => {
  const bench = new Bench(redisUrl, { run });
  const caches = new Map<string, Cache>();
  for (const open of LOADING) {
    const cache = await open(bench, 'both');
    if (cache) caches.set(cache.name, cache);
  }
  const answer = async (task: StampedeTask): Promise<Stampede> => {
    const { getOrSet } = caches.get(task.cache)!;
    let loads = 0;
    const load = async (): Promise<object> => {
      const id = `${process.pid}-${loads++}`;
      await sleep(task.loadMs);
      return { id };
    };
    const values = new Set<string>();
    let slowestMs = 0;
    const call = async (): Promise<void> => {
      const begin = performance.now();
      const { id } = (await getOrSet!(task.key, load)) as { id: string };
      slowestMs = Math.max(slowestMs, performance.now() - begin);
      values.add(id);
    };
    await Promise.all(Array.from({ length: task.callers }, call));
    return { loads, values: [...values], slowestMs };
  };
  return { answer, close: () => bench.close() };
});
