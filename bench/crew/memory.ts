/** A process of its own for one cache, whose memory is measured. Run with --expose-gc. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { Bench } from '../bench.js';
import type { Cache } from '../contenders/cache.js';
import { LOADING } from '../contenders/loading.js';
import { timeOfCalls } from '../load.js';
import { serve } from './member.js';

export interface MemorySetup {
  readonly redisUrl: string;
  /** Which of those that load. */
  readonly index: number;
}

export interface MemoryTask {
  readonly call: 'getOrSet' | 'get';
  /** The first key; all keys are different ones. */
  readonly from: number;
  readonly operations: number;
  readonly callers: number;
}

export interface Memory {
  readonly perSecond: number;
  /** In use after the collector has run, buffers included. */
  readonly heapMB: number;
  /** Turns of the event loop: 99 of 100 took no longer, and the longest. */
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

const VALUE = { id: 1, name: 'a cat', tags: ['a', 'b'], owner: { id: 7 }, text: 'x'.repeat(100) };

await serve<MemorySetup, MemoryTask, Memory>(async ({ redisUrl, index }) => {
  const bench = new Bench(redisUrl);
  const cache = (await LOADING[index]!(bench, 'both'))!;
  // With 1 it says how long one turn of the loop takes, which is how late a timer may be.
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const answer = async ({ call, from, operations, callers }: MemoryTask): Promise<Memory> => {
    delay.reset();
    delay.enable();
    const callNext = (n: number): Promise<void> => callOnce(cache, call, `cat:${from + n}`);
    const ms = await timeOfCalls(callNext, { callers, calls: operations });
    const perSecond = (operations / ms) * 1_000;
    delay.disable();
    const [delayP99Ms, delayMaxMs] = [delay.percentile(99) / 1e6, delay.max / 1e6];
    return { perSecond, heapMB: await usedMB(), delayP99Ms, delayMaxMs };
  };
  return { answer, close: () => bench.close() };
});

async function callOnce(cache: Cache, call: MemoryTask['call'], key: string): Promise<void> {
  if (call === 'getOrSet') return void (await cache.getOrSet!(key, async () => ({ ...VALUE })));
  if ((await cache.get(key)) == null) throw new Error('A miss, where a hit is measured');
}

async function usedMB(): Promise<number> {
  // What a first run has let go of may let go of more.
  for (let i = 0; i < 3; i++) {
    globalThis.gc!();
    await turn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}
