import { expect, it } from '@jest/globals';
import { Counters } from '../../../lib/observe/counters.js';
import { statsOf } from '../../../lib/observe/stats.js';

it('O1 O2 O3 O4 statsOf — every counter → told once, under its own name', () => {
  const names = Object.keys(new Counters()).filter((name) => name !== 'errors');
  const values = Object.fromEntries(names.map((name, i) => [name, i + 1]));
  const counters = Object.assign(new Counters(), values);
  counters.errors.set('get', 100);
  const stats = statsOf(counters, { l1: { size: 200, bytes: 300 }, journal: 400 });
  expect(stats).toEqual({
    hits: { memo: values.memoHits, l1: values.l1Hits, redis: values.redisHits },
    misses: values.misses,
    bypassed: values.bypassed,
    staleServed: values.staleServed,
    loads: values.loads,
    loadErrors: values.loadErrors,
    loadMs: values.loadMs,
    waits: { process: values.joins, cluster: values.leaseWaits },
    waitMs: values.waitMs,
    lostLeases: values.lostLeases,
    sets: values.sets,
    refusedSets: values.refusedSets,
    evicts: values.evicts,
    tagEvicts: values.tagEvicts,
    clears: values.clears,
    refreshes: {
      triggered: values.refreshesTriggered,
      skipped: values.refreshesSkipped,
      dropped: values.refreshesDropped,
      failed: values.refreshesFailed,
    },
    unstorable: { unserialisable: values.unserialisable, tooLarge: values.tooLarge },
    undecodable: values.undecodable,
    degraded: values.degraded,
    errors: { get: 100 },
    l1: { entries: 200, bytes: 300, evictions: values.l1Evictions },
    invalidations: {
      received: values.invalidationsReceived,
      published: values.invalidationsPublished,
      malformed: values.invalidationsMalformed,
      gaps: values.invalidationGaps,
    },
    subscriberLosses: values.subscriberLosses,
    journal: 400,
  });
});
