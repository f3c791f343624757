import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { openCache, type TestCache } from '../support/caches.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';
import { Row } from './row.js';
import {
  FULL,
  operator,
  PATIENT,
  REFUSING,
  SERVER_ARGS,
  type RefusingState,
} from './support/states.js';

const STORED = Array.from({ length: 200 }, (_, i) => `k${i}`);

describe('a server that answers and does not write', () => {
  let server: TestServer;
  let raw: Redis;
  /** A writes, B has copies, C has none. */
  let caches: { a: TestCache; b: TestCache; c: TestCache };

  beforeAll(async () => {
    server = await startServer({ args: SERVER_ARGS });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    raw = operator(server);
    const topology = { type: 'single', url: server.url } as const;
    const a = await openCache(topology, PATIENT);
    const { namespace } = a;
    const b = await openCache(topology, { ...PATIENT, namespace });
    const c = await openCache(topology, { ...PATIENT, namespace, l1: false });
    caches = { a, b, c };
    await waitFor(() => a.buses[0]!.live && b.buses[0]!.live);
    await Promise.all(STORED.map((key) => a.service.set(key, key, { tags: ['all'] })));
    // A message about the set may come after a read, and takes its copy away.
    for (const key of STORED)
      await waitFor(async () => (await b.service.get(key)) && sourceOf(b, key) === 'copy');
  });
  afterEach(async () => {
    for (const state of [FULL, ...REFUSING]) await state.leave(raw);
    raw.disconnect();
  });

  it('memory is full → what is stored is read, evicts work, nothing else is stored', async () => {
    const row = new Row('5', FULL.name);
    const { a, b, c } = caches;
    await FULL.enter(raw);
    row.is('loads for stored keys', await loadsFor(c, STORED), 0, `${STORED.length}`);
    row.is('misses served by their loader', await loadsFor(c, misses(100)), 100);
    const evicts = await Promise.allSettled(STORED.slice(0, 100).map((k) => a.service.evict(k)));
    row.is('evicts that resolve', evicts.filter((e) => e.status === 'fulfilled').length, 100);
    const tags = await a.service.evictTags(['all']).then(() => 'yes', String);
    row.is('evictTags resolves', tags, 'yes');
    row.is('  and its entries are gone', await loadsFor(c, STORED), STORED.length);
    await waitFor(() => sourceOf(b, STORED[150]!) !== 'copy');
    row.is('fills that fail are told', c.errors.length >= 100, true, `${c.errors.length}`);
    row.is('log lines for one cause', mostAlike(c.log), 1, `${c.log.length}`);
    expect(row.broken).toEqual([]);
  });

  it.each(REFUSING.map((state): [string, RefusingState] => [state.says, state]))(
    '%s → what is stored is read, evicts reject and are done later',
    async (_, state) => {
      const row = new Row('6', `${state.says}: ${state.name}`);
      const { a, b, c } = caches;
      await state.enter(raw);
      await expect(raw.set('x', 1)).rejects.toThrow(state.says);
      row.is('loads for stored keys', await loadsFor(c, STORED), 0, `${STORED.length}`);
      row.is('misses served by their loader', await loadsFor(c, misses(100)), 100);
      row.is('  and then still what is stored', await loadsFor(c, STORED), 0);
      const key = STORED[0]!;
      row.is('a copy in another process is used', sourceOf(b, key), 'copy');
      const began = performance.now();
      const told = await a.service.evict(key).then(String, (error: { code: string }) => error.code);
      row.is('an evict rejects with', told, 'ERR_CACHE_EVICT');
      row.atMost('  within', performance.now() - began, { bound: 320 });
      const heardFrom = performance.now();
      const isHeard = waitFor(() => sourceOf(b, key) !== 'copy', {
        timeoutMs: 1_000,
      });
      row.is(
        '  the copy in another process goes',
        await isHeard.then(
          () => true,
          () => false,
        ),
        true,
      );
      row.atMost('  within', performance.now() - heardFrom, { bound: 50 });
      row.is('  its own process loads instead', await loadsFor(a, [key]), 1);
      await state.leave(raw);
      const healed = performance.now();
      await waitFor(() => a.engine.pending().journal === 0, { timeoutMs: 10_000 });
      row.atMost('evicted, once the server writes again', performance.now() - healed, {
        bound: 2_000,
      });
      row.is('  for everybody', await loadsFor(c, [key]), 1);
      expect(row.broken).toEqual([]);
    },
  );
});

let missed = 0;
const misses = (count: number): string[] =>
  Array.from({ length: count }, () => `missing${missed++}`);

/** Reads all of them; gives how many had to be loaded. */
async function loadsFor({ service }: TestCache, keys: readonly string[]): Promise<number> {
  let loads = 0;
  const read = async (key: string): Promise<void> => {
    const value = await service.getOrSet(key, () => (loads++, key));
    expect(value).toBe(key);
  };
  await Promise.all(keys.map(read));
  return loads;
}

/** Where a read gets it from now; nothing is loaded and nothing kept. */
function sourceOf({ engine }: TestCache, key: string): 'copy' | 'other' {
  return engine.reader['state'].finder.peek(engine.keySpace().entry(key), 'value')
    ? 'copy'
    : 'other';
}

/** Lines that differ in numbers and keys only. */
function mostAlike(log: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const line of log) {
    const cause = line.replace(/\d+/g, '#');
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}
