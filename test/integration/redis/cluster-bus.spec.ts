import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { InvalidationEvent } from '../../../lib/bus/invalidation-feed.js';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { TestCluster, type ClusterNode } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';

describe('messages in a cluster', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  /** Two processes of one cache, both hearing each other. */
  async function openPair(): Promise<[TestCache, TestCache]> {
    const topology = { type: 'cluster' as const, nodes: cluster.seeds };
    const one = await openCache(topology);
    const two = await openCache(topology, { namespace: one.namespace });
    await waitFor(() => one.listener.live && two.listener.live);
    return [one, two];
  }

  /** Everything that a cache is told from now on; what says that messages were lost, apart. */
  function hear(cache: TestCache): { keys: Set<string>; lost: InvalidationEvent[]; tags: number } {
    const heard = { keys: new Set<string>(), lost: [] as InvalidationEvent[], tags: 0 };
    cache.listener.on((event) => {
      if (event.reason === 'disconnect') heard.lost.push(event);
      for (const key of event.keys ?? []) heard.keys.add(key);
      if (event.tags) heard.tags++;
    });
    return heard;
  }

  async function subscribedNode({ namespace, engine }: TestCache): Promise<ClusterNode> {
    const channel = `${namespace}:w:${engine['parts'].ids.instance}`;
    for (const node of cluster.nodes) {
      const [, count] = (await node.admin.pubsub('NUMSUB', channel)) as number[];
      if (count) return node;
    }
    throw new Error('nobody is subscribed');
  }

  /** Each master has a replica that could take its place. */
  async function untilWhole(): Promise<void> {
    const isComplete = async ({ admin }: ClusterNode): Promise<boolean> =>
      /state=online|master_link_status:up/.test(await admin.info('replication'));
    const hasPair = async (): Promise<boolean> =>
      (await Promise.all(cluster.nodes.map(isComplete))).every(Boolean);
    await waitFor(hasPair, { timeoutMs: 20_000, intervalMs: 100 });
  }

  it('I3 thousands of evicts, sets and tags over all slots → all are heard, and none is missed', async () => {
    const [one, two] = await openPair();
    const keys = Array.from({ length: 3_000 }, (_, i) => `user:${i}`);
    const work = async (some: readonly string[]): Promise<void> => {
      const [first, second, third] = [0, 1, 2].map((i) => some.filter((_, at) => at % 3 === i));
      await Promise.all([
        ...first!.map((key) => one.service.evict(key)),
        one.service.evict(second!),
        one.service.setMany(third!.map((key) => [key, 1] as const)),
        ...Array.from({ length: 20 }, (_, i) => one.service.evictTags(`tag:${i}`)),
      ]);
    };
    // What was said before two listened is not known to it, and scripts are loaded by their first use.
    for (let i = 0; i < 3; i++) await work(keys.slice(0, 60));
    await sleep(1_200);

    const heard = hear(two);
    await two.service.set('copy', 1);
    for (let i = 0; i < keys.length; i += 500) await work(keys.slice(i, i + 500));
    await waitFor(() => keys.every((key) => heard.keys.has(key)));
    await waitFor(() => heard.tags >= 120);
    // The last word of each connection comes a second later.
    await sleep(1_200);
    expect(heard.lost).toEqual([]);
  }, 30_000);

  it('I2 many keys are evicted while their slot moves → no copy of another process outlives it', async () => {
    const [one, two] = await openPair();
    const heard = hear(two);
    const keys = Array.from({ length: 100 }, (_, i) => (i % 2 ? `{move}${i}` : `other:${i}`));
    let version = 0;
    const read = (cache: TestCache): Promise<number[]> =>
      Promise.all(keys.map((key) => cache.service.getOrSet(key, () => version)));
    await Promise.all([read(one), read(two)]);

    const slot = hashSlot('{move}');
    const home = await cluster.ownerOf(slot);
    const away = cluster.nodes.slice(0, 3).find((node) => node !== home)!;
    let moving = true;
    const moved = (async () => {
      for (let i = 0; moving || i % 2; i++)
        await cluster.moveSlot(slot, i % 2 ? home : away, { keysAtOnce: 1 });
    })();
    // Reads all the time, and so takes what is there between a message and its evict, if there is such a moment.
    const reading = (async () => {
      for (; moving; await turn()) await read(two);
    })();
    try {
      for (version = 1; version <= 6; version++) {
        heard.keys.clear();
        expect(await one.service.evict(keys)).toBeGreaterThan(0);
        await waitFor(() => keys.every((key) => heard.keys.has(key)));
        for (const cache of [two, one])
          for (const value of await read(cache)) expect(value).toBe(version);
      }
    } finally {
      moving = false;
      await Promise.all([moved, reading]);
    }
  }, 60_000);

  it.each<[string, (node: ClusterNode) => Promise<void>, number]>([
    ['dies', ({ server }) => server.kill('SIGKILL'), 2_000],
    ['freezes', ({ server }) => server.pause(), 6_000],
  ])(
    'T14 the node of the subscription %s → not live, then live by way of another',
    async (_, strike, withinMs) => {
      const [one, two] = await openPair();
      await two.service.getOrSet('seen', () => 1);
      const node = await subscribedNode(two);
      const heard = hear(two);
      await strike(node);
      await waitFor(() => heard.lost.length > 0, { timeoutMs: withinMs });
      await waitFor(() => two.listener.live && one.listener.live, { timeoutMs: 10_000 });
      // A message finds its way again as soon as the slot has a master.
      await waitFor(
        async () => {
          await one.service.evict('seen');
          return heard.keys.has('seen');
        },
        { timeoutMs: 15_000, intervalMs: 200 },
      );
      await node.server.resume().catch(() => undefined);
      await node.server.restart();
      await untilWhole();
    },
    60_000,
  );
});
