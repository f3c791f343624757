import type { AssembledCache } from '../../lib/module/assemble.js';
import type { Bench } from '../bench.js';
import { copyUpTo } from '../copies.js';
import { interleave, ratios, spreadOf, timeOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';

export const asks =
  'does it take longer to evict tags, or to read afterwards, where there are more entries?';

const ENTRIES = [10, 10_000, 1_000_000];
/** Each takes filling anew. */
const FIRST_RUNS = 11;
/** Of a tag that no entry has: what comes right after a fill is slow whatever it is, and whatever was filled. */
const WARM_UPS_AFTER_FILL = 50;
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
      columns: ['ms', 'of PING'],
      rows: evicts,
      remarks: [
        'Each round has one of each, and a PING, whose time is that of a round trip alone. An evict takes two: it is also announced.',
        `All valid: ${FIRST_RUNS} runs, each after filling anew, of a tag that every entry carries. The PING is sent just before it.`,
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
  const evicts = [
    ...(await timeFirst(bench, cache, entries)),
    ...(await timeEvicts(bench, cache, size)),
  ];
  const reads = await timeReads(bench, cache, size);
  await bench.removeKeys(cache.engine.keySpace().path);
  return { evicts, reads };
}

/** A few entries by the cache itself, of which all others are copies. */
async function fill({ redis }: Bench, cache: AssembledCache, entries: number): Promise<void> {
  const prefix = cache.engine.keySpace().entry('e').redisKey;
  const originals = Math.min(GROUPS, entries);
  for (let i = 0; i < originals; i++)
    await cache.service.set(`e${i}`, { id: i }, { tags: tagsOf(i) });
  await copyUpTo(redis, { prefix, originals, total: entries });
}

/** The evict that all entries fall to: those that follow have nothing left to make outdated. */
async function timeFirst(bench: Bench, cache: AssembledCache, entries: number): Promise<Rows> {
  const { service } = cache;
  // Of all groups, from all over the entries.
  const keys = Array.from({ length: 100 }, (_, i) => `e${Math.floor((i * entries) / 101)}`);
  const sample = [...new Set(keys)];
  const pings: number[] = [];
  const evicts: number[] = [];
  for (let run = 0; run < FIRST_RUNS; run++) {
    await fill(bench, cache, entries);
    const before = await service.getMany(sample);
    for (let i = 0; i < WARM_UPS_AFTER_FILL; i++) await service.evictTags('nobody');
    pings.push(await timeOf(() => bench.redis.ping()));
    evicts.push(await timeOf(() => service.evictTags(EVERYBODY)));
    const after = await service.getMany(sample);
    if (before.size < sample.length || after.size > 0)
      throw new Error(
        `Of ${sample.length} entries ${before.size} were there before the evict and ${after.size} after it`,
      );
  }
  const [ping, evict] = [spreadOf(pings), spreadOf(evicts)];
  const size = nameOf(entries);
  return [
    { name: `${size}, all valid: PING`, cells: [ping, 1] },
    { name: `${size}, all valid: evictTags, 1 tag`, cells: [evict, evict.median / ping.median] },
  ];
}

async function timeEvicts(
  { redis }: Bench,
  { service }: AssembledCache,
  size: string,
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
    cells: [spreadOf(samples[i]!), spreadOf(samples[i]!).median / spreadOf(samples[0]!).median],
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
