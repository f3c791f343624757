import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import { Fleet, type Watched } from '../fleet/fleet.js';
import { idleByTopology } from '../fleet/idle.js';
import { spreadOf } from '../sampling.js';
import type { Row, Table } from '../table.js';

export const asks =
  'what do many processes cost: connections, heartbeats, evicts, one missing key?';

/** Beside the one that evicts. */
const OTHERS = [4, 20, 100, 400, 1_000];
/** Where the kinds of changes are compared. */
const COMPARED_AT = 100;
const WATCHED_MS = 3_000;
/** Of messages to all others together, at most: the others have to keep up with it on few cores. */
const MOST_MESSAGES = 16_000;
const MOST_EVICTS = 200;
const LOAD_MS = 300;
const LOADS = 5;
const IN_ONE_CALL = 100;

export async function answer(bench: Bench): Promise<readonly Table[]> {
  bench.tell('idle');
  const idle = await idleByTopology(bench);
  const fleet = await Fleet.start(bench);
  const grown: { others: number; idle: Watched; evicting: Watched; loads: Loaded[] }[] = [];
  let changes: Table | undefined;
  try {
    for (const others of OTHERS) {
      bench.tell(`${others} others`);
      await fleet.growTo(others);
      const idling = await fleet.watch(() => sleep(WATCHED_MS));
      const perSecond = Math.min(MOST_EVICTS, MOST_MESSAGES / others);
      const evicting = await fleet.watch(() => evictAt(fleet, perSecond));
      grown.push({ others, idle: idling, evicting, loads: await load(fleet) });
      if (others === COMPARED_AT) changes = await compareChanges(fleet, idling);
    }
  } finally {
    await fleet.end();
  }
  return [
    idle,
    idleTable(grown),
    evictTable(grown),
    ...(changes ? [changes] : []),
    loadTable(grown),
  ];
}

type Grown = readonly {
  others: number;
  idle: Watched;
  evicting: Watched;
  loads: readonly Loaded[];
}[];

/** One key after the other at a steady pace, each with the moment in it at which its evict was sent. */
async function evictAt({ own }: Fleet, perSecond: number): Promise<void> {
  const begin = performance.now();
  const evicts: Promise<unknown>[] = [];
  for (let sent = 0; sent < (perSecond * WATCHED_MS) / 1_000; sent++) {
    await sleep(Math.max(0, begin + (sent * 1_000) / perSecond - performance.now()));
    evicts.push(own.service.evict(`at:${Number(process.hrtime.bigint()) / 1e6}`));
  }
  await Promise.all(evicts);
  // The last one is repeated after a second, and belongs to it.
  await sleep(1_500);
}

function idleTable(grown: Grown): Table {
  const columns = [
    'connections',
    'commands per second',
    'Redis CPU, % of a core',
    'Redis memory, kB a process',
    'client CPU, % of a core a process',
  ];
  const first = grown[0]!;
  const rows = grown.map(({ others, idle }): Row => {
    const { seconds, after, calls, serverUs, othersUs } = idle;
    const commands = [...calls.values()].reduce((sum, count) => sum + count, 0);
    const more = after.usedBytes - first.idle.before.usedBytes;
    return {
      name: `${others.toLocaleString('en')} others`,
      cells: [
        // One is that of who is looking.
        after.clients - 1,
        commands / seconds,
        serverUs / 1e4 / seconds,
        others === first.others ? '' : more / 1e3 / (others - first.others),
        othersUs / 1e4 / seconds / others,
      ],
      point: { series: 'idle', x: others },
    };
  });
  const panels = [columns[1]!, columns[2]!].map((column) => ({ column, scale: 'log' as const }));
  return {
    title: 'Processes that do nothing, on one server',
    columns,
    rows,
    remarks: [
      'The others are caches with connections of their own, in a few processes; one that evicts is beside them.',
    ],
    plot: { name: 'idle', x: 'processes', xScale: 'log', panels },
  };
}

function evictTable(grown: Grown): Table {
  const columns = [
    'evicts per second',
    'messages published an evict',
    'Redis CPU, µs an evict',
    'Redis CPU, µs a message to one process',
    'client CPU, µs a message',
    'age when acted upon, ms',
    'age, 99 %, ms',
  ];
  const rows = grown.map(({ others, idle, evicting }): Row => {
    const { seconds, calls, published, received, agesMs } = evicting;
    const evicts = (calls.get('evalsha') ?? 0) + (calls.get('eval') ?? 0);
    const serverUs = evicting.serverUs - perSecond(idle.serverUs, idle) * seconds;
    const othersUs = evicting.othersUs - perSecond(idle.othersUs, idle) * seconds;
    const messages = published * (others + 1);
    const ages = agesMs.toSorted((a, b) => a - b);
    return {
      name: `${others.toLocaleString('en')} others`,
      cells: [
        evicts / (WATCHED_MS / 1_000),
        published / evicts,
        serverUs / evicts,
        serverUs / messages,
        othersUs / received,
        spreadOf(ages),
        ages[Math.round(0.99 * (ages.length - 1))]!,
      ],
      point: { series: 'evict', x: others },
    };
  });
  const panels = [columns[2]!, columns[3]!, columns[4]!, columns[5]!].map((column) => ({
    column,
    scale: 'log' as const,
  }));
  return {
    title: 'One process evicts key by key, all others hear of it',
    columns,
    rows,
    remarks: [
      'What the same processes use while nothing is evicted is taken off. A message of a second later says up to where the evicts went.',
    ],
    plot: { name: 'evict', x: 'processes that listen', xScale: 'log', panels },
  };
}

