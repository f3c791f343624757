import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { masterNamed } from '../../../lib/redis/cluster-nodes.js';
import type { ClusterTopology } from '../../../lib/redis/cluster.topology.js';
import { scanKeys } from '../../../lib/redis/key-scanner.js';
import { patientGuard } from '../../contract/support/tag-backends.js';
import { TestCluster, type ClusterNode } from '../../support/cluster.js';
import { connectTo } from '../../support/cluster-topology.js';

describe('scanKeys on a cluster', () => {
  const guard = patientGuard();
  let cluster: TestCluster;
  let topology: ClusterTopology;
  let client: Cluster;
  /** On each master some. */
  const keys = Array.from({ length: 60 }, (_, i) => `p:${i}`);

  beforeAll(async () => {
    cluster = await TestCluster.start();
    topology = await connectTo(cluster);
    client = topology.shards()[0]!.client as Cluster;
    await Promise.all(keys.map((key) => client.set(key, 'x')));
  }, 60_000);
  afterEach(async () => {
    for (const { server } of cluster.nodes) await server.resume();
  });
  afterAll(async () => {
    await topology.close();
    await cluster.stop();
  });

  /** What a walk finds, while something happens once the first master has been walked over. */
  async function found(meanwhile: (first: ClusterNode) => Promise<void>): Promise<Set<string>> {
    const all = new Set<string>();
    for await (const batch of scanKeys(topology, 'p:', { guard })) {
      if (all.size === 0) {
        const owner = await cluster.ownerOf(hashSlot(batch[0]!));
        await meanwhile(owner);
      }
      for (const key of batch) all.add(key);
    }
    return all;
  }

  /** A key of another master. */
  async function keyBeside(first: ClusterNode): Promise<{ key: string; from: ClusterNode }> {
    for (const key of keys) {
      const from = await cluster.ownerOf(hashSlot(key));
      if (from !== first) return { key, from };
    }
    throw new Error('All keys are on one master');
  }

  it('T13 nothing happens meanwhile → each key once, and no replica is asked', async () => {
    await Promise.all(cluster.nodes.map(({ admin }) => admin.config('RESETSTAT')));
    const batches: string[] = [];
    for await (const batch of scanKeys(topology, 'p:', { guard })) batches.push(...batch);
    expect(batches.toSorted()).toEqual(keys.toSorted());
    const scans = await Promise.all(
      cluster.nodes.map(async ({ admin }) =>
        (await admin.info('commandstats')).includes('cmdstat_scan:'),
      ),
    );
    expect(scans).toEqual([true, true, true, false, false, false]);
  });

  it('G2 T13 a slot moves to a master that has been walked over → its keys come all the same', async () => {
    const seen = await found(async (first) => {
      for (let i = 0; i < 5; i++) {
        const { key } = await keyBeside(first);
        await cluster.moveSlot(hashSlot(key), first);
      }
    });
    expect([...seen].toSorted()).toEqual(keys.toSorted());
  });

  it('G2 T13 a slot is on its way, and some of its keys have arrived → they come', async () => {
    const seen = await found(async (first) => {
      const { key, from } = await keyBeside(first);
      const slot = hashSlot(key);
      await first.cluster('SETSLOT', slot, 'IMPORTING', from.id);
      await from.cluster('SETSLOT', slot, 'MIGRATING', first.id);
      const { host, port } = first.server;
      const moving = (await from.cluster('GETKEYSINSLOT', slot, 100)) as string[];
      await from.admin.call('MIGRATE', host, port, '', 0, 5_000, 'KEYS', ...moving);
    });
    expect([...seen].toSorted()).toEqual(keys.toSorted());
  });

  it('G2 T13 a user that may not ask for the nodes → the keys of all masters', async () => {
    await Promise.all(
      cluster.nodes.map(({ admin }) => admin.acl('SETUSER', 'default', '-cluster|nodes')),
    );
    expect((await found(async () => undefined)).size).toBe(keys.length);
    await Promise.all(
      cluster.nodes.map(({ admin }) => admin.acl('SETUSER', 'default', '+cluster|nodes')),
    );
  });

  it('G2 T13 a master with slots that the client has given up → CacheConnectionError, and no list with gaps', async () => {
    const from = await cluster.ownerOf(hashSlot(keys[0]!));
    await from.server.pause();
    const gone = new Promise<Redis>((resolve) => client.once('-node', resolve));
    masterNamed(client, from.address)!.disconnect();
    await gone;
    await expect(scanKeys(topology, 'p:', { guard }).next()).rejects.toMatchObject({
      code: 'ERR_CACHE_CONNECTION',
      message: expect.stringContaining(from.address),
    });
  });
});
