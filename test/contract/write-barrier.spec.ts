import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';

describe.each(VARIANTS)('writes behind a barrier on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
  });

  /** A write that stands still in the middle until its gate opens. */
  const heldWrite = async <T>(
    run: (write: () => Promise<T>) => Promise<T>,
    result: T,
  ): Promise<{ gate: Gate; done: Promise<T> }> => {
    const gate = new Gate();
    const done = run(async () => {
      await gate.pass();
      return result;
    });
    done.catch(() => undefined);
    await gate.arrived();
    return { gate, done };
  };

  it('W1 writeThrough — nothing else happens → stored, and given as a hit gives it', async () => {
    await service.set('k', 'old');
    const value = { deep: [1] };
    const written = await service.writeThrough('k', () => value, { ttl: '1h' });
    expect(written).toEqual(value);
    expect(written).not.toBe(value);
    expect(await service.get('k')).toEqual(value);
    expect(await service.ttl('k')).toBeGreaterThan(3_500_000);
  });

  it('W1 reads during the write, one after the other → none waits for the load of another', async () => {
    const { gate, done } = await heldWrite((write) => service.withWrite('k', write), 'written');
    const slow = new Gate();
    const first = service.getOrSet('k', async () => (await slow.pass(), 'first'));
    await slow.arrived();
    expect(await service.getOrSet('k', () => 'second')).toBe('second');
    slow.open();
    expect(await first).toBe('first');
    gate.open();
    await done;
  });

  it('W1 reads during the write → loaded, not cached, and the old value is not served', async () => {
    await service.set('k', 'old');
    const { gate, done } = await heldWrite((write) => service.writeThrough('k', write), 'new');
    expect(await service.get('k')).toBeUndefined();
    expect(await service.has('k')).toBe(false);
    expect(await service.ttl('k')).toBeUndefined();
    const loader = jest.fn(() => 'between');
    expect(await service.getOrSet('k', loader)).toBe('between');
    expect(await service.getOrSet('k', loader)).toBe('between');
    expect(loader).toHaveBeenCalledTimes(2);
    gate.open();
    expect(await done).toBe('new');
    expect(await service.get('k')).toBe('new');
  });

  it('W1 a load that began before the write → stores nothing', async () => {
    const gate = new Gate();
    const loading = service.getOrSet('k', async () => (await gate.pass(), 'before'));
    await gate.arrived();
    await service.withWrite('k', async () => undefined);
    gate.open();
    expect(await loading).toBe('before');
    expect(await service.has('k')).toBe(false);
  });

  it('W2 a writer that fails → its own error, the key absent and never the old value', async () => {
    await service.set('k', 'old');
    const error = new Error('rolled back');
    await expect(service.writeThrough('k', () => Promise.reject(error))).rejects.toBe(error);
    expect(await service.has('k')).toBe(false);
    await service.set('k', 'old');
    await expect(service.withWrite('k', () => Promise.reject(error))).rejects.toBe(error);
    expect(await service.has('k')).toBe(false);
    expect(await service.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await service.get('k')).toBe('loaded');
  });

  it.each([
    ['an evict', (): Promise<unknown> => service.evict('k')],
    ['a set', (): Promise<unknown> => service.set('k', 'set')],
    ['a second writer', (): Promise<unknown> => service.withWrite('k', async () => undefined)],
  ])('W1 %s during the write → nothing is stored at its end', async (_, disturb) => {
    const { gate, done } = await heldWrite((write) => service.writeThrough('k', write), 'mine');
    await disturb();
    gate.open();
    expect(await done).toBe('mine');
    expect(await service.has('k')).toBe(false);
    expect(await service.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await service.get('k')).toBe('loaded');
  });

  it('W1 set during the write → false', async () => {
    const { gate, done } = await heldWrite((write) => service.withWrite('k', write), undefined);
    expect(await service.set('k', 'set')).toBe(false);
    gate.open();
    await done;
  });

  it('W3 several keys in two orders, two writers at once → no deadlock, all keys absent', async () => {
    await service.setMany([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]);
    const results = await Promise.all([
      service.withWrite(['a', 'b', 'c'], async () => 'first'),
      service.withWrite(['c', 'b', 'a'], async () => 'second'),
    ]);
    expect(results).toEqual(['first', 'second']);
    expect(await service.getMany(['a', 'b', 'c'])).toEqual(new Map());
  });

  it('writeThrough — undefined, skip, or a value without bytes → returned, and the key absent', async () => {
    await service.set('k', 'old');
    expect(await service.writeThrough('k', () => undefined)).toBeUndefined();
    expect(await service.writeThrough('k', ({ skip }) => (skip(), 'skipped'))).toBe('skipped');
    const odd = { run: (): number => 1 };
    expect(await service.writeThrough('k', () => odd)).toBe(odd);
    expect(await service.has('k')).toBe(false);
    expect(cache.errors.map(({ operation }) => operation)).toEqual(['writeThrough']);
  });

  it('wrong options → CacheOptionsError, and the writer does not run', async () => {
    const writer = jest.fn(() => 1);
    await expect(service.writeThrough('k', writer, { ttl: 0 })).rejects.toMatchObject({
      code: 'ERR_CACHE_OPTIONS',
    });
    expect(writer).not.toHaveBeenCalled();
  });
});
