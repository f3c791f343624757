import { AsyncLocalStorage } from 'node:async_hooks';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheService } from '../../lib/cache/cache.service.js';
import type { LoadContext } from '../../lib/cache/read/load-context.js';
import { openCache, TOPOLOGIES, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { ManualClock } from './support/manual-clock.js';

const GRACE = { ttl: '5m', grace: '5m', staleWhileRevalidate: true } as const;

/** Puts a value there and waits until it is past its ttl. */
async function grownOld(service: CacheService, key = 'k', options = {}): Promise<void> {
  await service.set(key, 'old', { ttl: 30, ...options });
  const isOld = async (): Promise<boolean> => (await service.get(key)) === undefined;
  // Twice: what a process knows of its server's clock changes by some ms, and one read may have been too slow.
  await waitFor(async () => (await isOld()) && (await sleep(25), await isOld()), { intervalMs: 5 });
}

describe.each(VARIANTS)('refreshes in the background on %s', (_, topology, variant) => {
  const open = (options: Parameters<typeof openCache>[1] = {}): Promise<TestCache> =>
    openCache(topology, { ...variant, ...GRACE, ...options });
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await open();
    ({ service } = cache);
  });

  const atRest = (): Promise<boolean> => waitFor(() => cache.engine.pending().flights === 0);

  it('E8 E1 a value in grace → at once, to everybody, and one refresh', async () => {
    await grownOld(service);
    const gate = new Gate();
    const loader = jest.fn(
      async ({ stale }: LoadContext) => (await gate.pass(), `not ${String(stale)}`),
    );
    const callers = Array.from({ length: 100 }, () => service.getOrSet('k', loader));
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['old']));
    gate.open();
    await atRest();
    expect(await service.getOrSet('k', loader)).toBe('not old');
    expect(loader).toHaveBeenCalledTimes(1);
    const { refreshes, staleServed } = service.stats();
    expect(refreshes).toMatchObject({ triggered: 1, dropped: 0, failed: 0 });
    expect(refreshes.skipped).toBe(staleServed - 1);
    expect(staleServed).toBe(100);
  });

  it.each<[string, (own: CacheService) => Promise<unknown>]>([
    ['evicted', (own) => own.evict('k')],
    ['a tag of it evicted', (own) => own.evictTags('t')],
    ['its namespace cleared', (own) => own.clear()],
    ['written', (own) => own.set('k', 'newer')],
  ])(
    'E4 %s during a refresh, and perhaps loaded anew → the refresh leaves no trace',
    async (name, change) => {
      for (const [key, loadAnew] of [
        ['k', false],
        ['k', true],
      ] as const) {
        await grownOld(service, key, { tags: ['t'] });
        const gate = new Gate();
        const load = async (): Promise<string> => (await gate.pass(), 'older');
        expect(await service.getOrSet(key, load, { tags: ['t'] })).toBe('old');
        await gate.arrived();
        await change(service);
        const loading = loadAnew ? service.getOrSet(key, () => 'newer') : undefined;
        gate.open();
        await atRest();
        expect(await loading).toBe(loadAnew ? 'newer' : undefined);
        expect(await service.get(key)).toBe(loadAnew || name === 'written' ? 'newer' : undefined);
      }
    },
  );

  it('E10 E3 a refresh fails → reported, counted, not tried again for a while, and nothing unhandled', async () => {
    await grownOld(service);
    const error = new Error('down');
    const loader = jest.fn(() => Promise.reject(error));
    for (let i = 0; i < 5; i++) {
      expect(await service.getOrSet('k', loader)).toBe('old');
      await atRest();
    }
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.errors).toEqual([{ operation: 'refresh', error }]);
    expect(service.stats().refreshes).toMatchObject({ failed: 1 });
  });

  it('E10 the request is over, its signal aborted → the refresh goes on', async () => {
    await grownOld(service);
    const gate = new Gate();
    const abort = new AbortController();
    const loader = async ({ signal }: LoadContext): Promise<unknown> => {
      await gate.pass();
      return signal.aborted;
    };
    expect(await service.getOrSet('k', loader, { signal: abort.signal })).toBe('old');
    abort.abort();
    gate.open();
    await atRest();
    expect(await service.get('k')).toBe(false);
  });

  it('E10 the application closes → waits for refreshes that run, and begins no more', async () => {
    await grownOld(service);
    await grownOld(service, 'later');
    const gate = new Gate();
    let done = false;
    await service.getOrSet('k', async () => (await gate.pass(), (done = true)));
    await gate.arrived();
    const closing = cache.close();
    setImmediate(() => gate.open());
    await closing;
    expect(done).toBe(true);
  });

  it('E3 more keys than may be refreshed at a time → the rest is dropped, and counted', async () => {
    const keys = Array.from({ length: 80 }, (_, i) => `k${i}`);
    await service.setMany(
      keys.map((key) => [key, 'old']),
      { ttl: 30 },
    );
    await waitFor(async () => (await service.getMany(keys)).size === 0);
    const gate = new Gate();
    const load = async (): Promise<string> => (await gate.pass(), 'new');
    await Promise.all(keys.map((key) => service.getOrSet(key, load)));
    expect(service.stats().refreshes).toMatchObject({ triggered: 64, dropped: 16 });
    gate.open();
    await atRest();
    expect((await service.getMany(keys)).size).toBe(64);
    await Promise.all(keys.map((key) => service.getOrSet(key, load, { ttl: '1h' })));
    await atRest();
    const found = [...(await service.getMany(keys.slice(64))).values()];
    expect(found).toEqual(Array.from({ length: 16 }, () => 'new'));
  });

  it('D8 modes and loads around a read → do not reach its refresh', async () => {
    await grownOld(service);
    const readonly = jest.fn(() => 'new');
    expect(await service.run('readonly', () => service.getOrSet('k', readonly))).toBe('old');
    expect(readonly).not.toHaveBeenCalled();

    const asksBack = (): Promise<unknown> => service.getOrSet('outer', () => 'inner');
    const loadOuter = async (): Promise<unknown> => service.getOrSet('k', asksBack);
    expect(await service.getOrSet('outer', loadOuter)).toBe('old');
    await atRest();
    expect(cache.errors).toEqual([]);
    expect(await service.get('k')).toBe('old');
  });

  it('E10 contexts of the application → are there for the loader', async () => {
    await grownOld(service);
    const tenants = new AsyncLocalStorage<string>();
    const load = (): Promise<unknown> => service.getOrSet('k', () => tenants.getStore());
    expect(await tenants.run('tenant 7', load)).toBe('old');
    await atRest();
    expect(await service.get('k')).toBe('tenant 7');
  });

  it('E1 E9 a fresh value, after so much of its ttl or so many hits → at once, and a refresh', async () => {
    const early = await open({ refreshAhead: { after: 0.01 } });
    const often = await open({ refreshAhead: { after: 1, hits: 5 } });
    for (const { service: own, engine } of [early, often]) {
      const loader = jest.fn(() => 'new');
      await own.getOrSet('k', () => 'old', { ttl: 2_000 });
      await waitFor(async () => {
        expect(['old', 'new']).toContain(await own.getOrSet('k', loader, { ttl: 60_000 }));
        return loader.mock.calls.length > 0;
      });
      await waitFor(() => engine.pending().flights === 0);
      expect(await own.get('k')).toBe('new');
      expect(loader).toHaveBeenCalledTimes(1);
    }
    expect(often.service.stats().refreshes.triggered).toBe(1);
  });
});