const perSecond = (amount: number | undefined, { seconds }: Watched): number =>
  (amount ?? 0) / seconds;

/** What else is told, and whether many at once are told of at once. */
async function compareChanges(fleet: Fleet, idle: Watched): Promise<Table> {
  const { service } = fleet.own;
  // Of two parts, so that a list of them is not taken for a key itself.
  const keys = Array.from({ length: IN_ONE_CALL }, (_, i) => ['many', i] as const);
  const tags = keys.map((key) => key.join(':'));
  const values = keys.map((key): [readonly ['many', number], number] => [key, 1]);
  const each =
    (change: (key: (typeof keys)[number]) => Promise<unknown>) => async (): Promise<void> => {
      for (const key of keys) await change(key);
    };
  const kinds: Record<string, () => Promise<unknown>> = {
    'evict, one key after the other': each((key) => service.evict(key)),
    'evict, all in one tick': () => Promise.all(keys.map((key) => service.evict(key))),
    'evict, one call': () => service.evict(keys),
    'set, one key after the other': each((key) => service.set(key, 1)),
    'set, all in one tick': () => Promise.all(keys.map((key) => service.set(key, 1))),
    'setMany, one call': () => service.setMany(values),
    'evictTags, one tag after the other': each((key) => service.evictTags(key.join(':'))),
    'evictTags, one call': () => service.evictTags(tags),
  };
  const rows: Row[] = [];
  for (const [name, change] of Object.entries(kinds)) {
    const watched = await fleet.watch(async () => {
      await change();
      await sleep(1_500);
    });
    const { seconds, published, serverUs, othersUs } = watched;
    rows.push({
      name,
      cells: [
        published / keys.length,
        (serverUs - perSecond(idle.serverUs, idle) * seconds) / keys.length,
        (othersUs - perSecond(idle.othersUs, idle) * seconds) / keys.length / COMPARED_AT,
      ],
    });
  }
  return {
    title: `${IN_ONE_CALL} keys or tags, heard by ${COMPARED_AT} others`,
    columns: ['messages a key', 'Redis CPU, µs a key', 'client CPU, µs a key and process'],
    rows,
    remarks: [
      'What the same processes use while nothing happens is taken off, which is more than some of these take.',
    ],
  };
}

interface Loaded {
  readonly loads: number;
  readonly beyondMs: number;
  readonly longestCommandMs: number;
}

async function load(fleet: Fleet): Promise<Loaded[]> {
  const loaded: Loaded[] = [];
  await fleet.admin.config('SET', 'slowlog-log-slower-than', '0');
  for (let i = 0; i < LOADS; i++) {
    await fleet.admin.slowlog('RESET');
    const { loads, slowestMs } = await fleet.load(`missing:${i}:${performance.now()}`, LOAD_MS);
    const slow = (await fleet.admin.slowlog('GET', 10_000)) as [number, number, number, string[]][];
    const longest = slow.filter(([, , , [name]]) => !/info|config|slowlog/i.test(name!));
    const longestCommandMs = Math.max(...longest.map(([, , us]) => us)) / 1_000;
    loaded.push({ loads, beyondMs: slowestMs - LOAD_MS, longestCommandMs });
  }
  return loaded;
}

function loadTable(grown: Grown): Table {
  const columns = ['loads', 'slowest waits beyond the load, ms', 'longest command of Redis, ms'];
  return {
    title: `One missing key, one caller in each process, a load of ${LOAD_MS} ms`,
    columns,
    rows: grown.map(({ others, loads }) => ({
      name: `${others.toLocaleString('en')} processes`,
      cells: [
        spreadOf(loads.map((loaded) => loaded.loads)),
        spreadOf(loads.map(({ beyondMs }) => beyondMs)),
        spreadOf(loads.map(({ longestCommandMs }) => longestCommandMs)),
      ],
      point: { series: 'one missing key', x: others },
    })),
    remarks: ['All processes share the cores of one machine, so most of the wait is their turn.'],
    plot: {
      name: 'load',
      x: 'processes',
      xScale: 'log',
      panels: [columns[1]!, columns[2]!].map((column) => ({ column, scale: 'log' as const })),
    },
  };
}
