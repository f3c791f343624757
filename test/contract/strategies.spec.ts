import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { readRecord } from '../../lib/codec/envelope.js';
import {
  readThrough,
  refreshAhead,
  writeBehind,
  writeThrough,
} from '../../lib/strategies/strategies.js';
import type { CacheStrategy, Source, StrategyOptions } from '../../lib/strategies/strategy.js';
import { openCache, TOPOLOGIES } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

interface Cat {
  name: string;
}

/** A table of cats, some of whose calls fail when they are told to. */
class Cats implements Source<number, Cat | null> {
  readonly rows = new Map<number, Cat | null>();
  readonly load = jest.fn(async (id: number) => this.rows.get(id));
  readonly loadMany = jest.fn(async (ids: readonly number[]) =>
    ids.flatMap((id): [number, Cat | null][] =>
      this.rows.has(id) ? [[id, this.rows.get(id)!]] : [],
    ),
  );
  readonly write = jest.fn(async (id: number, cat: Cat | null) => {
    this.rows.set(id, cat);
  });
  readonly remove = jest.fn(async (id: number) => this.rows.delete(id));
}

type Options = StrategyOptions<number, Cat | null>;
type CatStrategy = CacheStrategy<number, Cat | null>;

/** What somebody may write who uses this package. */
class WriteAround implements CatStrategy {
  constructor(
    private readonly cache: CacheService,
    private readonly options: Options,
  ) {}

  get(id: number): Promise<Cat | null | undefined> {
    const { source, key } = this.options;
    return this.cache.getOrSet<Cat | null | undefined>(`${String(key(id))}`, (context) =>
      source.load(id, context),
    );
  }

  async getMany(ids: readonly number[]): Promise<Map<number, Cat | null>> {
    const cats = await Promise.all(ids.map((id) => this.get(id)));
    return new Map(ids.flatMap((id, i) => (cats[i] === undefined ? [] : [[id, cats[i]!]])));
  }

  async set(id: number, cat: Cat | null): Promise<void> {
    await this.cache.withWrite(`${String(this.options.key(id))}`, async () =>
      this.options.source.write!(id, cat),
    );
  }

  async delete(id: number): Promise<void> {
    await this.cache.withWrite(`${String(this.options.key(id))}`, async () =>
      this.options.source.remove!(id),
    );
  }
}

/** Makes a strategy, and says how to wait until it has written. */
type Make = (
  cache: CacheService,
  options: Options,
) => { strategy: CatStrategy; settled: () => Promise<void> };

const atOnce =
  (make: (cache: CacheService, options: Options) => CatStrategy): Make =>
  (cache, options) => ({ strategy: make(cache, options), settled: async () => undefined });

const STRATEGIES: [string, Make][] = [
  ['readThrough', atOnce(readThrough)],
  ['writeThrough', atOnce(writeThrough)],
  ['refreshAhead', atOnce(refreshAhead)],
  [
    'writeBehind',
    (cache, options) => {
      const queue = { flushInterval: '1h', retries: 1, backoff: 1 };
      const strategy = writeBehind(cache, { ...options, queue });
      return { strategy, settled: () => strategy.queue.flush() };
    },
  ],
  ["one's own", atOnce((cache, options) => new WriteAround(cache, options))],
];

const tom = { name: 'Tom' };
const kit = { name: 'Kit' };

const CASES = TOPOLOGIES.flatMap((topology) =>
  STRATEGIES.map(([name, make]) => [name, topology, make] as const),
);