describe('refreshes by the clock', () => {
  const clock = new ManualClock();

  it.each([[{}], [{ l1: false }]] as const)(
    'E1 refreshAhead after 0.8, %p → not before, and the ttl begins anew',
    async (options) => {
      const refreshAhead = { after: 0.8 };
      const { service, engine } = await openCache(
        'memory',
        { ttl: '100s', refreshAhead, ...options },
        { clock },
      );
      let version = 0;
      const read = async (): Promise<number> => {
        const value = await service.getOrSet('k', () => ++version);
        await waitFor(() => engine.pending().flights === 0);
        return value;
      };
      expect(await read()).toBe(1);
      clock.advance(79_999);
      expect([await read(), version]).toEqual([1, 1]);
      clock.advance(1);
      expect([await read(), version]).toEqual([1, 2]);
      expect([await read(), version]).toEqual([2, 2]);
      clock.advance(79_999);
      expect([await read(), version]).toEqual([2, 2]);
    },
  );

  it('E2 beta → dear loads are refreshed before the end, cheap ones hardly ever', async () => {
    const { service, engine } = await openCache(
      'memory',
      { ttl: '100s', refreshAhead: { after: 1, beta: 1 } },
      { clock },
    );
    const refreshedEarly = async (costMs: number): Promise<number> => {
      let early = 0;
      for (let i = 0; i < 40; i++) {
        const key = [costMs, i];
        const load = (): void => clock.advance(costMs);
        await service.getOrSet(key, () => (load(), 'old'));
        clock.advance(90_000);
        const before = service.stats().refreshes.triggered;
        for (let read = 0; read < 10; read++) await service.getOrSet(key, () => 'new');
        await waitFor(() => engine.pending().flights === 0);
        early += service.stats().refreshes.triggered - before;
        await service.evict(key);
      }
      return early;
    };
    // At each of ten reads by exp(-10 s / 10 s), so that it is 39.6 of 40, and by exp(-10 s / 100 ms).
    expect(await refreshedEarly(10_000)).toBeGreaterThan(33);
    expect(await refreshedEarly(100)).toBe(0);
  });
});

