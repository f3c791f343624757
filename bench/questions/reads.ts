import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Bench } from '../bench.js';
import { cat } from '../contenders/cats.js';
import { ioredisGet } from '../contenders/ioredis.js';
import { READERS } from '../contenders/readers.js';
import { Crew } from '../crew/crew.js';
import type { ReaderAnswer, ReaderSetup, ReaderTask } from '../crew/reader.js';
import { interleave, ratios, spreadOf, timeOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';

export const asks = 'how fast is a hit, in Redis and in the process?';

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

async function fromRedis(bench: Bench, { keys, what, loads }: typeof AGAIN): Promise<Table[]> {
  const readers: Crew<ReaderTask, ReaderAnswer>[] = [];
  try {
    for (const index of READERS.keys()) {
      const setup: ReaderSetup = { redisUrl: bench.redisUrl, index, keys };
      readers.push(await Crew.start('reader.js', [setup]));
    }
    const tables: Table[] = [];
    for (const load of loads) {
      const title = `From Redis, callers at the same time: ${load.callers.toLocaleString('en')}; values of 200 B, ${keys.toLocaleString('en')} ${what}`;
      bench.tell(title);
      tables.push(await compared(title, readers, load));
    }
    return tables;
  } finally {
    await Promise.all(readers.map((reader) => reader.end()));
  }
}

async function compared(
  title: string,
  readers: readonly Crew<ReaderTask, ReaderAnswer>[],
  load: Load,
): Promise<Table> {
  const contenders: Contender[] = [];
  for (const reader of readers) {
    const [name] = (await reader.ask('who')) as [string];
    const measure = async (): Promise<number> => ((await reader.ask(load)) as [number])[0];
    contenders.push({ name, measure });
  }
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
  return { title, columns, rows };
}

async function hotKey(bench: Bench): Promise<Table> {
  bench.tell('a hot key');
  const value = cat(1);
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
    title: `A hot key in the process, one read after the other, a value of 200 B`,
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
