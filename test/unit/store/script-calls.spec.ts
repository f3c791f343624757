import { describe, expect, it } from '@jest/globals';
import type { Command } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import type { RedisClient, Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { RedisEntryStore } from '../../../lib/store/redis-entry-store.js';
import { evict } from '../../../lib/store/lua/evict.lua.js';

describe('evicts on a cluster', () => {
  const EVICTED = (evict.replies as readonly string[]).indexOf('evicted');

  /** One master, which answers the evict of each key but one. */
  function openStore(unanswered: string): RedisEntryStore {
    const client = {
      isCluster: true,
      slots: [],
      nodes: () => [],
      sendCommand: (command: Command) =>
        command.args.includes(unanswered) ? new Promise(() => undefined) : Promise.resolve(EVICTED),
    } as unknown as RedisClient;
    const shard = { name: 'master', client };
    const topology = {
      kind: 'cluster',
      shardOf: () => shard,
      shards: () => [shard],
      formerOwnersOf: () => [],
    } as unknown as Topology;
    const guard = new CallGuard({ readMs: 50, writeMs: 50, clock: systemClock });
    return new RedisEntryStore(topology, { instance: 'me', wakePrefix: 'w:', guard });
  }

  const KEYS = Array.from({ length: 50 }, (_, i) => `cache:k${i}`);

  it.each([
    ['by one call', (store: RedisEntryStore) => store.evictMany(KEYS)],
    [
      'each by itself',
      (store: RedisEntryStore) => Promise.allSettled(KEYS.map((key) => store.evict(key))),
    ],
  ])('R8 one of fifty is not answered, %s → that one has failed', async (_, evictAll) => {
    const results = await evictAll(openStore('cache:k7'));
    const failed = KEYS.filter((__, i) => results[i]!.status === 'rejected');
    expect(failed).toEqual(['cache:k7']);
    expect(results.filter((each) => each.status === 'fulfilled' && each.value)).toHaveLength(49);
  });
});
