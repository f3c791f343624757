import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';

export interface BurstPlan {
  namespace: string;
  options: Partial<RedisCacheOptions>;
  /** Calls at once. */
  callers: number;
  /** One wave of callers after the other. */
  waves: number;
  /** Waves between two looks at the heap. */
  wavesPerNote: number;
  /** Distinct ones. */
  keys: number;
  loadMs: number;
  failingPercent: number;
  /** Whether evicts run meanwhile. */
  evicts: boolean;
}

export interface BurstReport {
  began: number;
  ended: number;
  loads: number;
  mostAtOnce: number;
  /** Calls that got anything but their value, or their loader's error. */
  wrong: number;
  evictMs: number[];
  evictsRejected: number;
  /** Failures that the cache answered with something else. */
  swallowed: string[];
  /** What this process had of the machine, in ms. */
  cpuMs: number;
  /** Longest time in which its event loop did not turn, in ms. */
  stallMs: number;
  /** After a garbage collection: before, between and after. */
  heapMb: number[];
  copies: number;
  /** What runs or waits afterwards. */
  left: Record<string, number>;
}
