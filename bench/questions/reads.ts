import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Bench } from '../bench.js';
import { ioredisGet } from '../contenders/ioredis.js';
import { ours } from '../contenders/ours.js';
import type { Reader } from '../contenders/reader.js';
import { interleave, ratios, spreadOf, timeOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';

export const asks = 'how fast is a hit, in Redis and in the process?';

const VALUE_BYTES = 200;
const ROUNDS = { rounds: 41, warmUps: 3 };

interface Load {
  /** At the same time. */
  readonly callers: number;
  /** What all of them read together for one sample. */
  readonly reads: number;
}

/** Keys that are read again and again, as far as a process remembers what it has opened. */
const AGAIN = {
  keys: 8_000,
  what: 'keys, again and again',
  loads: [
    { callers: 1, reads: 1_000 },
    { callers: 64, reads: 8_000 },
    { callers: 1_000, reads: 20_000 },
  ],
};
/** So many keys that none is read twice, by far more than one sample each. */
const ONCE = {
  keys: 50_000,
  what: 'keys, each once',
  loads: [{ callers: 64, reads: 1_000 }],
};
const LRU_KEYS = 10_000;
/** Of the same key, one after the other. */
const HOT_READS = { inProcess: 100_000, inRedis: 1_000 };
const LIVE_WITHIN_MS = 5_000;

export async function answer(bench: Bench): Promise<readonly Table[]> {
  const again = await fromRedis(bench, AGAIN);
  return [...again, ...(await fromRedis(bench, ONCE)), await hotKey(bench)];
}

async function fromRedis(
  bench: Bench,
  { keys: count, what, loads }: typeof AGAIN,
): Promise<Table[]> {
  const values = new Map(Array.from({ length: count }, (_, i) => [`cat:${i}`, valueOf(i)]));
  const keys = [...values.keys()];
  const readers: Reader[] = [];
  for (const open of [
    ioredisGet('ioredis GET', { parse: 'text' }),
    ioredisGet('ioredis GET + JSON.parse', { parse: 'json' }),
    ioredisGet('ioredis GET, auto-pipelining', { parse: 'text', enableAutoPipelining: true }),
    ioredisGet('ioredis, one MGET a tick + JSON.parse', { parse: 'json', together: true }),
    ours('nestjs-redis-cache get, l1: false', { l1: false }),
  ])
    readers.push(await open(bench, values));

  const tables: Table[] = [];
  for (const load of loads) {
    const title = `From Redis, callers at the same time: ${load.callers.toLocaleString('en')}; values of ${VALUE_BYTES} B, ${count.toLocaleString('en')} ${what}`;
    bench.tell(title);
    const contenders = readers.map(({ name, read }): Contender => {
      const readNext = inTurn(read, keys);
      const measure = async (): Promise<number> =>
        (load.reads / (await timeOf(() => readAll(readNext, load)))) * 1_000;
      return { name, measure };
    });
    const samples = await interleave(contenders, ROUNDS);
    const rows = contenders.map(({ name }, i) => ({
      name,
      cells: [
        spreadOf(samples[i]!),
        ratios(samples[i]!, samples[0]!),
        ratios(samples[i]!, samples[2]!),
        ratios(samples[i]!, samples[3]!),
      ],
    }));
    const columns = ['reads per second', 'of GET', 'of auto-pipelining', 'of one MGET a tick'];
    tables.push({ title, columns, rows });
  }
  return tables;
}

/** All keys, and then again; neighbours lie far apart, so that no two callers ask for the same one at the same time. */
function inTurn(read: Reader['read'], keys: readonly string[]): () => Promise<unknown> {
  let next = 0;
  return () => read(keys[(next++ * 7_919) % keys.length]!);
}

async function readAll(read: () => Promise<unknown>, { callers, reads }: Load): Promise<void> {
  let begun = 0;
  const call = async (): Promise<void> => {
    while (begun++ < reads) await read();
  };
  await Promise.all(Array.from({ length: callers }, call));
}

async function hotKey(bench: Bench): Promise<Table> {
  bench.tell('a hot key');
  const value = valueOf(1);
  const values = new Map([['hot', value]]);
  const raw = await ioredisGet('ioredis GET', { parse: 'text' })(bench, values);
  const lru = new LRUCache<string, object>({ max: LRU_KEYS });
  lru.set('hot', value);
  const { service } = await openTier(bench, value);
  const load = (): never => {
    throw new Error('The copy in the process is gone');
  };
  const { inProcess, inRedis } = HOT_READS;
  const contenders = [
    hot('lru-cache in an async function', async () => lru.get('hot'), inProcess),
    hot('nestjs-redis-cache get', () => service.get('hot'), inProcess),
    hot('nestjs-redis-cache getOrSet', () => service.getOrSet('hot', load), inProcess),
    hot('ioredis GET', () => raw.read('hot'), inRedis),
  ];
  const samples = await interleave(contenders, ROUNDS);
  return {
    title: `A hot key in the process, one read after the other, a value of ${VALUE_BYTES} B`,
    columns: ['ns a read', 'of lru-cache'],
    rows: contenders.map(({ name }, i) => ({
      name,
      cells: [spreadOf(samples[i]!), ratios(samples[i]!, samples[0]!)],
    })),
  };
}

/** A cache that answers 'hot' from the process: Redis no longer has it. */
async function openTier(bench: Bench, value: object) {
  const cache = await bench.openCache({ ttl: '1h' });
  await cache.service.set('hot', value);
  const deadline = performance.now() + LIVE_WITHIN_MS;
  while (!cache.buses.every((bus) => bus.live)) {
    if (performance.now() > deadline) throw new Error('The bus is not live, so nothing is kept');
    await sleep(10);
  }
  await cache.service.get('hot');
  await bench.redis.del(cache.engine.keySpace().entry('hot').redisKey);
  return cache;
}

function hot(name: string, read: () => Promise<unknown>, reads: number): Contender {
  const readAllOfThem = async (): Promise<void> => {
    for (let i = 0; i < reads; i++) if ((await read()) === undefined) throw new Error('A miss');
  };
  const measure = async (): Promise<number> => {
    const ms = await timeOf(readAllOfThem);
    // Reads in the process let nothing else run; timers and sockets have their turn here.
    await sleep(1);
    return (ms * 1e6) / reads;
  };
  return { name, measure };
}

/** What an application keeps: a few fields, and as much text as is missing from {@link VALUE_BYTES} of JSON. */
function valueOf(id: number): object {
  const value = { id, name: `cat ${id}`, tags: ['a', 'b'], owner: { id: id * 7 }, text: '' };
  value.text = 'x'.repeat(VALUE_BYTES - JSON.stringify(value).length);
  return value;
}
