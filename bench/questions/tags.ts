import type { AssembledCache } from '../../lib/module/assemble.js';
import type { Bench } from '../bench.js';
import { interleave, ratios, spreadOf, timeOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';

export const asks =
  'does it take longer to evict tags, or to read afterwards, where there are more entries?';

const ENTRIES = [10, 10_000, 1_000_000];
const EVICTS = { rounds: 300, warmUps: 30 };
const READS = { rounds: 31, warmUps: 5 };
/** One after the other, for one sample. */
const READS_IN_A_SAMPLE = 500;

/** Entries fall into so many groups, each with a tag of its own. */
const GROUPS = 100;
const groupOf = (i: number): string => `group:${i % GROUPS}`;
const EVERYBODY = 'everybody';
const TEN_GROUPS = Array.from({ length: 10 }, (_, i) => groupOf(i * 7));
const tagsOf = (i: number): string[] => [EVERYBODY, groupOf(i), `half:${i % 2}`, 'tenant:17'];

/** Entries copied by one call of the script: other clients wait meanwhile. */
const COPIED_AT_ONCE = 5_000;
const COPY = `
for i = ARGV[2], ARGV[3], ARGV[4] do redis.call('COPY', KEYS[1], ARGV[1] .. i) end`;

type Rows = Table['rows'];

export async function answer(bench: Bench): Promise<readonly Table[]> {
  bench.tell('warming up');
  await measure(bench, 10);
  const evicts: Rows[number][] = [];
  const reads: Rows[number][] = [];
  for (const entries of ENTRIES) {
    bench.tell(nameOf(entries));
    const rows = await measure(bench, entries);
    evicts.push(...rows.evicts);
    reads.push(...rows.reads);
  }
  return [
    {
      title: `Evicting, one after the other (${EVICTS.rounds} runs; every entry has ${tagsOf(0).length} tags)`,
      columns: ['ms', 'of PING', 'the first, ms'],
      rows: evicts,
      remarks: [
        'Each round has one of each, and a PING, whose time is that of a round trip alone. An evict takes two: it is also announced.',
        'The first: of a tag that every entry carries, while all are valid. Before and after it a sample of them is looked up.',
      ],
    },
    {
      title: `Reading from Redis afterwards, one after the other (${READS.rounds} runs of ${READS_IN_A_SAMPLE})`,
      columns: ['µs a read', 'of GET'],
      rows: reads,
      remarks: [
        'getOrSet is told the tags, so their versions are read beside the entry; get learns of them from the entry, and looks again.',
      ],
    },
  ];
}

const nameOf = (entries: number): string => `${entries.toLocaleString('en')} entries`;

async function measure(bench: Bench, entries: number): Promise<{ evicts: Rows; reads: Rows }> {
  const size = nameOf(entries);
  const cache = await bench.openCache({ l1: false, ttl: '1h' });
  await fill(bench, cache, entries);
  const firstMs = await evictFirst(cache, entries);
  const evicts = await timeEvicts(bench, cache, { size, firstMs });
  const reads = await timeReads(bench, cache, size);
  await bench.removeKeys(cache.engine.keySpace().path);
  return { evicts, reads };
}

/** A few entries by the cache itself, of which all others are copies: nothing in a record belongs to its key. */
async function fill({ redis }: Bench, cache: AssembledCache, entries: number): Promise<void> {
  const space = cache.engine.keySpace();
  const prefix = space.entry('e').redisKey;
  for (let i = 0; i < Math.min(GROUPS, entries); i++)
    await cache.service.set(`e${i}`, { id: i }, { tags: tagsOf(i) });
  const stride = COPIED_AT_ONCE * GROUPS;
  for (let group = 0; group < GROUPS; group++)
    for (let from = group + GROUPS; from < entries; from += stride) {
      const to = Math.min(from + stride, entries) - 1;
      await redis.eval(COPY, 1, `${prefix}${group}`, prefix, from, to, GROUPS);
    }
}

/** Ms; of a tag that all entries have. */
async function evictFirst({ service }: AssembledCache, entries: number): Promise<number> {
  const sample = Array.from({ length: 100 }, (_, i) => `e${Math.floor((i * entries) / 100)}`);
  const before = await service.getMany(sample);
  const ms = await timeOf(() => service.evictTags(EVERYBODY));
  const after = await service.getMany(sample);
  if (before.size === 0 || sample.some((key) => !before.has(key)) || after.size > 0)
    throw new Error(
      `Of ${sample.length} entries ${before.size} were there before the evict and ${after.size} after it`,
    );
  return ms;
}

async function timeEvicts(
  { redis }: Bench,
  { service }: AssembledCache,
  { size, firstMs }: { size: string; firstMs: number },
): Promise<Rows> {
  const contenders: Contender[] = [
    { name: 'PING', measure: () => timeOf(() => redis.ping()) },
    { name: 'evictTags, 1 tag', measure: () => timeOf(() => service.evictTags(EVERYBODY)) },
    { name: 'evictTags, 10 tags', measure: () => timeOf(() => service.evictTags(TEN_GROUPS)) },
    { name: 'clear', measure: () => timeOf(() => service.clear()) },
  ];
  const samples = await interleave(contenders, EVICTS);
  return contenders.map(({ name }, i) => ({
    name: `${size}: ${name}`,
    cells: [
      spreadOf(samples[i]!),
      spreadOf(samples[i]!).median / spreadOf(samples[0]!).median,
      i === 1 ? firstMs : '',
    ],
  }));
}

async function timeReads(bench: Bench, cache: AssembledCache, size: string): Promise<Rows> {
  const { service, engine } = cache;
  const tags = tagsOf(0);
  await service.set('tagged', { id: 1 }, { tags });
  await service.set('untagged', { id: 1 });
  const { redisKey } = engine.keySpace().entry('untagged');
  const never = (): never => {
    throw new Error('An entry that was stored after the evicts is gone');
  };
  const hit = async (key: string): Promise<unknown> => (await service.get(key)) ?? never();
  const contenders = [
    reader('ioredis GET', () => bench.redis.getBuffer(redisKey)),
    reader('get, no tags', () => hit('untagged')),
    reader('get, 4 tags', () => hit('tagged')),
    reader('getOrSet, 4 tags', () => service.getOrSet('tagged', never, { tags })),
  ];
  const samples = await interleave(contenders, READS);
  return contenders.map(({ name }, i) => ({
    name: `${size}: ${name}`,
    cells: [spreadOf(samples[i]!), ratios(samples[i]!, samples[0]!)],
  }));
}

function reader(name: string, read: () => Promise<unknown>): Contender {
  const readAll = async (): Promise<void> => {
    for (let i = 0; i < READS_IN_A_SAMPLE; i++) await read();
  };
  return { name, measure: async () => ((await timeOf(readAll)) * 1_000) / READS_IN_A_SAMPLE };
}
