import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readRecord, writeBody } from '../../lib/codec/envelope.js';
import { decodeKey } from '../../lib/keys/encode-key.js';
import { KeySpace } from '../../lib/keys/key-space.js';
import type { EntryStore } from '../../lib/store/entry-store.js';
import { waitFor } from '../support/wait-for.js';
import { memoryBackend } from './support/memory-backend.js';
import { bodyOf, newId } from './support/records.js';
import { redisBackend } from './support/redis-backend.js';
import type { StoreBackend } from './support/store-backend.js';

const MINUTE = 60_000;
const stored = { body: bodyOf(), softMs: 0, ttlMs: MINUTE };

describe.each([
  ['memory', memoryBackend],
  ['redis', redisBackend],
  ['redis over three connections', () => redisBackend({ connections: 3 })],
])('EntryStore.scan in %s', (_name, start) => {
  let backend: StoreBackend;
  let store: EntryStore;

  beforeAll(async () => {
    backend = await start();
    store = backend.store;
  });
  afterAll(() => backend.close());

  const newSpace = (): KeySpace => new KeySpace(`scan-${randomUUID()}`);
  const write = (key: string, ttlMs = MINUTE) =>
    store.write(key, { ...stored, newId: newId(), ttlMs });

  async function writeAll(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += 500)
      await Promise.all(keys.slice(at, at + 500).map((key) => write(key)));
  }
  async function listed(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const batch of store.scan(prefix, {})) keys.push(...batch);
    return keys.toSorted();
  }
  /** Redis keys of that many entries. */
  const many = (space: KeySpace, count: number): string[] =>
    Array.from({ length: count }, (_, i) => space.entry(`key:${i}`).redisKey).toSorted();

  it('G3 thousands of entries → each once, in batches of a bounded size', async () => {
    const space = newSpace();
    const keys = many(space, 5_000);
    await writeAll(keys);
    const batches: (readonly string[])[] = [];
    for await (const batch of store.scan(`${space.path}:k`, {})) batches.push(batch);
    expect(batches.flat().toSorted()).toEqual(keys);
    const sizes = batches.map((batch) => batch.length);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    // SCAN looks at 500 buckets, which may hold some more keys than that.
    expect(Math.max(...sizes)).toBeLessThan(1_500);
  });

  it('nothing there → no batch', async () => {
    expect(await listed(`${newSpace().path}:k`)).toEqual([]);
  });

  it('G2 other namespaces, nested ones, other kinds of key, other programs → never listed', async () => {
    const space = newSpace();
    const mine = space.entry('mine').redisKey;
    await writeAll([
      mine,
      space.child('users').entry('nested').redisKey,
      new KeySpace(`${space.path}2`).entry('longer name').redisKey,
      new KeySpace(`x${space.path}`).entry('name behind another').redisKey,
      space.entry('long'.repeat(100)).redisKey,
      `${space.path}:rkmine`,
      `${space.path}:lkmine`,
      `${space.path}:`,
      space.path,
      `${space.path.toUpperCase()}:kmine`,
    ]);
    expect(await listed(`${space.path}:k`)).toEqual([mine]);
  });

  it('a prefix with characters that mean something in a pattern → taken literally', async () => {
    const root = randomUUID();
    for (const odd of ['*', '?', '[a-z]', '[^a]', '\\', 'a\\*', '*\\', '[', ']']) {
      const prefix = `${root}${odd}|`;
      await writeAll([`${prefix}x`, `${root}b|x`, `${root}abc|x`, `${root}a|x`]);
      expect([odd, await listed(prefix)]).toEqual([odd, [`${prefix}x`]]);
    }
  });

  it('any string as a key → its text comes back, also from the digest of a long one', async () => {
    const space = newSpace();
    const given = [
      'a',
      'ümläut 🦄',
      '{tag}:x',
      'with blank\n%',
      '*?[x]\\',
      '\ud83e lone',
      'long {t} '.repeat(99),
    ];
    for (const key of given) {
      const { redisKey, digestOf } = space.entry(key);
      const header = {
        kind: 'value',
        isNull: false,
        serializer: 'json',
        graceMs: 0,
        c0: 0,
        topologyId: 0,
      } as const;
      const body = writeBody({ ...header, digestOf }, Buffer.from('1'));
      await store.write(redisKey, { ...stored, newId: newId(), body });
    }
    const found: string[] = [];
    for (const kind of ['k', 'h']) {
      const prefix = `${space.path}:`;
      for (const key of await listed(prefix + kind)) {
        const record = readRecord((await store.read(key))!);
        const digestOf = record.type === 'value' ? record.header.digestOf : undefined;
        found.push(String(decodeKey(key.slice(prefix.length), digestOf)));
      }
    }
    expect(found.toSorted()).toEqual(given.toSorted());
  });

  it('an entry that has expired → not listed', async () => {
    const space = newSpace();
    await write(space.entry('stays').redisKey);
    const short = space.entry('goes').redisKey;
    await write(short, 20);
    await waitFor(async () => (await backend.peek(short)) === null);
    expect(await listed(`${space.path}:k`)).toEqual([space.entry('stays').redisKey]);
  });

  it('G3 entries evicted, written and added while it runs → those that stay come, each once', async () => {
    const space = newSpace();
    const keys = many(space, 3_000);
    await writeAll(keys);
    const staying = keys.filter((_, i) => i % 3 > 0);
    const found: string[] = [];
    let round = 0;
    for await (const batch of store.scan(`${space.path}:k`, {})) {
      found.push(...batch);
      const at = (round++ * 300) % keys.length;
      // In memory what is written again moves to the end, and must neither be left out nor come twice.
      await writeAll(staying.slice(at, at + 200));
      await Promise.all(
        keys
          .filter((_, i) => i % 3 === 0)
          .slice(at / 3, at / 3 + 100)
          .map((key) => store.evict(key)),
      );
      await writeAll(
        Array.from({ length: 50 }, (_, i) => space.entry(`new:${round}:${i}`).redisKey),
      );
    }
    expect(found.filter((key) => staying.includes(key)).toSorted()).toEqual(staying);
    expect(new Set(found).size).toBe(found.length);
  });

  it('G3 a consumer that stops early → nothing further is done', async () => {
    const space = newSpace();
    await writeAll(many(space, 2_000));
    for await (const batch of store.scan(`${space.path}:k`, {})) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    expect(await listed(`${space.path}:k`)).toHaveLength(2_000);
  });

  it('a signal that has aborted → its reason, before anything is read', async () => {
    const reason = new Error('enough');
    const scan = store.scan('x', { signal: AbortSignal.abort(reason) });
    await expect(scan[Symbol.asyncIterator]().next()).rejects.toBe(reason);
  });

  it('a signal that aborts between two batches → its reason instead of the next', async () => {
    const space = newSpace();
    await writeAll(many(space, 3_000));
    const abort = new AbortController();
    const reason = new Error('enough');
    let batches = 0;
    const scan = async (): Promise<void> => {
      for await (const _ of store.scan(`${space.path}:k`, { signal: abort.signal })) {
        batches++;
        abort.abort(reason);
      }
    };
    await expect(scan()).rejects.toBe(reason);
    expect(batches).toBe(1);
  });

  it('many keys, and few that match → the event loop turns all the while', async () => {
    const space = newSpace();
    await writeAll(many(space, 10_000));
    const rare = space.entry('rare').redisKey;
    await write(rare);
    let turns = 0;
    let running = true;
    const counting = (async () => {
      while (running) {
        await nextTurn();
        turns++;
      }
    })();
    expect(await listed(rare)).toEqual([rare]);
    running = false;
    await counting;
    expect(turns).toBeGreaterThan(10);
  });
});
