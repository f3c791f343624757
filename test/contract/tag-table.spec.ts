import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { TagTable } from '../../lib/tags/tag-table.js';
import { waitFor } from '../support/wait-for.js';
import {
  check,
  load,
  memoryTags,
  redisTags,
  shardedTags,
  type Entry,
  type TagBackend,
} from './support/tag-backends.js';

const DAY = 86_400_000;
const ODD_TAGS = [
  'c',
  'b',
  '*',
  't:',
  't:c',
  ' ',
  '\0',
  'a\r\nb',
  '"quoted"',
  "it's",
  '\\',
  '[]',
  '{"a":1}',
  '{tag}',
  '-inf',
  '1e999',
  '\u2028',
  'Zürich 東京 🙂',
  '🙂'.repeat(128),
  '東'.repeat(256),
];

describe.each([
  ['memory', memoryTags],
  ['redis', redisTags],
  ['redis, 16 copies', (limits) => redisTags(limits, { copies: 16, connections: 3 })],
  ['two shards', shardedTags],
] satisfies [string, typeof memoryTags][])('TagTable in %s', (_name, start) => {
  let backend: TagBackend;
  let table: TagTable;
  let path: string;

  beforeAll(async () => {
    backend = await start();
    [table] = backend.tables;
  });
  beforeEach(() => {
    path = `tags/${randomUUID()}`;
  });
  afterAll(() => backend.close());

  /** Keys enough that each copy has some. */
  const keysOf = (under = path): string[] => Array.from({ length: 40 }, (_, i) => `${under}:k${i}`);
  const loadAll = (tags: readonly string[] = [], under = path): Promise<Entry[]> =>
    Promise.all(keysOf(under).map((key) => load(table, key, tags)));
  /** What all of the entries are; an array where they are not alike. */
  async function verdict(entries: readonly Entry[], by = table): Promise<boolean | boolean[]> {
    const each = await Promise.all(entries.map((entry) => check(by, entry)));
    return new Set(each).size === 1 ? each[0]! : each;
  }

  describe('clock', () => {
    it('no table yet → one begins; a version in µs that stands until the next bump', async () => {
      const [key] = keysOf();
      const version = await table.clock(key!);
      expect(Number.isSafeInteger(version)).toBe(true);
      expect(Math.abs(version / 1_000 - Date.now())).toBeLessThan(60_000);
      expect(await table.clock(key!)).toBe(version);
      expect((await table.versions(key!, []))!.clock).toBe(version);
      const bumped = await table.bump(path, ['x']);
      expect(bumped).toBeGreaterThan(version);
      const after = await table.clock(key!);
      expect(after).toBeGreaterThan(version);
      expect(after).toBeLessThanOrEqual(bumped);
    });

    it('asked by another process → the same', async () => {
      const [key] = keysOf();
      expect(await backend.tables[1].clock(key!)).toBe(await table.clock(key!));
    });
  });

  describe('versions', () => {
    it('no table yet → undefined, and one begins', async () => {
      const [key] = keysOf();
      expect(await table.versions(key!, ['x'])).toBeUndefined();
      const versions = (await table.versions(key!, ['x']))!;
      expect(versions).toEqual({
        clock: versions.clock,
        floor: versions.clock,
        tags: new Map([['x', 0]]),
      });
    });

    it('a tag never bumped, one bumped, one asked twice → each its version', async () => {
      const entries = await loadAll();
      await table.bump(path, ['x']);
      for (const { redisKey, c0 } of entries) {
        const { clock, floor, tags } = (await table.versions(redisKey, ['x', 'y', 'x']))!;
        expect(tags).toEqual(
          new Map([
            ['x', clock],
            ['y', 0],
          ]),
        );
        expect(floor).toBeLessThanOrEqual(c0);
      }
    });
  });

  describe('bump', () => {
    it('G4 loaded before → invalid; loaded after → valid; other tags and none → untouched', async () => {
      const [x, y, none, both] = await Promise.all([
        loadAll(['x']),
        loadAll(['y']),
        loadAll(),
        loadAll(['y', 'x']),
      ]);
      expect(await verdict([...x, ...y, ...none, ...both])).toBe(true);
      await table.bump(path, ['x']);
      expect(await verdict(x)).toBe(false);
      expect(await verdict(both)).toBe(false);
      expect(await verdict([...y, ...none, ...(await loadAll(['x', 'y']))])).toBe(true);
      expect(await verdict(x, backend.tables[1])).toBe(false);
    });

    it('G4 several tags, some twice → each of them', async () => {
      const [x, y, z] = await Promise.all([loadAll(['x']), loadAll(['y']), loadAll(['z'])]);
      await table.bump(path, ['x', 'y', 'x']);
      expect([await verdict(x), await verdict(y), await verdict(z)]).toEqual([false, false, true]);
    });

    it('during a load → what was loaded is invalid', async () => {
      const [key] = keysOf();
      const c0 = await table.clock(key!);
      await table.bump(path, ['found by the loader']);
      expect(await check(table, { redisKey: key!, c0, tags: ['found by the loader'] })).toBe(false);
    });

    it('G4 2500 tags at once → each of them', async () => {
      const tags = Array.from({ length: 2_500 }, (_, i) => `tag ${i}`);
      const entries = await Promise.all(tags.map((tag, i) => load(table, `${path}:k${i}`, [tag])));
      const other = await loadAll(['other']);
      await table.bump(path, tags);
      expect(await verdict(entries)).toBe(false);
      expect(await verdict(other)).toBe(true);
    });

    it('the first thing that is ever asked → as any other', async () => {
      await table.bump(path, ['x']);
      const entries = await loadAll(['x']);
      expect(await verdict(entries)).toBe(true);
      await table.bump(path, ['x']);
      expect(await verdict(entries)).toBe(false);
    });

    it('no tags → 0, and the clock stands', async () => {
      const before = await table.clock(`${path}:k`);
      expect(await table.bump(path, [])).toBe(0);
      expect(await table.clock(`${path}:k`)).toBe(before);
    });

    it.each(ODD_TAGS.map((tag) => [tag.slice(0, 12), tag]))(
      'G4 a tag %j → it, and no other',
      async (_, tag) => {
        const redisKey = `${path}:k`;
        const mine = await load(table, redisKey, [tag]);
        const others = await load(
          table,
          redisKey,
          ODD_TAGS.filter((other) => other !== tag),
        );
        await table.bump(path, [tag]);
        expect([await check(table, mine), await check(table, others)]).toEqual([false, true]);
        expect(await check(table, await load(table, redisKey, ODD_TAGS))).toBe(true);
      },
    );

    it('G4 half a surrogate pair → the tag as it comes back from UTF-8', async () => {
      for (const tag of ['a\ud800', '\udc00\ud800b']) {
        const entry = await load(table, `${path}:k`, [tag]);
        const readBack = { ...entry, tags: [Buffer.from(tag).toString()] };
        await table.bump(path, [tag]);
        expect([await check(table, entry), await check(table, readBack)]).toEqual([false, false]);
      }
    });

    it('G4 what is no tag → CacheOptionsError that names each, and nothing is issued', async () => {
      const before = await table.clock(`${path}:k`);
      const bad = ['good', '', 'x'.repeat(257), 5, null, undefined, ['x']];
      await expect(table.bump(path, bad as string[])).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
        problems: [1, 2, 3, 4, 5, 6].map((i) => ({ path: `tags[${i}]` })),
      });
      await expect(table.bump(path, 'x' as never)).rejects.toMatchObject({
        problems: [{ path: 'tags', given: 'a string of 1 characters' }],
      });
      expect(await table.clock(`${path}:k`)).toBe(before);
    });
  });

  describe('clear', () => {
    it('B11 G5 loaded before → invalid whatever its tags; loaded after → valid', async () => {
      const [x, none] = await Promise.all([loadAll(['x']), loadAll()]);
      const version = await table.clear(path);
      expect([await verdict(x), await verdict(none)]).toEqual([false, false]);
      const after = await loadAll(['x']);
      expect(await verdict(after)).toBe(true);
      for (const { c0 } of x) expect(c0).toBeLessThan(version);
    });

    it('G1 B11 namespaces around it → untouched by clear and bump', async () => {
      const around = [`${path}/nested`, path.slice(0, -1), `${path}x`, 'tags'];
      const entries = (await Promise.all(around.map((other) => loadAll(['x'], other)))).flat();
      const own = await loadAll(['x']);
      await table.bump(path, ['x']);
      await table.clear(path);
      expect(await verdict(own)).toBe(false);
      expect(await verdict(entries)).toBe(true);
    });
  });

  describe('a table that is lost', () => {
    it('what was loaded before → invalid for good; a load begun after → valid', async () => {
      const before = [...(await loadAll(['x'])), ...(await loadAll())];
      await table.bump(path, ['y']);
      await backend.lose(path);
      expect(await verdict(before)).toBe(false);
      const after = await loadAll(['x', 'y']);
      expect(await verdict(after)).toBe(true);
      expect(await verdict(before)).toBe(false);
      for (const [i, { c0 }] of after.entries()) expect(c0).toBeGreaterThan(before[i]!.c0);
    });

    it('and a bump or clear comes first → the same', async () => {
      for (const evict of [() => table.bump(path, ['y']), () => table.clear(path)]) {
        const before = [...(await loadAll(['x'])), ...(await loadAll())];
        await backend.lose(path);
        await evict();
        expect(await verdict(before)).toBe(false);
        expect(await verdict(await loadAll(['x', 'y']))).toBe(true);
      }
    });

    it('an evict before the loss → not forgotten by it', async () => {
      const entries = await loadAll(['x']);
      await table.bump(path, ['x']);
      await backend.lose(path);
      await loadAll();
      expect(await verdict(entries)).toBe(false);
    });
  });

  it('two processes bump at the same time → no version is lost, and later reads see them all', async () => {
    const entries = await loadAll(['shared']);
    const rounds = Array.from({ length: 50 }, (_, i) => i);
    const bumps = backend.tables.flatMap((process, p) =>
      rounds.map(
        async (i) => [`${p} ${i}`, await process.bump(path, ['shared', `${p} ${i}`])] as const,
      ),
    );
    const issued = new Map(await Promise.all(bumps));
    expect(new Set(issued.values()).size).toBe(100);
    const { clock, tags } = (await table.versions(`${path}:k`, ['shared', ...issued.keys()]))!;
    expect(tags.get('shared')).toBe(clock);
    const versions = [...issued.keys()].map((tag) => tags.get(tag)!);
    expect(new Set(versions).size).toBe(100);
    expect(Math.max(...versions)).toBe(clock);
    // Each process has its versions in the order in which it asked.
    expect(versions.slice(0, 50)).toEqual(versions.slice(0, 50).toSorted((a, b) => a - b));
    expect(await verdict(entries)).toBe(false);
  });
});

