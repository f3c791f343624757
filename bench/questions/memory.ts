import type { Bench } from '../bench.js';
import { LOADING } from '../contenders/loading.js';
import { Crew } from '../crew/crew.js';
import type { Memory, MemorySetup, MemoryTask } from '../crew/memory.js';
import { HOW_TO_INSTALL } from '../peers.js';
import { spreadOf } from '../sampling.js';
import type { Row, Table } from '../table.js';

export const asks =
  'does memory grow with keys that were asked for, and how long does the loop stand?';

/** All different keys, one after the other. This cache goes through ten times as many as the others, which are slower. */
const OPERATIONS = { ours: 1_000_000, others: 100_000 };
const INTERVALS = 20;
const CALLERS = 64;
const CALLS = ['getOrSet', 'get'] as const;
/** Of the intervals: by then the copies are as many as may be, and the code is compiled. */
const SETTLED_AFTER = 4;

export async function answer(bench: Bench): Promise<readonly Table[]> {
  const rows: Record<MemoryTask['call'], Row[]> = { getOrSet: [], get: [] };
  for (const [index, open] of LOADING.entries()) {
    const cache = await open(bench, 'both');
    if (!cache) continue;
    const operations = index === 0 ? OPERATIONS.ours : OPERATIONS.others;
    bench.tell(`${cache.name}, ${operations.toLocaleString('en')} keys`);
    const measured = await measure({ redisUrl: bench.redisUrl, index }, operations);
    for (const call of CALLS) rows[call].push(rowOf(cache.name, operations, measured[call]));
  }
  return CALLS.map((call) => tableOf(call, rows[call]));
}

type Measured = Record<MemoryTask['call'], readonly Memory[]>;

/** First what is not there, then the same keys, which are in Redis by then. */
async function measure(setup: MemorySetup, operations: number): Promise<Measured> {
  const execArgv = ['--expose-gc'];
  const crew: Crew<MemoryTask, Memory> = await Crew.start('memory.js', [setup], { execArgv });
  const each = operations / INTERVALS;
  const run = async (call: MemoryTask['call']): Promise<Memory[]> => {
    const intervals: Memory[] = [];
    for (let from = 0; from < operations; from += each)
      intervals.push(...(await crew.ask({ call, from, operations: each, callers: CALLERS })));
    return intervals;
  };
  try {
    return { getOrSet: await run('getOrSet'), get: await run('get') };
  } finally {
    await crew.end();
  }
}

function rowOf(name: string, operations: number, intervals: readonly Memory[]): Row {
  const settled = intervals.slice(SETTLED_AFTER);
  const heaps = settled.map(({ heapMB }) => heapMB);
  const perMillion = (slopeOf(heaps) * 1e6 * INTERVALS) / operations;
  const of = (key: keyof Memory) => spreadOf(settled.map((memory) => memory[key]));
  return {
    name,
    cells: [
      operations,
      of('heapMB'),
      perMillion,
      of('delayP99Ms'),
      Math.max(...settled.map(({ delayMaxMs }) => delayMaxMs)),
      of('perSecond'),
    ],
  };
}

/** Of the line that fits best, from one interval to the next. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const weights = values.map((_, i) => i - middle);
  const squares = weights.reduce((sum, weight) => sum + weight * weight, 0);
  return values.reduce((sum, value, i) => sum + value * weights[i]!, 0) / squares;
}

function tableOf(call: MemoryTask['call'], rows: readonly Row[]): Table {
  const what = { getOrSet: 'keys that are not there', get: 'keys that are in Redis' };
  const remarks = [
    `${INTERVALS} intervals; after each the collector runs, outside of what is timed. The first ${SETTLED_AFTER} are left out: the copies are not as many as may be until then.`,
    'Turns of the event loop are as long as a timer may be late. The slope is of the line through all intervals.',
  ];
  if (!rows.some(({ name }) => name === 'bentocache'))
    remarks.push(`Without other caches: ${HOW_TO_INSTALL}`);
  return {
    title: `${call} of ${what[call]}, all different, through copies of 10,000, ${CALLERS} callers`,
    columns: [
      'operations',
      'heap, MB',
      'slope, MB per million operations',
      'turn of the event loop, 99 %, ms',
      'longest, ms',
      'operations per second',
    ],
    rows,
    remarks,
  };
}
