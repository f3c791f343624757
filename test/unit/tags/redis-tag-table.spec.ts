import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../lib/common/clock.js';
import type { Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { RedisTagTable } from '../../../lib/tags/redis-tag-table.js';

/** Places that a table remembers. */
const MOST = 10_000;

describe('RedisTagTable', () => {
  it('G1 more namespaces than are remembered → those of before are forgotten, and not those that come then', () => {
    const shard = { name: 'one', client: {} };
    const topology = { kind: 'single', shardOf: () => shard, shards: () => [shard] };
    const guard = new CallGuard({ readMs: 50, writeMs: 50, clock: systemClock });
    const table = new RedisTagTable(topology as unknown as Topology, { guard });
    const of = (i: number): unknown => table.tableOf(`tenant${i}:k`);
    const all = Array.from({ length: MOST }, (_, i) => of(i));
    expect(all.every((place, i) => of(i) === place)).toBe(true);
    const later = [MOST, MOST + 1, MOST + 2].map(of);
    for (const [i, place] of later.entries()) expect(of(MOST + i)).toBe(place);
    expect(of(0)).not.toBe(all[0]);
  });
});
