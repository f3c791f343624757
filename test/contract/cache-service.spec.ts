import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import type { Key } from '../../lib/keys/encode-key.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('T15 CacheService on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
  });

  describe('values', () => {
    const VALUES: [string, unknown][] = [
      ['null', null],
      ['false', false],
      ['true', true],
      ['0', 0],
      ['a negative fraction', -1.5],
      ['NaN', NaN],
      ['Infinity', Infinity],
      ['an empty string', ''],
      ['text beyond ASCII', 'Zürich 東京 🙂'],
      ['text like a record of ours', 'V00000000000000000000'],
      ['an ISO date as text', '2026-01-02T03:04:05.000Z'],
      ['an array', [1, [2, [3]], null]],
      ['an object', { a: 1, b: { c: ['d'] } }],
      ['an object with undefined', { a: undefined, b: 1 }],
      ['a Date', new Date(1_700_000_000_123)],
      [
        'a Map',
        new Map<unknown, unknown>([
          ['a', 1],
          [{ b: 2 }, new Date(5)],
        ]),
      ],
      ['a Set', new Set([1, 'a', null])],
      ['a BigInt', 2n ** 70n],
      ['a Buffer', Buffer.from([0, 1, 255, 254])],
      ['a typed array', new Float64Array([1.5, -2])],
      ['rich values deep inside', { list: [{ at: new Date(1), ids: new Set([1n]) }] }],
    ];

    it.each(VALUES)('B1 S2 S7 get — %s was set → equal', async (_, value) => {
      expect(await service.set('key', value)).toBe(true);
      expect(await service.get('key')).toEqual(value);
      expect(await service.has('key')).toBe(true);
    });

    it.each(VALUES)('B1 getOrSet — %s was loaded → a hit equals a miss', async (_, value) => {
      const loader = jest.fn(() => value);
      expect(await service.getOrSet('key', loader)).toEqual(value);
      expect(await service.getOrSet('key', loader)).toEqual(value);
      expect(await service.get('key')).toEqual(value);
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it('B1 get — nothing there → undefined, unlike a cached null', async () => {
      await service.set('null', null);
      expect(await service.get('null')).toBeNull();
      expect(await service.get('absent')).toBeUndefined();
      expect(await service.has('absent')).toBe(false);
    });

    it('B13 get — the caller changes what it got → others are not affected', async () => {
      const original = { list: [1], when: new Date(1) };
      await service.set('key', original);
      original.list.push(2);
      const first = await service.get<typeof original>('key');
      first!.when.setTime(99);
      expect(await service.get('key')).toEqual({ list: [1], when: new Date(1) });
    });

    it('B2 B13 set — the value changes before it has resolved → stored as it was, the first time as later', async () => {
      for (const options of [undefined, { if: 'present' }, { tags: ['tag'] }] as const) {
        const value = { list: [1], tags: new Set(['a']) };
        const stored = service.set('key', value, options);
        value.list.push(2);
        value.tags.clear();
        expect(await stored).toBe(true);
        expect(await service.get('key')).toEqual({ list: [1], tags: new Set(['a']) });
      }
    });

    it('B13 getOrSet — plain objects → frozen, on a miss as on a hit, never the loader’s own', async () => {
      const own = { deep: { list: [1] } };
      const miss = await service.getOrSet('key', () => own);
      const hit = await service.getOrSet('key', () => own);
      expect(miss).not.toBe(own);
      for (const value of [miss, hit]) {
        expect(Object.isFrozen(value.deep.list)).toBe(true);
        expect(() => value.deep.list.push(2)).toThrow(TypeError);
      }
      expect(Object.isFrozen(own)).toBe(false);
    });

    it('S6 set — a value that has no bytes → CacheSerializationError, and nothing stored', async () => {
      for (const value of [undefined, () => 1, Symbol('s'), { nested: () => 1 }])
        await expect(service.set('key', value)).rejects.toMatchObject({
          code: 'ERR_CACHE_SERIALIZATION',
          key: 'key',
        });
      expect(await service.has('key')).toBe(false);
    });

    it('S6 getOrSet — a value that has no bytes → given to the caller as it is, the lease free', async () => {
      const odd = { run: (): number => 1 };
      expect(await service.getOrSet('key', () => odd)).toBe(odd);
      expect(cache.errors).toHaveLength(1);
      expect(await service.getOrSet('key', () => 'next')).toBe('next');
    });

    it('S1 serializer — one of the user’s → values as it gives them back', async () => {
      const { service: own } = await openCache(topology, {
        ...variant,
        serializer: {
          serialize: (value) => Buffer.from(`<${String(value)}>`),
          deserialize: (bytes) => bytes.toString().slice(1, -1),
        },
      });
      expect(await own.getOrSet('key', () => 5)).toBe('5');
      expect(await own.get('key')).toBe('5');
    });

    it('maxValueBytes — a larger value → returned and not stored; set rejects', async () => {
      const small = await openCache(topology, {
        ...variant,
        maxValueBytes: 100,
      });
      const large = 'x'.repeat(101);
      expect(await small.service.getOrSet('key', () => large)).toBe(large);
      expect(await small.service.has('key')).toBe(false);
      await expect(small.service.set('key', large)).rejects.toThrow(/maxValueBytes/);
    });
  });

  describe('keys', () => {
    const KEYS: [string, Key][] = [
      ['a blank', ' '],
      ['CR LF', 'a\r\nb'],
      ['NUL', 'a\0b'],
      ['braces', 'a{b}c}{'],
      ['empty braces', '{}x}'],
      ['glob characters', 'a*?[b]\\'],
      ['an emoji', '🙂'],
      ['a lone surrogate', '\ud800'],
      ['percent signs', '%41'],
      ['a colon', 'a:b:c'],
      ['70 kB', 'k'.repeat(70_000)],
      ['an array', ['user', 1, true, null, 5n]],
    ];

    it.each(KEYS)('B8 B9 %s → its own entry', async (_, key) => {
      await service.set(key, 'here');
      expect(await service.get(key)).toBe('here');
      expect(await service.evict(key)).toBe(1);
      expect(await service.has(key)).toBe(false);
    });

    it('B8 keys that look alike → entries of their own', async () => {
      const keys: Key[] = [
        'a:b',
        ['a:b'],
        ['a', 'b'],
        ['a', ['b'].join()],
        '1',
        [1],
        ['1'],
        [true],
        ['true'],
        [null],
        [1n],
        'A:B',
      ];
      const distinct = keys.filter((_, i) => i !== 3);
      await Promise.all(distinct.map((key, i) => service.set(key, i)));
      expect(await Promise.all(distinct.map((key) => service.get(key)))).toEqual(
        distinct.map((_, i) => i),
      );
    });

    it('B9 long keys with an equal beginning → entries of their own', async () => {
      const beginning = 'x'.repeat(500);
      await service.set(`${beginning}1`, 1);
      await service.set(`${beginning}2`, 2);
      expect(await service.get(`${beginning}1`)).toBe(1);
      expect(await service.get(`${beginning}2`)).toBe(2);
    });

    it.each([[''], [[]], [[NaN]], [[undefined]], [{}], [undefined], [5], [[['nested']]]])(
      'B8 a key %j → CacheKeyError before the loader runs',
      async (key) => {
        const loader = jest.fn(() => 1);
        await expect(service.getOrSet(key as never, loader)).rejects.toMatchObject({
          code: 'ERR_CACHE_KEY',
        });
        await expect(service.get(key as never)).rejects.toMatchObject({ code: 'ERR_CACHE_KEY' });
        expect(loader).not.toHaveBeenCalled();
      },
    );

    it('G1 namespace — every operation under it → apart from the others, and it nests', async () => {
      const users = service.namespace('users');
      const eu = users.namespace('eu');
      const views = [service, users, eu];
      await Promise.all(views.map((view, i) => view.set('k', i)));
      expect(await Promise.all(views.map((view) => view.get('k')))).toEqual([0, 1, 2]);
      expect(await users.evict('k')).toBe(1);
      expect(await Promise.all(views.map((view) => view.has('k')))).toEqual([true, false, true]);
      expect(await eu.getOrSet('k', () => 'loaded')).toBe(2);
      expect(await eu.getMany(['k'])).toEqual(new Map([['k', 2]]));
      expect(await eu.ttl('k')).toBeGreaterThan(0);
      expect(() => service.namespace('a/b')).toThrow(
        expect.objectContaining({ code: 'ERR_CACHE_KEY' }),
      );
    });

    it('G1 two caches with different namespaces → apart', async () => {
      const other = await openCache(topology);
      await service.set('k', 1);
      expect(await other.service.get('k')).toBeUndefined();
    });
  });

  describe('set and evict', () => {
    it('B2 set — over a value → the new one', async () => {
      await service.set('k', 1);
      await service.set('k', 2);
      expect(await service.get('k')).toBe(2);
    });

    it('B2 B5 set — if absent, if present → false where refused', async () => {
      expect(await service.set('k', 1, { if: 'present' })).toBe(false);
      expect(await service.set('k', 1, { if: 'absent' })).toBe(true);
      expect(await service.set('k', 2, { if: 'absent' })).toBe(false);
      expect(await service.set('k', 3, { if: 'present' })).toBe(true);
      expect(await service.get('k')).toBe(3);
    });

    it('B3 evict — one key, absent key, several keys → how many existed', async () => {
      await service.setMany([
        ['a', 1],
        ['b', 2],
        [['c', 1], 3],
      ]);
      expect(await service.evict('a')).toBe(1);
      expect(await service.evict('a')).toBe(0);
      expect(await service.evict(['a', 'b', ['c', 1]])).toBe(2);
      expect(await service.evict([])).toBe(0);
      expect(await service.getMany(['a', 'b', ['c', 1]])).toEqual(new Map());
    });

    it('B3 evict — an array of strings → is a list of keys and a key of several parts, and both go', async () => {
      await service.set(['a', 'b'], 1);
      await service.set('a', 2);
      expect(await service.evict(['a', 'b'])).toBe(2);
      expect(await service.has(['a', 'b'])).toBe(false);
      expect(await service.has('a')).toBe(false);
    });

    it('M1 getMany — hits and misses → the hits, keyed and ordered as given', async () => {
      await service.setMany([
        ['a', 1],
        ['c', null],
      ]);
      const part = ['x', 2] as const;
      await service.set(part, 'array');
      const found = await service.getMany(['c', 'b', part, 'a', 'a']);
      expect([...found]).toEqual([
        ['c', null],
        [part, 'array'],
        ['a', 1],
      ]);
      expect(await service.getMany([])).toEqual(new Map());
    });

    it('M2 setMany — one value cannot be stored → rejects, and nothing is', async () => {
      await expect(
        service.setMany<unknown>([
          ['a', 1],
          ['b', () => 1],
        ]),
      ).rejects.toMatchObject({
        code: 'ERR_CACHE_SERIALIZATION',
        key: 'b',
      });
      expect(await service.has('a')).toBe(false);
      await service.setMany([]);
    });
  });

  describe('lives', () => {
    it('X1 X7 ttl — default, per call, none, absent → distinct results', async () => {
      await service.set('default', 1);
      await service.set('own', 1, { ttl: '1h30m' });
      await service.set('none', 1, { ttl: Infinity });
      const fiveMinutes = 5 * 60_000;
      const ownMs = 90 * 60_000;
      expect(await service.ttl('default')).toBeLessThanOrEqual(fiveMinutes);
      expect(await service.ttl('default')).toBeGreaterThan(fiveMinutes - 5_000);
      expect(await service.ttl('own')).toBeLessThanOrEqual(ownMs);
      expect(await service.ttl('own')).toBeGreaterThan(ownMs - 5_000);
      expect(await service.ttl('none')).toBe(Infinity);
      expect(await service.ttl('absent')).toBeUndefined();
    });

    it('X2 a life of milliseconds → over after it, and loaded anew', async () => {
      await service.set('k', 'old', { ttl: 30 });
      await waitFor(async () => !(await service.has('k')));
      expect(await service.ttl('k')).toBeUndefined();
      expect(await service.getOrSet('k', () => 'new')).toBe('new');
    });

    it.each([[0], [-1], [NaN], [null], ['soon'], ['0s'], [new Date()]])(
      'X3 ttl %p → CacheOptionsError before the loader runs',
      async (ttl) => {
        const loader = jest.fn(() => 1);
        const options = { ttl: ttl as never };
        await expect(service.getOrSet('k', loader, options)).rejects.toMatchObject({
          code: 'ERR_CACHE_OPTIONS',
        });
        await expect(service.set('k', 1, options)).rejects.toThrow(/ttl/);
        expect(loader).not.toHaveBeenCalled();
      },
    );

    it('X3 unknown options → named, with what there is', async () => {
      await expect(service.set('k', 1, { tll: 5, if: 'never' } as never)).rejects.toMatchObject({
        problems: [{ path: 'tll' }, { path: 'if', given: '"never"' }],
      });
    });

    it('X5 setTtl — the loader says how long → kept so long', async () => {
      await service.getOrSet('k', ({ setTtl }) => {
        setTtl('1h');
        return 1;
      });
      expect(await service.ttl('k')).toBeGreaterThan(3_500_000);
    });
  });

  it('A2 getOrSet — force → loads although there is a value, and replaces it', async () => {
    await service.set('k', 'old');
    expect(await service.getOrSet('k', () => 'new', { force: true })).toBe('new');
    expect(await service.get('k')).toBe('new');
    expect(await service.getOrSet('absent', () => 1, { force: true })).toBe(1);
  });

  it('A3 getOrSet — null → cached by default, for negativeTtl, or not at all', async () => {
    await service.getOrSet('short', () => null, { negativeTtl: '2s', ttl: '1h' });
    expect(await service.ttl('short')).toBeLessThanOrEqual(2_000);
    await service.getOrSet('not', () => null, { cacheNull: false });
    expect(await service.has('not')).toBe(false);
    expect(await service.getOrSet('undefined', () => undefined)).toBeUndefined();
    expect(await service.has('undefined')).toBe(false);
  });

  it('A4 getOrSet — the loader throws → its own error, nothing stored, the next loads', async () => {
    const error = new Error('source is down');
    await expect(service.getOrSet('k', () => Promise.reject(error))).rejects.toBe(error);
    await expect(
      service.getOrSet('k', () => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(await service.getOrSet('k', () => 1)).toBe(1);
  });

  it('A8 skip — the loader says so → returned, not stored', async () => {
    expect(await service.getOrSet('k', ({ skip }) => (skip(), 'once'))).toBe('once');
    expect(await service.has('k')).toBe(false);
  });

  it.each<[string, string, (service: CacheService) => Promise<unknown>]>([
    ['getOrSet', 'loader', (s) => s.getOrSet('k', undefined as never)],
    ['getOrSetMany', 'loader', (s) => s.getOrSetMany(['k'], {} as never)],
    ['writeThrough', 'writer', (s) => s.writeThrough('k', 5 as never)],
    ['writeThroughMany', 'writer', (s) => s.writeThroughMany(['k'], [] as never)],
    ['withWrite', 'transaction', (s) => s.withWrite('k', Promise.resolve() as never)],
    ['run', 'fn', async (s) => s.run('bypass', undefined as never)],
    ['withMemo', 'fn', (s) => s.withMemo(1 as never)],
    ['withStats', 'fn', (s) => s.withStats(Promise.resolve() as never)],
    ['afterCommit', 'act', (s) => s.afterCommit(null as never)],
  ])(
    '%s — its %s is no function → CacheOptionsError, and the value stays',
    async (name, what, call) => {
      await service.set('k', 1);
      await expect(call(service)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
        message: expect.stringContaining(`Wrong options for ${name}:\n  ${what}: given `),
      });
      expect(await service.get('k')).toBe(1);
    },
  );

  it.each<[string, (service: CacheService, keys: never) => Promise<unknown>]>([
    ['getMany', (s, keys) => s.getMany(keys)],
    ['getOrSetMany', (s, keys) => s.getOrSetMany(keys, () => [])],
    ['writeThroughMany', (s, keys) => s.writeThroughMany(keys, () => [])],
    ['touchMany', (s, keys) => s.touchMany(keys, '1m')],
  ])('%s — no list of keys → CacheKeyError', async (_, call) => {
    for (const keys of ['k', undefined, new Set(['k']), { k: 1 }] as never[])
      await expect(call(service, keys)).rejects.toMatchObject({
        code: 'ERR_CACHE_KEY',
        message: expect.stringContaining('accepted is an array of keys'),
      });
  });

  it.each<[string, (service: CacheService, keys: never) => Promise<unknown>]>([
    ['M1 getMany', (s, keys) => s.getMany(keys)],
    ['M9 touchMany', (s, keys) => s.touchMany(keys, '1m')],
    ['M3 evict', (s, keys) => s.evict(keys)],
    ['W1 withWrite', (s, keys) => s.withWrite(keys, async () => 1)],
  ])('%s — a list with a hole → CacheKeyError', async (_, call) => {
    const keys = Object.assign([], { 1: ['x'] }) as never;
    await expect(call(service, keys)).rejects.toMatchObject({
      code: 'ERR_CACHE_KEY',
      message: expect.stringContaining('The key is undefined'),
    });
  });
});
