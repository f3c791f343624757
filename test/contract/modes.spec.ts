import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
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

  it('run — an unknown mode → CacheOptionsError', () => {
    expect(() => service.run('off' as never, () => 1)).toThrow(/'bypass'/);
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
