import type { Bench } from '../bench.js';
import type { Table } from '../table.js';
import { calls, isThere, measureAlong, NAMES, spread, valueOf, type Subject } from './along.js';

const SIZES = [20, 100, 1_000, 10_000, 100_000, 1_000_000];
/** All values of one size together, at most. */
const MOST_BYTES = 8_000_000;
const MOST_KEYS = 1_000;
const CALLERS = 16;

export async function valueSize(bench: Bench): Promise<Table> {
  const { service } = await bench.openCache({ l1: false, ttl: '1h' });
  const client = bench.openClient();
  const prefix = `${bench.ownName()}:`;
  const subjects: Subject[] = [];
  for (const bytes of SIZES) {
    const value = valueOf(bytes);
    const count = Math.min(MOST_KEYS, Math.ceil(MOST_BYTES / bytes));
    const keyOf = (n: number): string => `${bytes}:${spread(n, count)}`;
    const text = (): string => JSON.stringify(value);
    for (let i = 0; i < count; i++) {
      await service.set(`${bytes}:${i}`, value);
      await client.set(`${prefix}${bytes}:${i}`, text());
    }
    const add = (series: string, call: (n: number) => Promise<unknown>): void =>
      void subjects.push(
        calls({ series, x: bytes }, { call, callers: CALLERS, servers: [bench.redis] }),
      );
    add(`${NAMES.ours} get`, async (n) => isThere(await service.get(keyOf(n))));
    add(`${NAMES.raw} GET + JSON.parse`, async (n) =>
      isThere(JSON.parse((await client.get(prefix + keyOf(n)))!)),
    );
    add(`${NAMES.ours} set`, (n) => service.set(keyOf(n), value));
    add(`${NAMES.raw} JSON.stringify + SET`, (n) =>
      client.set(prefix + keyOf(n), text(), 'PX', 3_600_000),
    );
  }
  return measureAlong(
    {
      title: `Size of a value: get and set in Redis, ${CALLERS} callers`,
      name: 'value-size',
      x: 'value, bytes of JSON',
    },
    subjects,
  );
}
