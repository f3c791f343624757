import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';

export interface Plan {
  url: string;
  namespace: string;
  options?: Partial<RedisCacheOptions>;
}

/** Readers and a writer per process on the same few rows. */
export interface HistoryPlan extends Plan {
  runMs: number;
  /** Between the last write and the reads at rest. */
  restMs: number;
  readers: number;
  keys: number;
  /** A loader pauses up to so long before and after it reads its row. */
  loaderMs: number;
  /** Mean pause between two writes of a process. */
  writePauseMs: number;
  writes: readonly ('evict' | 'withWrite' | 'writeThrough')[];
}

/** Many callers of one missing key. */
export interface StampedePlan extends Plan {
  callers: number;
  loadMs: number;
}

/** Times are CLOCK_MONOTONIC in ms. */
export interface Read {
  key: string;
  version: number;
  source: 'copy' | 'hit' | 'stale' | 'loaded' | 'joined' | 'private';
  began: number;
  ended: number;
}

/** A write whose evict, or barrier, has returned. */
export interface Evict {
  key: string;
  version: number;
  ended: number;
}

export interface Report {
  reads: Read[];
  /** Of every row, when all writers had ended for a while. */
  readsAtRest: Read[];
  evicts: Evict[];
  loads: number;
  /** Messages of calls that rejected: they promise nothing. */
  errors: string[];
}
