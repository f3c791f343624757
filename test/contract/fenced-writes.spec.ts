import { beforeEach, describe, expect, it } from '@jest/globals';
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

  it('W5 a barrier that is lost, and a load since then → both are gone, what the writer returns is given', async () => {
    const writing = new Gate();
    const write = service.writeThrough('k', async () => (await writing.pass(), 'mine'));
    await writing.arrived();
    await loseBarrier(cache, 'k');
    const load = await heldLoad(other, 'loaded');
    writing.open();
    expect(await write).toBe('mine');
    await load.end();
    expect(await both()).toEqual([undefined, undefined]);
  });
});

/** As if it had expired, or Redis had lost it. */
async function loseBarrier({ engine }: TestCache, key: string): Promise<void> {
  const { redisKey } = engine.keySpace().entry(key);
  await engine.parts.store.evictMany([redisKey]);
}