for (const topology of TOPOLOGIES.filter((name) => name !== 'memory'))
  describe(`refreshes by several processes on ${topology}`, () => {
    it.each([
      ['E8 E3 staleWhileRevalidate', GRACE],
      ['E1 E3 refreshAhead', { ttl: '5m', refreshAhead: { after: 0.000_001 } }],
    ])('%s, many readers in each → one load in all', async (_, options) => {
      const first = await openCache(topology, options);
      const others = await Promise.all(
        [1, 2, 3].map(() => openCache(topology, { ...options, namespace: first.namespace })),
      );
      const all = [first, ...others];
      if ('grace' in options) await grownOld(first.service);
      else {
        await first.service.set('k', 'old');
        // Older than what a process may be wrong about the clock of its server.
        await sleep(300);
      }
      const loader = jest.fn(() => 'new');
      const reads = all.flatMap(({ service }) =>
        Array.from({ length: 30 }, () => service.getOrSet('k', loader)),
      );
      expect(await Promise.all(reads)).toContain('old');
      await Promise.all(all.map(({ engine }) => waitFor(() => engine.pending().flights === 0)));
      expect(loader).toHaveBeenCalledTimes(1);
      for (const { service } of all) await waitFor(async () => (await service.get('k')) === 'new');
    });

    it('E8 E3 the lease comes only after somebody else has finished → no second load', async () => {
      const one = await openCache(topology, GRACE);
      const two = await openCache(topology, { ...GRACE, namespace: one.namespace });
      const { store } = two.engine['parts'];
      const acquire = store.acquire.bind(store);
      const gate = new Gate();
      store.acquire = async (...args) => (await gate.pass(), acquire(...args));
      await grownOld(one.service);
      // The clocks of the two are corrected each by itself.
      await waitFor(async () => (await two.service.get('k')) === undefined);
      const loader = jest.fn(() => 'new');
      expect(await two.service.getOrSet('k', loader)).toBe('old');
      await gate.arrived();
      expect(await one.service.getOrSet('k', loader)).toBe('old');
      await waitFor(async () => (await one.service.get('k')) === 'new');
      await waitFor(() => one.engine.pending().flights === 0);
      gate.open();
      await waitFor(() => two.engine.pending().flights === 0);
      expect(loader).toHaveBeenCalledTimes(1);
      // It has been given back: the next one takes it at once.
      const acquired = jest.spyOn(two.engine['parts'].store, 'acquire');
      expect(
        await two.service.getOrSet('k', () => 'newer', { refreshAhead: { after: 1, hits: 1 } }),
      ).toBe('new');
      await waitFor(() => two.engine.pending().flights === 0);
      const replies = await Promise.all(acquired.mock.results.map(({ value }) => value));
      expect(replies).toMatchObject([{ state: 'granted' }]);
    });
  });
