import type { Bench } from '../bench.js';
import { LOADING } from '../contenders/loading.js';
import { Crew } from '../crew/crew.js';
import type { Stampede, StampedeSetup, StampedeTask } from '../crew/stampede.js';
import { HOW_TO_INSTALL } from '../peers.js';
import { interleave, spreadOf, type Contender } from '../sampling.js';
import type { Table } from '../table.js';

export const asks = 'how many loads, and how long a wait, when all processes miss one key at once?';

const PROCESSES = 8;
/** In each of them. */
const CALLERS = 500;
const LOAD_MS = 300;
/** Processes that have just started take several times as long: they have not compiled what they run. */
const ROUNDS = { rounds: 7, warmUps: 15 };

interface Answered {
  readonly loads: number;
  readonly values: number;
  /** Of the caller that waited longest, what went beyond the load. */
  readonly beyondMs: number;
}

export async function answer(bench: Bench): Promise<readonly Table[]> {
  const names = await namesOf(bench);
  const setup: StampedeSetup = { redisUrl: bench.redisUrl, run: bench.ownName() };
  const setups = Array.from({ length: PROCESSES }, () => setup);
  bench.tell(`${PROCESSES} processes`);
  const crew: Crew<StampedeTask, Stampede> = await Crew.start('stampede.js', setups);
  let rounds = 0;
  try {
    const contenders = names.map((cache): Contender<Answered> => {
      const measure = async (): Promise<Answered> => {
        const key = `missing:${rounds++}`;
        return sum(await crew.ask({ cache, key, callers: CALLERS, loadMs: LOAD_MS }));
      };
      return { name: cache, measure };
    });
    const samples = await interleave(contenders, ROUNDS);
    return [tableOf(names, samples)];
  } finally {
    await crew.end();
  }
}

/** Of those that are installed. */
async function namesOf(bench: Bench): Promise<string[]> {
  const opened = [];
  for (const open of LOADING) opened.push(await open(bench, 'both'));
  return opened.flatMap((cache) => cache?.name ?? []);
}

function sum(answers: readonly Stampede[]): Answered {
  return {
    loads: answers.reduce((all, { loads }) => all + loads, 0),
    values: new Set(answers.flatMap(({ values }) => values)).size,
    beyondMs: Math.max(...answers.map(({ slowestMs }) => slowestMs)) - LOAD_MS,
  };
}

function tableOf(names: readonly string[], samples: readonly (readonly Answered[])[]): Table {
  const of = (answers: readonly Answered[], key: keyof Answered) =>
    spreadOf(answers.map((answered) => answered[key]));
  const remarks = [
    'The slowest is the one of all callers of all processes that waited longest. All processes share the cores of one machine, and each answers all of its callers.',
  ];
  if (!names.includes('bentocache')) remarks.push(`Without other caches: ${HOW_TO_INSTALL}`);
  return {
    title: `${PROCESSES} processes, ${CALLERS} callers in each, one key that is missing, a load of ${LOAD_MS} ms`,
    columns: ['loads', 'values seen', 'slowest waits beyond the load, ms'],
    rows: names.map((name, i) => ({
      name,
      cells: [of(samples[i]!, 'loads'), of(samples[i]!, 'values'), of(samples[i]!, 'beyondMs')],
    })),
    remarks,
  };
}
