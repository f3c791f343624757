import type { Bench } from '../bench.js';

/** Somebody who reads: this cache, a raw client, a peer. One file each in this folder. */
export interface Reader {
  readonly name: string;
  /** The value; rejects where there is none. */
  read(key: string): Promise<unknown>;
}

/** Stores the values under the reader's own keys and opens it; the bench closes what it has opened itself. */
export type OpenReader = (bench: Bench, values: ReadonlyMap<string, unknown>) => Promise<Reader>;

export function miss(name: string, key: string): never {
  throw new Error(`${name} does not find '${key}', which has been stored`);
}
