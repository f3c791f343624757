import type { Bench } from '../bench.js';
import type { Table } from '../table.js';
import {
  calls,
  isThere,
  measureAlong,
  NAMES,
  panelsWith,
  spread,
  valueOf,
  type Subject,
} from './along.js';

const TAGS = [0, 1, 2, 4, 8, 16, 32, 64];
const ENTRIES = 200;
const VALUE_BYTES = 200;
const CALLERS = 16;
const RECORD = 'record, B';

/** Names of ten bytes; entries share half of them, so that a table has a thousand members and more. */
const tagsOf = (count: number, i: number): string[] =>
  Array.from({ length: count }, (_, t) => `tag:${t % 2 ? t : i * 100 + t}`.padEnd(10, '-'));

export async function tags(bench: Bench): Promise<Table> {
  const { service, engine } = await bench.openCache({ l1: false, ttl: '1h' });
  const value = valueOf(VALUE_BYTES);
  const subjects: Subject[] = [];
  for (const count of TAGS) {
    const keyOf = (n: number): string => `${count}:${spread(n, ENTRIES)}`;
    const given = Array.from({ length: ENTRIES }, (_, i) => ({ tags: tagsOf(count, i) }));
    for (let i = 0; i < ENTRIES; i++) await service.set(`${count}:${i}`, value, given[i]);
    const { redisKey } = engine.keySpace().entry(`${count}:0`);
    const more = [await bench.redis.strlen(redisKey)];
    const add = (series: string, call: (n: number) => Promise<unknown>): void =>
      void subjects.push(
        calls({ series, x: count, more }, { call, callers: CALLERS, servers: [bench.redis] }),
      );
    add(`${NAMES.ours} get`, async (n) => isThere(await service.get(keyOf(n))));
    add(`${NAMES.ours} set`, (n) => service.set(keyOf(n), value, given[spread(n, ENTRIES)]));
    // Of other entries than those that are read: names of their own, as many.
    if (count > 0) {
      const others = Array.from({ length: ENTRIES }, (_, i) => tagsOf(count, ENTRIES + i));
      const foreign = others.map((names) => names.map((name) => `other ${name}`));
      add(`${NAMES.ours} evictTags`, (n) => service.evictTags(foreign[n % ENTRIES]!));
    }
    add(`${NAMES.raw} GET`, (n) => bench.redis.getBuffer(redisKey).then(() => n));
  }
  return measureAlong(
    {
      title: `Tags of an entry: get and set in Redis, and evicting as many; ${VALUE_BYTES} B, ${CALLERS} callers`,
      name: 'tags',
      x: 'tags',
      xScale: 'symlog',
      more: [RECORD],
      panels: panelsWith(RECORD),
      remarks: [
        'Evicts are of tags that no entry has; reads meanwhile are not measured, but the table of tags fills up.',
      ],
    },
    subjects,
  );
}
