import { describe, expect, it, jest } from '@jest/globals';
import { CacheConnectionError } from '../../lib/common/errors.js';
import type { AcquireReply } from '../../lib/store/entry-store.js';
import { NOTHING_PENDING, openCache, TOPOLOGIES, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

type Step = 'read' | 'acquire' | 'fill' | 'renew' | 'release';

/** Has one step of the protocol fail from now on, before or after it was carried out. */
function failing(cache: TestCache, step: Step, when: 'before' | 'after'): void {
  const { store } = cache.engine['parts'];
  const real = store[step].bind(store) as (...args: unknown[]) => Promise<unknown>;
  Object.assign(store, {
    [step]: async (...args: unknown[]) => {
      if (when === 'after') await real(...args);
      throw new CacheConnectionError(`${step} failed`);
    },
  });
}

type Acquire = () => Promise<AcquireReply>;

/** Has the next acquisition go as `around` says, which may carry it out. */
function aroundAcquire(
  cache: TestCache,
  around: (acquire: Acquire) => Promise<AcquireReply>,
): void {
  const { store } = cache.engine['parts'];
  const acquire = store.acquire.bind(store);
  jest.spyOn(store, 'acquire').mockImplementationOnce((...of) => around(() => acquire(...of)));
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

describe.each(TOPOLOGIES)('a step of the protocol fails on %s', (topology) => {
  const cases = (['read', 'acquire', 'fill', 'renew', 'release'] as const).flatMap((step) =>
    (['before', 'after'] as const).map((when): [Step, 'before' | 'after'] => [step, when]),
  );

  it.each(cases)(
    'R4 %s fails %s it is carried out → one load, everybody served',
    async (step, when) => {
      const cache = await openCache(topology, { lease: { ttl: 60 } });
      failing(cache, step, when);
      const loader = jest.fn(async () => {
        await pause(80);
        return 'loaded';
      });
      const callers = Array.from({ length: 50 }, () => cache.service.getOrSet('k', loader));
      expect(new Set(await Promise.all(callers))).toEqual(new Set(['loaded']));
      expect(loader).toHaveBeenCalledTimes(1);
      expect(cache.engine.pending()).toEqual(NOTHING_PENDING);
    },
  );

  it.each(cases)(
    'R4 %s fails %s it is carried out, and so does the loader → its error',
    async (step, when) => {
      const cache = await openCache(topology, { lease: { ttl: 60 } });
      failing(cache, step, when);
      const error = new Error('source is down');
      const loader = jest.fn(() => Promise.reject(error));
      const callers = Array.from({ length: 10 }, () => cache.service.getOrSet('k', loader));
      for (const result of await Promise.allSettled(callers))
        expect(result).toEqual({ status: 'rejected', reason: error });
      expect(loader).toHaveBeenCalledTimes(1);
    },
  );

  it('E6 somebody else was faster, and theirs is past its ttl by now → loaded anew', async () => {
    const cache = await openCache(topology, { l1: false, grace: '1m' });
    aroundAcquire(cache, async (acquire) => {
      await cache.service.set('k', 'old', { ttl: 1 });
      await waitFor(async () => (await cache.service.get('k')) === undefined);
      const reply = await acquire();
      expect(reply.state).toBe('value');
      return reply;
    });
    expect(await cache.service.getOrSet('k', () => 'new')).toBe('new');
  });

  it('R4 a lease is taken, and the answer is lost → given back once the load is over', async () => {
    const cache = await openCache(topology, { lease: { ttl: '30s', onWaitTimeout: 'throw' } });
    aroundAcquire(cache, async (acquire) => {
      await acquire();
      throw new CacheConnectionError('the answer is lost');
    });
    expect(await cache.service.getOrSet('k', () => 'first')).toBe('first');
    expect(await cache.service.getOrSet('k', () => 'second', { waitTimeout: '5s' })).toBe('second');
    expect(await cache.service.get('k')).toBe('second');
  });

  it('R4 somebody else was faster, and then the tag table does not answer → theirs, read again', async () => {
    const cache = await openCache(topology, { l1: false });
    const { tags } = cache.engine['parts'];
    const versions = tags.versions.bind(tags);
    const failOnce = (): Promise<never> => {
      Object.assign(tags, { versions });
      return Promise.reject(new CacheConnectionError('gone'));
    };
    aroundAcquire(cache, async (acquire) => {
      await cache.service.set('k', 'theirs');
      const reply = await acquire();
      expect(reply.state).toBe('value');
      Object.assign(tags, { versions: failOnce });
      return reply;
    });
    expect(await cache.service.getOrSet('k', () => 'mine')).toBe('theirs');
  });

  it.each([
    ['evictTags', (service: TestCache['service']) => service.evictTags('t')],
    ['clear', (service: TestCache['service']) => service.clear()],
    ['evictPattern', (service: TestCache['service']) => service.evictPattern('*')],
  ])(
    'R4 %s cannot reach Redis, and is queued → who asks afterwards does not join a load from before',
    async (_, evict) => {
      const cache = await openCache(topology, { evictFailure: 'queue' });
      const { store, tags } = cache.engine['parts'];
      const gate = new Gate();
      const before = cache.service.getOrSet('k', () => gate.pass().then(() => 'old'), {
        tags: ['t'],
      });
      await gate.arrived();
      const gone = (): Promise<never> => Promise.reject(new CacheConnectionError('gone'));
      const works = { bump: tags.bump.bind(tags), clear: tags.clear.bind(tags) };
      const scan = store.scan.bind(store);
      Object.assign(tags, { bump: gone, clear: gone });
      Object.assign(store, { scan: () => ({ [Symbol.asyncIterator]: () => ({ next: gone }) }) });
      await evict(cache.service);
      expect(cache.engine.pending().journal).toBe(1);
      const after = cache.service.getOrSet('k', () => 'new', { tags: ['t'] });
      // Nor does anybody elsewhere wait for it, as nothing of it will be stored.
      const { namespace } = cache;
      const other = topology === 'memory' ? cache : await openCache(topology, { namespace });
      expect(await other.service.getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new');
      gate.open();
      expect(await before).toBe('old');
      expect(await after).toBe('new');
      Object.assign(tags, works);
      Object.assign(store, { scan });
      await waitFor(() => cache.engine.pending().journal === 0);
      expect(await cache.service.getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new');
    },
  );

  it.each<[string, (context: { skip(): void }) => unknown]>([
    ['throws', () => Promise.reject(new Error('source is down'))],
    ['returns a function', () => () => 1],
    ['returns too much', () => 'x'.repeat(2_000_000)],
    ['returns undefined', () => undefined],
    ['skips', ({ skip }) => skip()],
  ])('A4 the loader %s → its lease is free when the caller hears of it', async (_, loader) => {
    const cache = await openCache(topology);
    await cache.service.getOrSet('k', loader).catch(() => undefined);
    const { redisKey } = cache.engine.keySpace().entry('k');
    expect(await cache.engine['parts'].store.read(redisKey)).toBeNull();
  });

  it('E10 A7 a loader that ends after its timeout → nothing is stored, nothing is unhandled', async () => {
    const cache = await openCache(topology, { loaderTimeout: 20 });
    const gate = new Gate();
    let ended = false;
    await expect(
      cache.service.getOrSet('k', async () => {
        await gate.pass();
        ended = true;
        throw new Error('nobody hears this');
      }),
    ).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    gate.open();
    await waitFor(() => ended);
    expect(await cache.service.has('k')).toBe(false);
  });
});
