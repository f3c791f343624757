import type { Bench } from '../bench.js';
import { ALL } from '../contenders/all.js';
import type { Tiers } from '../contenders/cache.js';
import { EVERY_KEY, KEYS_TOGETHER, type Load, type Work } from '../contenders/works.js';
import type { ContenderAnswer, ContenderSetup, ContenderTask } from '../crew/contender.js';
import { Crew } from '../crew/crew.js';
import { HOW_TO_INSTALL } from '../peers.js';
import { interleave, ratios, spreadOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';

export const asks = 'how fast are hits, misses and writes, beside raw clients and other caches?';

const ROUNDS = { rounds: 21, warmUps: 4 };
const SMALL = 200;
const SIZES = [SMALL, 10_000];
const READS: readonly Load[] = [
  { callers: 1, calls: 500 },
  { callers: 64, calls: 4_000 },
  { callers: 1_000, calls: 8_000 },
];
const WRITES: Load = { callers: 64, calls: 2_000 };
const HOT: Load = { callers: 1, calls: 20_000 };
const MANY: Load = { callers: 1, calls: 60 };

export async function answer(bench: Bench): Promise<readonly Table[]> {
  return [...(await withTiers(bench, 'both')), ...(await withTiers(bench, 'redis'))];
}

async function withTiers(bench: Bench, tiers: Tiers): Promise<readonly Table[]> {
  const field = await Field.open(bench, tiers);
  try {
    return await (tiers === 'both' ? withCopies(field) : fromRedis(field));
  } finally {
    await field.close();
  }
}

async function withCopies(field: Field): Promise<Table[]> {
  await field.do('setHot', { callers: 1, calls: 1 }, SMALL);
  return [
    await field.measure('get, a hot key in the process, one after the other', 'getHot', HOT),
    await field.measure(
      'getOrSet, a hot key in the process, one after the other',
      'getOrSetHot',
      HOT,
    ),
    ...(await writes(field, 'with copies and messages')),
  ];
}

async function fromRedis(field: Field): Promise<Table[]> {
  const tables: Table[] = [];
  for (const bytes of SIZES) {
    await field.do('set', EVERY_KEY, bytes);
    for (const load of READS) {
      const title = `get from Redis, ${bytes} B, callers: ${load.callers}`;
      tables.push(await field.measure(title, 'get', load, bytes));
    }
  }
  const many = `getMany of ${KEYS_TOGETHER} from Redis, ${SMALL} B, one after the other`;
  return [
    ...tables,
    await field.measure(many, 'getMany', MANY),
    ...(await writes(field, 'no copies in the process')),
  ];
}

async function writes(field: Field, what: string): Promise<Table[]> {
  const how = `${SMALL} B, callers: ${WRITES.callers}, ${what}`;
  return [
    await field.measure(`set, ${how}`, 'set', WRITES),
    await field.measure(`getOrSet of a key that is not there, ${how}`, 'getOrSetMissing', WRITES),
  ];
}

interface Entrant {
  readonly name: string;
  readonly works: readonly Work[];
  readonly crew: ContenderCrew;
}

type ContenderCrew = Crew<ContenderTask, ContenderAnswer>;

/** All who are installed and have these tiers, each in a process of its own; this cache is the first. */
class Field {
  private constructor(
    private readonly bench: Bench,
    private readonly entrants: readonly Entrant[],
  ) {}

  static async open(bench: Bench, tiers: Tiers): Promise<Field> {
    const entrants: Entrant[] = [];
    for (const index of ALL.keys()) {
      const setup: ContenderSetup = { redisUrl: bench.redisUrl, index, tiers };
      const crew: ContenderCrew = await Crew.start('contender.js', [setup]);
      const [answer] = await crew.ask('who');
      if (answer && 'works' in answer) entrants.push({ ...answer, crew });
      else await crew.end();
    }
    return new Field(bench, entrants);
  }

  async close(): Promise<void> {
    await Promise.all(this.entrants.map(({ crew }) => crew.end()));
  }

  /** One after the other, unmeasured. */
  async do(work: Work, load: Load, bytes: number): Promise<void> {
    for (const { crew } of this.entrants) await crew.ask({ work, bytes, ...load });
  }

  async measure(title: string, work: Work, load: Load, bytes = SMALL): Promise<Table> {
    this.bench.tell(title);
    const able = this.entrants.filter(({ works }) => works.includes(work));
    const contenders = able.map(({ name, crew }): Contender => {
      const measure = async (): Promise<number> => {
        const [answer] = await crew.ask({ work, bytes, ...load });
        return (answer as { perSecond: number }).perSecond;
      };
      return { name, measure };
    });
    const samples = await interleave(contenders, ROUNDS);
    return {
      title,
      columns: ['calls per second', 'ours to it'],
      rows: contenders.map(({ name }, i) => ({
        name,
        cells: [spreadOf(samples[i]!), ratios(samples[0]!, samples[i]!)],
      })),
      remarks: this.entrants.some(({ name }) => name === 'bentocache')
        ? []
        : [`Without other caches: ${HOW_TO_INSTALL}`],
    };
  }
}
