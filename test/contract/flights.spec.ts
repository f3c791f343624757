import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { CacheConnectionError } from '../../lib/common/errors.js';
import { NOTHING_PENDING, openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('loads on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
  });

  const open = (options: Parameters<typeof openCache>[1]): Promise<TestCache> =>
    openCache(topology, {
      ...variant,
      ...options,
    });

  it('L1 1000 callers of one missing key → one load, one value, empty tables', async () => {
    const gate = new Gate();
    const loader = jest.fn(async () => {
      await gate.pass();
      return { id: 1 };
    });
    const callers = Array.from({ length: 1000 }, () => service.getOrSet('k', loader));
    await gate.arrived();
    gate.open();
    const values = await Promise.all(callers);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(new Set(values).size).toBe(1);
    expect(cache.engine.pending()).toEqual(NOTHING_PENDING);
  });

  it('L5 evict during a load → the load stores nothing, and who comes later gets the new value', async () => {
    const gate = new Gate();
    let row = 'old';
    const first = service.getOrSet('k', async () => {
      const read = row;
      await gate.pass();
      return read;
    });
    await gate.arrived();
    row = 'new';
    await service.evict('k');
    const later = service.getOrSet('k', () => row);
    gate.open();
    expect(await later).toBe('new');
    // It came before the evict: what was current then is good enough for it.
    expect(await first).toBe('old');
    expect(await service.get('k')).toBe('new');
  });

  it('L5 a load begun while an evict waits for its answer → is stored, and serves who comes after the evict', async () => {
    const { store } = cache.engine['parts'];
    const evictMany = store.evictMany.bind(store);
    const answer = new Gate();
    jest.spyOn(store, 'evictMany').mockImplementationOnce(async (keys) => {
      const results = await evictMany(keys);
      await answer.pass();
      return results;
    });
    const evicted = service.evict('k');
    await answer.arrived();
    const gate = new Gate();
    const loader = jest.fn(() => gate.pass().then(() => 'new'));
    const during = service.getOrSet('k', loader);
    await gate.arrived();
    answer.open();
    await evicted;
    const after = service.getOrSet('k', loader);
    gate.open();
    expect(await Promise.all([during, after, service.getOrSet('k', loader)])).toEqual(
      Array(3).fill('new'),
    );
    expect(loader).toHaveBeenCalledTimes(1);
    expect(await service.get('k')).toBe('new');
  });

  it('L5 set during a load → the load does not overwrite it', async () => {
    const gate = new Gate();
    const loading = service.getOrSet('k', async () => (await gate.pass(), 'loaded'));
    await gate.arrived();
    await service.set('k', 'written');
    gate.open();
    expect(await loading).toBe('loaded');
    expect(await service.get('k')).toBe('written');
  });

  it('L5 joined during a load that an evict has doomed → reads again', async () => {
    const gate = new Gate();
    let row = 'old';
    const loader = async (): Promise<string> => {
      const read = row;
      await gate.pass();
      return read;
    };
    const first = service.getOrSet('k', loader);
    await gate.arrived();
    const joined = service.getOrSet('k', loader);
    row = 'new';
    await service.evict('k');
    gate.open();
    expect(await joined).toBe('new');
    expect(await first).toBe('old');
  });

  it('L6 a load several times as long as its lease → one load, and its value is stored', async () => {
    const short = await open({ lease: { ttl: 600 } });
    const loader = jest.fn(async ({ signal }: { signal: AbortSignal }) => {
      await new Promise((resolve) => setTimeout(resolve, 1_800));
      return signal.aborted;
    });
    const values = await Promise.all([
      short.service.getOrSet('k', loader),
      short.service.getOrSet('k', loader),
    ]);
    expect(values).toEqual([false, false]);
    expect(await short.service.get('k')).toBe(false);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('L12 the loader fails → everybody in the flight gets that very error, once', async () => {
    const gate = new Gate();
    const error = new Error('source is down');
    const loader = jest.fn(async () => {
      await gate.pass();
      throw error;
    });
    const callers = Array.from({ length: 50 }, () => service.getOrSet('k', loader));
    await gate.arrived();
    gate.open();
    const results = await Promise.allSettled(callers);
    expect(results.every((r) => r.status === 'rejected' && r.reason === error)).toBe(true);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.engine.pending()).toEqual(NOTHING_PENDING);
    expect(await service.getOrSet('k', () => 'well')).toBe('well');
  });

  it('A5 errorBackoff → for so long nobody loads again', async () => {
    const patient = await open({ errorBackoff: 150 });
    const begin = performance.now();
    await expect(
      patient.service.getOrSet('k', () => Promise.reject(new Error('down'))),
    ).rejects.toThrow('down');
    expect(await patient.service.getOrSet('k', () => 'well')).toBe('well');
    expect(performance.now() - begin).toBeGreaterThan(140);
  });

  it('A5 errorBackoff longer than waitTimeout → an error that says so, and nobody loads', async () => {
    const patient = await open({ errorBackoff: '1m', lease: { waitTimeout: 60 } });
    const loader = jest.fn(() => Promise.reject(new Error('down')));
    await expect(patient.service.getOrSet('k', loader)).rejects.toThrow('down');
    for (let i = 0; i < 2; i++)
      await expect(patient.service.getOrSet('k', loader)).rejects.toMatchObject({
        code: 'ERR_CACHE_TIMEOUT',
        key: 'k',
        message: expect.stringContaining('errorBackoff'),
      });
    expect(loader).toHaveBeenCalledTimes(1);
    await patient.service.evict('k');
    expect(await patient.service.getOrSet('k', () => 'well')).toBe('well');
  });

  it('L13 a loader that asks for its own key → an error, and no deadlock', async () => {
    await expect(service.getOrSet('k', () => service.getOrSet('k', () => 1))).rejects.toMatchObject(
      { code: 'ERR_CACHE_NESTED_LOAD', key: 'k' },
    );
    await expect(
      service.getOrSet('a', () => service.getOrSet('b', () => service.getOrSet('a', () => 1))),
    ).rejects.toMatchObject({ code: 'ERR_CACHE_NESTED_LOAD', key: 'a' });
    expect(await service.getOrSet('a', () => service.getOrSet('b', () => 2))).toBe(2);
  });

  it('L13 work that a loader leaves behind → may ask for the key once the load has ended', async () => {
    let later!: () => Promise<unknown>;
    const gate = new Gate();
    const left = new Promise<unknown>((resolve) => {
      later = async () => resolve(await service.getOrSet('k', () => 'reloaded'));
    });
    await service.getOrSet('k', () => {
      void gate.pass().then(later);
      return 'first';
    });
    await service.evict('k');
    gate.open();
    expect(await left).toBe('reloaded');
  });

  it('A7 loaderTimeout → rejects, fires the signal, frees the lease', async () => {
    const strict = await open({ loaderTimeout: 40 });
    let signal!: AbortSignal;
    await expect(
      strict.service.getOrSet('k', (context) => {
        signal = context.signal;
        return new Promise(() => undefined);
      }),
    ).rejects.toMatchObject({
      code: 'ERR_CACHE_TIMEOUT',
      message: expect.stringContaining('40 ms'),
    });
    expect(signal.aborted).toBe(true);
    const begin = performance.now();
    expect(await strict.service.getOrSet('k', () => 'next')).toBe('next');
    expect(performance.now() - begin).toBeLessThan(1000);
  });

  it('A7 one waiter aborts → only its own wait ends', async () => {
    const gate = new Gate();
    const abort = new AbortController();
    const loader = jest.fn(async () => (await gate.pass(), 'loaded'));
    const leader = service.getOrSet('k', loader, { signal: abort.signal });
    await gate.arrived();
    const waiter = service.getOrSet('k', loader);
    const reason = new Error('the client has gone');
    abort.abort(reason);
    await expect(leader).rejects.toBe(reason);
    gate.open();
    expect(await waiter).toBe('loaded');
    expect(loader).toHaveBeenCalledTimes(1);
    await expect(service.getOrSet('x', loader, { signal: abort.signal })).rejects.toBe(reason);
  });

  it('A7 a signal that has aborted before the call → its reason, whatever there is, and no load', async () => {
    const reason = new Error('the client has gone');
    const loader = jest.fn(() => 'loaded');
    const load = (): Promise<string> =>
      service.getOrSet('k', loader, { signal: AbortSignal.abort(reason) });
    await expect(load()).rejects.toBe(reason);
    await service.set('k', 'stored');
    await expect(load()).rejects.toBe(reason);
    expect(loader).not.toHaveBeenCalled();
  });

  it('L10 waitTimeout, throw → CacheTimeoutError while the load goes on', async () => {
    const strict = await open({ lease: { waitTimeout: 30, onWaitTimeout: 'throw' } });
    const gate = new Gate();
    const first = strict.service.getOrSet('k', async () => (await gate.pass(), 'loaded'));
    await gate.arrived();
    await expect(strict.service.getOrSet('k', () => 'other')).rejects.toMatchObject({
      code: 'ERR_CACHE_TIMEOUT',
      message: expect.stringContaining('waitTimeout'),
    });
    gate.open();
    expect(await first).toBe('loaded');
  });

  it('L10 waitTimeout, load → one further load for all who wait, not stored', async () => {
    const gate = new Gate();
    const first = service.getOrSet('k', async () => (await gate.pass(), 'first'));
    await gate.arrived();
    const further = jest.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return 'further';
    });
    const waiters = Array.from({ length: 20 }, () =>
      service.getOrSet('k', further, { waitTimeout: 30 }),
    );
    expect(new Set(await Promise.all(waiters))).toEqual(new Set(['further']));
    expect(further).toHaveBeenCalledTimes(1);
    gate.open();
    expect(await first).toBe('first');
    expect(await service.get('k')).toBe('first');
  });

  it('loaderConcurrency → never more loads at a time', async () => {
    const limited = await open({ loaderConcurrency: 2 });
    let running = 0;
    let most = 0;
    const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
    await Promise.all(
      keys.map((key) =>
        limited.service.getOrSet(key, async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          return key;
        }),
      ),
    );
    expect(most).toBe(2);
  });

  it('A2 1000 forced loads at once → few loads, each begun after its caller came', async () => {
    await service.set('k', 0);
    let version = 0;
    const loader = jest.fn(async () => ++version);
    const values = await Promise.all(
      Array.from({ length: 1000 }, () => service.getOrSet('k', loader, { force: true })),
    );
    expect(loader.mock.calls.length).toBeLessThanOrEqual(3);
    expect(Math.min(...values)).toBeGreaterThan(0);
    expect(await service.get('k')).toBe(version);
  });

  if (topology === 'single')
    it('A2 L1 many keys in one tick → the first are sent at once, and who comes later in the tick looks for itself', async () => {
      // Nothing is under way, as far as this cache knows.
      const reads = cache.engine['parts'].store.readsOf('');
      const read = jest.spyOn(reads, 'readAll');
      const sent = jest.spyOn(reads, 'flush');
      const keysRead = (): string[] => read.mock.calls.flatMap(([keys]) => keys);
      const load = (i: number): Promise<number> => service.getOrSet(`k${i}`, () => i);
      const first = Array.from({ length: 33 }, (_, i) => load(i));
      expect([sent.mock.calls.length, keysRead().length]).toEqual([1, 32]);
      const again = [load(0), load(32), load(0)];
      expect(await Promise.all([...first, ...again])).toEqual([...first.keys(), 0, 32, 0]);
      const looksFor = (i: number): number =>
        keysRead().filter((key) => key.endsWith(`k${i}`)).length;
      expect([looksFor(0), looksFor(1), looksFor(32)]).toEqual([2, 1, 1]);
    });

  if (topology !== 'memory')
    it('L5 another process evicts what has just been stored here, before the answer to that is there → who comes then loads anew', async () => {
      const other = await open({ namespace: cache.namespace });
      const { store } = cache.engine['parts'];
      const fill = store.fill.bind(store);
      const gate = new Gate();
      jest.spyOn(store, 'fill').mockImplementationOnce(async (...of) => {
        const isStored = await fill(...of);
        await gate.pass();
        return isStored;
      });
      const before = service.getOrSet('k', () => 'old');
      await gate.arrived();
      expect(await other.service.get('k')).toBe('old');
      await other.service.evict('k');
      const after = service.getOrSet('k', () => 'new');
      // Whatever it has asked has been answered by then.
      for (let i = 0; i < 3; i++) await service.get('{k}2');
      gate.open();
      expect([await before, await after]).toEqual(['old', 'new']);
      expect(await other.service.get('k')).toBe('new');
    });

  // In memory loads begin while they are asked for, so nobody comes between two of them.
  if (topology !== 'memory')
    it('A2 forced in one tick, before and after another load has begun → who came after it does not get its value', async () => {
      const gate = new Gate();
      const force = { force: true };
      const begun: string[] = [];
      const served: Promise<string>[] = [];
      const come = (name: string): void => {
        begun.push(`${name} comes`);
        served.push(service.getOrSet('{k}', () => 'later', force));
      };
      // Loads of one batch, on one server, begin one after the other in one tick.
      const loads = [
        service.getOrSet('{k}1', () => come('first')),
        service.getOrSet(
          '{k}',
          async () => (begun.push('load'), await gate.pass(), 'early'),
          force,
        ),
        service.getOrSet('{k}2', () => come('last')),
      ];
      await waitFor(() => served.length === 2);
      // Whatever they have asked has been answered by then.
      for (let i = 0; i < 3; i++) await service.get('{k}3');
      gate.open();
      await Promise.all(loads);
      const [, last] = await Promise.all(served);
      expect(begun).toEqual(['first comes', 'load', 'last comes']);
      expect(last).toBe('later');
    });

  it('L1 callers of one tick who want something else → each what it wants', async () => {
    const abort = new AbortController();
    const gate = new Gate();
    const loader = jest.fn(async () => (await gate.pass(), 'loaded'));
    const plain = Array.from({ length: 3 }, () => service.getOrSet('k', loader));
    const aborted = service.getOrSet('k', loader, { signal: abort.signal });
    const versioned = service.getOrSet('k', () => 'of version 2', { version: 2 });
    const impatient = service.getOrSet('k', () => 'aside', { waitTimeout: 30 });
    const tagged = service.getOrSet('k', loader, { tags: ['t'], ttl: '5s' });
    const reading = service.get('k');
    await gate.arrived();
    abort.abort('enough');
    await expect(aborted).rejects.toBe('enough');
    expect(await impatient).toBe('aside');
    expect(await reading).toBeUndefined();
    gate.open();
    expect(await Promise.all([...plain, tagged])).toEqual(Array(4).fill('loaded'));
    expect(await versioned).toBe('of version 2');
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('A7 callers of one tick with one signal → it ends the wait of each, and the load goes on', async () => {
    const gate = new Gate();
    const abort = new AbortController();
    const loader = jest.fn(async () => (await gate.pass(), 'loaded'));
    const callers = Array.from({ length: 3 }, () =>
      service.getOrSet('k', loader, { signal: abort.signal }),
    );
    await gate.arrived();
    abort.abort('enough');
    for (const each of await Promise.allSettled(callers))
      expect(each).toEqual({ status: 'rejected', reason: 'enough' });
    gate.open();
    expect(await service.getOrSet('k', loader)).toBe('loaded');
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('L12 callers of one tick, and the loader of the first fails → that very error for all, one load', async () => {
    const down = new Error('down');
    const loader = jest.fn(() => Promise.reject(down));
    const callers = Array.from({ length: 20 }, () => service.getOrSet('k', loader));
    const ended = await Promise.allSettled(callers);
    expect(ended).toEqual(Array(20).fill({ status: 'rejected', reason: down }));
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('L10 callers of one tick, waitTimeout → all but the one who loads wait no longer', async () => {
    const strict = await open({ lease: { waitTimeout: 30, onWaitTimeout: 'throw' } });
    const gate = new Gate();
    const loader = async (): Promise<string> => (await gate.pass(), 'loaded');
    const [first, ...others] = Array.from({ length: 5 }, () =>
      strict.service.getOrSet('k', loader),
    );
    const ended = await Promise.allSettled(others);
    const late = expect.objectContaining({ code: 'ERR_CACHE_TIMEOUT' });
    expect(ended).toEqual(Array(4).fill({ status: 'rejected', reason: late }));
    gate.open();
    expect(await first).toBe('loaded');
  });

  it('L10 callers who came one after the other, all woken again and again → each waits for its own waitTimeout', async () => {
    const waitTimeout = 600;
    const lease = { ttl: 200, waitTimeout, onWaitTimeout: 'throw' } as const;
    const patient = await open({ lease });
    // In memory nobody else can have the lease.
    const holder =
      topology === 'memory' ? patient : await open({ lease, namespace: patient.namespace });
    const gate = new Gate();
    const loading = holder.service.getOrSet('k', async () => (await gate.pass(), 'loaded'));
    await gate.arrived();
    const wait = async (): Promise<number> => {
      const began = performance.now();
      await expect(patient.service.getOrSet('k', () => 'other')).rejects.toMatchObject({
        code: 'ERR_CACHE_TIMEOUT',
      });
      return performance.now() - began;
    };
    const waits = [];
    for (let i = 0; i < 3; i++) {
      waits.push(wait());
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const waited = await Promise.all(waits);
    expect(Math.min(...waited)).toBeGreaterThan(waitTimeout - 10);
    // Not until one who came later has waited long enough.
    expect(Math.max(...waited)).toBeLessThan(waitTimeout + 200);
    gate.open();
    expect(await loading).toBe('loaded');
  });

  it('A2 evicted while a forced load runs → nothing is resurrected', async () => {
    await service.set('k', 'old');
    const gate = new Gate();
    const forced = service.getOrSet('k', async () => (await gate.pass(), 'older'), { force: true });
    await gate.arrived();
    await service.evict('k');
    gate.open();
    expect(await forced).toBe('older');
    expect(await service.has('k')).toBe(false);
  });

  it('A2 A3 a forced load gives undefined → what was there is gone, here and elsewhere, and others load at once', async () => {
    const other = topology === 'memory' ? cache : await open({ namespace: cache.namespace });
    const caches = [cache, other];
    await waitFor(() => variant.l1 === false || caches.every(({ listener }) => listener.live));
    await service.set('k', 'old');
    for (const each of caches) expect(await each.service.get('k')).toBe('old');
    expect(await service.getOrSet('k', () => undefined, { force: true })).toBeUndefined();
    expect(await service.get('k')).toBeUndefined();
    // No lease is left either.
    expect(await service.inspect('k')).toBeUndefined();
    await waitFor(async () => (await other.service.get('k')) === undefined);
    expect(await other.service.getOrSet('k', () => 'new')).toBe('new');
  });

  it('A2 C8 a forced load gives undefined within a memo → what that knew is forgotten', async () => {
    await service.set('k', 'old');
    await service.withMemo(async () => {
      expect(await service.get('k')).toBe('old');
      expect(await service.getOrSet('k', () => undefined, { force: true })).toBeUndefined();
      expect(await service.get('k')).toBeUndefined();
    });
  });

  it('A2 A3 a forced load gives undefined, and the value it was to replace has been written anew → that stays, nobody is told', async () => {
    const other = topology === 'memory' ? cache : await open({ namespace: cache.namespace });
    await service.set('k', 'old');
    const evicted: unknown[] = [];
    cache.listener.on(({ reason, local }) => {
      if (local && reason === 'evict') evicted.push(reason);
    });
    const load = async (): Promise<undefined> => void (await other.service.set('k', 'new'));
    expect(await service.getOrSet('k', load, { force: true })).toBeUndefined();
    await waitFor(async () => (await service.get('k')) === 'new');
    expect(evicted).toEqual([]);
  });

  it('R1 A3 a forced load gives undefined, which Redis cannot be told → its caller has that, and it is reported', async () => {
    await service.set('k', 'old');
    const { store } = cache.engine['parts'];
    const acquire = store.acquire.bind(store);
    const gone = new CacheConnectionError('gone');
    jest
      .spyOn(store, 'acquire')
      .mockImplementation(async (key, request) =>
        request.reject ? Promise.reject(gone) : acquire(key, request),
      );
    expect(await service.getOrSet('k', () => undefined, { force: true })).toBeUndefined();
    expect(cache.errors).toEqual([{ operation: 'getOrSet', error: gone }]);
  });

  it('after close → reads go to the loader, evicts reject', async () => {
    await cache.close();
    await expect(service.evict('k')).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    await waitFor(async () => (await service.getOrSet('k', () => 'loaded')) === 'loaded');
  });
});
