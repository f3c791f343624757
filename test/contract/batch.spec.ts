import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import type { CacheParts } from '../../lib/cache/parts.js';
import type { BatchLoadContext, BatchLoader } from '../../lib/cache/read/batch-call.js';
import type { Key } from '../../lib/keys/encode-key.js';
import { NOTHING_PENDING, openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

const rowOf = (key: Key): string => `row of ${String(key)}`;
const rowsOf = (keys: readonly Key[]): [Key, string][] => keys.map((key) => [key, rowOf(key)]);
/** A loader that has a row for every key, and tells what it was asked for. */
const loading = () =>
  jest.fn(async (missing: Key[], _context: BatchLoadContext) => rowsOf(missing));

/** Leaves leases behind that nobody will fill or renew. */
async function dieHolding(cache: TestCache, keys: readonly string[], leaseMs: number) {
  const { parts } = cache.engine as unknown as { parts: CacheParts };
  const acquire = (key: string): Promise<unknown> =>
    parts.store.acquire(cache.engine.keySpace().entry(key).redisKey, {
      token: parts.ids.next(),
      leaseMs,
      reject: '',
    });
  await Promise.all(keys.map(acquire));
}

describe.each(VARIANTS)('batches on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
  });

  const open = (options: Parameters<typeof openCache>[1]): Promise<TestCache> =>
    openCache(topology, { ...variant, ...options });

  /** A second process, in so far as the two share nothing but the servers. */
  const other = (): Promise<TestCache> => open({ namespace: cache.namespace });

  describe('getMany', () => {
    it('M1 getMany — hits, misses, duplicates, a null → the hits, as given and in that order', async () => {
      await service.setMany([
        ['a', 1],
        ['b', null],
        [['c', 1], 3],
      ]);
      const c = ['c', 1] as const;
      const hits = await service.getMany(['b', 'missing', c, 'a', 'b']);
      expect([...hits]).toEqual([
        ['b', null],
        [c, 3],
        ['a', 1],
      ]);
      expect([...hits.keys()][1]).toBe(c);
    });

    it('M1 getMany — nothing asked for → nothing; a wrong key → CacheKeyError', async () => {
      expect(await service.getMany([])).toEqual(new Map());
      await expect(service.getMany(['a', ''])).rejects.toMatchObject({ code: 'ERR_CACHE_KEY' });
    });

    it('M1 getMany — more keys than one command takes → all of them', async () => {
      const keys = Array.from({ length: 600 }, (_, i) => `key-${i}`);
      await service.setMany(keys.map((key, i) => [key, i]));
      const hits = await service.getMany<number>(keys);
      expect([...hits.values()]).toEqual(keys.map((_, i) => i));
    });

    it('M1 getMany — a tag was evicted → misses, also where the table has to be asked for it', async () => {
      await service.setMany([
        ['a', 1, { tags: ['t'] }],
        ['b', 2, { tags: ['u'] }],
        ['c', 3],
      ]);
      await service.evictTags('t');
      expect([...(await service.getMany(['a', 'b', 'c'])).keys()]).toEqual(['b', 'c']);
    });

    it('B13 getMany — plain objects → frozen, and the same key twice gives copies of what is not plain', async () => {
      await service.set('plain', { list: [1] });
      await service.set('date', new Date(1));
      const hits = await service.getMany<object>(['plain', 'date']);
      expect(Object.isFrozen(hits.get('plain'))).toBe(true);
      expect((await service.getMany(['date'])).get('date')).not.toBe(hits.get('date'));
    });

    it('getMany — inside withMemo → the first answer again', async () => {
      await service.set('a', 1);
      await service.withMemo(async () => {
        expect(await service.getMany(['a', 'b'])).toEqual(new Map([['a', 1]]));
        await (
          await other()
        ).service.setMany([
          ['a', 2],
          ['b', 2],
        ]);
        expect(await service.getMany(['a', 'b'])).toEqual(new Map([['a', 1]]));
      });
    });
  });

  describe('setMany', () => {
    it('M2 setMany — a common ttl and tags, and some of an entry’s own → each as it says', async () => {
      await service.setMany(
        [
          ['a', 1],
          ['b', 2, { ttl: '1h' }],
          ['c', 3, { tags: ['own'], ttl: undefined }],
        ],
        { ttl: '1m', tags: ['common'] },
      );
      expect(await service.ttl('a')).toBeLessThanOrEqual(60_000);
      expect(await service.ttl('b')).toBeGreaterThan(60_000);
      expect(await service.ttl('c')).toBeLessThanOrEqual(60_000);
      await service.evictTags('common');
      expect([...(await service.getMany(['a', 'b', 'c']))]).toEqual([['c', 3]]);
      await service.evictTags('own');
      expect(await service.has('c')).toBe(false);
    });

    it('M2 X4 setMany — an entry’s own ttl beside a common expiresAt, and the other way round → its own', async () => {
      const at = Date.now() + 3_600_000;
      const soon = Date.now() + 60_000;
      await service.setMany(
        [
          ['a', 1],
          ['b', 2, { ttl: '1m' }],
        ],
        { expiresAt: at },
      );
      expect(await service.ttl('a')).toBeGreaterThan(60_000);
      expect(await service.ttl('b')).toBeLessThanOrEqual(60_000);
      await service.setMany(
        [
          ['c', 3],
          ['d', 4, { expiresAt: soon }],
        ],
        { ttl: '1h', sliding: true },
      );
      expect(await service.ttl('c')).toBeGreaterThan(60_000);
      expect(await service.ttl('d')).toBeLessThanOrEqual(60_000);
    });

    it('M2 setMany — a key that comes twice → the last value; nothing → nothing', async () => {
      await service.setMany([]);
      await service.setMany(new Map([['a', 0]]));
      await service.setMany([
        ['a', 1],
        ['b', 1],
        ['a', 2],
      ]);
      expect([...(await service.getMany(['a', 'b']))]).toEqual([
        ['a', 2],
        ['b', 1],
      ]);
    });

    it('M2 setMany — one wrong option, key or value → rejects, and nothing is stored', async () => {
      const wrong: [string, Promise<void>][] = [
        [
          'ERR_CACHE_OPTIONS',
          service.setMany([
            ['a', 1],
            ['b', 2, { ttl: -1 }],
          ]),
        ],
        [
          'ERR_CACHE_KEY',
          service.setMany([
            ['a', 1],
            ['', 2],
          ]),
        ],
        [
          'ERR_CACHE_SERIALIZATION',
          service.setMany<unknown>([
            ['a', 1],
            ['b', () => 1],
          ]),
        ],
      ];
      for (const [code, call] of wrong) await expect(call).rejects.toMatchObject({ code });
      expect(await service.has('a')).toBe(false);
    });

    it.each<[entries: unknown, given: string]>([
      [{ a: 1 }, 'entries: given an object'],
      [undefined, 'entries: given undefined'],
      [5, 'entries: given 5'],
      ['ab', 'entries: given a text'],
      [[['a', 1], 'bc'], 'entries: given a text among them'],
      [[['a', 1, 5]], 'options: given 5, accepted an object'],
    ])(
      'M2 setMany — no pairs: %p → CacheOptionsError, and nothing is stored',
      async (entries, given) => {
        await expect(service.setMany(entries as [])).rejects.toMatchObject({
          code: 'ERR_CACHE_OPTIONS',
          message: expect.stringMatching(`^Wrong options for setMany:\n  ${given}`),
        });
        expect((await service.getMany(['a', 'b'])).size).toBe(0);
      },
    );

    it('M3 evict — a list with keys that are not there → how many there were, the list as it was', async () => {
      await service.setMany([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]);
      const keys: readonly Key[] = Object.freeze(['a', 'missing', 'c', 'a']);
      expect(await service.evict(keys)).toBe(2);
      expect(keys).toEqual(['a', 'missing', 'c', 'a']);
      expect([...(await service.getMany(['a', 'b', 'c'])).keys()]).toEqual(['b']);
    });
  });

  describe('getOrSetMany', () => {
    it('M4 getOrSetMany — some hits → one call of the loader, for the rest, as given', async () => {
      await service.set('b', 'hit');
      const loader = loading();
      const tuple: Key = ['c', 1];
      const values = await service.getOrSetMany(['a', 'b', tuple, 'd', 'a'], loader);
      expect(loader).toHaveBeenCalledTimes(1);
      expect(loader.mock.calls[0]![0]).toEqual(['a', tuple, 'd']);
      expect(loader.mock.calls[0]![0][1]).toBe(tuple);
      expect(loader.mock.calls[0]![1].keys).toEqual(['a', tuple, 'd']);
      const expected = [
        ['a', rowOf('a')],
        ['b', 'hit'],
        [tuple, rowOf(tuple)],
        ['d', rowOf('d')],
      ];
      expect([...values]).toEqual(expected);
      expect([...(await service.getMany(['a', 'b', ['c', 1], 'd']))].length).toBe(4);
      await service.getOrSetMany(['a', 'b', tuple, 'd'], loader);
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it('M4 getOrSetMany — no keys, or all are hits → the loader is not called', async () => {
      const loader = loading();
      expect(await service.getOrSetMany([], loader)).toEqual(new Map());
      await service.setMany([
        ['a', 1],
        ['b', 2],
      ]);
      expect((await service.getOrSetMany<unknown>(['b', 'a'], loader)).size).toBe(2);
      expect(loader).not.toHaveBeenCalled();
    });

    it('M8 X5 getOrSetMany — the ttl function throws for one value → rejects with that, all others are stored', async () => {
      const failure = new Error('no ttl for it');
      const ttl = (value: number): string => {
        if (value === 1) throw failure;
        return '1m';
      };
      // More than are given in one turn.
      const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
      const loader: BatchLoader = (missing) =>
        missing.map((key) => [key, keys.indexOf(key as string)]);
      await expect(service.getOrSetMany(keys, loader, { ttl })).rejects.toBe(failure);
      const others = keys.filter((key) => key !== 'k1');
      await waitFor(async () => (await service.getMany(keys)).size === others.length);
      expect([...(await service.getMany(keys)).keys()]).toEqual(others);
      expect(await service.getOrSet('k1', () => 'next', { waitTimeout: 500 })).toBe('next');
    });

    it('M4 getOrSetMany — the loader leaves keys out → absent, not stored, their leases free, no second call', async () => {
      const loader = jest.fn<BatchLoader>(() => [
        ['a', 1],
        ['undefined', undefined],
        ['extra', 9],
      ]);
      const values = await service.getOrSetMany(['missing', 'a', 'undefined'], loader);
      expect([...values]).toEqual([['a', 1]]);
      expect(loader).toHaveBeenCalledTimes(1);
      expect(await service.has('extra')).toBe(false);
      // A lease left behind would make this one wait for seconds.
      expect(await service.getOrSet('missing', () => 'now', { waitTimeout: 500 })).toBe('now');
      expect(await service.get('missing')).toBe('now');
    });

    it('A3 getOrSetMany — null → cached for negativeTtl; cacheNull: false → returned, not stored', async () => {
      const nulls = (keys: Key[]) => keys.map((key) => [key, null] as const);
      const kept = await service.getOrSetMany(['a'], nulls, { ttl: '1h', negativeTtl: '1m' });
      expect([...kept]).toEqual([['a', null]]);
      expect(await service.ttl('a')).toBeLessThanOrEqual(60_000);
      expect([...(await service.getOrSetMany(['b'], nulls, { cacheNull: false }))]).toEqual([
        ['b', null],
      ]);
      expect(await service.has('b')).toBe(false);
    });

    it('A8 setTtl, setTags, skip — of single keys → of these alone; of a key not asked for → ignored', async () => {
      await service.getOrSetMany(
        ['a', 'b', ['c', 1], 'd'],
        (missing, context) => {
          context.setTtl('a', '1h');
          context.setTags('b', ['own']);
          context.skip(['c', 1]);
          context.setTtl('other', '1h');
          return rowsOf(missing);
        },
        { ttl: '1m', tags: ['common'] },
      );
      expect(await service.ttl('a')).toBeGreaterThan(60_000);
      expect(await service.ttl('d')).toBeLessThanOrEqual(60_000);
      expect(await service.has(['c', 1])).toBe(false);
      await service.evictTags('common');
      expect([...(await service.getMany(['a', 'b', 'd'])).keys()]).toEqual(['b']);
      await service.evictTags('own');
      expect(await service.has('b')).toBe(false);
    });

    it('A2 M5 getOrSetMany — force → loads hits as well, and replaces them', async () => {
      await service.setMany([
        ['a', 'old'],
        ['b', 'old'],
      ]);
      const loader = loading();
      await service.getOrSetMany(['a', 'b', 'c'], loader, { force: true });
      expect(loader).toHaveBeenCalledTimes(1);
      expect([...(await service.getMany(['a', 'b', 'c'])).values()]).toEqual(
        ['a', 'b', 'c'].map(rowOf),
      );
    });

    it('A4 getOrSetMany — the loader throws → its own error, nothing stored, no lease left', async () => {
      const failure = new Error('the database is down');
      for (const loader of [
        () => Promise.reject(failure),
        (): never => {
          throw failure;
        },
      ])
        await expect(service.getOrSetMany(['a', 'b'], loader)).rejects.toBe(failure);
      const loader = loading();
      await service.getOrSetMany(['a', 'b'], loader, { waitTimeout: 500 });
      expect(loader.mock.calls.map(([keys]) => keys)).toEqual([['a', 'b']]);
      expect(cache.engine.pending()).toEqual(NOTHING_PENDING);
    });

    it('getOrSetMany — the loader gives no pairs → rejects, no lease left', async () => {
      const wrong = (() => ({ a: 1 })) as unknown as BatchLoader;
      const rejects = async (loader: BatchLoader, given: string): Promise<void> =>
        expect(service.getOrSetMany(['a'], loader)).rejects.toMatchObject({
          code: 'ERR_CACHE_OPTIONS',
          message: `Wrong options for getOrSetMany:\n  loader (what it gives): given ${given}, accepted pairs of key and value, for instance a Map`,
        });
      await rejects(wrong, 'an object');
      for (const [gives, given] of [
        [5, '5'],
        [null, 'null'],
        ['a secret', 'a text'],
        [[1], '1 among them'],
        [['a secret'], 'a text among them'],
      ])
        await rejects((() => gives) as unknown as BatchLoader, given as string);
      expect(await service.getOrSet('a', () => 1, { waitTimeout: 500 })).toBe(1);
    });

    it('getOrSetMany — a wrong key or option → rejects before the loader runs', async () => {
      const loader = loading();
      await expect(service.getOrSetMany(['a', []], loader)).rejects.toMatchObject({
        code: 'ERR_CACHE_KEY',
      });
      await expect(service.getOrSetMany(['a'], loader, { ttl: 0 })).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
      });
      expect(loader).not.toHaveBeenCalled();
    });

    it('L1 getOrSet during a batch load → joins it', async () => {
      const gate = new Gate();
      const batch = service.getOrSetMany(
        ['a', 'b'],
        async (missing) => (await gate.pass(), rowsOf(missing)),
      );
      const loader = jest.fn(() => 'of its own');
      await gate.arrived();
      const single = service.getOrSet('b', loader);
      gate.open();
      expect(await single).toBe(rowOf('b'));
      await batch;
      expect(loader).not.toHaveBeenCalled();
    });

    it('M4 getOrSetMany — others load some of the keys → the rest is loaded and stored before it waits for them', async () => {
      const gate = new Gate();
      const single = service.getOrSet('a', async () => (await gate.pass(), 'theirs'));
      await gate.arrived();
      const loader = loading();
      const batch = service.getOrSetMany(['a', 'b', 'c'], loader);
      await waitFor(async () => (await service.getMany(['b', 'c'])).size === 2);
      gate.open();
      expect([...(await batch)]).toEqual([
        ['a', 'theirs'],
        ['b', rowOf('b')],
        ['c', rowOf('c')],
      ]);
      expect(loader.mock.calls.map(([keys]) => keys)).toEqual([['b', 'c']]);
      await single;
    });

    it('L1 40 overlapping batches at the same time → each key is loaded once', async () => {
      const loaded: Key[] = [];
      const loader = async (missing: Key[]) => (loaded.push(...missing), rowsOf(missing));
      const calls = Array.from({ length: 40 }, (_, i) =>
        service.getOrSetMany(
          Array.from({ length: 10 }, (_, j) => `k${(i + j) % 20}`),
          loader,
        ),
      );
      for (const values of await Promise.all(calls))
        for (const [key, value] of values) expect(value).toBe(rowOf(key));
      expect(loaded).toHaveLength(20);
      expect(new Set(loaded).size).toBe(20);
    });

    it('getOrSet that has joined — the batch’s loader leaves the key out, or throws → a load of its own', async () => {
      for (const outcome of [
        (): [Key, unknown][] => [],
        (): never => {
          throw new Error('of another key');
        },
      ]) {
        const gate = new Gate();
        const batch = service.getOrSetMany(['a', 'b'], async () => (await gate.pass(), outcome()));
        batch.catch(() => undefined);
        await gate.arrived();
        const single = service.getOrSet('a', () => 'of its own');
        gate.open();
        expect(await single).toBe('of its own');
        await batch.catch(() => undefined);
        await service.evict('a');
      }
    });

    it('L5 evicted during the load → this key is not stored, and the caller who came before has its value', async () => {
      const gate = new Gate();
      const batch = service.getOrSetMany(
        ['a', 'b'],
        async (missing) => (await gate.pass(), rowsOf(missing)),
      );
      await gate.arrived();
      await service.evict('a');
      const later = service.getOrSet('a', () => 'new');
      gate.open();
      expect([...(await batch).values()]).toEqual(['a', 'b'].map(rowOf));
      expect(await later).toBe('new');
      expect([...(await service.getMany(['a', 'b'])).values()]).toEqual(['new', rowOf('b')]);
    });

    it('A7 signal — aborted during the load → rejects with its reason, and the load is stored all the same', async () => {
      const gate = new Gate();
      const abort = new AbortController();
      const batch = service.getOrSetMany(
        ['a', 'b'],
        async (missing) => (await gate.pass(), rowsOf(missing)),
        { signal: abort.signal },
      );
      await gate.arrived();
      abort.abort('enough');
      await expect(batch).rejects.toBe('enough');
      gate.open();
      await waitFor(async () => (await service.getMany(['a', 'b'])).size === 2);
      const loader = loading();
      const aborted = service.getOrSetMany(['c'], loader, { signal: abort.signal });
      await expect(aborted).rejects.toBe('enough');
      expect(loader).not.toHaveBeenCalled();
    });

    it('A7 loaderTimeout — passes → CacheTimeoutError, the loader’s signal fires, no lease left', async () => {
      const { service: hasty } = await open({ loaderTimeout: 50 });
      let signal: AbortSignal | undefined;
      const batch = hasty.getOrSetMany(['a', 'b'], (_, context) => {
        ({ signal } = context);
        return new Promise<never>(() => undefined);
      });
      await expect(batch).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
      expect(signal!.aborted).toBe(true);
      expect(await hasty.getOrSet('a', () => 1, { waitTimeout: 500 })).toBe(1);
    });

    it('A7 waitTimeout — others take longer → these keys are loaded once more, together, and not stored', async () => {
      const gate = new Gate();
      const theirs = ['a', 'b'].map((key) =>
        service.getOrSet(key, async () => (await gate.pass(), 'theirs')),
      );
      await gate.arrived(2);
      const loader = loading();
      const values = await service.getOrSetMany(['a', 'b', 'c'], loader, { waitTimeout: 60 });
      expect([...values.values()]).toEqual(['a', 'b', 'c'].map(rowOf));
      expect(loader.mock.calls.map(([keys]) => keys)).toEqual([['c'], ['a', 'b']]);
      gate.open();
      await Promise.all(theirs);
      expect(await service.get('a')).toBe('theirs');
    });

    it('A7 onWaitTimeout: throw — others take longer → CacheTimeoutError, and what was loaded is stored', async () => {
      const { service: strict } = await open({ lease: { onWaitTimeout: 'throw' } });
      const gate = new Gate();
      const theirs = strict.getOrSet('a', async () => (await gate.pass(), 'theirs'));
      await gate.arrived();
      const batch = strict.getOrSetMany(['a', 'b'], loading(), { waitTimeout: 60 });
      await expect(batch).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT', key: 'a' });
      // It goes on, and may have begun no earlier than the wait for the other ended.
      await waitFor(async () => (await strict.get('b')) === rowOf('b'));
      gate.open();
      await theirs;
    });

    it('grace — the loader fails, and values past their ttl are kept → these, if there are for all keys', async () => {
      const { service: lenient } = await open({ grace: '1m' });
      await lenient.setMany(rowsOf(['a', 'b']), { ttl: 20 });
      await waitFor(async () => (await lenient.getMany(['a', 'b'])).size === 0);
      const loader = jest.fn(() => Promise.reject(new Error('down')));
      expect([...(await lenient.getOrSetMany(['a', 'b'], loader))]).toEqual(rowsOf(['a', 'b']));
      expect(loader).toHaveBeenCalledTimes(1);
      await expect(lenient.getOrSetMany(['a', 'c'], loader)).rejects.toThrow('down');
    });

    it('staleWhileRevalidate — values past their ttl → given at once, and loaded together in the background', async () => {
      const { service: lenient } = await open({ grace: '1m', staleWhileRevalidate: true });
      await lenient.setMany(
        [
          ['a', 'old'],
          ['b', 'old'],
        ],
        { ttl: 20 },
      );
      await waitFor(async () => (await lenient.getMany(['a', 'b'])).size === 0);
      const gate = new Gate();
      const loader = jest.fn(async (missing: Key[]) => (await gate.pass(), rowsOf(missing)));
      const values = await lenient.getOrSetMany(['a', 'b'], loader);
      expect([...values.values()]).toEqual(['old', 'old']);
      gate.open();
      await waitFor(async () => (await lenient.getMany(['a', 'b'])).size === 2);
      expect(loader.mock.calls.map(([keys]) => keys)).toEqual([['a', 'b']]);
    });

    it('refreshAhead — hits that are due → given, and loaded together in the background, however many', async () => {
      const { service: ahead } = await open({ ttl: '1h', refreshAhead: { after: 0.000_01 } });
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
      await ahead.setMany(keys.map((key) => [key, 'old']));
      // Each of them: they are not all stored at the same moment.
      await waitFor(async () => {
        const left = await Promise.all(keys.map((key) => ahead.ttl(key)));
        return left.every((ms) => ms! < 3_600_000 - 40);
      });
      const loader = loading();
      expect(new Set((await ahead.getOrSetMany(keys, loader)).values())).toEqual(new Set(['old']));
      await waitFor(async () => !new Set((await ahead.getMany(keys)).values()).has('old'));
      expect(loader.mock.calls.flatMap(([asked]) => asked)).toHaveLength(100);
      expect(loader.mock.calls.length).toBeLessThanOrEqual(2);
    });

    it('loaderConcurrency — 1 → a batch counts as one load, and others wait for it', async () => {
      const { service: single } = await open({ loaderConcurrency: 1 });
      const gate = new Gate();
      const batch = single.getOrSetMany(
        ['a', 'b', 'c'],
        async (missing) => (await gate.pass(), rowsOf(missing)),
      );
      await gate.arrived();
      const loader = jest.fn(() => 'next');
      const next = single.getOrSet('d', loader);
      await single.set('fence', 1);
      expect(loader).not.toHaveBeenCalled();
      gate.open();
      expect((await batch).size).toBe(3);
      expect(await next).toBe('next');
    });

    it('run — bypass, readonly, refresh → one call of the loader each, stored only by refresh', async () => {
      await service.set('a', 'hit');
      for (const [mode, asked, stored] of [
        ['bypass', ['a', 'b'], ['hit']],
        ['readonly', ['b'], ['hit']],
        ['refresh', ['a', 'b'], ['a', 'b'].map(rowOf)],
      ] as const) {
        const loader = loading();
        const values = await service.run(mode, () => service.getOrSetMany(['a', 'b'], loader));
        expect(values.size).toBe(2);
        expect(loader.mock.calls.map(([keys]) => keys)).toEqual([asked]);
        expect([...(await service.getMany(['a', 'b'])).values()]).toEqual(stored);
      }
    });

    it('getOrSetMany — the loader asks the cache for one of its keys → told so, and not waited for', async () => {
      const batch = service.getOrSetMany(['a', 'b'], async () => [
        ['a', await service.getOrSet('b', () => 1)],
      ]);
      await expect(batch).rejects.toMatchObject({ code: 'ERR_CACHE_NESTED_LOAD', key: 'b' });
    });

    it('getOrSetMany — the loader loads other keys through the cache → they are loaded and stored', async () => {
      const values = await service.getOrSetMany(['a'], async () => [
        ['a', [...(await service.getOrSetMany(['b', 'c'], rowsOf)).values()]],
      ]);
      expect(values.get('a')).toEqual(['b', 'c'].map(rowOf));
      expect((await service.getMany(['a', 'b', 'c'])).size).toBe(3);
    });

    it('getOrSetMany — inside withMemo → what was loaded is remembered', async () => {
      await service.withMemo(async () => {
        const loader = loading();
        expect((await service.getOrSetMany(['a', 'b'], loader)).size).toBe(2);
        expect((await service.getOrSetMany(['b', 'a'], loader)).size).toBe(2);
        expect(loader).toHaveBeenCalledTimes(1);
      });
    });

    it('getOrSetMany — a value that has no bytes → given as it is; the others are stored', async () => {
      const odd = { run: (): number => 1 };
      const values = await service.getOrSetMany<unknown>(['a', 'b'], () => [
        ['a', odd],
        ['b', 2],
      ]);
      expect(values.get('a')).toBe(odd);
      expect([...(await service.getMany(['a', 'b']))]).toEqual([['b', 2]]);
    });

    if (topology !== 'memory') {
      it('M4 L2 getOrSetMany — another process loads some → waits for them at the end; loads again only what it failed to', async () => {
        const [failing, fine] = [new Gate(), new Gate()];
        const { service: theirs } = await other();
        const failed = theirs.getOrSet('a', () => failing.pass());
        const loaded = theirs.getOrSet('b', async () => (await fine.pass(), 'theirs'));
        failed.catch(() => undefined);
        await Promise.all([failing.arrived(), fine.arrived()]);
        const loader = loading();
        const batch = service.getOrSetMany(['a', 'b', 'c', 'd'], loader);
        await waitFor(async () => (await theirs.getMany(['c', 'd'])).size === 2);
        fine.open();
        await loaded;
        failing.fail(new Error('theirs'));
        const expected = [rowOf('a'), 'theirs', rowOf('c'), rowOf('d')];
        expect([...(await batch).values()]).toEqual(expected);
        expect(loader.mock.calls.map(([keys]) => keys)).toEqual([['c', 'd'], ['a']]);
      });
    }

    it('L7 getOrSetMany — the holder of many keys has died → they come back together, in a call or two', async () => {
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
      await dieHolding(cache, keys, 600);
      const loader = loading();
      const values = await service.getOrSetMany([...keys, 'mine'], loader);
      expect(values.size).toBe(101);
      const [first, ...later] = loader.mock.calls.map(([asked]) => asked);
      expect(first).toEqual(['mine']);
      expect(new Set(later.flat())).toEqual(new Set(keys));
      expect(later.flat()).toHaveLength(100);
      expect(later.length).toBeLessThan(15);
    });
  });

  describe('writeThroughMany', () => {
    it('W3 writeThroughMany — nothing else happens → stored, given as a hit gives them, under the keys as given', async () => {
      await service.setMany([
        ['a', 'old'],
        ['c', 'old'],
      ]);
      const seen: unknown[] = [];
      const values = await service.writeThroughMany(['c', 'a', ['b', 1]], async ({ keys }) => {
        seen.push(keys, (await service.getMany(['a', 'c'])).size);
        return new Map<Key, string>([
          ['a', 'A'],
          ['c', 'C'],
          [['b', 1], 'B'],
          ['extra', 'E'],
        ]);
      });
      expect(seen).toEqual([['c', 'a', ['b', 1]], 0]);
      expect([...values]).toEqual([
        ['c', 'C'],
        ['a', 'A'],
        [['b', 1], 'B'],
      ]);
      expect([...(await service.getMany(['a', 'c', ['b', 1], 'extra'])).values()]).toEqual([
        'A',
        'C',
        'B',
      ]);
    });

    it('W3 writeThroughMany — keys left out, skipped, or without bytes → absent afterwards', async () => {
      await service.setMany([
        ['a', 'old'],
        ['b', 'old'],
        ['c', 'old'],
        ['d', 'old'],
      ]);
      const odd = (): number => 1;
      const values = await service.writeThroughMany<unknown>(['a', 'b', 'c', 'd'], (context) => {
        context.skip('b');
        context.setTtl('d', '1h');
        context.setTags('d', ['own']);
        return [
          ['b', 'skipped'],
          ['c', odd],
          ['d', 'stored'],
        ];
      });
      expect([...values]).toEqual([
        ['b', 'skipped'],
        ['c', odd],
        ['d', 'stored'],
      ]);
      expect([...(await service.getMany(['a', 'b', 'c', 'd'])).keys()]).toEqual(['d']);
      expect(await service.ttl('d')).toBeGreaterThan(3_000_000);
      await service.evictTags('own');
      expect(await service.has('d')).toBe(false);
    });

    it('W2 W3 writeThroughMany — the writer throws, or gives no pairs → its error, and the keys are absent', async () => {
      await service.setMany([
        ['a', 'old'],
        ['b', 'old'],
      ]);
      const failure = new Error('rolled back');
      await expect(
        service.writeThroughMany(['a', 'b'], () => Promise.reject(failure)),
      ).rejects.toBe(failure);
      expect((await service.getMany(['a', 'b'])).size).toBe(0);
      await service.setMany([['a', 'old']]);
      const wrong = (() => 5) as unknown as () => [];
      await expect(service.writeThroughMany(['a'], wrong)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
        message:
          'Wrong options for writeThroughMany:\n  writer (what it gives): given 5, accepted pairs of key and value, for instance a Map',
      });
      expect(await service.has('a')).toBe(false);
    });

    it('W3 writeThroughMany — two with the same keys in other orders → both end; what both wrote is absent', async () => {
      const gate = new Gate();
      const write = (keys: Key[], value: string): Promise<unknown> =>
        service.writeThroughMany(keys, async () => {
          void gate.pass();
          await gate.arrived(2);
          return keys.map((key) => [key, value] as const);
        });
      await Promise.all([write(['a', 'b', 'c'], 'one'), write(['c', 'b', 'd'], 'two')]);
      expect([...(await service.getMany(['a', 'b', 'c', 'd']))]).toEqual([
        ['a', 'one'],
        ['d', 'two'],
      ]);
    });

    it('W3 writeThroughMany — one key evicted meanwhile → that one is absent', async () => {
      await service.writeThroughMany(['a', 'b'], async () => {
        await service.evict('a');
        return [
          ['a', 1],
          ['b', 2],
        ];
      });
      expect([...(await service.getMany(['a', 'b']))]).toEqual([['b', 2]]);
    });
  });
});
