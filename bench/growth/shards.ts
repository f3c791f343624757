import { Redis } from 'ioredis';
import type { Bench } from '../bench.js';
import type { Table } from '../table.js';
import { calls, isThere, measureAlong, NAMES, spread, valueOf, type Subject } from './along.js';

const SHARDS = [1, 2, 4, 8];
const KEYS = 2_000;
const VALUE_BYTES = 200;
const CALLERS = 64;

export async function shards(bench: Bench): Promise<Table> {
  const urls: string[] = [];
  while (urls.length < SHARDS.at(-1)!) urls.push((await bench.servers.start()).url);
  const subjects: Subject[] = [];
  for (const count of SHARDS) subjects.push(...(await onShards(bench, urls.slice(0, count))));
  return measureAlong(
    {
      title: `Shards: get, evict and evictTags; ${VALUE_BYTES} B, ${CALLERS} callers in one process`,
      name: 'shards',
      x: 'shards',
      remarks: [
        'All servers share the cores of one machine, so more of them make nothing faster here.',
      ],
    },
    subjects,
  );
}

async function onShards(bench: Bench, urls: readonly string[]): Promise<Subject[]> {
  const servers = urls.map((url) => bench.openClient({}, url));
  const { service } = await bench.openCache({
    l1: false,
    ttl: '1h',
    topology: { type: 'sharded', shards: urls.map((url, i) => ({ name: `shard-${i}`, url })) },
  });
  const value = valueOf(VALUE_BYTES);
  const prefix = `${bench.ownName()}:`;
  const clients = urls.map((url) => bench.openClient({}, url));
  /** As an application would spread its keys itself. */
  const clientOf = (i: number): Redis => clients[i % clients.length]!;
  await service.setMany(Array.from({ length: KEYS }, (_, i) => [`${i}`, value]));
  for (let i = 0; i < KEYS; i++) await clientOf(i).set(`${prefix}${i}`, JSON.stringify(value));
  const reads = async (n: number): Promise<void> =>
    isThere(await service.get(`${spread(n, KEYS)}`));
  const rawReads = async (n: number): Promise<void> =>
    isThere(await clientOf(spread(n, KEYS)).get(prefix + spread(n, KEYS)));
  const at = (series: string, call: (n: number) => Promise<unknown>): Subject =>
    calls({ series, x: urls.length }, { call, callers: CALLERS, servers });
  return [
    at(`${NAMES.ours} get`, reads),
    at(`${NAMES.raw} GET`, rawReads),
    at(`${NAMES.ours} evict`, (n) => service.evict(`absent:${n}`)),
    at(`${NAMES.ours} evictTags`, (n) => service.evictTags(`tag:${n % 1_000}`)),
  ];
}
