import type { Cluster } from 'ioredis';
import type { TestCluster } from '../../test/support/cluster.js';
import type { Bench } from '../bench.js';
import type { Table } from '../table.js';
import { calls, isThere, measureAlong, NAMES, spread, valueOf, type Subject } from './along.js';

const MASTERS = [3, 6, 12];
const KEYS = 2_000;
const VALUE_BYTES = 200;
const CALLERS = 64;

export async function nodes(bench: Bench): Promise<Table> {
  const subjects: Subject[] = [];
  for (const masters of MASTERS)
    subjects.push(...(await onCluster(bench, await bench.servers.startCluster(masters))));
  return measureAlong(
    {
      title: `Masters of a cluster: get, evict and evictTags; ${VALUE_BYTES} B, ${CALLERS} callers in one process`,
      name: 'nodes',
      x: 'masters',
      remarks: [
        'All nodes share the cores of one machine, so more of them make nothing faster here. Redis CPU is that of all nodes together, with what they tell each other.',
      ],
    },
    subjects,
  );
}

async function onCluster(bench: Bench, cluster: TestCluster): Promise<Subject[]> {
  const { service } = await bench.openCache({
    l1: false,
    ttl: '1h',
    topology: { type: 'cluster', nodes: cluster.seeds },
  });
  const value = valueOf(VALUE_BYTES);
  const prefix = `${bench.ownName()}:`;
  const client: Cluster = cluster.client();
  await service.setMany(Array.from({ length: KEYS }, (_, i) => [`${i}`, value]));
  for (let i = 0; i < KEYS; i++) await client.set(`${prefix}${i}`, JSON.stringify(value));
  const servers = cluster.nodes.map(({ admin }) => admin);
  const at = (series: string, call: (n: number) => Promise<unknown>): Subject =>
    calls({ series, x: cluster.nodes.length }, { call, callers: CALLERS, servers });
  return [
    at(`${NAMES.ours} get`, async (n) => isThere(await service.get(`${spread(n, KEYS)}`))),
    at(`${NAMES.raw} GET`, async (n) => isThere(await client.get(prefix + spread(n, KEYS)))),
    at(`${NAMES.ours} evict`, (n) => service.evict(`absent:${n}`)),
    at(`${NAMES.ours} evictTags`, (n) => service.evictTags(`tag:${n % 1_000}`)),
  ];
}
