import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { BatchedReads } from '../../../lib/redis/batched-reads.js';
import type { ClusterTopology } from '../../../lib/redis/cluster.topology.js';
import { RedisEntryStore } from '../../../lib/store/redis-entry-store.js';
import { RedisTagTable } from '../../../lib/tags/redis-tag-table.js';
import { patientGuard } from '../../contract/support/tag-backends.js';
import { TestCluster } from '../../support/cluster.js';
import { connectTo } from '../../support/cluster-topology.js';
import { countWrites } from '../../support/count-writes.js';

describe('writes to the masters of a cluster', () => {
  let cluster: TestCluster;
  let topology: ClusterTopology;
  let store: RedisEntryStore;
  let tags: RedisTagTable;
  let counts: (() => number)[];

  beforeAll(async () => {
    cluster = await TestCluster.start({ replicas: 0 });
    topology = await connectTo(cluster);
    const guard = patientGuard();
    const reads = new BatchedReads(guard);
    store = new RedisEntryStore(topology, {
      instance: 'instance-A',
      wakePrefix: 'w:',
      guard,
      reads,
    });
    tags = new RedisTagTable(topology, { guard, reads });
    // The tables are there, and the scripts known to all masters.
    await tags.bump('one', ['a']);
    await store.evictMany(KEYS);
  }, 60_000);
  afterAll(async () => {
    await topology.close();
    await cluster.stop();
  });

  const KEYS = Array.from({ length: 400 }, (_, i) => `one:k${i}`);
  const masters = (): Redis[] =>
    topology.connections().flatMap(({ client }) => (client.isCluster ? [] : [client as Redis]));

  beforeEach(() => {
    counts = masters().map(({ stream }) => countWrites(stream));
  });
  afterEach(() => void counts.map((count) => count()));

  const written = (): number[] => counts.map((count) => count());

  it('M6 reads of all masters in a tick → one write to each', async () => {
    await store.readMany(KEYS);
    expect(written()).toEqual([1, 1, 1]);
  });

  it('M6 entries and the tables that judge them, in a tick → one write to each', async () => {
    const reads = KEYS.map((key) => store.read(key));
    const versions = await Promise.all(KEYS.map((key) => tags.glance(key, ['a'])));
    await Promise.all(reads);
    expect(new Set(versions.map((each) => each?.tags.has('a')))).toEqual(new Set([true]));
    expect(written()).toEqual([1, 1, 1]);
  });

  it('M6 an entry and its table, alone → the entry is read without waiting for the other', async () => {
    await Promise.all([store.read('one:k7'), tags.glance('one:k7', ['a'])]);
    expect(written().toSorted((a, b) => a - b)).toEqual([0, 0, 2]);
  });

  it('M6 tags are evicted, or all → one write to each', async () => {
    await tags.bump('one', ['a', 'b']);
    expect(written()).toEqual([1, 1, 1]);
  });

  it('M6 a list of keys is evicted → one write to each', async () => {
    await store.evictMany(KEYS.slice(0, 100));
    expect(written()).toEqual([1, 1, 1]);
  });
});
