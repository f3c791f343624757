import type { Bench } from '../bench.js';

/** Where values are looked for: in Redis alone, or among copies in the process first, kept true by messages where it can. */
export type Tiers = 'redis' | 'both';

/** One that is measured, by as much of it as it has. Values are objects; a miss is undefined or null. */
export interface Cache {
  readonly name: string;
  get(key: string): Promise<unknown>;
  set(key: string, value: object): Promise<unknown>;
  /** Absent where an application would have to write it itself. */
  getOrSet?(key: string, load: () => Promise<object>): Promise<unknown>;
  /** How many of them were found. */
  getMany?(keys: readonly string[]): Promise<number>;
}

/** Undefined: it is not installed, or has nothing of the kind. */
export type OpenCache = (bench: Bench, tiers: Tiers) => Promise<Cache | undefined>;

/** In ms: everything is kept for an hour. */
export const TTL_MS = 3_600_000;

/** What is found in a list with gaps. */
export const foundIn = (values: readonly unknown[]): number =>
  values.filter((value) => value != null).length;
