import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { TestCluster, type ClusterNode } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';

const NODE_TIMEOUT_MS = 2_000;
/** What an election adds to that, and the time until this process has heard of it. */
const ELECTION_MS = 4_500;

interface Call {
  kind: 'get' | 'many' | 'evict' | 'set';
  beganAt: number;
  tookMs: number;
  /** Where the key's slot was at the beginning. */
  owner: string;
  /** The loader has run, though the key was stored, and nobody evicts it. */
  isDegraded: boolean;
  error?: unknown;
}

/** Readers, and perhaps writers, that go on until they are stopped, and what has become of each of their calls. */
class Traffic {
  readonly calls: Call[] = [];
  private stopped = false;
  private readonly workers: Promise<void>[] = [];

  constructor(
    private readonly cache: TestCache,
    private readonly ownerOf: (key: string) => string,
  ) {}

  /** Keys that stay stored: each load of one is a read that has done without Redis. */
  read(keys: readonly string[]): void {
    const { service } = this.cache;
    this.start('get', keys, async (key) => {
      let isDegraded = false;
      const load = (): object => ((isDegraded = true), { key });
      const { key: read } = (await service.getOrSet(key, load, { ttl: '1h' })) as { key: string };
      if (read !== key) throw new Error(`read ${read} at ${key}`);
      return isDegraded;
    });
  }

  readMany(keys: readonly string[]): void {
    this.start('many', keys, async (key) => {
      const some = [...new Set([key, ...Array.from({ length: 19 }, () => any(keys))])];
      return (await this.cache.service.getMany([...some, `${key}-none`])).size < some.length;
    });
  }

