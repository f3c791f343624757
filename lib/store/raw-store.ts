/**
 * Plain Redis strings, as every other program reads and writes them: no header, no lease, no tags. They lie under keys of
 * their own, so that nothing which stands there can be taken for an entry, a lease or a barrier, nor the other way round.
 *
 * An implementation rejects with `CacheConnectionError` or `CacheTimeoutError`. What does harm when it is done twice is not
 * sent again. What holds no string counts as absent to `get`.
 */
export interface RawStore {
  get(key: string): Promise<Buffer | null>;
  /** False: refused by `only`. */
  set(key: string, value: Buffer, request: RawSetRequest): Promise<boolean>;
  /** True: there was something. */
  evict(key: string): Promise<boolean>;
  /** What is left in ms; Infinity: it does not expire; undefined: there is nothing. */
  ttl(key: string): Promise<number | undefined>;
  /** Adds to the decimal text of an integer, as INCRBY does; `ttlMs`, 0: none, is given to one that has no end yet. */
  increment(key: string, request: { by: number; ttlMs: number }): Promise<RawSum>;
}

export interface RawSetRequest {
  /** 0: for ever. */
  ttlMs: number;
  only?: 'absent' | 'present';
}

export type RawSum =
  | { state: 'counted'; count: number }
  /** `other`: no integer, or no string; `overflow`: the sum would be no safe integer. Nothing was changed. */
  | { state: 'other' | 'overflow' };
