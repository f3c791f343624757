/** Calls that cross each other: what has returned is not undone by what began before it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import type { Flights } from '../../lib/cache/flights.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('calls that cross on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;
  let gate: Gate;

  beforeEach(async () => {
    cache = await openCache(topology, { ...variant, grace: '1m' });
    ({ service } = cache);
    gate = new Gate();
    await waitFor(() => cache.buses.every((bus) => bus.live));
  });
  afterEach(() => gate.open());

  it('G4 looks that began before an evict of a tag come after it → what is stored then is there', async () => {
    await service.set('first', 1);
    for (let i = 0; i < 50; i++) {
      const reads = [service.get('m'), nextTurn().then(() => service.get('m'))];
      await (i % 2 ? nextTurn() : Promise.resolve());
      await service.evictTags('t');
      expect(await service.set(`k${i}`, i, { tags: ['t'] })).toBe(true);
      expect(await service.get(`k${i}`)).toBe(i);
      await Promise.all(reads);
    }
  });

  it('C5 a value is read while its evict is on the way → no copy of it once that has resolved', async () => {
    const { store } = cache.engine.parts;
    const evictMany = store.evictMany.bind(store);
    jest.spyOn(store, 'evictMany').mockImplementation(async (...keys) => {
      await gate.pass();
      return evictMany(...keys);
    });
    await service.set('k', 'old');
    expect(await service.get('k')).toBe('old');
    const evicting = service.evict('k');
    await gate.arrived();
    expect(service.peek('k')).toBeUndefined();
    expect(await service.get('k')).toBe('old');
    gate.open();
    expect(await evicting).toBe(1);
    expect(service.peek('k')).toBeUndefined();
    expect(await service.get('k')).toBeUndefined();
  });

  it.each([0, 70])(
    'L1 set while a load runs, after %d misses in a row → whoever comes then gets what was set',
    async (misses) => {
      await Promise.all(
        Array.from({ length: misses }, (_, i) => service.getOrSet(`m${i}`, () => i)),
      );
      const load = service.getOrSet('k', async () => (await gate.pass(), 'loaded'));
      await gate.arrived();
      expect(await service.set('k', 'set')).toBe(true);
      expect(await service.getOrSet('k', () => 'loaded again')).toBe('set');
      gate.open();
      await load;
      expect(await service.get('k')).toBe('set');
    },
  );

  it('take of a value in grace → a refresh that has begun stores nothing, and a load that fails has no value to stand in', async () => {
    await service.set('k', 'old', { ttl: 20 });
    await waitFor(async () => (await service.get('k')) === undefined);
    const refresh = service.getOrSet('k', async () => (await gate.pass(), 'refreshed'));
    await gate.arrived();
    expect(await service.take('k')).toBeUndefined();
    gate.open();
    expect(await refresh).toBe('refreshed');
    expect(await service.get('k')).toBeUndefined();
    const down = new Error('down');
    await expect(service.getOrSet('k', () => Promise.reject(down))).rejects.toBe(down);
  });

  it('loaderConcurrency — loads that load another key each, as many as may run → none waits for a turn of its own', async () => {
    const few = await openCache(topology, { ...variant, loaderConcurrency: 4 });
    const loads = Array.from({ length: 4 }, (_, i) =>
      few.service.getOrSet(`order:${i}`, () => few.service.getOrSet(`user:${i}`, () => i)),
    );
    expect(await Promise.all(loads)).toEqual([0, 1, 2, 3]);
  });

  it.each([
    ['in line', true],
    ['about to be', false],
  ])(
    'loaderConcurrency — a load needs what is %s behind it → that begins out of turn',
    async (_, isInLine) => {
      const one = await openCache(topology, { ...variant, loaderConcurrency: 1 });
      const order = one.service.getOrSet('order', async () => {
        await gate.pass();
        return one.service.getOrSet('user', () => 'own');
      });
      await gate.arrived();
      const load = jest.fn(() => 'loaded');
      const user = one.service.getOrSet('user', load);
      const { flights } = one.engine as unknown as { flights: Flights };
      const areInLine = (): boolean => flights['open'].values().every(({ onUrgent }) => onUrgent);
      if (isInLine) await waitFor(() => flights.size === 2 && areInLine());
      gate.open();
      expect(await Promise.all([order, user])).toEqual(['loaded', 'loaded']);
      expect(load).toHaveBeenCalledTimes(1);
    },
  );

  it('loaderConcurrency — what a load needs is evicted while a load of it is in line → nobody waits for that', async () => {
    const one = await openCache(topology, { ...variant, loaderConcurrency: 1 });
    const order = one.service.getOrSet('order', async () => {
      await gate.pass();
      return one.service.getOrSet('user', () => 'new');
    });
    await gate.arrived();
    const user = one.service.getOrSet('user', () => 'old');
    // In line, and not to be joined.
    const { flights } = one.engine as unknown as { flights: Flights };
    await waitFor(
      () => flights.size === 2 && flights['open'].values().every(({ onUrgent }) => onUrgent),
    );
    flights.doomWithin(one.namespace);
    gate.open();
    expect(await order).toBe('new');
    expect(await user).toBe('old');
  });

  it('N2 a counter that was kept for ever counts on with a ttl → ttl tells it, whatever its grace', async () => {
    await service.set('n', 5, { ttl: 1_000 });
    await service.touch('n', Infinity);
    await service.increment('n', 1, { ttl: 5_000 });
    expect(await service.ttl('n')).toBeGreaterThan(4_000);
  });

  it('K6 T11 close while keys are evicted → it waits for them; once closed nothing is written behind a barrier', async () => {
    const closing = await openCache(topology, { ...variant, evictFailure: 'queue' });
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    const calls = [
      closing.service.evict(keys),
      closing.service.evictPattern('*'),
      closing.service.withWrite('written', async () => (await gate.pass(), 1)),
    ];
    await gate.arrived();
    const closed = closing.close();
    gate.open();
    await Promise.all([...calls, closed]);
    expect(closing.engine.pending().journal).toBe(0);
    const late = closing.service.withWrite('written', async () => 1);
    await expect(late).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});

for (const [name, topology, variant] of VARIANTS.filter(([, each]) => each !== 'memory'))
  describe(`two processes on ${name}`, () => {
    it('B5 if: absent, just after a clear elsewhere → one of them is first', async () => {
      const a = await openCache(topology, variant);
      const [b, c] = [
        await openCache(topology, { ...variant, namespace: a.namespace }),
        await openCache(topology, { ...variant, namespace: a.namespace }),
      ];
      await b.service.set('first', 1);
      for (let i = 0; i < 20; i++) {
        await a.service.clear();
        const stored = [
          await b.service.set(`k${i}`, 'b', { if: 'absent' }),
          await c.service.set(`k${i}`, 'c', { if: 'absent' }),
        ];
        expect(stored).toEqual([true, false]);
      }
    });
  });
