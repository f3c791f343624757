import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { CacheConnectionError } from '../../lib/common/errors.js';
import { escapeGlob } from '../../lib/keys/glob.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('patterns on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    ({ service } = cache);
  });

  const listed = async (glob?: string): Promise<string[]> => {
    const keys: string[] = [];
    for await (const key of service.keys(glob)) keys.push(key);
    return keys.sort();
  };
  const LONG = `user:${'x'.repeat(500)}`;

  it('G3 keys — every kind of key → the string keys as given, live ones only', async () => {
    const keys = ['a', 'user:1', 'a b', 'a*b', '🙂', 'a{b}c', LONG];
    await service.setMany(keys.map((key) => [key, 1] as const));
    await service.set(['user', 1], 1);
    await service.set('gone', 1, { tags: ['t'] });
    await service.evictTags('t');
    await service.namespace('nested').set('nested', 1);
    expect(await listed()).toEqual([...keys].sort());
    expect(await listed('user:*')).toEqual([LONG, 'user:1'].sort());
    expect(await listed('a?b')).toEqual(['a b', 'a*b']);
    expect(await listed('a\\*b')).toEqual(['a*b']);
    expect(await listed('[a-b]')).toEqual(['a']);
    expect(await listed('nothing*')).toEqual([]);
  });

  it('G2 evictPattern — prefix, suffix, infix, class → what matches goes, and is counted', async () => {
    const keys = ['user:1', 'user:2', 'user:12', 'order:1', 'x:user:1', LONG];
    await service.setMany(keys.map((key) => [key, 1] as const));
    expect(await service.evictPattern('user:[12]')).toBe(2);
    expect(await service.evictPattern('user:*')).toBe(2);
    expect(await listed()).toEqual(['order:1', 'x:user:1']);
    expect(await service.evictPattern('*:1')).toBe(2);
    expect(await service.evictPattern('*')).toBe(0);
  });

  it('G2 evictPattern — the namespace → is never left', async () => {
    const other = await openCache(topology, variant);
    const nested = service.namespace('n');
    for (const cache of [service, other.service, nested]) await cache.set('k', 1);
    expect(await service.evictPattern('*')).toBe(1);
    expect(await other.service.has('k')).toBe(true);
    expect(await nested.has('k')).toBe(true);
  });

  it('G2 escapeGlob — what a user typed → matches only itself', async () => {
    await service.setMany([
      ['a*', 1],
      ['ab', 2],
      ['a[b]', 3],
      ['a\\', 4],
    ]);
    expect(await service.evictPattern(escapeGlob('a*'))).toBe(1);
    expect(await service.evictPattern(escapeGlob('a[b]'))).toBe(1);
    expect(await service.evictPattern(escapeGlob('a\\'))).toBe(1);
    expect(await listed()).toEqual(['ab']);
  });

  it('G2 a load runs under a matching key → no entry yet, and what it has read is not stored', async () => {
    const load = service.getOrSet('user:1', async () => {
      expect(await service.evictPattern('user:*')).toBe(0);
      return 1;
    });
    expect(await load).toBe(1);
    expect(await service.has('user:1')).toBe(false);
  });

  it('G2 aborted → stops, with the reason of the signal', async () => {
    for (let n = 0; n < 600; n += 50)
      await service.setMany(Array.from({ length: 50 }, (_, i) => [`k${n + i}`, i] as const));
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(service.evictPattern('*', { signal })).rejects.toBe(reason);
    expect(await service.evictPattern('k*')).toBe(600);
  });

  it('G3 keys, aborted → stops, with the reason of the signal, and that is no failure of Redis', async () => {
    await service.setMany(Array.from({ length: 50 }, (_, i) => [`k${i}`, i] as const));
    const abort = new AbortController();
    const reason = new Error('enough');
    const listing = async (): Promise<void> => {
      for await (const _ of service.keys('*', { signal: abort.signal })) abort.abort(reason);
    };
    await expect(listing()).rejects.toBe(reason);
    expect(service.stats().degraded).toBe(0);
    expect(cache.errors).toEqual([]);
  });

  it('G3 R1 keys, and Redis goes meanwhile → the keys until then, reported; strict → the error', async () => {
    const gone = new CacheConnectionError('gone');
    for (const failure of ['open', 'strict'] as const) {
      const { engine, service, errors } = await openCache(topology, { ...variant, failure });
      await service.set('k', 1);
      jest.spyOn(engine['parts'].store, 'readMany').mockRejectedValue(gone);
      const [ended] = await Promise.allSettled([service.keys()[Symbol.asyncIterator]().next()]);
      expect(ended).toEqual(
        failure === 'strict'
          ? { status: 'rejected', reason: gone }
          : { status: 'fulfilled', value: { done: true, value: undefined } },
      );
      expect(errors).toEqual([{ operation: 'keys', error: gone }]);
      expect(service.stats().degraded).toBe(failure === 'open' ? 1 : 0);
    }
  });

  it('G2 wrong options → CacheOptionsError, and nothing is left to be tried again', async () => {
    await service.set('k', 1);
    const refused = { code: 'ERR_CACHE_OPTIONS' };
    for (const options of [
      { signal: 5 },
      { signal: { aborted: false } },
      { limit: 1 },
      5,
    ] as never[]) {
      await expect(service.evictPattern('*', options)).rejects.toMatchObject(refused);
      expect(() => service.keys('*', options)).toThrow(expect.objectContaining(refused));
    }
    expect(cache.engine.pending().journal).toBe(0);
    expect(await service.has('k')).toBe(true);
  });

  it('G2 R6 the keys that are found cannot be evicted → CacheEvictError, and all of it is tried again', async () => {
    await service.set('k', 1);
    const { store } = cache.engine.parts;
    const reason = new CacheConnectionError('gone');
    const evictMany = jest
      .spyOn(store, 'evictMany')
      .mockResolvedValue([{ status: 'rejected', reason }] as never);
    await expect(service.evictPattern('k*')).rejects.toMatchObject({
      code: 'ERR_CACHE_EVICT',
      kind: 'pattern',
      failed: ['k*'],
    });
    expect(cache.engine.pending().journal).toBe(2);
    evictMany.mockRestore();
    await waitFor(() => cache.engine.pending().journal === 0);
    expect(await service.has('k')).toBe(false);
  });

  it('G2 R5 what fails is not Redis → rejects with it, and is not tried again', async () => {
    const wrong = new TypeError('wrong');
    jest.spyOn(cache.engine.parts.store, 'scan').mockImplementationOnce(() => {
      throw wrong;
    });
    await expect(service.evictPattern('k*')).rejects.toBe(wrong);
    expect(cache.engine.pending().journal).toBe(0);
  });

  it('G2 T11 closed → CacheError, as of every evict', async () => {
    await cache.close();
    await expect(service.evictPattern('k*')).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });

  it.each([[''], ['['], ['a\\'], [5]])('a glob %j → CacheOptionsError', async (glob) => {
    await expect(service.evictPattern(glob as never)).rejects.toMatchObject({
      code: 'ERR_CACHE_OPTIONS',
    });
  });
});
