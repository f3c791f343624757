/**
 * Everything that is counted, as plain numbers that only grow. What each of them means is written once, in `CacheCounts`
 * and `CacheStats`, which these are told as.
 */
export class Counters {
  memoHits = 0;
  l1Hits = 0;
  redisHits = 0;
  misses = 0;
  bypassed = 0;
  staleServed = 0;
  joins = 0;
  leaseWaits = 0;
  waitMs = 0;
  loads = 0;
  loadErrors = 0;
  loadMs = 0;
  lostLeases = 0;
  unserialisable = 0;
  tooLarge = 0;
  undecodable = 0;
  sets = 0;
  refusedSets = 0;
  evicts = 0;
  tagEvicts = 0;
  clears = 0;
  refreshesTriggered = 0;
  refreshesSkipped = 0;
  refreshesDropped = 0;
  refreshesFailed = 0;
  degraded = 0;
  l1Evictions = 0;
  invalidationsReceived = 0;
  invalidationsPublished = 0;
  invalidationsMalformed = 0;
  invalidationGaps = 0;
  subscriberLosses = 0;
  /** By the operation that `onError` hears of: some dozens, all of them written in this package. */
  readonly errors = new Map<string, number>();
}

export type Counted = Exclude<keyof Counters, 'errors'>;
