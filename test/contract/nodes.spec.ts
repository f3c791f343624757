import { describe, expect, it } from '@jest/globals';
import { atEndOfTick } from '../../lib/common/async.js';
import { sharedCluster } from '../support/cluster.js';
import { openCache, VARIANTS, type TopologyName } from '../support/caches.js';

/** What the servers of the tests are called. */
async function namesOf(topology: TopologyName): Promise<string[]> {
  const { hostname, port } = new URL(process.env.TEST_REDIS_URL!);
  switch (topology) {
    case 'memory':
      return ['memory'];
    case 'single':
      return [`${hostname}:${port || 6379}`];
    case 'sharded':
      return ['shard-0', 'shard-1', 'shard-2'];
    case 'cluster':
      return [...(await sharedCluster())].toSorted();
  }
}

describe.each(VARIANTS)('nodes — %s', (_, topology, options) => {
  it('B12 nodes — all is well → each server by its name, with the time of a PING', async () => {
    const { service } = await openCache(topology, options);
    const nodes = await service.nodes();
    expect(nodes.map(({ name }) => name).toSorted()).toEqual(await namesOf(topology));
    for (const { pingMs, version, error, ...state } of nodes) {
      expect(error).toBeUndefined();
      expect(pingMs).toBeGreaterThanOrEqual(0);
      expect(version ?? '').toMatch(topology === 'memory' ? /^$/ : /^\d+\.\d+\.\d+/);
      expect(state).toMatchObject({ connected: true, circuit: 'closed', waiting: 0 });
    }
  });

  it('B12 nodes — of a namespace → the same servers', async () => {
    const { service } = await openCache(topology, options);
    const names = (await service.namespace('inner').nodes()).map(({ name }) => name);
    expect(names.toSorted()).toEqual(await namesOf(topology));
  });

  it('B12 nodes — commands under way → counted at the server that has them', async () => {
    const { service } = await openCache(topology, options);
    const writes = Array.from({ length: 20 }, (__, i) => service.evict(`k${i}`));
    await new Promise<void>(atEndOfTick);
    const nodes = await service.nodes();
    const inFlight = nodes.reduce((sum, node) => sum + node.inFlight, 0);
    expect(inFlight > 0).toBe(topology !== 'memory');
    await Promise.all(writes);
  });

  it('B12 ping — all is well → the time of the slowest', async () => {
    const { service } = await openCache(topology, options);
    const tookMs = await service.ping();
    expect(tookMs >= 0 && tookMs < 300).toBe(true);
  });

  it('B12 closed → nodes tells, ping rejects; memory is there as ever', async () => {
    const cache = await openCache(topology, options);
    await cache.close();
    const [first] = await cache.service.nodes();
    expect(first!.connected).toBe(topology === 'memory');
    const pinged = await cache.service.ping().catch((error: { code: string }) => error.code);
    expect(pinged).toBe(topology === 'memory' ? 0 : 'ERR_CACHE_CONNECTION');
  });
});
