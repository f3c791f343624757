import type { Committing } from '../cache/after-commit.js';
import type { EntryKey, KeySpace } from '../keys/key-space.js';

/**
 * What the interceptors need of a cache; the engine behind a `CacheService` is one.
 *
 * A stored response is opaque bytes here. The one rule that differs from a value: what one caller may not store, no
 * other caller may have. A response with a cookie, an error or a stream belongs to the request that made it.
 */
export interface HttpCache {
  readonly options: HttpCacheDefaults;
  /** What knows of transactions. */
  readonly parts: Committing;
  keySpace(namespace?: string): KeySpace;

  /** The stored response of which this process has a copy, counted as a hit. */
  readonly front: {
    peek(key: EntryKey, operation: string, kind: 'http'): CopyOfResponse | undefined;
  };

  /**
   * The stored response, or what `load` makes of it. Whatever is to be stored has been when this resolves, so a
   * response is never on its way before its entry.
   *
   * `load` is called at most once per call, and only for the caller that gets the lease. If it resolves to undefined
   * or rejects, or runs into the loader timeout, nothing is stored and every *other* caller of the flight resolves
   * to `bytes: undefined`; its own caller gets the same, or the rejection.
   *
   * Rejects before `load` was called only where a cached read would, too: `failure: 'strict'` without Redis, and a
   * wait that timed out under `onWaitTimeout: 'throw'`.
   */
  loadHttp(key: EntryKey, load: HttpLoader, options: HttpLoadOptions): Promise<HttpLoadResult>;

  /**
   * Runs `write`, always, with nobody storing anything at the key meanwhile, and stores the bytes that it gives; without any,
   * or if it rejects, the key is absent. Rejects with its error, with `CacheEvictError` where what is there can neither be
   * replaced nor removed, and before it has run where `failure` is 'strict' and Redis fails.
   */
  readonly through: {
    one(
      key: EntryKey,
      write: HttpLoader,
      settings: { readonly ttlMs: number } & Pick<HttpLoadOptions, 'version' | 'sliding'>,
      kind: 'http',
    ): Promise<unknown>;
  };

  /** Evicts now, or, where Redis fails and `failure` is 'queue', reports it and retries; 'throw': CacheEvictError. */
  evict(keys: readonly EntryKey[], failure: 'throw' | 'queue'): Promise<number>;

  /** What has one of these tags in the namespace of this path; as `evict` where Redis fails, and so the others. */
  evictTags(path: string, tags: readonly string[], failure: 'throw' | 'queue'): Promise<void>;

  clear(path: string, failure: 'throw' | 'queue'): Promise<void>;

  evictPattern(
    space: KeySpace,
    glob: string,
    options: { failure: 'throw' | 'queue' },
  ): Promise<number>;
}

export interface CopyOfResponse {
  /** The bytes; the same buffer for everybody, and not to be written to. */
  take(): unknown;
  /** As {@link HttpLoadResult.ttlMs}. */
  freshMs(): number;
}

/** The part of the module's options that an interceptor falls back to. */
export interface HttpCacheDefaults {
  readonly ttlMs: number;
  /** TTL of a null body in ms; default: that of any other. */
  readonly negativeTtlMs?: number | undefined;
  /** false: a null body is never stored. */
  readonly cacheNull: boolean;
  readonly evictFailure: { readonly decorators: 'throw' | 'queue' };
}

/** The bytes to store, or undefined: this response is for its own request alone. */
export type HttpLoader = (context: HttpLoadContext) => Promise<Buffer | undefined>;

export interface HttpLoadContext {
  /** Another TTL for this response than that of the call, in ms. */
  setTtl(ttlMs: number): void;
  /** An evict of one of them since the load began counts. There is always one; the engine's type of a load omits it. */
  setTags(tags: readonly string[]): void;
  /** Fires when nobody waits for this load any more: it has taken longer than `loaderTimeout`. */
  readonly signal?: AbortSignal;
}

export interface HttpLoadOptions {
  /** Default: the module's. Infinity: no expiry. */
  ttlMs?: number | undefined;
  waitTimeoutMs?: number | undefined;
  /** Loads although there is an entry, and replaces it. */
  force?: boolean | undefined;
  /** A response of another version is a miss. */
  version?: string | number | undefined;
  /** Reads begin its life anew. */
  sliding?: boolean | undefined;
}

export interface HttpLoadResult {
  /** Undefined: the caller answers by itself. */
  bytes: Buffer | undefined;
  /** 'hit': it was there; 'loaded': by this call's `load`; 'joined': by another call's, here or in another process. */
  source: 'hit' | 'loaded' | 'joined';
  /** False where a load's result did not get into the cache: Redis fails, it is too large, or it was evicted meanwhile. */
  stored: boolean;
  /** How long the entry is still fresh, in ms; Infinity: for ever; undefined: not known, or not stored. */
  ttlMs?: number | undefined;
}
