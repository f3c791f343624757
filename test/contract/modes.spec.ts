import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { CacheOptionsError } from '../../lib/common/errors.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('modes on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    ({ service } = cache);
    await service.set('k', 'stored');
  });

  it('I7 D8 bypass → reads miss, loads run and are not stored, writes are refused, evicts act', async () => {
    await service.run('bypass', async () => {
      expect(await service.get('k')).toBeUndefined();
      expect(service.peek('k')).toBeUndefined();
      expect(await service.has('k')).toBe(false);
      expect(await service.getOrSet('k', () => 'loaded')).toBe('loaded');
      expect(await service.set('k', 'written')).toBe(false);
      expect(await service.evict('absent')).toBe(0);
    });
    expect(await service.get('k')).toBe('stored');
    await service.run('bypass', () => service.evict('k'));
    expect(await service.has('k')).toBe(false);
  });

  it('I7 D8 refresh → get misses, getOrSet loads and replaces', async () => {
    await service.run('refresh', async () => {
      expect(await service.get('k')).toBeUndefined();
      expect(await service.getOrSet('k', () => 'fresh')).toBe('fresh');
    });
    expect(await service.get('k')).toBe('fresh');
  });

  it('I7 D8 readonly → reads hit, nothing is stored', async () => {
    await service.run('readonly', async () => {
      expect(await service.get('k')).toBe('stored');
      expect(await service.getOrSet('k', () => 'loaded')).toBe('stored');
      expect(await service.getOrSet('new', () => 'loaded')).toBe('loaded');
      expect(await service.set('k', 'written')).toBe(false);
      expect(await service.writeThrough('other', () => 'written')).toBe('written');
    });
    expect(await service.get('k')).toBe('stored');
    expect(await service.getMany(['new', 'other'])).toEqual(new Map());
  });

  it('D8 two calls at once, and one inside the other → each has its own mode', async () => {
    const loader = jest.fn(() => 'loaded');
    const [bypassed, normal] = await Promise.all([
      service.run('bypass', () => service.getOrSet('k', loader)),
      service.getOrSet('k', loader),
    ]);
    expect([bypassed, normal]).toEqual(['loaded', 'stored']);
    const inner = await service.run('bypass', () => service.run('normal', () => service.get('k')));
    expect(inner).toBe('stored');
    const other = await openCache(topology, variant);
    await other.service.set('k', 'other');
    expect(await service.run('bypass', () => other.service.get('k'))).toBe('other');
  });

  it('D8 many callers in bypass → share a load that began after they came', async () => {
    const loader = jest.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return 'loaded';
    });
    const callers = Array.from({ length: 20 }, () =>
      service.run('bypass', () => service.getOrSet('k', loader)),
    );
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['loaded']));
    expect(loader.mock.calls.length).toBeLessThanOrEqual(2);
  });

  it('R9 setMode → for every call from now on, in all namespaces and this cache alone', async () => {
    const users = service.namespace('users');
    const other = await openCache(topology, variant);
    await other.service.set('k', 'other');
    await users.set('k', 'user');
    service.setMode('bypass');
    expect([service.mode, users.mode, other.service.mode]).toEqual(['bypass', 'bypass', 'normal']);
    expect([await service.get('k'), await users.get('k')]).toEqual([undefined, undefined]);
    expect(await service.getMany(['k'])).toEqual(new Map());
    expect(await service.set('k', 'written')).toBe(false);
    expect(await service.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await other.service.get('k')).toBe('other');
    users.setMode('normal');
    expect([await service.get('k'), await users.get('k')]).toEqual(['stored', 'user']);
  });

  it('R9 what is evicted while the cache is bypassed → gone afterwards', async () => {
    await service.get('k');
    service.setMode('bypass');
    await service.evict('k');
    service.setMode('normal');
    expect(service.peek('k')).toBeUndefined();
    expect(await service.get('k')).toBeUndefined();
  });

  it('R9 setMode and run → the innermost run counts, whatever is set meanwhile', async () => {
    service.setMode('bypass');
    const modes = await service.run('readonly', async () => {
      service.setMode('refresh');
      const inner = service.run('normal', () => service.mode);
      await service.evict('absent');
      return [inner, service.mode];
    });
    expect([...modes, service.mode]).toEqual(['normal', 'readonly', 'refresh']);
    expect(await service.run('normal', () => service.get('k'))).toBe('stored');
    expect(await service.get('k')).toBeUndefined();
  });

  it('R9 readonly → copies and entries are served, loads are not stored', async () => {
    service.setMode('readonly');
    expect(await service.getOrSet('k', () => 'loaded')).toBe('stored');
    expect(await service.getOrSet('other', () => 'loaded')).toBe('loaded');
    expect(await service.getMany(['k', 'other'])).toEqual(new Map([['k', 'stored']]));
  });

  it('D8 R9 an unknown mode → CacheOptionsError, and nothing has changed', () => {
    for (const mode of ['off', undefined, null, 'Bypass'] as never[]) {
      expect(() => service.run(mode, () => 1)).toThrow(CacheOptionsError);
      expect(() => service.setMode(mode)).toThrow(/setMode[^]*'bypass'/);
    }
    expect(service.mode).toBe('normal');
  });

  it('peek — a copy here → at once; none, or without copies → undefined', async () => {
    expect(service.peek('absent')).toBeUndefined();
    const expected = variant.l1 === false ? undefined : 'stored';
    // A copy is kept once the listener is certainly live.
    await waitFor(async () => {
      await service.get('k');
      return service.peek('k') === expected;
    });
    await service.evict('k');
    expect(service.peek('k')).toBeUndefined();
  });
});