  write(keys: readonly string[]): void {
    this.start('evict', keys, async (key) => void (await this.cache.service.evict(key)));
    this.start('set', keys, async (key) => {
      if (!(await this.cache.service.set(key, { key })))
        throw new Error('the value was not stored');
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.workers);
  }

  private start(
    kind: Call['kind'],
    keys: readonly string[],
    call: (key: string) => Promise<boolean | void>,
  ): void {
    const work = async (): Promise<void> => {
      while (!this.stopped) {
        const key = any(keys);
        const owner = this.ownerOf(key);
        const beganAt = performance.now();
        let isDegraded = false;
        let error: unknown;
        try {
          isDegraded = (await call(key)) ?? false;
        } catch (thrown) {
          error = thrown;
        }
        const tookMs = performance.now() - beganAt;
        this.calls.push({ kind, beganAt, tookMs, owner, isDegraded, error });
        await sleep(2);
      }
    };
    this.workers.push(work());
  }
}

const any = (keys: readonly string[]): string => keys[Math.floor(Math.random() * keys.length)]!;

async function fill(cache: TestCache, keys: readonly string[]): Promise<void> {
  for (let i = 0; i < keys.length; i += 100) {
    const some = keys.slice(i, i + 100);
    await cache.service.setMany(
      some.map((key) => [key, { key }] as const),
      { ttl: '1h' },
    );
  }
}

describe.each<[string, (node: ClusterNode) => Promise<void>]>([
  ['is killed', ({ server }) => server.kill('SIGKILL')],
  ['is frozen', ({ server }) => server.pause()],
])('R8 a master that %s', (_, strike) => {
  const keys = Array.from({ length: 300 }, (__, i) => `item:${i}`);
  let cluster: TestCluster;
  let cache: TestCache;
  let victim: ClusterNode;

  beforeAll(async () => {
    cluster = await TestCluster.start({ nodeTimeoutMs: NODE_TIMEOUT_MS });
    victim = cluster.nodes[0]!;
  }, 60_000);
  afterAll(async () => {
    await victim.server.resume().catch(() => undefined);
    await cluster.stop();
  });

  it('reads → none rejects, other masters’ never load, and its own hit again after the election', async () => {
    const topology = { type: 'cluster' as const, nodes: cluster.seeds };
    cache = await openCache(topology, { l1: false });
    await fill(cache, keys);
    const owners = new Map<string, string>();
    for (const key of keys) {
      const owner = await cluster.ownerOf(hashSlot(`${cache.namespace}:k${key}`));
      owners.set(key, owner.address);
    }
    const traffic = new Traffic(cache, (key) => owners.get(key)!);
    for (let i = 0; i < 8; i++) traffic.read(keys);
    await sleep(300);

    const struckAt = performance.now();
    await strike(victim);
    const loads = (since: number): Call[] =>
      traffic.calls.filter((call) => call.isDegraded && call.beganAt > since);
    await waitFor(() => loads(struckAt).length > 0);
    await waitFor(() => loads(performance.now() - 700).length === 0, { timeoutMs: 15_000 });
    await traffic.stop();

    expect(traffic.calls.filter(({ error }) => error)).toEqual([]);
    const degraded = traffic.calls.filter((call) => call.isDegraded);
    expect(new Set(degraded.map(({ owner }) => owner))).toEqual(new Set([victim.address]));
    const lastedMs = Math.max(...degraded.map(({ beganAt }) => beganAt)) - struckAt;
    expect(lastedMs).toBeLessThan(NODE_TIMEOUT_MS + ELECTION_MS);
    // Each call waits for one deadline at most, and that only until the server is known not to answer.
    const slow = traffic.calls.filter(({ tookMs }) => tookMs > 250);
    expect(slow.length).toBeLessThan(30);
    expect(Math.max(...slow.map(({ tookMs }) => tookMs), 0)).toBeLessThan(1_000);
  }, 60_000);

  it('evicts, locks and tags → carried out by the master that has followed', async () => {
    const [key] = keys.filter((k) => hashSlot(`${cache.namespace}:k${k}`) < 5_461);
    const again = await openCache(
      { type: 'cluster', nodes: cluster.seeds.slice(1) },
      { namespace: cache.namespace },
    );
    expect(await again.service.evict(key!)).toBe(1);
    await again.service.set(key!, 'new', { tags: ['t'] });
    await again.service.evictTags('t');
    expect(await again.service.get(key!)).toBeUndefined();
    await again.locks.withLock(key!, async ({ fencingToken }) => {
      expect(fencingToken).toBeGreaterThan(0n);
    });
  });
});

describe('R8 a slot that moves under load', () => {
  const keys = Array.from({ length: 2_000 }, (_, i) => `{hot}${i}`);
  const changing = Array.from({ length: 500 }, (_, i) => `{hot}changing${i}`);
  const slot = hashSlot('{hot}');
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.start({ replicas: 0, idle: 1 });
  }, 60_000);
  afterAll(() => cluster.stop());

  it.each<[string, (home: ClusterNode) => ClusterNode]>([
    ['another master', (home) => cluster.nodes.find((node) => node !== home)!],
    ['a master that is new', () => cluster.nodes.at(-1)!],
  ])(
    'to %s and back → nothing fails, no read does without Redis',
    async (_, target) => {
      const topology = { type: 'cluster' as const, nodes: cluster.seeds.slice(0, 3) };
      const cache = await openCache(topology, { l1: false });
      await fill(cache, keys);
      const home = await cluster.ownerOf(slot);
      const traffic = new Traffic(cache, () => '');
      for (let i = 0; i < 5; i++) traffic.read(keys);
      traffic.readMany(keys);
      traffic.write(changing);
      const moves: { from: number; to: number }[] = [];
      for (const to of [target(home), home]) {
        await sleep(300);
        const from = performance.now();
        await cluster.moveSlot(slot, to, { keysAtOnce: 10 });
        moves.push({ from, to: performance.now() });
      }
      await sleep(300);
      await traffic.stop();

      for (const kind of ['get', 'many', 'evict', 'set'] as const)
        for (const { from, to } of moves) {
          const during = traffic.calls.filter(
            (call) => call.kind === kind && call.beganAt > from && call.beganAt < to,
          );
          expect(during.length).toBeGreaterThan(10);
        }
      expect(traffic.calls.filter(({ error }) => error)).toEqual([]);
      expect(traffic.calls.filter(({ isDegraded }) => isDegraded)).toEqual([]);
      expect(cache.errors).toEqual([]);
    },
    60_000,
  );
});
