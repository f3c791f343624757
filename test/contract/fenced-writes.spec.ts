import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('writes and the loads around them on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;
  /** Another process; in memory there is none. */
  let other: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
    const { namespace } = cache;
    other =
      topology === 'memory'
        ? service
        : (await openCache(topology, { ...variant, namespace })).service;
  });

  /** A load that has begun, and ends when its gate is opened. */
  const heldLoad = async (by: CacheService, value: string) => {
    const gate = new Gate();
    const done = by.getOrSet('k', async () => (await gate.pass(), value));
    done.catch(() => undefined);
    await gate.arrived();
    const end = (): Promise<string> => (gate.open(), done);
    return { end };
  };

  const both = (): Promise<unknown[]> => Promise.all([service.get('k'), other.get('k')]);

  it('W1 writeThrough — loads that began before it, here or elsewhere → store nothing', async () => {
    const load = await heldLoad(other, 'old');
    expect(await service.writeThrough('k', () => 'new')).toBe('new');
    expect(await load.end()).toBe('old');
    expect(await both()).toEqual(['new', 'new']);
  });

  it('W1 writeThrough — a load that begins during it and ends after it → stores nothing', async () => {
    const writing = new Gate();
    const write = service.writeThrough('k', async () => (await writing.pass(), 'new'));
    await writing.arrived();
    const load = await heldLoad(other, 'old');
    writing.open();
    expect(await write).toBe('new');
    expect(await load.end()).toBe('old');
    expect(await both()).toEqual(['new', 'new']);
  });

  it('W1 writeThrough — several, one after the other → the last value, also where the first was copied', async () => {
    await service.writeThrough('k', () => 'first');
    expect(await both()).toEqual(['first', 'first']);
    await service.writeThrough('k', () => 'second');
    await other.writeThrough('k', () => 'last');
    expect(await other.get('k')).toBe('last');
    // A copy may be older for the time of a message.
    await waitFor(async () => (await service.get('k')) === 'last');
  });

  it.each([
    [
      'throws',
      (): string => {
        throw new Error('failed');
      },
      'failed',
    ],
    ['rejects', (): Promise<string> => Promise.reject(new Error('failed')), 'failed'],
    [
      'is aborted',
      (): Promise<string> => AbortSignal.abort(new Error('over')).throwIfAborted() as never,
      'over',
    ],
  ])(
    'W2 a writer that %s → its own error; absent everywhere, and the next read loads',
    async (...row) => {
      const [, writer, message] = row;
      await service.set('k', 'old');
      expect(await both()).toEqual(['old', 'old']);
      await expect(service.writeThrough('k', writer)).rejects.toThrow(message);
      expect(await service.has('k')).toBe(false);
      await waitFor(async () => !(await other.has('k')));
      expect(await other.getOrSet('k', () => 'loaded')).toBe('loaded');
      expect(await both()).toEqual(['loaded', 'loaded']);
    },
  );

  it('W2 a load that spans a write that fails → stores nothing: the write may have been committed', async () => {
    const load = await heldLoad(other, 'old');
    const failing = service.withWrite(['k', 'l'], () => Promise.reject(new Error('timeout')));
    await expect(failing).rejects.toThrow('timeout');
    expect(await load.end()).toBe('old');
    expect([await service.has('k'), await service.has('l')]).toEqual([false, false]);
  });

  it.each([
    ['here', (): CacheService => service],
    ['in another process', (): CacheService => other],
  ])('W4 set — a load runs %s → the value that was set stays', async (_, by) => {
    const load = await heldLoad(by(), 'loaded');
    expect(await service.set('k', 'set')).toBe(true);
    expect(await service.get('k')).toBe('set');
    expect(await load.end()).toBe('loaded');
    expect(await both()).toEqual(['set', 'set']);
  });

  it.each([
    ['absent', 'set'],
    ['present', undefined],
  ] as const)('W4 set if %s — a load runs → its lease is no value', async (only, left) => {
    const load = await heldLoad(other, 'loaded');
    expect(await service.set('k', 'set', { if: only })).toBe(left !== undefined);
    expect(await service.get('k')).toBe(left);
    await load.end();
    expect(await service.get('k')).toBe(left ?? 'loaded');
  });

  /** A write that stands still in the middle, with its barrier gone. */
  const unbarred = async <T>(begin: (write: () => Promise<string>) => Promise<T>) => {
    const gate = new Gate();
    const done = begin(async () => (await gate.pass(), 'mine'));
    done.catch(() => undefined);
    await gate.arrived();
    await loseBarrier(cache, 'k');
    const end = (): Promise<T> => (gate.open(), done);
    return { end };
  };

  const LOST = expect.objectContaining({
    operation: 'writeThrough',
    error: expect.objectContaining({ code: 'ERR_CACHE_BARRIER_LOST', key: 'k' }),
  });

  it('W5 the barrier is lost, and something cached since then → it goes, the writer has its result, and onError hears of it', async () => {
    const write = await unbarred((writer) => service.writeThrough('k', writer));
    expect(await other.getOrSet('k', () => 'loaded')).toBe('loaded');
    await other.get('k');
    expect(await write.end()).toBe('mine');
    expect(await service.get('k')).toBeUndefined();
    await waitFor(async () => (await other.get('k')) === undefined);
    expect(cache.errors).toEqual([LOST]);
    expect(service.stats()).toMatchObject({ sets: 0, refusedSets: 1, errors: { writeThrough: 1 } });
  });

  it('W5 the barrier is lost, and a load begun since then → it stores nothing', async () => {
    const write = await unbarred((writer) => service.writeThrough('k', writer));
    const load = await heldLoad(other, 'loaded');
    expect(await write.end()).toBe('mine');
    expect(await load.end()).toBe('loaded');
    expect(await both()).toEqual([undefined, undefined]);
    expect(cache.errors).toEqual([LOST]);
  });

  it('W5 the barrier is lost, and another writer has put up one since then → neither stores its value', async () => {
    const write = await unbarred((writer) => service.writeThrough('k', writer));
    const gate = new Gate();
    const theirs = other.writeThrough('k', async () => (await gate.pass(), 'theirs'));
    await gate.arrived();
    expect(await write.end()).toBe('mine');
    gate.open();
    expect(await theirs).toBe('theirs');
    expect(await both()).toEqual([undefined, undefined]);
    expect(cache.errors).toEqual([LOST]);
  });

  it('W3 withWrite and writeThroughMany — keys in any order → their barriers are put up in one', async () => {
    const begin = jest.spyOn(cache.engine.parts.store, 'barrierBegin');
    await service.withWrite([['b'], ['c'], ['a']], async () => undefined);
    await service.writeThroughMany([['c'], ['a'], ['b']], async () => []);
    const begun = begin.mock.calls.map(([redisKey]) => redisKey);
    expect(begun).toHaveLength(6);
    expect(begun.slice(0, 3)).toEqual(begun.slice(0, 3).toSorted());
    expect(begun.slice(3)).toEqual(begun.slice(0, 3));
  });

  it('W5 withWrite and writeThroughMany — a barrier is lost → the same, told once with the number of keys', async () => {
    const write = await unbarred((writer) => service.withWrite(['k', 'l'], writer));
    await loseBarrier(cache, 'l');
    await service.set('l', 'meanwhile');
    expect(await write.end()).toBe('mine');
    const many = await unbarred((writer) =>
      service.writeThroughMany(['k', 'l'], async () => [
        ['k', await writer()],
        ['l', 'other'],
      ]),
    );
    expect(await many.end()).toEqual(new Map([['k', 'mine'], ['l', 'other']])); // prettier-ignore
    expect(await service.getMany(['k', 'l'])).toEqual(new Map([['l', 'other']]));
    expect(cache.errors.map(({ operation, error }) => [operation, error.message])).toEqual([
      ['withWrite', expect.stringMatching(/^The barriers of 2 keys were gone/)],
      ['writeThrough', expect.stringMatching(/^The barrier of a key was gone/)],
    ]);
  });

  it('W5 a writer that fails behind a barrier that is lost → its own error, and nothing cached', async () => {
    const write = await unbarred((writer) =>
      service.withWrite('k', async () => {
        await writer();
        throw new Error('rolled back');
      }),
    );
    await service.set('k', 'meanwhile');
    await expect(write.end()).rejects.toThrow('rolled back');
    expect(await service.has('k')).toBe(false);
    expect(cache.errors.map(({ operation }) => operation)).toEqual(['withWrite']);
  });
});

/** As if it had expired, or Redis had lost it. */
async function loseBarrier({ engine }: TestCache, key: string): Promise<void> {
  const { store } = engine.parts;
  const { redisKey } = engine.keySpace().entry(key);
  const writer = (await store.read(redisKey))!.toString('latin1').split(',')[1]!;
  expect(await store.barrierEnd(redisKey, { writer })).toBe('ended');
}
