import type { AssembledCache } from '../../lib/module/assemble.js';
import type { Bench } from '../bench.js';
import type { Table } from '../table.js';

export const asks = 'how many bytes does an entry take, beside its value?';

const PAYLOAD_BYTES = [10, 100, 1_000, 5_000];
const TAGS = [[], ['cats'], ['cats', 'cat:4711', 'tenant:17']];
/** Beyond payload and tag names. */
const PROMISED_BYTES = 64;

export async function answer(bench: Bench): Promise<readonly Table[]> {
  return [await sizes(bench), await keys(bench)];
}

async function sizes(bench: Bench): Promise<Table> {
  const cache = await bench.openCache({ l1: false });
  const rows = [];
  for (const tags of TAGS)
    for (const bytes of PAYLOAD_BYTES) {
      const name = `${shown(bytes)} B, ${many(tags.length, 'tag')}`;
      rows.push({ name, cells: await sizeOf(bench, cache, { bytes, tags }) });
    }
  return {
    title:
      'One entry against a plain SET of the same payload under a key of the same length, both with a TTL',
    columns: [
      'record, B',
      'beside payload, B',
      'beside tag names too, B',
      `<= ${PROMISED_BYTES}`,
      'MEMORY USAGE, B',
      'plain SET, B',
      'difference, B',
    ],
    rows,
    remarks: [
      'MEMORY USAGE counts what the allocator hands out, in steps that grow with the size: a few bytes more can cost nothing, or a whole step.',
    ],
  };
}

async function sizeOf(
  { redis }: Bench,
  { service, engine }: AssembledCache,
  { bytes, tags }: { bytes: number; tags: readonly string[] },
) {
  // JSON puts it in quotes.
  const value = 'v'.repeat(bytes - 2);
  const key = ['cat', bytes, tags.length];
  await service.set(key, value, { tags });
  const { redisKey } = engine.keySpace().entry(key);
  const plainKey = redisKey.replace(':k', ':p');
  await redis.set(plainKey, JSON.stringify(value), 'PX', 300_000);

  const record = await redis.strlen(redisKey);
  const beside = record - bytes;
  const besideNames = beside - tags.reduce((sum, tag) => sum + Buffer.byteLength(tag), 0);
  const isKept = besideNames <= PROMISED_BYTES ? 'yes' : 'NO';
  const [ours, plain] = [await memory(redis, redisKey), await memory(redis, plainKey)];
  return [record, beside, besideNames, isKept, ours, plain, ours - plain];
}

async function keys(bench: Bench): Promise<Table> {
  const rows: Table['rows'][number][] = [];
  for (const entries of [10, 10_000]) {
    const cache = await bench.openCache({ l1: false });
    const { path } = cache.engine.keySpace();
    const values = Array.from({ length: entries }, (_, i): [string, number] => [`cat:${i}`, i]);
    // Two tags of its own for every entry would be two side keys for every entry, where tags are sets of keys.
    for (const [key, value] of values)
      await cache.service.set(key, value, { tags: [`a:${key}`, `b:${key}`] });
    const table = `${path}:{t0}:g`;
    const row = async (name: string) => {
      const found = await countKeys(bench, path);
      const members = await bench.redis.zcard(table);
      const used = await memory(bench.redis, table);
      rows.push({
        name,
        cells: [found, found - entries, (found - entries - 1) / entries, members, used],
      });
    };
    await row(`${shown(entries)} entries, 2 tags of its own each`);
    await cache.service.evictTags(values.slice(0, entries / 10).map(([key]) => `a:${key}`));
    await row(`${shown(entries)} entries, ${many(entries / 10, 'tag')} evicted`);
  }
  return {
    title: 'Keys in Redis of one namespace',
    columns: [
      'keys',
      'beside the entries',
      'side keys per entry',
      'members of the tag table',
      'tag table, B',
    ],
    rows,
    remarks: [
      'One tag table for each namespace; it has a member for each tag that was evicted, not for those that entries carry.',
    ],
  };
}

async function countKeys({ redis }: Bench, path: string): Promise<number> {
  const found = new Set<string>();
  for await (const batch of redis.scanStream({ match: `${path}*`, count: 10_000 }))
    for (const key of batch as string[]) found.add(key);
  return found.size;
}

async function memory(redis: Bench['redis'], key: string): Promise<number> {
  return (await redis.memory('USAGE', key, 'SAMPLES', 0)) ?? 0;
}

const many = (count: number, what: string): string =>
  count === 1 ? `1 ${what}` : `${shown(count)} ${what}s`;
const shown = (count: number): string => count.toLocaleString('en');
