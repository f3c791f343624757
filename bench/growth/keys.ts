import type { Bench } from '../bench.js';
import { copyUpTo } from '../copies.js';
import type { Table } from '../table.js';
import {
  calls,
  isThere,
  measureAlong,
  NAMES,
  panelsWith,
  spread,
  valueOf,
  type Subject,
} from './along.js';

const KEYS = [1_000, 10_000, 100_000, 1_000_000];
const VALUE_BYTES = 200;
const CALLERS = 64;
const MEMORY = 'Redis memory, B an entry';

/** Reads of all keys, one after the other in an order in which neighbours are far apart. */
export async function keys(bench: Bench): Promise<Table> {
  const subjects: Subject[] = [];
  for (const count of KEYS) subjects.push(await ours(bench, count), await raw(bench, count));
  return measureAlong(
    {
      title: `Number of keys: get from Redis, ${VALUE_BYTES} B, ${CALLERS} callers`,
      name: 'keys',
      x: 'keys',
      more: [MEMORY],
      panels: panelsWith(MEMORY, 'linear'),
      remarks: [
        'Memory is what the server uses more with all of them than without, keys and tables of keys included.',
      ],
    },
    subjects,
  );
}

async function ours(bench: Bench, count: number): Promise<Subject> {
  const { service, engine } = await bench.openCache({ l1: false, ttl: '1h' });
  const more = await filled(bench, count, async () => {
    await service.set('e0', valueOf(VALUE_BYTES));
    const prefix = engine.keySpace().entry('e').redisKey;
    await copyUpTo(bench.redis, { prefix, originals: 1, total: count });
  });
  const call = async (n: number): Promise<void> =>
    isThere(await service.get(`e${spread(n, count)}`));
  return subject(bench, { series: `${NAMES.ours} get`, x: count, more }, call);
}

async function raw(bench: Bench, count: number): Promise<Subject> {
  const client = bench.openClient();
  const prefix = `${bench.ownName()}:e`;
  const more = await filled(bench, count, async () => {
    await client.set(`${prefix}0`, JSON.stringify(valueOf(VALUE_BYTES)), 'PX', 3_600_000);
    await copyUpTo(bench.redis, { prefix, originals: 1, total: count });
  });
  const call = async (n: number): Promise<void> =>
    isThere(await client.get(prefix + spread(n, count)));
  return subject(bench, { series: `${NAMES.raw} GET`, x: count, more }, call);
}

function subject(
  { redis }: Bench,
  at: Pick<Subject, 'series' | 'x' | 'more'>,
  call: (n: number) => Promise<void>,
): Subject {
  return calls(at, { call, callers: CALLERS, servers: [redis] });
}

/** What the server uses more after it, for each of the keys. */
async function filled(
  { redis }: Bench,
  count: number,
  fill: () => Promise<void>,
): Promise<[number]> {
  const before = await usedBytes(redis);
  await fill();
  return [((await usedBytes(redis)) - before) / count];
}

async function usedBytes(redis: Bench['redis']): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))![1]);
}
