import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedisCacheOptions } from '../../lib/module/redis-cache.options.js';
import type { Bench } from '../bench.js';
import { untilLive } from '../contenders/live.js';
import { callsBetween, statsOf, type ServerStats } from '../server-stats.js';
import type { Row, Table } from '../table.js';

const SERVERS = 3;
/** Some refreshes of what is known of a cluster. */
const WATCHED_MS = 15_000;

interface Idle {
  readonly name: string;
  readonly options: Partial<RedisCacheOptions>;
  readonly servers: readonly Redis[];
}

/** What a process that does nothing costs, wherever its entries live. */
export async function idleByTopology(bench: Bench): Promise<Table> {
  const start = async (): Promise<string> => (await bench.servers.start()).url;
  const [single, tracked] = [await start(), await start()];
  const shards = await Promise.all(Array.from({ length: SERVERS }, start));
  const cluster = await bench.servers.startCluster(SERVERS);
  const on = (name: string, urls: readonly string[], options: Idle['options']): Idle => ({
    name,
    options,
    servers: urls.map((url) => bench.openClient({}, url)),
  });
  const nodes = cluster.nodes.map(({ server }) => server.url);
  for (const { admin } of cluster.nodes) admin.disconnect();
  const idle = [
    on('single', [single], { topology: { type: 'single', url: single } }),
    on('single, tracking', [tracked], {
      topology: { type: 'single', url: tracked },
      invalidation: { mode: 'tracking' },
    }),
    on(`sharded, ${SERVERS} servers`, shards, { topology: { type: 'sharded', shards } }),
    on(`cluster, ${SERVERS} masters`, nodes, {
      topology: { type: 'cluster', nodes: cluster.seeds },
    }),
  ];
  return {
    title: `One process that does nothing, for ${WATCHED_MS / 1_000} s: of all servers together`,
    columns: [
      'connections',
      'PUBLISH per second',
      'TIME per second',
      'CLUSTER SLOTS per second',
      'other commands per second',
      'new connections per second',
    ],
    rows: await Promise.all(idle.map((one) => watch(bench, one))),
    remarks: ['A heartbeat is a PUBLISH and a TIME.'],
  };
}

async function watch(bench: Bench, { name, options, servers }: Idle): Promise<Row> {
  const none = await statsOf(servers);
  const cache = await bench.openCache(options);
  await untilLive(cache);
  // The first heartbeats follow each other faster, and nodes that are found are connected to.
  await sleep(2_000);
  const before = await statsOf(servers);
  await sleep(WATCHED_MS);
  const after = await statsOf(servers);
  const cells = [after.clients - none.clients, ...ratesOf(before, after)];
  await cache.close();
  return { name, cells };
}

function ratesOf(before: ServerStats, after: ServerStats): number[] {
  const calls = callsBetween(before, after);
  const take = (command: string): number => {
    const count = calls.get(command) ?? 0;
    calls.delete(command);
    return count;
  };
  const named = [take('publish'), take('time'), take('cluster|slots')];
  // Nodes ask each other, whoever is connected.
  take('ping');
  const others = [...calls.values()].reduce((sum, count) => sum + count, 0);
  const connected = after.connectionsSoFar - before.connectionsSoFar;
  return [...named, others, connected].map((count) => count / (WATCHED_MS / 1_000));
}
