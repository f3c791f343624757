import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import type { Cache, OpenCache, Tiers } from '../contenders/cache.js';
import { oursCache } from '../contenders/ours.js';
import { bentocache, cacheable, cacheManager, layeredLoader } from '../contenders/peer-caches.js';
import { ioredis, nodeRedis } from '../contenders/raw-clients.js';
import { HOW_TO_INSTALL } from '../peers.js';
import { interleave, ratios, spreadOf, timeOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';

export const asks = 'how fast are hits, misses and writes, beside raw clients and other caches?';

const OPEN: readonly OpenCache[] = [
  oursCache,
  ioredis('ioredis'),
  ioredis('ioredis, auto-pipelining', { enableAutoPipelining: true }),
  ioredis('ioredis, one MGET a tick', { together: true }),
  nodeRedis,
  bentocache,
  cacheable,
  cacheManager,
  layeredLoader,
];

const ROUNDS = { rounds: 15, warmUps: 2 };
const KEYS = 2_000;
const STORED_AT_ONCE = 100;
const SIZES = [200, 10_000];
/** Callers at the same time, and what all of them read together for one sample. */
const READS = [
  { callers: 1, calls: 500 },
  { callers: 64, calls: 4_000 },
  { callers: 1_000, calls: 8_000 },
];
const WRITES = { callers: 64, calls: 2_000 };
const HOT = { callers: 1, calls: 20_000 };
const MANY = { callers: 1, calls: 60, keys: 100 };

export async function answer(bench: Bench): Promise<readonly Table[]> {
  const [redis, both] = [await opened(bench, 'redis'), await opened(bench, 'both')];
  const tables: Table[] = [];
  const add = async (title: string, asked: Asked): Promise<void> => {
    bench.tell(title);
    tables.push(await measure(title, asked));
  };

  const hot = valueOf(200);
  for (const { set } of both) await set('hot', hot);
  const hit = (cache: Cache) => () => cache.get('hot').then(isThere);
  await add('get, a hot key in the process, one after the other', {
    caches: both,
    load: HOT,
    call: hit,
  });
  await add('getOrSet, a hot key in the process, one after the other', {
    caches: both,
    load: HOT,
    call: ({ getOrSet }) => getOrSet && (() => getOrSet('hot', never)),
  });

  for (const size of SIZES) {
    await fill(redis, size);
    for (const load of READS)
      await add(`get from Redis, ${size} B, callers: ${load.callers}`, {
        caches: redis,
        load,
        call: (cache) => (n) => cache.get(keyOf(size, n)).then(isThere),
      });
  }
  await add(`getMany of ${MANY.keys} from Redis, 200 B, one after the other`, {
    caches: redis,
    load: MANY,
    call: ({ getMany }) => getMany && ((n) => getMany(manyKeys(n)).then(isAll)),
  });

  const value = valueOf(200);
  for (const [what, caches] of [
    ['no copies in the process', redis],
    ['with copies and messages', both],
  ] as const) {
    await add(`set, 200 B, callers: ${WRITES.callers}, ${what}`, {
      caches,
      load: WRITES,
      call: (cache) => (n) => cache.set(keyOf(200, n), value),
    });
    let fresh = 0;
    await add(`getOrSet of a key that is not there, 200 B, callers: ${WRITES.callers}, ${what}`, {
      caches,
      load: WRITES,
      call: ({ getOrSet }) => getOrSet && (() => getOrSet(`fresh:${fresh++}`, async () => value)),
    });
  }
  return tables;
}

interface Asked {
  readonly caches: readonly Cache[];
  readonly load: { readonly callers: number; readonly calls: number };
  /** Undefined: this one has nothing of the kind. The function is given the number of its call. */
  call(cache: Cache): ((n: number) => Promise<unknown>) | undefined;
}

async function measure(title: string, { caches, load, call }: Asked): Promise<Table> {
  const contenders = caches.flatMap((cache): Contender[] => {
    const one = call(cache);
    if (!one) return [];
    const measure = async (): Promise<number> => {
      const ms = await timeOf(() => callAll(one, load));
      // Copies in the process let nothing else run; timers and sockets have their turn here.
      await sleep(1);
      return (load.calls / ms) * 1_000;
    };
    return [{ name: cache.name, measure }];
  });
  const samples = await interleave(contenders, ROUNDS);
  return {
    title,
    columns: ['calls per second', 'ours to it'],
    rows: contenders.map(({ name }, i) => ({
      name,
      cells: [spreadOf(samples[i]!), ratios(samples[0]!, samples[i]!)],
    })),
    remarks: caches.some(({ name }) => name === 'bentocache')
      ? []
      : [`Without other caches: ${HOW_TO_INSTALL}`],
  };
}

async function callAll(
  call: (n: number) => Promise<unknown>,
  { callers, calls }: Asked['load'],
): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

async function opened(bench: Bench, tiers: Tiers): Promise<Cache[]> {
  const caches: Cache[] = [];
  for (const open of OPEN) {
    const cache = await open(bench, tiers);
    if (cache) caches.push(cache);
  }
  return caches;
}

async function fill(caches: readonly Cache[], size: number): Promise<void> {
  const value = valueOf(size);
  for (const { set } of caches)
    for (let i = 0; i < KEYS; i += STORED_AT_ONCE)
      await Promise.all(
        Array.from({ length: STORED_AT_ONCE }, (_, n) => set(keyOf(size, i + n), value)),
      );
}

/** Neighbours are keys that lie far apart, so that no two callers ask for the same one at the same time. */
const keyOf = (size: number, n: number): string => `cat:${size}:${(n * 7_919) % KEYS}`;

const manyKeys = (n: number): string[] =>
  Array.from({ length: MANY.keys }, (_, i) => keyOf(200, n * MANY.keys + i));

function isThere(value: unknown): void {
  if (value == null) throw new Error('A miss, where a hit is measured');
}

function isAll(found: number): void {
  if (found !== MANY.keys) throw new Error(`${found} of ${MANY.keys} have been found`);
}

function never(): never {
  throw new Error('A miss, where a hit is measured');
}

/** A few fields, and as much text as is missing from so many bytes of JSON. */
function valueOf(bytes: number): object {
  const value = { id: 1, name: 'a cat', tags: ['a', 'b'], owner: { id: 7 }, text: '' };
  value.text = 'x'.repeat(bytes - JSON.stringify(value).length);
  return value;
}
