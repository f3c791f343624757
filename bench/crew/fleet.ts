/** Many caches in one process, each with connections of its own, as if each were a process. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AssembledCache } from '../../lib/module/assemble.js';
import { Bench } from '../bench.js';
import { untilLive } from '../contenders/live.js';
import { serve } from './member.js';

export interface FleetSetup {
  readonly redisUrl: string;
  readonly namespace: string;
}

export type FleetTask =
  | { readonly what: 'open'; readonly upTo: number }
  /** What has been done since the last time. */
  | { readonly what: 'tell' }
  /** All ask for the same key. */
  | { readonly what: 'load'; readonly key: string; readonly loadMs: number };

export interface Told {
  readonly cpuUs: number;
  readonly received: number;
  /** From before an evict was sent until one of the caches had acted upon it, for keys that {@link sentNow} has named. */
  readonly agesMs: readonly number[];
  readonly loads: number;
  readonly slowestMs: number;
}

const NOTHING: Told = { cpuUs: 0, received: 0, agesMs: [], loads: 0, slowestMs: 0 };

await serve<FleetSetup, FleetTask, Told>(async ({ redisUrl, namespace }) => {
  const bench = new Bench(redisUrl);
  const caches: AssembledCache[] = [];
  let ages: number[] = [];
  let [cpu, received] = [process.cpuUsage(), 0];

  const open = async (upTo: number): Promise<Told> => {
    while (caches.length < upTo) {
      const cache = await bench.openCache({ namespace, ttl: '1h' });
      if (caches.length === 0)
        cache.listener.on(({ keys = [] }) => {
          for (const key of keys) {
            const sentAt = Number(/^at:(\d+(?:\.\d+)?)$/.exec(key)?.[1]);
            if (sentAt) ages.push(now() - sentAt);
          }
        });
      caches.push(cache);
    }
    await Promise.all(caches.map(untilLive));
    return NOTHING;
  };

  const receivedSoFar = (): number =>
    caches.reduce((sum, { service }) => sum + service.stats().invalidations.received, 0);

  const tell = (): Told => {
    const [{ user, system }, before, agesMs] = [process.cpuUsage(cpu), received, ages];
    [cpu, received, ages] = [process.cpuUsage(), receivedSoFar(), []];
    return { ...NOTHING, cpuUs: user + system, received: received - before, agesMs };
  };

  const load = async (key: string, loadMs: number): Promise<Told> => {
    let [loads, slowestMs] = [0, 0];
    const once = async (): Promise<object> => {
      loads++;
      await sleep(loadMs);
      return { id: 1 };
    };
    const call = async ({ service }: AssembledCache): Promise<void> => {
      const begin = performance.now();
      await service.getOrSet(key, once);
      slowestMs = Math.max(slowestMs, performance.now() - begin);
    };
    await Promise.all(caches.map(call));
    return { ...NOTHING, loads, slowestMs };
  };

  const answer = async (task: FleetTask): Promise<Told> => {
    switch (task.what) {
      case 'open':
        return open(task.upTo);
      case 'tell':
        return tell();
      case 'load':
        return load(task.key, task.loadMs);
    }
  };
  return { answer, close: () => bench.close() };
});

/** In ms, the same for all processes of one machine. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
