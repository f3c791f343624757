import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache } from '../support/caches.js';
import { seeded } from '../support/seeded.js';

const KEYS = 6;
const CALLS = 25;

/** Loads that need others of lower keys, one by one, side by side or as a batch; in no circle. */
class Loads {
  constructor(
    private readonly service: CacheService,
    private readonly random: () => number,
  ) {}

  get = (n: number): Promise<unknown> => this.service.getOrSet(`k${n}`, () => this.load(n));

  many = (numbers: readonly number[]): Promise<unknown> =>
    this.service.getOrSetMany(
      numbers.map((n) => `k${n}`),
      async (missing) => {
        await sleep(this.random() * 5);
        return missing.map((key) => [key, 'loaded'] as const);
      },
    );

  private async load(n: number): Promise<string> {
    await sleep(this.random() * 5);
    const needed = Array.from({ length: n }, (_, i) => i).filter(() => this.random() < 0.5);
    const way = this.random();
    if (way < 0.4) await this.many(needed);
    else if (way < 0.7) await Promise.all(needed.map(this.get));
    else for (const each of needed) await this.get(each);
    return 'loaded';
  }
}

describe.each([
  ['memory', 'memory', 1],
  ['single', 'single', 1],
  ['single, by two processes', 'single', 2],
] as const)('loads that need other loads on %s', (_, topology, processes) => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 1))(
    'loaderConcurrency L1 few at a time, evicted meanwhile, seed %d → none waits for its loaderTimeout',
    async (seed) => {
      const random = seeded(seed);
      const loaderConcurrency = 1 + Math.floor(random() * 2);
      const l1 = random() < 0.5 && {};
      const options = { loaderConcurrency, l1, loaderTimeout: '5s' } as const;
      const first = await openCache(topology, options);
      const services = [first.service];
      while (services.length < processes) {
        const { namespace } = first;
        services.push((await openCache(topology, { ...options, namespace })).service);
      }
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < CALLS; i++) {
        const service = services[i % processes]!;
        const loads = new Loads(service, random);
        const n = Math.floor(random() * KEYS);
        calls.push(random() < 0.3 ? loads.many([n, (n + 1) % KEYS]) : loads.get(n));
        if (random() < 0.3) await sleep(random() * 10);
        if (random() < 0.3) calls.push(service.evict(`k${Math.floor(random() * KEYS)}`));
      }
      const ended = await Promise.allSettled(calls);
      expect(ended.filter(({ status }) => status === 'rejected')).toEqual([]);
    },
  );
});
