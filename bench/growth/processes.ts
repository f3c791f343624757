import type { Bench } from '../bench.js';
import { Crew } from '../crew/crew.js';
import type { Reading, ReadingSetup, ReadingTask } from '../crew/reading.js';
import { sampleOf, type Sample } from '../load.js';
import { cpuOf } from '../server-stats.js';
import type { Table } from '../table.js';
import { measureAlong, NAMES, ROUND_MS, valueOf, type Subject } from './along.js';

const PROCESSES = [1, 2, 4, 8, 16];
const KEYS = 10_000;
const STORED_AT_ONCE = 1_000;
const VALUE_BYTES = 200;
/** In each process. */
const CALLERS = 16;

type ReadingCrew = Crew<ReadingTask, Reading>;

export async function processes(bench: Bench): Promise<Table> {
  const [namespace, prefix] = [bench.ownName(), `${bench.ownName()}:`];
  await fill(bench, namespace, prefix);
  const setup: ReadingSetup = { redisUrl: bench.redisUrl, namespace, prefix, keys: KEYS };
  const most = Array.from({ length: PROCESSES.at(-1)! }, () => setup);
  const crew: ReadingCrew = await Crew.start('reading.js', most);
  const at = (reads: ReadingTask['reads'], series: string, x: number): Subject => {
    const task: ReadingTask = { reads, callers: CALLERS, forMs: ROUND_MS };
    return { series, x, measure: () => together(bench, () => crew.ask(task, { first: x })) };
  };
  try {
    return await measureAlong(
      {
        title: `Processes: get from Redis, ${VALUE_BYTES} B, ${CALLERS} callers in each`,
        name: 'processes',
        x: 'processes',
        remarks: ['All of them, and Redis, share the cores of one machine.'],
      },
      PROCESSES.flatMap((x) => [
        at('ours', `${NAMES.ours} get`, x),
        at('raw', `${NAMES.raw} GET`, x),
      ]),
    );
  } finally {
    await crew.end();
  }
}

async function fill(bench: Bench, namespace: string, prefix: string): Promise<void> {
  const { service } = await bench.openCache({ namespace, l1: false, ttl: '1h' });
  const value = valueOf(VALUE_BYTES);
  for (let from = 0; from < KEYS; from += STORED_AT_ONCE) {
    const names = Array.from({ length: STORED_AT_ONCE }, (_, i) => `${from + i}`);
    await service.setMany(names.map((name) => [name, value]));
    await bench.redis.mset(names.flatMap((name) => [prefix + name, JSON.stringify(value)]));
  }
}

/** What all processes did, as if they were one. */
async function together({ redis }: Bench, read: () => Promise<Reading[]>): Promise<Sample> {
  const before = await cpuOf([redis]);
  const readings = await read();
  const serverUs = (await cpuOf([redis])) - before;
  return sampleOf({
    latencies: readings.flatMap(({ latencies }) => latencies),
    tookMs: Math.max(...readings.map(({ tookMs }) => tookMs)),
    clientUs: readings.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
    serverUs,
  });
}
