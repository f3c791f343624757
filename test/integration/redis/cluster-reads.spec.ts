import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { atEndOfTick } from '../../../lib/common/async.js';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { readFromCluster } from '../../../lib/redis/cluster-reads.js';
import type { ClusterTopology } from '../../../lib/redis/cluster.topology.js';
import { RedisEntryStore } from '../../../lib/store/redis-entry-store.js';
import { factsWith, newId } from '../../contract/support/records.js';
import { patientGuard } from '../../contract/support/tag-backends.js';
import { TestCluster, type ClusterNode } from '../../support/cluster.js';
import { connectTo } from '../../support/cluster-topology.js';
import { waitFor } from '../../support/wait-for.js';

/** How often a node has run a command since its statistics were reset, moved or not. */
async function callsOf(node: ClusterNode, command: string): Promise<number> {
  const stats = await node.admin.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('reads on a cluster', () => {
  let cluster: TestCluster;
  let topology: ClusterTopology;
  let store: RedisEntryStore;
  let client: Cluster;

  beforeAll(async () => {
    cluster = await TestCluster.start({ replicas: 0 });
    topology = await connectTo(cluster);
    store = new RedisEntryStore(topology, {
      instance: 'instance-A',
      wakePrefix: 'w:',
      guard: patientGuard(),
    });
    client = cluster.client();
  }, 60_000);
  afterAll(async () => {
    await topology.close();
    await cluster.stop();
  });
  beforeEach(async () => {
    await Promise.all(cluster.nodes.map(({ admin }) => admin.config('RESETSTAT')));
  });

  async function calls(command: string): Promise<number> {
    const each = await Promise.all(cluster.nodes.map((node) => callsOf(node, command)));
    return each.reduce((sum, count) => sum + count, 0);
  }

  const texts = (values: readonly (Buffer | null)[]): (string | undefined)[] =>
    values.map((value) => value?.toString());

  it('M6 many keys of one slot in a tick → one command', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `one:k{tag}${i}`);
    await Promise.all(keys.slice(1).map((key) => client.set(key, key)));
    const found = await Promise.all(keys.map((key) => store.read(key)));
    expect(texts(found)).toEqual([undefined, ...keys.slice(1)]);
    expect([await calls('mget'), await calls('get')]).toEqual([1, 0]);
  });

  it('M6 two slots with several keys, and others → a command for each slot', async () => {
    const tagged = ['a', 'b'].flatMap((tag) => [1, 2, 3].map((i) => `two:k{${tag}}${i}`));
    const keys = [...tagged, 'two:kx', 'two:ky', 'two:kz'];
    await Promise.all(keys.map((key) => client.set(key, key)));
    expect(texts(await store.readMany(keys))).toEqual(keys);
    expect([await calls('mget'), await calls('get')]).toEqual([5, 0]);
  });

  it('M6 a master that the client has not connected to yet → it does, and all are read', async () => {
    const fresh = cluster.client();
    await waitFor(() => fresh.status === 'ready');
    const { host, port } = fresh.nodes('master').find(({ status }) => status === 'wait')!.options;
    const tag = Array.from({ length: 1_000 }, (_, i) => `{${i}}`).find(
      (each) => topology.shardOf(each).name === `${host}:${port}`,
    )!;
    const keys = [1, 2, 3].map((i) => `fresh:k${tag}${i}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    expect(texts(await readFromCluster(fresh, keys))).toEqual(keys);
    fresh.disconnect();
  });

  it('a key that holds no string, alone and in a slot with others → absent', async () => {
    await client.hset('wrong:k{t}hash', 'a', '1');
    await client.hset('wrong:khash', 'a', '1');
    await client.set('wrong:k{t}1', 'one');
    const keys = ['wrong:k{t}hash', 'wrong:k{t}1', 'wrong:khash', 'wrong:knone'];
    expect(texts(await store.readMany(keys))).toEqual([undefined, 'one', undefined, undefined]);
  });

  it('R8 a slot that nobody has for a moment → its keys are read all the same', async () => {
    const keys = [1, 2, 3].map((i) => `down:k{down}${i}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    const slot = hashSlot('{down}');
    const owner = await cluster.ownerOf(slot);
    await owner.cluster('DELSLOTS', slot);
    await expect(owner.admin.mget(keys)).rejects.toThrow('CLUSTERDOWN');
    const reading = store.readMany(keys);
    await new Promise<void>(atEndOfTick);
    const [, ...nodes] = topology.connections();
    // Over the connection of that read, so that the server has answered it by then.
    const master = nodes.find(({ name }) => name === owner.address)!.client as Redis;
    await master.cluster('ADDSLOTS', slot);
    expect(texts(await reading)).toEqual(keys);
  });

  it('R8 a server that may not be asked → why, and nothing is asked again', async () => {
    const keys = [1, 2, 3].map((i) => `refused:k{tag}${i}`);
    const owner = await cluster.ownerOf(hashSlot('{tag}'));
    await owner.admin.acl('SETUSER', 'default', '-mget');
    await expect(store.readMany(keys)).rejects.toThrow('NOPERM');
    await owner.admin.acl('SETUSER', 'default', '+mget');
    expect(await calls('get')).toBe(0);
  });

  describe('while a slot moves', () => {
    const slot = hashSlot('{moving}');
    const keys = Array.from({ length: 6 }, (_, i) => `m:k{moving}${i}`);
    let home: ClusterNode;
    let other: ClusterNode;

    beforeAll(async () => {
      await Promise.all(keys.slice(1).map((key) => client.set(key, key)));
      home = await cluster.ownerOf(slot);
      other = cluster.nodes.find((node) => node !== home)!;
      await other.cluster('SETSLOT', slot, 'IMPORTING', home.id);
      await home.cluster('SETSLOT', slot, 'MIGRATING', other.id);
      const { host, port } = other.server;
      await home.admin.call('MIGRATE', host, port, '', 0, 5_000, 'KEYS', keys[1]!, keys[2]!);
    });

    it('R8 some keys here, some there, one nowhere → all are read, each where it is', async () => {
      // What the server says to several keys at once, for as long as this lasts.
      await expect(home.admin.mget(keys)).rejects.toThrow('TRYAGAIN');
      const begin = performance.now();
      expect(texts(await store.readMany(keys))).toEqual([undefined, ...keys.slice(1)]);
      expect(performance.now() - begin).toBeLessThan(300);
    });

    it('R8 all of several keys there already → read there', async () => {
      await expect(home.admin.mget(keys[1]!, keys[2]!)).rejects.toThrow('ASK');
      expect(texts(await store.readMany(keys.slice(1, 3)))).toEqual(keys.slice(1, 3));
    });

    it('T9 R8 a count, which is for once, refused here → counted there, each once', async () => {
      const request = { by: 1, ttlMs: 0, fresh: factsWith(), reject: '' };
      const count = () => store.increment('m:k{moving}n', { ...request, newId: newId() });
      expect([await count(), await count()]).toEqual([
        { state: 'counted', count: 1 },
        { state: 'counted', count: 2 },
      ]);
    });

    it('R8 the slot has moved, and the client does not know yet → all are read', async () => {
      const { host, port } = other.server;
      await home.admin.call('MIGRATE', host, port, '', 0, 5_000, 'KEYS', ...keys.slice(3));
      for (const node of [other, home]) await node.cluster('SETSLOT', slot, 'NODE', other.id);
      expect(topology.shardOf(keys[0]!).name).toBe(home.address);
      expect(texts(await store.readMany(keys))).toEqual([undefined, ...keys.slice(1)]);
      expect(topology.shardOf(keys[0]!).name).toBe(other.address);
    });

    it('M6 the slot has moved → one command again', async () => {
      expect(texts(await store.readMany(keys))).toEqual([undefined, ...keys.slice(1)]);
      expect([await calls('mget'), await calls('get')]).toEqual([1, 0]);
    });
  });
});
