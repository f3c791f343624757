import type { TransactionAdapter } from '../common/transaction.js';
import type { Isolation } from '../l1/isolation.js';
import type { RefreshAhead } from './staleness.js';

/** What the services of the cache need to know of the module's options, in ms and with every default filled in. */
export interface CacheSettings {
  readonly namespace: string;
  readonly ttlMs: number;
  readonly ttlJitter: number;
  readonly negativeTtlMs?: number;
  /** 0: none. */
  readonly graceMs: number;
  readonly staleWhileRevalidate: boolean;
  readonly refreshAhead?: RefreshAhead;
  readonly cacheNull: boolean;
  readonly lease: {
    readonly ttlMs: number;
    readonly waitTimeoutMs: number;
    readonly onWaitTimeout: 'load' | 'throw';
  };
  readonly loaderTimeoutMs: number;
  /** Infinity: a value in grace is only served when the load has failed. */
  readonly softTimeoutMs: number;
  readonly loaderConcurrency: number;
  readonly errorBackoffMs: number;
  readonly shutdownTimeoutMs: number;
  readonly maxValueBytes: number;
  readonly isolation: Isolation;
  readonly failure: 'open' | 'strict';
  readonly evictFailure: {
    readonly calls: 'throw' | 'queue';
    readonly decorators: 'throw' | 'queue';
  };
  readonly transaction?: TransactionAdapter;
}
