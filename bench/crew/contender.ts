/** A process of its own for one contender: nobody else's garbage, and no code that somebody else's values have made slow. */
import { Bench } from '../bench.js';
import { ALL } from '../contenders/all.js';
import type { Cache, Tiers } from '../contenders/cache.js';
import { WORKS, type Load, type Work } from '../contenders/works.js';
import { timeOfCalls } from '../load.js';
import { serve } from './member.js';

export interface ContenderSetup {
  readonly redisUrl: string;
  /** Which of all. */
  readonly index: number;
  readonly tiers: Tiers;
}

/** `who`: to say who it is. */
export type ContenderTask = 'who' | (Load & { readonly work: Work; readonly bytes: number });

export type ContenderAnswer =
  | { readonly name: string; readonly works: readonly Work[] }
  /** It is not installed, or has not these tiers. */
  | { readonly absent: true }
  | { readonly perSecond: number };

await serve<ContenderSetup, ContenderTask, ContenderAnswer>(async ({ redisUrl, index, tiers }) => {
  const bench = new Bench(redisUrl);
  const cache = await ALL[index]!(bench, tiers);
  return {
    answer: async (task) => {
      if (!cache) return { absent: true };
      if (task !== 'who') return { perSecond: await speedOf(cache, task) };
      const works = (Object.keys(WORKS) as Work[]).filter((work) => WORKS[work](cache, 0));
      return { name: cache.name, works };
    },
    close: () => bench.close(),
  };
});

async function speedOf(
  cache: Cache,
  { work, bytes, callers, calls }: Exclude<ContenderTask, 'who'>,
): Promise<number> {
  const call: (n: number) => Promise<unknown> = WORKS[work](cache, bytes)!;
  return (calls / (await timeOfCalls(call, { callers, calls }))) * 1_000;
}
