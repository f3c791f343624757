import { randomBytes } from 'node:crypto';
import { afterEach, expect } from '@jest/globals';
import { Redis } from 'ioredis';
import { assemble, type AssembledCache, type Surroundings } from '../../lib/module/assemble.js';
import type { RedisCacheOptions } from '../../lib/module/redis-cache.options.js';
import { resolveOptions } from '../../lib/module/resolve-options.js';
import { sharedCluster } from './cluster.js';
import { shardUrls } from './shards.js';

/** Where the same suite has to pass; TEST_TOPOLOGY narrows it to one. */
export const TOPOLOGIES = (['memory', 'single', 'sharded', 'cluster'] as const).filter(
  (name) => (process.env.TEST_TOPOLOGY ?? name) === name,
);
export type TopologyName = (typeof TOPOLOGIES)[number];

/** Without copies every read goes to the store; which servers that has makes no difference that the other variants do not show. */
const WITHOUT_COPIES: readonly string[] = ['memory', 'single'];
const ALL = process.env.TEST_VARIANTS === 'all';

/** For suites that must not depend on copies in the process: every topology with them, and some (TEST_VARIANTS=all: all) without. */
export const VARIANTS = TOPOLOGIES.flatMap(
  (topology): [string, TopologyName, Partial<RedisCacheOptions>][] => [
    [topology, topology, {}],
    ...(ALL || WITHOUT_COPIES.includes(topology)
      ? [[`${topology} without copies`, topology, { l1: false }] as [string, TopologyName, object]]
      : []),
  ],
);

export interface TestCache extends AssembledCache {
  readonly namespace: string;
  /** What `onError` has heard. */
  readonly errors: { operation: string; error: Error }[];
  /** Lines that would have gone to the log. */
  readonly log: string[];
}

const open: TestCache[] = [];
const clients: Redis[] = [];

/** A cache in a namespace of its own, closed after the test; nothing may still run or wait by then. */
export async function openCache(
  topology: TopologyName | RedisCacheOptions['topology'],
  options: Partial<RedisCacheOptions> = {},
  surroundings: Surroundings = {},
): Promise<TestCache> {
  const errors: TestCache['errors'] = [];
  const log: string[] = [];
  const namespace = options.namespace ?? `t${randomBytes(6).toString('hex')}`;
  const resolved = resolveOptions(
    {
      onError: ({ operation, error }: TestCache['errors'][number]) =>
        errors.push({ operation, error }),
      // Room for ten times as many takes ten times as long to make, and most tests take little time otherwise.
      l1: { maxEntries: 1_000 },
      ...options,
      namespace,
      topology: typeof topology === 'string' ? await topologyOptions(topology) : topology,
    },
    'the test',
  );
  const cache = assemble(resolved, { log: { warn: (line) => log.push(line) }, ...surroundings });
  await cache.connect();
  const test = { ...cache, namespace, errors, log };
  open.push(test);
  return test;
}

export async function topologyOptions(
  name: TopologyName,
): Promise<NonNullable<RedisCacheOptions['topology']>> {
  switch (name) {
    case 'memory':
      return { type: 'memory' };
    case 'single':
      return { type: 'single', url: process.env.TEST_REDIS_URL! };
    case 'sharded': {
      const urls = await shardUrls();
      return { type: 'sharded', shards: urls.map((url, i) => ({ name: `shard-${i}`, url })) };
    }
    case 'cluster':
      return { type: 'cluster', nodes: [...(await sharedCluster())] };
  }
}

/** A plain client to the suite's server, for what other programs may do to keys. */
export function plainClient(): Redis {
  const client = new Redis(process.env.TEST_REDIS_URL!);
  clients.push(client);
  return client;
}

/** The tables of a cache at rest. */
export const NOTHING_PENDING = { flights: 0, waits: 0, journal: 0, wakeups: 0 };

afterEach(async () => {
  const closed = open.splice(0);
  await Promise.all(closed.map((cache) => cache.close()));
  clients.splice(0).forEach((client) => client.disconnect());
  for (const cache of closed) expect(cache.engine.pending()).toEqual(NOTHING_PENDING);
});