describe.each(CASES)('the strategy %s on %s', (_, topology, make) => {
  let cache: CacheService;
  let source: Cats;
  let strategy: CatStrategy;
  let settled: () => Promise<void>;

  beforeEach(async () => {
    cache = (await openCache(topology)).service;
    source = new Cats();
    ({ strategy, settled } = make(cache, { source, key: (id) => `cat:${id}` }));
  });

  it('W7 get — several at once, then another → one load, the value of the source', async () => {
    source.rows.set(1, tom);
    const cats = await Promise.all([strategy.get(1), strategy.get(1), strategy.get(1)]);
    expect([...cats, await strategy.get(1)]).toEqual([tom, tom, tom, tom]);
    expect(source.load).toHaveBeenCalledTimes(1);
  });

  it('W7 get — none there → undefined, asked again; null is a value', async () => {
    expect(await strategy.get(1)).toBeUndefined();
    source.rows.set(1, null);
    expect(await strategy.get(1)).toBeNull();
    source.rows.set(1, tom);
    expect(await strategy.get(1)).toBeNull();
  });

  it('W7 set — cached before → read at once, also after it is written', async () => {
    source.rows.set(1, tom);
    await strategy.get(1);
    await strategy.set(1, kit);
    expect(await strategy.get(1)).toEqual(kit);
    await settled();
    expect(source.rows.get(1)).toEqual(kit);
    expect(await strategy.get(1)).toEqual(kit);
  });

  it('W7 set — evicted by somebody else → what was set, never what was there before', async () => {
    source.rows.set(1, tom);
    await strategy.set(1, kit);
    await cache.evict('cat:1');
    expect(await strategy.get(1)).toEqual(kit);
    await settled();
    expect(await strategy.get(1)).toEqual(kit);
  });

  it('W7 set null → null, cached', async () => {
    source.rows.set(1, tom);
    await strategy.set(1, null);
    expect(await strategy.get(1)).toBeNull();
    await settled();
    expect(await strategy.get(1)).toBeNull();
  });

  it('W2 set — the source fails → what the source has is read', async () => {
    source.rows.set(1, tom);
    await strategy.get(1);
    source.write.mockRejectedValue(new Error('full'));
    await strategy.set(1, kit).catch(() => undefined);
    await settled();
    expect(source.write).toHaveBeenCalled();
    expect(await strategy.get(1)).toEqual(tom);
  });

  it('W7 delete — set before → gone, in the source as well', async () => {
    await strategy.set(1, tom);
    await strategy.delete(1);
    expect(await strategy.get(1)).toBeUndefined();
    await settled();
    expect(source.rows.has(1)).toBe(false);
    expect(await strategy.get(1)).toBeUndefined();
  });

  it('W7 getMany — cached, set, to be loaded, absent → what there is, in the order given', async () => {
    source.rows.set(1, tom).set(3, null);
    await strategy.get(1);
    await strategy.set(2, kit);
    const cats = await strategy.getMany([4, 3, 2, 1]);
    expect([...cats]).toEqual([
      [3, null],
      [2, kit],
      [1, tom],
    ]);
    await settled();
    expect(await strategy.getMany([])).toEqual(new Map());
  });
});

