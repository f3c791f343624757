import type { Isolation } from '../l1/isolation.js';

/** What the services of the cache need to know of the module's options, in ms and with every default filled in. */
export interface CacheSettings {
  readonly namespace: string;
  readonly ttlMs: number;
  readonly ttlJitter: number;
  readonly negativeTtlMs?: number;
  readonly cacheNull: boolean;
  readonly lease: {
    readonly ttlMs: number;
    readonly waitTimeoutMs: number;
    readonly onWaitTimeout: 'load' | 'throw';
  };
  readonly loaderTimeoutMs: number;
  readonly loaderConcurrency: number;
  readonly errorBackoffMs: number;
  readonly shutdownTimeoutMs: number;
  readonly isolation: Isolation;
  readonly failure: 'open' | 'strict';
  readonly evictFailure: {
    readonly calls: 'throw' | 'queue';
    readonly decorators: 'throw' | 'queue';
  };
}
