import type { Bench } from '../bench.js';
import type { Table } from '../table.js';
import {
  calls,
  COLUMNS,
  isThere,
  measureAlong,
  NAMES,
  spread,
  valueOf,
  type Subject,
} from './along.js';

const CALLERS = [1, 4, 16, 64, 256, 1_024, 4_096];
const KEYS = 10_000;
const STORED_AT_ONCE = 1_000;
const VALUE_BYTES = 200;

export async function callers(bench: Bench): Promise<Table> {
  const { service } = await bench.openCache({ l1: false, ttl: '1h' });
  const client = bench.openClient();
  const piped = bench.openClient({ enableAutoPipelining: true });
  const prefix = `${bench.ownName()}:`;
  const value = valueOf(VALUE_BYTES);
  for (let from = 0; from < KEYS; from += STORED_AT_ONCE) {
    const names = Array.from({ length: STORED_AT_ONCE }, (_, i) => `${from + i}`);
    await service.setMany(names.map((name) => [name, value]));
    await client.mset(names.flatMap((name) => [prefix + name, JSON.stringify(value)]));
  }
  const key = (n: number): string => `${spread(n, KEYS)}`;
  const reads: Record<string, (n: number) => Promise<unknown>> = {
    [`${NAMES.ours} get`]: (n) => service.get(key(n)),
    [`${NAMES.raw} GET`]: (n) => client.get(prefix + key(n)),
    [`${NAMES.raw} GET, auto-pipelining`]: (n) => piped.get(prefix + key(n)),
  };
  const subjects = CALLERS.flatMap((count) =>
    Object.entries(reads).map(([series, read]): Subject => {
      const call = async (n: number): Promise<void> => isThere(await read(n));
      return calls({ series, x: count }, { call, callers: count, servers: [bench.redis] });
    }),
  );
  return measureAlong(
    {
      title: `Callers at the same time in one process: get from Redis, ${VALUE_BYTES} B`,
      name: 'callers',
      x: 'callers at the same time',
      panels: [
        { column: COLUMNS.perSecond, scale: 'log' },
        { column: COLUMNS.p99Ms, scale: 'log' },
        { column: COLUMNS.clientUs, scale: 'log' },
        { column: COLUMNS.serverUs, scale: 'log' },
      ],
    },
    subjects,
  );
}
