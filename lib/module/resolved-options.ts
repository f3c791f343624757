import type { Serializer } from '../codec/serializer.js';
import type { SingleTopologyOptions } from '../redis/topology.options.js';

/**
 * The options after they have been checked: every default filled in, every duration in ms, frozen.
 * What users write is `RedisCacheOptions`; `resolveOptions` makes one out of the other.
 */
export interface ResolvedCacheOptions {
  readonly topology: { readonly type: 'memory' } | (SingleTopologyOptions & { type: 'single' });
  readonly namespace: string;
  /** Infinity: entries do not expire. */
  readonly ttlMs: number;
  /** 0 to 0.5. */
  readonly ttlJitter: number;
  /** Life of a stored null; undefined: as any other value. */
  readonly negativeTtlMs?: number;
  readonly cacheNull: boolean;
  readonly lease: {
    readonly ttlMs: number;
    readonly waitTimeoutMs: number;
    readonly onWaitTimeout: 'load' | 'throw';
  };
  readonly loaderTimeoutMs: number;
  /** Infinity: no limit. */
  readonly loaderConcurrency: number;
  /** 0: none. */
  readonly errorBackoffMs: number;
  readonly shutdownTimeoutMs: number;
  readonly timeouts: {
    readonly connectMs: number;
    readonly readMs: number;
    readonly writeMs: number;
  };
  readonly failure: 'open' | 'strict';
  /** Calls and decorators differ only where the user has not chosen. */
  readonly evictFailure: {
    readonly calls: 'throw' | 'queue';
    readonly decorators: 'throw' | 'queue';
  };
  readonly onError?: (event: CacheErrorEvent) => void;
  readonly serializer: 'json' | Serializer;
  readonly maxValueBytes: number;
}

/** What `onError` hears: the call that failed, what it returns instead, and why. */
export interface CacheErrorEvent {
  operation: string;
  returning: unknown;
  error: Error;
}
