import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { loadSettings } from '../../../lib/cache/entry.options.js';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { TestCluster, type ClusterNode } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';

/** What a foreign change may take to be seen; measured are 1 to 2 ms. */
const SEEN_MS = 500;
/** A node taken for failed after 2 s, an election, and the client's next look at the cluster. */
const FAILED_OVER_MS = 20_000;
/** Enough for each of three masters to have some. */
const KEYS = Array.from({ length: 24 }, (_, i) => `k${i}`);

let cluster: TestCluster;

async function openTracked(
  topology: RedisCacheOptions['topology'] = { type: 'cluster', nodes: cluster.seeds },
): Promise<TestCache> {
  const cache = await openCache(topology, { invalidation: { mode: 'tracking' } });
  await untilLive(cache);
  return cache;
}

const untilLive = (cache: TestCache): Promise<boolean> =>
  waitFor(() => cache.listener.live, { timeoutMs: FAILED_OVER_MS });

async function sourceOf({ engine }: TestCache, given: string): Promise<string> {
  const settings = loadSettings('the test', undefined, engine.options);
  const key = engine.keySpace().entry(given);
  return (await engine.load({ key, kind: 'value', loader: () => 1, settings })).source;
}

/** Another program changes all entries that one master has, of which there are copies; the cache finds out. */
async function expectSeen(cache: TestCache, { admin }: ClusterNode): Promise<void> {
  for (const key of KEYS) await waitFor(async () => (await sourceOf(cache, key)) === 'copy');
  const prefix = `${cache.namespace}:k`;
  const entries = await admin.keys(`${prefix}*`);
  expect(entries.length).toBeGreaterThan(0);
  for (const entry of entries) await admin.del(entry);
  for (const entry of entries) {
    const get = (): Promise<unknown> => cache.service.get(entry.slice(prefix.length));
    await waitFor(async () => (await get()) === undefined, { timeoutMs: SEEN_MS, intervalMs: 1 });
  }
}

/** Channels for heartbeats of tracking that somebody listens to at that node. */
const beatChannels = ({ admin }: ClusterNode, { namespace }: TestCache): Promise<string[]> =>
  admin.call('PUBSUB', 'CHANNELS', `${namespace}:b:*`) as Promise<string[]>;

/** Ids of the connections whose changes are tracked. */
async function trackingIds({ admin }: ClusterNode): Promise<string[]> {
  const list = String(await admin.call('CLIENT', 'LIST'));
  return [...list.matchAll(/^id=(\d+) .*\bflags=\w*t/gm)].map((match) => match[1]!);
}

