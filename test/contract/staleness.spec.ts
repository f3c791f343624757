import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { CacheService } from '../../lib/cache/cache.service.js';
import type { LoadContext } from '../../lib/cache/read/load-context.js';
import { CacheSerializationError } from '../../lib/common/errors.js';
import { openCache, TOPOLOGIES, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { ManualClock } from './support/manual-clock.js';

const TTL_MS = 40;
const down = new Error('the source is down');
const failing = jest.fn(async (): Promise<string> => {
  throw down;
});

beforeEach(() => void failing.mockClear());

/** Puts a value there and waits until it is past its ttl. */
async function grownOld(service: CacheService, key = 'k', options = {}): Promise<void> {
  await service.getOrSet(key, () => 'old', { ttl: TTL_MS, ...options });
  const isOld = async (): Promise<boolean> => (await service.get(key)) === undefined;
  // Twice: what a process knows of its server's clock changes by some ms, and one read may have been too slow.
  await waitFor(async () => (await isOld()) && (await sleep(25), await isOld()), { intervalMs: 5 });
}

describe.each(VARIANTS)('grace on %s', (_, topology, variant) => {
  const open = (options: Parameters<typeof openCache>[1] = {}): Promise<TestCache> =>
    openCache(topology, { ...variant, grace: '1m', ...options });
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await open();
    ({ service } = cache);
  });

  it('E6 past its ttl → absent for get, has, ttl, getMany, keys, peek and set', async () => {
    await service.getOrSet('k', () => 'old', { ttl: 300 });
    expect(await service.ttl('k')).toBeLessThanOrEqual(300);
    expect(await service.has('k')).toBe(true);
    await waitFor(async () => (await service.get('k')) === undefined);
    expect(await service.has('k')).toBe(false);
    expect(service.peek('k')).toBeUndefined();
    // The server counts down what is left; the reader compares moments. They may round the same one apart.
    await waitFor(async () => (await service.ttl('k')) === undefined, { timeoutMs: 100 });
    expect((await service.getMany(['k'])).size).toBe(0);
    for await (const key of service.keys()) expect(key).not.toBe('k');
    expect(await service.set('k', 'new', { if: 'present' })).toBe(false);
    expect(await service.set('k', 'new', { if: 'absent' })).toBe(true);
  });

  it('E6 past its ttl → the loader is told of it, and what it gives takes its place', async () => {
    await grownOld(service);
    let stale: unknown;
    const loader = jest.fn((context: LoadContext) => {
      ({ stale } = context);
      return 'new';
    });
    expect(await service.getOrSet('k', loader)).toBe('new');
    expect(await service.getOrSet('k', loader)).toBe('new');
    expect(stale).toBe('old');
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.errors).toEqual([]);
  });

  it('E7 the loader fails → the last good value, reported, and left alone for a while', async () => {
    const patient = await open({ errorBackoff: 200 });
    await grownOld(patient.service);
    for (let i = 0; i < 5; i++) expect(await patient.service.getOrSet('k', failing)).toBe('old');
    expect(failing).toHaveBeenCalledTimes(1);
    expect(patient.errors).toEqual([{ operation: 'refresh', error: down }]);
    await waitFor(async () => (await patient.service.getOrSet('k', () => 'new')) === 'new');
  });

  it('E7 many callers, and the loader fails → all have the value, one load', async () => {
    await grownOld(service);
    const callers = Array.from({ length: 50 }, () => service.getOrSet('k', failing));
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['old']));
    expect(failing).toHaveBeenCalledTimes(1);
    expect(service.stats().staleServed).toBe(50);
  });

  it('E7 the loader takes longer than loaderTimeout → the last good value', async () => {
    const strict = await open({ loaderTimeout: 30 });
    await grownOld(strict.service);
    expect(await strict.service.getOrSet('k', () => new Promise(() => undefined))).toBe('old');
    expect(strict.errors).toMatchObject([{ error: { code: 'ERR_CACHE_TIMEOUT' } }]);
  });

  it.each<[string, (service: CacheService) => Promise<unknown>]>([
    ['evicted', (own) => own.evict('k')],
    ['a tag of it evicted', (own) => own.evictTags('t')],
    ['its namespace cleared', (own) => own.clear()],
  ])('E6 %s in grace → it does not stand in, before or during the load', async (_, evict) => {
    await grownOld(service, 'k', { tags: ['t'] });
    await evict(service);
    await expect(service.getOrSet('k', failing)).rejects.toBe(down);
    await grownOld(service, 'k', { tags: ['t'] });
    const gate = new Gate();
    const loading = service.getOrSet('k', async () => (await gate.pass(), failing()));
    await gate.arrived();
    await evict(service);
    gate.open();
    await expect(loading).rejects.toBe(down);
  });

  it('E6 grace of the call → stands before the module’s; false, or too short → the error', async () => {
    await grownOld(service, 'k', { grace: false });
    await expect(service.getOrSet('k', failing)).rejects.toBe(down);
    await grownOld(service);
    await expect(service.getOrSet('k', failing, { grace: false })).rejects.toBe(down);
    await expect(service.getOrSet('k', failing, { grace: 1 })).rejects.toBe(down);
    await expect(service.getOrSet('k', failing, { force: true })).rejects.toBe(down);
    expect(await service.getOrSet('k', failing, { grace: '5s' })).toBe('old');
    const plain = await openCache(topology, variant);
    await grownOld(plain.service, 'k', { grace: '1m' });
    expect(await plain.service.getOrSet('k', failing, { grace: '1m' })).toBe('old');
  });

  it('E6 grace of the call ends while the loader runs, which then fails → the error', async () => {
    await grownOld(service);
    const grace = 300;
    const loader = async (): Promise<string> => (await sleep(grace + 50), failing());
    await expect(service.getOrSet('k', loader, { grace })).rejects.toBe(down);
  });

  it('E7 set while the loader runs, which then fails → what has been set', async () => {
    await grownOld(service);
    const gate = new Gate();
    const loading = service.getOrSet('k', async () => (await gate.pass(), failing()));
    await gate.arrived();
    await service.set('k', 'new');
    gate.open();
    expect(await loading).toBe('new');
  });

  it('A3 a null in grace → null', async () => {
    const nulls = { negativeTtl: TTL_MS };
    await service.getOrSet('null', () => null, nulls);
    await waitFor(async () => (await service.get('null')) === undefined, { intervalMs: 5 });
    expect(await service.getOrSet('null', failing, nulls)).toBeNull();
  });

  it('E6 the loader gives undefined → nothing stands in for it any more', async () => {
    await grownOld(service);
    expect(await service.getOrSet('k', () => undefined)).toBeUndefined();
    await expect(service.getOrSet('k', failing)).rejects.toBe(down);
    await grownOld(service, 'skipped');
    expect(await service.getOrSet('skipped', ({ skip }) => (skip(), 'partial'))).toBe('partial');
    expect(await service.getOrSet('skipped', failing)).toBe('old');
  });

  it('E7 the loader gives what the schema does not take → a value in grace that matches stands in', async () => {
    const schemaOf = (text: string) => ({ schema: z.literal(text) });
    await grownOld(service);
    expect(await service.getOrSet('k', () => 'x', schemaOf('old'))).toBe('old');
    await grownOld(service, 'other');
    const refused = service.getOrSet('other', () => 'x', schemaOf('y'));
    await expect(refused).rejects.toBeInstanceOf(CacheSerializationError);
  });

  it('softTimeout → the value in grace, while the load goes on and is stored', async () => {
    const quick = await open({ softTimeout: 30 });
    await grownOld(quick.service);
    const gate = new Gate();
    const loader = jest.fn(async () => (await gate.pass(), 'new'));
    const callers = [1, 2, 3].map(() => quick.service.getOrSet('k', loader));
    expect(await Promise.all(callers)).toEqual(['old', 'old', 'old']);
    gate.open();
    await waitFor(async () => (await quick.service.get('k')) === 'new');
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('softTimeout, evicted meanwhile → waits for a fresh one', async () => {
    const quick = await open({ softTimeout: 500 });
    await grownOld(quick.service);
    const gate = new Gate();
    const loading = quick.service.getOrSet('k', async () => (await gate.pass(), 'older'));
    await gate.arrived();
    await quick.service.evict('k');
    expect(await quick.service.getOrSet('k', () => 'newest')).toBe('newest');
    expect(await loading).toBe('newest');
    gate.open();
    await waitFor(() => quick.engine.pending().flights === 0);
    expect(await quick.service.get('k')).toBe('newest');
  });

  it('readonly → a value in grace stands in, and nothing is stored', async () => {
    await grownOld(service);
    const load = (loader: () => Promise<string>): Promise<string> =>
      service.run('readonly', () => service.getOrSet('k', loader));
    expect(await load(failing)).toBe('old');
    expect(await load(async () => 'new')).toBe('new');
    expect(await service.has('k')).toBe(false);
  });

  it('T12 wrong options → CacheOptionsError, before the loader runs', async () => {
    for (const options of [
      { grace: 0 },
      { grace: true },
      { grace: '50d' },
      { staleWhileRevalidate: 1 },
      { refreshAhead: true },
      { refreshAhead: { after: 0 } },
      { refreshAhead: { after: 0.5, beta: -1 } },
    ] as never[])
      await expect(service.getOrSet('k', failing, options)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
      });
    expect(failing).not.toHaveBeenCalled();
  });
});

