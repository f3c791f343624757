/** A process of its own for one of those who read: nobody else's garbage, and no code that somebody else's values have made slow. */
import { Bench } from '../bench.js';
import { cat } from '../contenders/cats.js';
import { READERS } from '../contenders/readers.js';
import { spread } from '../growth/along.js';
import { timeOfCalls } from '../load.js';
import { serve } from './member.js';

export interface ReaderSetup {
  readonly redisUrl: string;
  /** Which of them. */
  readonly index: number;
  readonly keys: number;
}

/** `who`: to say who it is. */
export type ReaderTask =
  | 'who'
  /** So many reads of all callers together. */
  | { readonly callers: number; readonly reads: number };

/** Reads in a second, or a name. */
export type ReaderAnswer = number | string;

await serve<ReaderSetup, ReaderTask, ReaderAnswer>(async ({ redisUrl, index, keys: count }) => {
  const bench = new Bench(redisUrl);
  const values = new Map(Array.from({ length: count }, (_, i) => [`cat:${i}`, cat(i)]));
  const { name, read } = await READERS[index]!(bench, values);
  const keys = [...values.keys()];
  let next = 0;
  /** All keys, and then again; neighbours lie far apart, so that no two callers ask for the same one at the same time. */
  const readNext = (): Promise<unknown> => read(keys[spread(next++, keys.length)]!);
  return {
    answer: async (task) => {
      if (task === 'who') return name;
      const { callers, reads } = task;
      return (reads / (await timeOfCalls(readNext, { callers, calls: reads }))) * 1_000;
    },
    close: () => bench.close(),
  };
});