describe('tracking of a cluster', () => {
  let masters: readonly ClusterNode[];

  beforeAll(async () => {
    cluster = await TestCluster.start({ replicas: 0, idle: 1 });
    masters = cluster.nodes.slice(0, 3);
  }, 60_000);
  afterAll(() => cluster.stop());

  it('C10 DEL by another program, on each master → the copy goes', async () => {
    const cache = await openTracked();
    for (const master of masters) await expectSeen(cache, master);
  });

  it('C10 each master → one connection, on a heartbeat channel of its own', async () => {
    const cache = await openTracked();
    const channels = await Promise.all(masters.map((master) => beatChannels(master, cache)));
    expect(channels.map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(new Set(channels.flat()).size).toBe(3);
    expect(await beatChannels(cluster.nodes[3]!, cache)).toEqual([]);
    await cache.close();
    await waitFor(async () => (await Promise.all(masters.map(trackingIds))).flat().length === 0);
  });

  it('C10 the client of an application, connected or not → all masters are tracked', async () => {
    for (const lazyConnect of [false, true]) {
      const client = cluster.client({ lazyConnect });
      if (!lazyConnect) await waitFor(() => client.status === 'ready');
      const cache = await openTracked({ type: 'cluster', client });
      for (const master of masters) await expectSeen(cache, master);
      await cache.close();
      expect(client.listenerCount('refresh')).toBe(0);
    }
  });

  it('C10 the client of an application is disconnected → no copy is used at once; live when it is back', async () => {
    const client = cluster.client();
    const cache = await openTracked({ type: 'cluster', client });
    client.disconnect();
    // Without a sign from the client it would take until the heartbeats are missed.
    await waitFor(() => !cache.listener.live, { timeoutMs: 1_000 });
    await client.connect();
    await untilLive(cache);
    await expectSeen(cache, masters[0]!);
  });

  it('C10 I5 one of the connections is killed → no copy is used until it is back', async () => {
    const cache = await openTracked();
    const [id] = await trackingIds(masters[1]!);
    await masters[1]!.admin.call('CLIENT', 'KILL', 'ID', id!);
    await waitFor(() => !cache.listener.live);
    await untilLive(cache);
    await expectSeen(cache, masters[1]!);
  });

  it('C10 one master refuses to track → no copy is used, until it does', async () => {
    const { admin } = masters[2]!;
    await admin.acl('SETUSER', 'default', '-client|tracking');
    const cache = await openCache(
      { type: 'cluster', nodes: cluster.seeds },
      { invalidation: { mode: 'tracking' } },
    );
    await waitFor(() => cache.errors.some(({ error }) => error.message.startsWith('NOPERM')));
    await waitFor(async () => (await beatChannels(masters[0]!, cache)).length === 1);
    expect(cache.listener.live).toBe(false);
    expect([await sourceOf(cache, 'k'), await sourceOf(cache, 'k')]).toEqual(['loaded', 'hit']);
    await admin.acl('SETUSER', 'default', '+client|tracking');
    await untilLive(cache);
  });

  it('C10 T14 one master is frozen → no copy is used within 3 s; live once it goes on', async () => {
    const cache = await openTracked();
    await masters[0]!.server.pause();
    await waitFor(() => !cache.listener.live, { timeoutMs: 3_200 });
    await masters[0]!.server.resume();
    await untilLive(cache);
    await expectSeen(cache, masters[0]!);
  }, 40_000);

  it('C10 a slot moves to a node that had none → that one is tracked as well', async () => {
    const cache = await openTracked();
    const newcomer = cluster.nodes[3]!;
    const slot = hashSlot(`${cache.namespace}:kk0`);
    const from = await cluster.ownerOf(slot);
    await cache.service.set('k0', 'moved');
    await cluster.moveSlot(slot, newcomer);
    try {
      // The client is sent there, and so learns of it.
      await waitFor(async () => (await cache.service.get('k0')) === 'moved');
      await waitFor(async () => (await beatChannels(newcomer, cache)).length === 1);
      await untilLive(cache);
      await expectSeen(cache, newcomer);
    } finally {
      await cluster.moveSlot(slot, from);
    }
    await waitFor(async () => (await beatChannels(newcomer, cache)).length === 0, {
      timeoutMs: FAILED_OVER_MS,
    });
    expect(cache.listener.live).toBe(true);
  }, 60_000);
});

describe('tracking of a cluster that fails over', () => {
  beforeEach(async () => {
    cluster = await TestCluster.start();
  }, 60_000);
  afterEach(() => cluster.stop());

  it('C10 I5 a master dies → no copy is used until its successor is tracked', async () => {
    const cache = await openTracked();
    const [master, , , successor] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
    for (const key of KEYS) await waitFor(async () => (await sourceOf(cache, key)) === 'copy');
    const prefix = `${cache.namespace}:k`;
    const entries = await master.admin.keys(`${prefix}*`);
    await master.server.kill();
    await waitFor(() => !cache.listener.live);
    await waitFor(async () => String(await successor!.admin.info()).includes('role:master'), {
      timeoutMs: FAILED_OVER_MS,
    });
    for (const entry of entries) await waitFor(() => successor!.admin.del(entry).then(() => true));
    await untilLive(cache);
    for (const entry of entries)
      expect(await cache.service.get(entry.slice(prefix.length))).toBeUndefined();
    await expectSeen(cache, successor!);
  }, 60_000);

  it('C10 a replica takes over from a master that is well, and gives back → each is tracked in its turn', async () => {
    const cache = await openTracked();
    const [master, , , successor] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
    for (const [next, former] of [
      [successor!, master],
      [master, successor!],
    ] as const) {
      await waitFor(() => next.cluster('FAILOVER'), { timeoutMs: FAILED_OVER_MS });
      await waitFor(
        async () =>
          (await beatChannels(next, cache)).length === 1 &&
          (await beatChannels(former, cache)).length === 0,
        { timeoutMs: FAILED_OVER_MS },
      );
      await untilLive(cache);
      await expectSeen(cache, next);
    }
  }, 100_000);
});
