import type { Read, Report } from '../../concurrency/processes/plan.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';

/** One process that reads as an application does: many keys, few of them hot, no read waiting for another. */
export interface LoadPlan {
  namespace: string;
  /** Of the cache, its topology included. */
  options: Partial<RedisCacheOptions>;
  /** Where the rows are: a Redis that no fault befalls. */
  databaseUrl: string;
  /** So long after the load nothing may be under way any more. */
  emptyWithinMs: number;
  /** Between the last write of all processes and the reads at rest. */
  restMs: number;
  keys: number;
  /** In front of each key: a hash tag, for instance. */
  keyPrefix: string;
  readsPerSecond: number;
  evictsPerSecond: number;
  loaderMs: { least: number; most: number };
  /** The wall clock of this process jumps, once. */
  clockJump?: { afterMs: number; byMs: number };
}

export interface LoadRead extends Read {
  /** What the call took beyond the loads of its key that ran meanwhile in this process, in ms. */
  overheadMs: number;
}

/** An evict that rejected: it promises nothing to other processes, and everything to its own. */
export interface FailedEvict {
  key: string;
  version: number;
  began: number;
  ended: number;
  code: string;
}

/** Every quarter of a second. */
export interface Sample {
  at: number;
  rssMb: number;
  /** 99th percentile of the event loop's delay since the last sample, in ms. */
  loopDelayMs: number;
  /** Commands in the client that have not been answered. */
  queued: number;
  /** How often the server was found not to answer, so far. */
  opened: number;
}

export interface LoadReport extends Report {
  reads: LoadRead[];
  failedEvicts: FailedEvict[];
  /** How long evicts took that resolved, in ms. */
  evictMs: number[];
  /** Loads of one key at the same time, with no evict of it by this process in between. */
  mostLoadsAtOnce: number;
  /** Rejections and exceptions that nobody has caught. */
  unhandled: string[];
  samples: Sample[];
  /** How long after the load the tables were empty, or what was left in them when they had to be. */
  emptied: { afterMs: number } | { left: object };
  log: string[];
  /** Failures that the cache answered with something else, by operation and code. */
  swallowed: Record<string, number>;
}