describe('grace by the clock', () => {
  const clock = new ManualClock();
  const open = (options: Parameters<typeof openCache>[1]): Promise<TestCache> =>
    openCache('memory', options, { clock });

  it('E6 grace → to its end, and no longer', async () => {
    const { service } = await open({ ttl: '1m', grace: '10m' });
    await service.set('k', 'old');
    clock.advance(60_000);
    expect(await service.getOrSet('k', failing)).toBe('old');
    clock.advance(600_000 - 1);
    expect(await service.getOrSet('k', failing)).toBe('old');
    clock.advance(1);
    await expect(service.getOrSet('k', failing)).rejects.toBe(down);
    await service.set('k', 'for ever', { ttl: Infinity });
    clock.advance(86_400_000);
    expect(await service.get('k')).toBe('for ever');
  });

  it('E6 the source stays down → a load a second, no more', async () => {
    const { service } = await open({ ttl: '1m', grace: '1h' });
    await service.set('k', 'old');
    clock.advance(60_000);
    for (let ms = 0; ms < 10_000; ms += 100) {
      expect(await service.getOrSet('k', failing)).toBe('old');
      clock.advance(100);
    }
    expect(failing).toHaveBeenCalledTimes(10);
  });
});

for (const topology of TOPOLOGIES.filter((name) => name !== 'memory'))
  describe(`grace in two processes on ${topology}`, () => {
    it('L10 somebody else loads for longer than waitTimeout → the value in grace', async () => {
      const one = await openCache(topology, { grace: '1m' });
      const two = await openCache(topology, { grace: '1m', namespace: one.namespace });
      await grownOld(one.service);
      const gate = new Gate();
      const loading = one.service.getOrSet('k', async () => (await gate.pass(), 'new'));
      await gate.arrived();
      expect(await two.service.getOrSet('k', failing, { waitTimeout: 30 })).toBe('old');
      gate.open();
      expect(await loading).toBe('new');
      expect(failing).not.toHaveBeenCalled();
    });

    it('A5 a load has failed in the one → the other does not try either', async () => {
      const options = { grace: '1m', errorBackoff: '5s' };
      const one = await openCache(topology, options);
      const two = await openCache(topology, { ...options, namespace: one.namespace });
      await grownOld(one.service);
      expect(await one.service.getOrSet('k', failing)).toBe('old');
      expect(await two.service.getOrSet('k', failing)).toBe('old');
      expect(failing).toHaveBeenCalledTimes(1);
    });

    it('E5 one regenerates → the others have the old value at once, also if that fails', async () => {
      const options = { grace: '1m', errorBackoff: '5s', staleWhileRevalidate: true } as const;
      const one = await openCache(topology, options);
      const two = await openCache(topology, { ...options, namespace: one.namespace });
      await grownOld(one.service);
      const gate = new Gate();
      const regenerate = async (): Promise<string> => (await gate.pass(), failing());
      const foreground = { staleWhileRevalidate: false };
      const regenerating = one.service.getOrSet('k', regenerate, foreground);
      await gate.arrived();
      const others = [one, one, two, two].map(({ service }) => service.getOrSet('k', failing));
      expect(await Promise.all(others)).toEqual(['old', 'old', 'old', 'old']);
      await waitFor(() => two.engine.pending().flights === 0);
      gate.open();
      expect(await regenerating).toBe('old');
      for (const { service } of [one, two])
        expect(await service.getOrSet('k', failing, foreground)).toBe('old');
      expect(failing).toHaveBeenCalledTimes(1);
    });
  });
