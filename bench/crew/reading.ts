/** One process of several that read the same keys. */
import { Bench } from '../bench.js';
import { isThere, spread } from '../growth/along.js';
import { callFor } from '../load.js';
import { serve } from './member.js';

export interface ReadingSetup {
  readonly redisUrl: string;
  readonly namespace: string;
  /** Of the raw client's keys. */
  readonly prefix: string;
  readonly keys: number;
}

export interface ReadingTask {
  readonly reads: 'ours' | 'raw';
  readonly callers: number;
  readonly forMs: number;
}

export interface Reading {
  readonly latencies: number[];
  readonly tookMs: number;
  readonly cpuUs: number;
}

await serve<ReadingSetup, ReadingTask, Reading>(async ({ redisUrl, namespace, prefix, keys }) => {
  const bench = new Bench(redisUrl);
  const { service } = await bench.openCache({ namespace, l1: false, ttl: '1h' });
  const read = {
    ours: (key: string): Promise<unknown> => service.get(key),
    raw: (key: string): Promise<unknown> => bench.redis.get(prefix + key),
  };
  return {
    answer: async ({ reads, callers, forMs }) => {
      const call = async (n: number): Promise<void> =>
        isThere(await read[reads](`${spread(n, keys)}`));
      const before = process.cpuUsage();
      const { latencies, tookMs } = await callFor(forMs, call, callers);
      const { user, system } = process.cpuUsage(before);
      return { latencies, tookMs, cpuUs: user + system };
    },
    close: () => bench.close(),
  };
});