describe('strategies', () => {
  const key = (id: number): readonly [string, number] => ['cat', id];

  it('W1 writeThrough — what the source makes of a value → cached at once', async () => {
    const { service } = await openCache('memory');
    const source = { load: jest.fn(() => undefined), write: () => ({ name: 'TOM' }) };
    const cats = writeThrough<number, Cat>(service, { source, key });
    await cats.set(1, tom);
    expect(await cats.get(1)).toEqual({ name: 'TOM' });
    expect(source.load).not.toHaveBeenCalled();
  });

  it('W6 writeBehind — several writes → one call of writeMany, nothing before', async () => {
    const { service } = await openCache('memory');
    const writeMany = jest.fn(() => undefined);
    const source = { load: () => undefined, writeMany };
    const cats = writeBehind<number, Cat>(service, { source, key, queue: { batchSize: 2 } });
    await cats.set(1, tom);
    await cats.set(1, kit);
    expect(writeMany).not.toHaveBeenCalled();
    await cats.set(2, tom);
    await waitFor(() => cats.queue.backlog().size === 0);
    const batch = [
      { key: 1, value: kit },
      { key: 2, value: tom },
    ];
    expect(writeMany.mock.calls).toEqual([[batch]]);
  });

  it('W7 refreshAhead — read late in its life → loaded in the background, the old one given meanwhile', async () => {
    const { service } = await openCache('memory');
    const gate = new Gate();
    let loads = 0;
    const load = async (): Promise<number> => {
      if (++loads > 1) await gate.pass();
      return loads;
    };
    const numbers = refreshAhead<number, number>(service, {
      source: { load },
      key,
      ttl: '10s',
      load: { refreshAhead: { after: 0.001 } },
    });
    expect(await numbers.get(1)).toBe(1);
    await waitFor(async () => (await numbers.get(1)) === 1 && loads === 2);
    expect(await numbers.get(1)).toBe(1);
    gate.open();
    await waitFor(async () => (await numbers.get(1)) === 2);
  });

  it('W7 refreshAhead — 80 % of its ttl are not yet over → not loaded again', async () => {
    const { service } = await openCache('memory');
    const source = { load: jest.fn(() => 1) };
    const numbers = refreshAhead<number, number>(service, { source, key, ttl: '1h' });
    await numbers.get(1);
    await service.touch(key(1), '13m');
    await numbers.get(1);
    expect(service.stats().refreshes.triggered).toBe(0);
    await service.touch(key(1), '11m');
    await numbers.get(1);
    expect(service.stats().refreshes.triggered).toBe(1);
  });

  it('W7 refreshAhead — refreshAhead of its load options is undefined → as without it', async () => {
    const { service } = await openCache('memory');
    let loads = 0;
    const source = { load: (): number => ++loads };
    const load = { refreshAhead: undefined };
    const numbers = refreshAhead<number, number>(service, { source, key, ttl: '1h', load });
    await numbers.get(1);
    await service.touch(key(1), '1m');
    await numbers.get(1);
    await waitFor(() => loads === 2);
  });

  it('W7 refreshAhead — further options of loads → hold as well', async () => {
    const { service } = await openCache('memory');
    const numbers = refreshAhead(service, { source: { load: () => 1 }, key, load: { version: 2 } });
    await numbers.get(1);
    expect(await service.get(key(1), { version: 2 })).toBe(1);
    expect(await service.get(key(1), { version: 1 })).toBeUndefined();
  });

  it('W7 source with methods of a class, keys of two texts → called as methods, and no other entry is touched', async () => {
    class Table implements Source<string, Cat> {
      private readonly rows = new Map<string, Cat>();
      load(id: string): Cat | undefined {
        return this.rows.get(id);
      }
      loadMany(ids: readonly string[]): [string, Cat][] {
        return ids.map((id) => [id, this.rows.get(id)!]);
      }
      write(id: string, cat: Cat): void {
        this.rows.set(id, cat);
      }
      remove(id: string): boolean {
        return this.rows.delete(id);
      }
    }
    const { service } = await openCache('memory');
    const cats = readThrough(service, { source: new Table(), key: (id: string) => ['cat', id] });
    await service.set('cat', 'kept');
    await cats.set('a', tom);
    expect([...(await cats.getMany(['a']))]).toEqual([['a', tom]]);
    expect(await cats.get('a')).toEqual(tom);
    await cats.delete('a');
    expect(await cats.get('a')).toBeUndefined();
    expect(await service.get('cat')).toBe('kept');
  });

  it('W1 writeThrough — the source makes null of a value → null, cached at once', async () => {
    const { service } = await openCache('memory');
    const source = { load: jest.fn(() => tom), write: () => null };
    const cats = writeThrough<number, Cat | null>(service, { source, key });
    await cats.set(1, tom);
    expect(await cats.get(1)).toBeNull();
    expect(source.load).not.toHaveBeenCalled();
  });

  it('W6 writeBehind — null waits, and reads bypass the cache → null, never what was there before', async () => {
    const { service } = await openCache('memory');
    const source = new Cats();
    source.rows.set(1, tom);
    const cats = writeBehind(service, { source, key, queue: { flushInterval: '1h' } });
    await cats.set(1, null);
    await service.run('bypass', async () => {
      expect([...(await cats.getMany([1]))]).toEqual([[1, null]]);
      expect(await cats.get(1)).toBeNull();
    });
    expect(source.load).not.toHaveBeenCalled();
    expect(source.loadMany.mock.calls.flatMap(([ids]) => ids)).toEqual([]);
  });

  it('W6 writeBehind — no writeMany → one write after the other', async () => {
    const { service } = await openCache('memory');
    const steps: string[] = [];
    const write = async (id: number): Promise<void> => {
      steps.push(`begin ${id}`);
      await Promise.resolve();
      steps.push(`end ${id}`);
    };
    const source = { load: () => undefined, write };
    const cats = writeBehind<number, Cat>(service, { source, key, queue: { flushInterval: '1h' } });
    await cats.set(1, tom);
    await cats.set(2, kit);
    await cats.queue.flush();
    expect(steps).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2']);
  });

  it('W6 writeBehind — writeMany fails once → written again, and not before is it over', async () => {
    const { service } = await openCache('memory');
    const writeMany = jest.fn(async () => undefined).mockRejectedValueOnce(new Error('full'));
    const source = { load: () => undefined, writeMany };
    const queue = { flushInterval: '1h', retries: 1, backoff: 1 };
    const cats = writeBehind<number, Cat>(service, { source, key, queue });
    await cats.set(1, tom);
    await cats.queue.flush();
    expect(writeMany).toHaveBeenCalledTimes(2);
    expect(cats.queue.backlog().size).toBe(0);
  });

  it('W7 ttl and tags → of a value that is loaded by itself, and of one that is set', async () => {
    const { service } = await openCache('memory');
    const source = { load: () => tom, write: () => undefined };
    const tags = (id: number): string[] => [`owner:${id}`];
    const cats = writeThrough<number, Cat>(service, { source, key, tags, ttl: '1h' });
    await cats.get(1);
    await cats.set(2, kit);
    for (const id of [1, 2]) {
      expect(await service.ttl(key(id))).toBeGreaterThan(3_500_000);
      await service.evictTags(`owner:${id}`);
      expect(await service.has(key(id))).toBe(false);
    }
  });

  it('W6 writeBehind — schema of the loads → what waits is given as it is read afterwards', async () => {
    const { service } = await openCache('memory');
    const validate = (cat: unknown) => ({ value: { role: 'cat', ...(cat as Cat) } });
    const schema = { '~standard': { version: 1, vendor: 'own', validate } } as const;
    const source = new Cats();
    const queue = { flushInterval: '1h' };
    const cats = writeBehind(service, { source, key, load: { schema }, queue });
    await cats.set(1, tom);
    const expected = { role: 'cat', name: 'Tom' };
    for (let i = 0; i < 2; i++) {
      expect(await cats.get(1)).toEqual(expected);
      expect([...(await cats.getMany([1]))]).toEqual([[1, expected]]);
      await cats.queue.flush();
    }
    expect(source.rows.get(1)).toEqual(tom);
  });

  it('W7 writeBehind — delete without remove → rejects, and nothing is written', async () => {
    const { service } = await openCache('memory');
    const write = jest.fn(() => undefined);
    const source = { load: () => undefined, write };
    const queue = { flushInterval: '1h' };
    const cats = writeBehind<number, Cat>(service, { source, key, queue });
    await cats.set(1, tom);
    await expect(cats.delete(1)).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    expect(write).not.toHaveBeenCalled();
    expect(cats.queue.pending(1)).toEqual(tom);
  });

  it('W7 loadMany → one call for all that is missing; each value has its tags and ttl', async () => {
    const { service } = await openCache('memory');
    const source = new Cats();
    source.rows.set(1, tom).set(2, kit);
    const tags = (id: number): string[] => [`owner:${id}`];
    const cats = readThrough(service, { source, key, tags, ttl: '1h' });
    await cats.getMany([1, 2, 3]);
    expect(source.loadMany.mock.calls.map(([ids]) => ids)).toEqual([[1, 2, 3]]);
    expect(source.load).not.toHaveBeenCalled();
    expect(await service.ttl(['cat', 1])).toBeGreaterThan(3_500_000);
    await service.evictTags('owner:1');
    expect([await service.has(['cat', 1]), await service.has(['cat', 2])]).toEqual([false, true]);
    await cats.get(1);
    await service.evictTags('owner:1');
    expect(await service.has(['cat', 1])).toBe(false);
  });

  it.each([
    ['readThrough', readThrough],
    ['writeThrough', writeThrough],
    ['refreshAhead', refreshAhead],
  ])('W7 %s — a source that cannot write → read only', async (name, make) => {
    const { service } = await openCache('memory');
    const cats = make(service, { source: { load: () => tom }, key });
    expect(await cats.get(1)).toEqual(tom);
    const refused = { code: 'ERR_CACHE_OPTIONS', message: expect.stringContaining(name) };
    await expect(cats.set(1, kit)).rejects.toMatchObject(refused);
    await expect(cats.delete(1)).rejects.toMatchObject(refused);
    expect(await service.has(['cat', 1])).toBe(true);
  });

  it.each([
    ['writeThrough', writeThrough],
    [
      'writeBehind',
      (...[cache, options]: Parameters<typeof writeBehind>) =>
        writeBehind(cache, { ...options, queue: { afterWrite: 'keep' } }),
    ],
  ] as const)(
    'W7 %s — version, serializer and the like of `load` → of what is set as well',
    async (_, make) => {
      const { service } = await openCache('memory');
      const source = new Cats();
      const cats = make(service, {
        source,
        key,
        load: { version: 2, sliding: true },
      } as never) as CatStrategy;
      await cats.set(1, tom);
      expect(await service.get(['cat', 1], { version: 2 })).toEqual(tom);
      expect(await service.get(['cat', 1], { version: 1 })).toBeUndefined();
      expect(await cats.get(1)).toEqual(tom);
      expect(source.load).not.toHaveBeenCalled();
    },
  );

  it('W7 writeThrough — serializer, schema, expiresAt and sliding of `load` → each of what is set as well', async () => {
    const { service, engine } = await openCache('memory');
    const source = { load: () => undefined, write: () => undefined };
    const setWith = async (load: Options['load']): Promise<void> => {
      await service.evict(key(1));
      await writeThrough<number, Cat>(service, { source, key, load }).set(1, tom);
    };
    const serialize = jest.fn((cat: unknown) => Buffer.from(JSON.stringify(cat)));
    const deserialize = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
    await setWith({ serializer: { name: 'own', serialize, deserialize } });
    expect(serialize).toHaveBeenCalledTimes(1);
    await setWith({ expiresAt: Date.now() + 7_200_000 });
    expect(await service.ttl(key(1))).toBeGreaterThan(7_000_000);
    await setWith({ sliding: true });
    const bytes = await engine.parts.store.read(engine.keySpace().entry(key(1)).redisKey);
    expect(readRecord(bytes!)).toMatchObject({ header: { sliding: true } });
    const validate = () => ({ issues: [{ message: 'no cat' }] });
    const schema = { '~standard': { version: 1, vendor: 'own', validate } } as const;
    await setWith({ schema }).catch(() => undefined);
    expect(await service.has(key(1))).toBe(false);
  });

  it('W7 loadMany — some are cached → the others alone are asked for', async () => {
    const { service } = await openCache('memory');
    const source = new Cats();
    source.rows.set(1, tom).set(2, kit);
    const cats = readThrough(service, { source, key: (id) => `cat:${id}` });
    await cats.get(1);
    expect((await cats.getMany([1, 2])).size).toBe(2);
    expect(source.loadMany.mock.calls).toEqual([[[2], expect.anything()]]);
  });

  it('W7 getMany — keys that are two objects and one entry → each has its value', async () => {
    const { service } = await openCache('memory');
    const cats = readThrough<{ id: number }, string>(service, {
      source: {
        load: ({ id }) => `cat ${id}`,
        loadMany: (ids) => ids.map((id) => [{ ...id }, `cat ${id.id}`] as const),
      },
      key: ({ id }) => `cat:${id}`,
    });
    const ids = [{ id: 2 }, { id: 1 }, { id: 2 }];
    expect([...(await cats.getMany(ids))]).toEqual([
      [ids[0], 'cat 2'],
      [ids[1], 'cat 1'],
      [ids[2], 'cat 2'],
    ]);
  });

  it('W7 loadMany — gives no pairs → CacheOptionsError that says so', async () => {
    const { service } = await openCache('memory');
    for (const given of [undefined, [tom], 'text']) {
      const loadMany = (): never => given as never;
      const cats = readThrough<number, Cat>(service, {
        source: { load: () => tom, loadMany },
        key,
      });
      await expect(cats.getMany([1])).rejects.toThrow(
        /readThrough:\n {2}source.loadMany \(what it gives\): .*pairs of key and value/,
      );
    }
  });

  it('W7 loadMany — takes longer than loaderTimeout → its signal fires', async () => {
    const { service } = await openCache('memory', { loaderTimeout: 10 });
    let signal: AbortSignal | undefined;
    const cats = readThrough<number, string>(service, {
      source: {
        load: () => undefined,
        loadMany: (_, context) => ((signal = context.signal), new Promise(() => undefined)),
      },
      key: (id) => `cat:${id}`,
    });
    await expect(cats.getMany([1])).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    expect(signal?.aborted).toBe(true);
  });

  it('W7 wrong options → CacheOptionsError when it is made', async () => {
    const { service } = await openCache('memory');
    const refused = expect.objectContaining({ code: 'ERR_CACHE_OPTIONS' });
    const source = { load: () => 1 };
    for (const options of [undefined, {}, { source }, { source: {}, key }, { source, key: 1 }])
      expect(() => readThrough(service, options as never)).toThrow(refused);
    expect(() => readThrough(service, { source, key, ttl: 0 })).toThrow(/ttl/);
    expect(() => readThrough(service, { source, key, tags: [] } as never)).toThrow(/tags/);
    expect(() => readThrough(service, { source, key, load: 5 } as never)).toThrow(/load/);
    for (const make of [writeThrough, refreshAhead])
      expect(() => make(service, undefined as never)).toThrow(refused);
    expect(() => writeBehind(service, { source, key })).toThrow(/source.write/);
    expect(() => writeBehind(service, undefined as never)).toThrow(refused);
    for (const name of ['loadMany', 'write', 'writeMany', 'remove'])
      expect(() =>
        readThrough(service, { source: { ...source, [name]: 5 }, key } as never),
      ).toThrow(`source.${name}: given 5, accepted a function`);
  });
});