describe.each([
  ['memory', memoryTags],
  ['redis', redisTags],
])('TagTable in %s, limited', (_name, start) => {
  let backend: TagBackend | undefined;
  let table: TagTable;
  const path = `limited/${randomUUID()}`;
  let keys = 0;
  const loadNow = (tags: readonly string[] = []): Promise<Entry> =>
    load(table, `${path}:k${keys++}`, tags);

  async function open(limits: { keepMs: number; maxTags: number }): Promise<void> {
    await backend?.close();
    backend = await start(limits);
    [table] = backend.tables;
    await backend.lose(path);
  }
  afterAll(() => backend?.close());

  it('maxTags — one more → the oldest is forgotten, and all that is older than it', async () => {
    await open({ keepMs: DAY, maxTags: 3 });
    const first = await loadNow();
    await table.bump(path, ['a']);
    const afterA = await loadNow(['a']);
    for (const tag of ['b', 'c']) await table.bump(path, [tag]);
    expect([await check(table, first), await check(table, afterA)]).toEqual([true, true]);
    await table.bump(path, ['d']);
    expect([await check(table, first), await check(table, afterA)]).toEqual([false, true]);
    const { tags, floor } = (await table.versions(`${path}:k`, ['a', 'b']))!;
    expect(tags.get('a')).toBe(0);
    expect(floor).toBe(afterA.c0);
    expect(tags.get('b')).toBeGreaterThan(floor);
  });

  it('maxTags — a tag bumped again → counts once, and as young', async () => {
    await open({ keepMs: DAY, maxTags: 3 });
    const first = await loadNow();
    for (const tag of ['a', 'b', 'c', 'a', 'b', 'c']) await table.bump(path, [tag]);
    expect(await check(table, first)).toBe(true);
    await table.bump(path, ['a']);
    await table.bump(path, ['d']);
    const { tags } = (await table.versions(`${path}:k`, ['a', 'b']))!;
    expect([tags.get('a')! > 0, tags.get('b')]).toEqual([true, 0]);
  });

  it('maxTags — the last clear is forgotten → what was cleared stays invalid', async () => {
    await open({ keepMs: DAY, maxTags: 2 });
    const first = await loadNow();
    await table.clear(path);
    const second = await loadNow();
    for (const tag of ['a', 'b', 'c']) await table.bump(path, [tag]);
    expect([await check(table, first), await check(table, second)]).toEqual([false, false]);
    expect(await check(table, await loadNow(['a', 'b', 'c']))).toBe(true);
  });

  it('maxTags — far more at once → loads after it are valid, the base is no version to come', async () => {
    await open({ keepMs: DAY, maxTags: 3 });
    const before = await loadNow(['tag 7']);
    const version = await table.bump(
      path,
      Array.from({ length: 500 }, (_, i) => `tag ${i}`),
    );
    expect(await check(table, before)).toBe(false);
    expect((await table.versions(`${path}:k`, []))!.floor).toBeLessThanOrEqual(version);
    expect(await check(table, await loadNow(['tag 1', 'tag 499']))).toBe(true);
  });

  it('keepMs — a tag not bumped for so long → forgotten at the next bump', async () => {
    await open({ keepMs: 30, maxTags: 1_000 });
    const [first, a] = [await loadNow(), await loadNow(['a'])];
    const version = await table.bump(path, ['a']);
    expect(await check(table, first)).toBe(true);
    await waitFor(async () => (await table.bump(path, ['b'])) > version + 30_000);
    const { tags, floor } = (await table.versions(`${path}:k`, ['a']))!;
    expect(tags.get('a')).toBe(0);
    expect(floor).toBeGreaterThanOrEqual(version);
    expect([await check(table, first), await check(table, a)]).toEqual([false, false]);
    expect(await check(table, await loadNow(['a']))).toBe(true);
  });

  it('after a lower limit — each bump forgets some, and the table comes down to it', async () => {
    await open({ keepMs: DAY, maxTags: 1_000 });
    const tags = Array.from({ length: 600 }, (_, i) => `tag ${i}`);
    for (let i = 0; i < 600; i += 20) await table.bump(path, tags.slice(i, i + 20));
    const known = async (): Promise<number> =>
      [...(await table.versions(`${path}:k`, tags))!.tags.values()].filter(Boolean).length;
    expect(await known()).toBe(600);
    Object.assign((table as unknown as { limits: object }).limits, { maxTags: 10 });
    const left: number[] = [];
    for (let i = 0; i < 7; i++) {
      await table.bump(path, ['x']);
      left.push(await known());
    }
    // 1 for what was bumped and 100 more each time; the last of the ten that stay is `x`.
    expect(left).toEqual([499, 398, 297, 196, 95, 9, 9]);
  });
});
