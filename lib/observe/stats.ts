import type { Counters } from './counters.js';

/**
 * What a cache has done, each thing counted once per logical call and key: `getMany` of ten keys, of which seven are there,
 * is seven hits and three misses. Each read of `get`, `getMany`, `getOrSet`, `take`, a decorated method or handler is
 * either a hit, a miss or bypassed. `has`, `ttl`, `keys` and `inspect` read no values and are not counted.
 */
export interface CacheCounts {
  /** Reads that found a value, by where: in the memo of their call, among this process' copies, in Redis (or what stands for it). */
  readonly hits: { readonly memo: number; readonly l1: number; readonly redis: number };
  /** Reads that found nothing they could use when they looked, also because Redis could not be reached. */
  readonly misses: number;
  /** Reads that were told not to use what is there: by `force`, or the mode `bypass` or `refresh`. */
  readonly bypassed: number;
  /** Reads that were given a value past its ttl. */
  readonly staleServed: number;
  /** Runs of loaders, those of refreshes among them; one of `getOrSetMany` is one, however many keys it is for. */
  readonly loads: number;
  /** Loads that threw, or took longer than `loaderTimeout`. */
  readonly loadErrors: number;
  /** The time of all loads that have ended, in ms. */
  readonly loadMs: number;
  /** Waits for somebody else's load: one that runs in this process, and one of whoever holds the lease in the cluster. */
  readonly waits: { readonly process: number; readonly cluster: number };
  /** The time of all waits that are over, in ms. */
  readonly waitMs: number;
  /** Loads whose value was not stored because meanwhile the key was evicted or written, or the lease had expired. */
  readonly lostLeases: number;
  /** Values stored by `set`, `setMany`, `writeThrough`, `increment` and `@CachePut`. What is loaded is not among them. */
  readonly sets: number;
  /** Of those, values that were refused: by `if`, by a write in progress, by the mode. */
  readonly refusedSets: number;
  /** Keys evicted by `evict`, `evictPattern` and decorators, whether they existed or not. */
  readonly evicts: number;
  /** Tags evicted. */
  readonly tagEvicts: number;
  /** Namespaces cleared. */
  readonly clears: number;
  /** Background refreshes: begun; not begun because one runs, or since there was no room; begun, and the loader threw. */
  readonly refreshes: {
    readonly triggered: number;
    readonly skipped: number;
    readonly dropped: number;
    readonly failed: number;
  };
  /** Values that could not be stored: the serializer refused them; they were larger than `maxValueBytes`. */
  readonly unstorable: { readonly unserialisable: number; readonly tooLarge: number };
  /** Entries that were there and could not be decoded; each is a miss as well. */
  readonly undecodable: number;
  /** Calls that went on without Redis, which could not be reached, or must not be asked because of an evict that has not got through. */
  readonly degraded: number;
  /** What `onError` has heard, by operation. */
  readonly errors: Readonly<Record<string, number>>;
}

/** What a cache has done since it was made, for all of its namespaces together, and what it has at this moment. */
export interface CacheStats extends CacheCounts {
  /** The copies in this process: how many, their size as it is stored, and how many had to go for want of room. */
  readonly l1: { readonly entries: number; readonly bytes: number; readonly evictions: number };
  /**
   * Messages between processes. Received: from others, about entries. Published: sent along with a change, or by themselves.
   * Malformed: not understood. Gaps: times that one was found missing or malformed, so that the copies had to go.
   */
  readonly invalidations: {
    readonly received: number;
    readonly published: number;
    readonly malformed: number;
    readonly gaps: number;
  };
  /** Times that messages stopped arriving, of any one shard. */
  readonly subscriberLosses: number;
  /** Evicts that have not reached Redis yet. */
  readonly journal: number;
}

export function countsOf(counters: Counters): CacheCounts {
  const { memoHits, l1Hits, redisHits, joins, leaseWaits, unserialisable, tooLarge } = counters;
  const { misses, bypassed, staleServed, loads, loadErrors, loadMs, waitMs, lostLeases } = counters;
  const { sets, refusedSets, evicts, tagEvicts, clears, undecodable, degraded } = counters;
  return Object.freeze({
    hits: Object.freeze({ memo: memoHits, l1: l1Hits, redis: redisHits }),
    misses,
    bypassed,
    staleServed,
    loads,
    loadErrors,
    loadMs,
    waits: Object.freeze({ process: joins, cluster: leaseWaits }),
    waitMs,
    lostLeases,
    sets,
    refusedSets,
    evicts,
    tagEvicts,
    clears,
    refreshes: Object.freeze({
      triggered: counters.refreshesTriggered,
      skipped: counters.refreshesSkipped,
      dropped: counters.refreshesDropped,
      failed: counters.refreshesFailed,
    }),
    unstorable: Object.freeze({ unserialisable, tooLarge }),
    undecodable,
    degraded,
    errors: Object.freeze(Object.fromEntries(counters.errors)),
  });
}

export function statsOf(
  counters: Counters,
  now: { l1: { size: number; bytes: number } | undefined; journal: number },
): CacheStats {
  const { size = 0, bytes = 0 } = now.l1 ?? {};
  return Object.freeze({
    ...countsOf(counters),
    l1: Object.freeze({ entries: size, bytes, evictions: counters.l1Evictions }),
    invalidations: Object.freeze({
      received: counters.invalidationsReceived,
      published: counters.invalidationsPublished,
      malformed: counters.invalidationsMalformed,
      gaps: counters.invalidationGaps,
    }),
    subscriberLosses: counters.subscriberLosses,
    journal: now.journal,
  });
}
