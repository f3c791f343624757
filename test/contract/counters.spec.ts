import { beforeEach, describe, expect, it } from '@jest/globals';
import { shown } from '../../lib/common/option-checks.js';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

const MOST = Number.MAX_SAFE_INTEGER;

describe.each(VARIANTS)('counters on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
  });

  const failsWith = async (promise: Promise<unknown>, code: string): Promise<void> =>
    expect(promise).rejects.toMatchObject({ name: 'CacheError', code, key: 'n' });

  it('N1 increment, decrement — missing → begin at 0; by n, also below it', async () => {
    expect(await service.increment('n')).toBe(1);
    expect(await service.increment('n', 10)).toBe(11);
    expect(await service.decrement('n', 20)).toBe(-9);
    expect(await service.decrement('n')).toBe(-10);
    expect(await service.increment('n', 0)).toBe(-10);
    expect(await service.increment(['n'], 5)).toBe(5);
  });

  it('N1 increment — many at once, from two caches → every sum once', async () => {
    const { service: other } = await openCache(topology, {
      ...variant,
      namespace: cache.namespace,
    });
    const services = topology === 'memory' ? [service] : [service, other];
    const sums = await Promise.all(
      Array.from({ length: 200 }, (_, i) => services[i % services.length]!.increment('n')),
    );
    expect(sums.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  });

  it('N3 N5 every read of a counter → its number, and the next one right after an increment', async () => {
    await service.increment('n', 41);
    expect(await service.get('n')).toBe(41);
    expect(await service.increment('n')).toBe(42);
    expect(await service.get('n')).toBe(42);
    expect(await service.getOrSet('n', () => 'not called')).toBe(42);
    expect(await service.getMany(['n', 'absent'])).toEqual(new Map([['n', 42]]));
    expect(await service.has('n')).toBe(true);
    expect(await service.ttl('n')).toBe(Infinity);
    for await (const key of service.keys()) expect(key).toBe('n');
    expect(await service.evict('n')).toBe(1);
    expect(await service.get('n')).toBeUndefined();
  });

  it('N5 increment — another process has a copy → it is told', async () => {
    const other =
      topology === 'memory'
        ? cache
        : await openCache(topology, { ...variant, namespace: cache.namespace });
    await waitFor(() => variant.l1 === false || other.listener.live);
    await service.increment('n');
    expect(await other.service.get('n')).toBe(1);
    await service.increment('n');
    await waitFor(async () => (await other.service.get('n')) === 2);
  });

  it('N3 set — over a counter → the value; an integer that was set or loaded → is counted on, and keeps its life', async () => {
    await service.increment('n');
    await service.set('n', 'text');
    expect(await service.get('n')).toBe('text');
    await service.set('n', 40, { ttl: '1h' });
    expect(await service.increment('n', 2, { ttl: '10s' })).toBe(42);
    expect(await service.ttl('n')).toBeGreaterThan(3_500_000);
    await service.getOrSet('loaded', () => -1);
    expect(await service.increment('loaded')).toBe(0);
    expect(await service.get('loaded')).toBe(0);
  });

  it.each([
    ['text', '5'],
    ['a fraction', 1.5],
    ['null', null],
    ['an object', { n: 1 }],
    ['a BigInt', 5n],
    ['more than a number holds', 2 ** 60],
  ])('N4 increment — %s → rejected, unchanged', async (_what, value) => {
    await service.set('n', value);
    await failsWith(service.increment('n'), 'ERR_CACHE_NOT_A_NUMBER');
    expect(await service.get('n')).toEqual(value);
  });

  it('N4 increment — beyond the safe integers → rejected, unchanged', async () => {
    await service.increment('n', MOST);
    await failsWith(service.increment('n'), 'ERR_CACHE_OVERFLOW');
    expect(await service.decrement('n')).toBe(MOST - 1);
    await service.set('n', -MOST);
    await failsWith(service.decrement('n', MOST), 'ERR_CACHE_OVERFLOW');
    expect(await service.get('n')).toBe(-MOST);
  });

  it.each([[1.5], [NaN], [Infinity], ['1'], [null], [2 ** 53]])(
    'increment — by %p → CacheOptionsError, nothing counted',
    async (by) => {
      for (const method of ['increment', 'decrement'] as const)
        await expect(service[method]('n', by as number)).rejects.toMatchObject({
          code: 'ERR_CACHE_OPTIONS',
          message: expect.stringContaining(`by: given ${shown(by)}, accepted an integer`),
        });
      expect(await service.get('n')).toBeUndefined();
    },
  );

  it('X3 increment — a wrong ttl, an unknown option → CacheOptionsError that names it', async () => {
    for (const options of [{ ttl: 0 }, { ttl: -1 }, { ttl: NaN }, { ttl: 'soon' }, { tags: [] }])
      await expect(service.increment('n', 1, options as never)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
        message: expect.stringContaining(Object.keys(options)[0]!),
      });
  });

  it('N2 increment — ttl → only where there is none, also for the first one by 5, to the millisecond', async () => {
    await service.increment('n', 5, { ttl: '2m' });
    expect(await service.ttl('n')).toBeLessThanOrEqual(120_000);
    await service.increment('n', 5, { ttl: '1h' });
    expect(await service.ttl('n')).toBeLessThanOrEqual(120_000);
    await service.increment('n');
    expect(await service.ttl('n')).toBeGreaterThan(100_000);
    await service.increment('later');
    expect(await service.ttl('later')).toBe(Infinity);
    await service.increment('later', 1, { ttl: '1h' });
    expect(await service.ttl('later')).toBeLessThanOrEqual(3_600_000);
    await service.increment('never', 1, { ttl: Infinity });
    expect(await service.ttl('never')).toBe(Infinity);
  });

  it('N2 X2 increment — half a second → over after that, and begins anew', async () => {
    const began = performance.now();
    await service.increment('n', 7, { ttl: 500 });
    expect(await service.get('n')).toBe(7);
    await waitFor(async () => (await service.get('n')) === undefined);
    expect(performance.now() - began).toBeGreaterThan(490);
    expect(await service.increment('n')).toBe(1);
  });

  it('G5 increment — after clear, or after a tag of it was evicted → begins at 0', async () => {
    await service.increment('n', 5);
    await service.clear();
    expect(await service.increment('n')).toBe(1);
    await service.set('n', 10, { tags: ['t'] });
    expect(await service.increment('n')).toBe(11);
    expect(await service.increment('n')).toBe(12);
    await service.evictTags('t');
    expect(await service.get('n')).toBeUndefined();
    expect(await service.increment('n')).toBe(1);
    await service.evictTags('t');
    expect(await service.get('n')).toBe(1);
  });

  it('increment — during a load → the count stays, the load is not stored', async () => {
    const gate = new Gate();
    const load = service.getOrSet('n', async () => {
      await gate.pass();
      return 1_000;
    });
    await gate.arrived();
    expect(await service.increment('n')).toBe(1);
    gate.open();
    await load;
    expect(await service.get('n')).toBe(1);
  });

  it('increment — during withWrite or writeThrough → rejected, the writer’s value stays', async () => {
    await service.withWrite('n', async () => {
      await failsWith(service.increment('n'), 'ERR_CACHE_BARRED');
    });
    expect(await service.increment('n')).toBe(1);
    await service.writeThrough('n', async () => {
      await failsWith(service.increment('n'), 'ERR_CACHE_BARRED');
      return 5;
    });
    expect(await service.get('n')).toBe(5);
    expect(await service.increment('n')).toBe(6);
  });

  it('increment — an HTTP response at the key → a miss, and replaced', async () => {
    const key = cache.engine.keySpace().entry('n');
    await cache.engine.loadHttp(key, async () => Buffer.from('body'), {});
    expect(await service.increment('n')).toBe(1);
  });

  it('increment — keys that are digests, nested namespaces → counters of their own', async () => {
    const long = 'k'.repeat(300);
    expect(await service.increment(`${long}1`)).toBe(1);
    expect(await service.increment(`${long}2`)).toBe(1);
    expect(await service.increment(`${long}1`)).toBe(2);
    expect(await service.namespace('inner').increment(`${long}1`)).toBe(1);
    expect(await service.get(`${long}1`)).toBe(2);
  });

  it('O1 increment — counted and told as a set', async () => {
    const { stats } = await service.withStats(() => service.increment('n'));
    expect(stats.sets).toBe(1);
  });
});
