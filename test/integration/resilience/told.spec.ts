import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CacheErrorEvent } from '../../../lib/observe/reporter.js';
import type { TestCache } from '../../support/caches.js';
import { openCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import { waitFor } from '../../support/wait-for.js';

type Call = (cache: TestCache) => Promise<unknown>;

/** What rejects without Redis where `failure` is 'strict', by the operation that `onError` hears. */
const CALLS: [operation: string, call: Call][] = [
  ['get', ({ service }) => service.get('k')],
  ['has', ({ service }) => service.has('k')],
  ['getMany', ({ service }) => service.getMany(['a', 'b'])],
  ['ttl', ({ service }) => service.ttl('k')],
  ['take', ({ service }) => service.take('k')],
  ['keys', ({ service }) => listed(service.keys())],
  ['getOrSet', ({ service }) => service.getOrSet('k', () => 1)],
  ['getOrSetMany', ({ service }) => service.getOrSetMany(['a', 'b'], async () => [])],
  ['set', ({ service }) => service.set('k', 1)],
  ['set', ({ service }) => service.set('k', 1, { if: 'absent' })],
  ['setMany', ({ service }) => service.setMany([['k', 1]])],
  ['touch', ({ service }) => service.touch('k', '1m')],
  ['touchMany', ({ service }) => service.touchMany(['k'], '1m')],
  ['evict', ({ service }) => service.evict('k')],
  ['evictTags', ({ service }) => service.evictTags('t')],
  ['clear', ({ service }) => service.clear()],
  ['evictPattern', ({ service }) => service.evictPattern('*')],
  ['withWrite', ({ service }) => service.withWrite('k', async () => 1)],
  ['writeThrough', ({ service }) => service.writeThrough('k', async () => 1)],
  ['raw.get', ({ service }) => service.raw.get('k')],
  ['raw.set', ({ service }) => service.raw.set('k', 'text')],
];

/** What rejects in any case. */
const ALWAYS: [operation: string, call: Call][] = [
  ['increment', ({ service }) => service.increment('k')],
  ['decrement', ({ service }) => service.decrement('k')],
  ['inspect', ({ service }) => service.inspect('k')],
  ['ping', ({ service }) => service.ping()],
  ['raw.increment', ({ service }) => service.raw.increment('k')],
  ['raw.evict', ({ service }) => service.raw.evict('k')],
  ['lockAcquire', ({ locks }) => locks.acquire('k')],
  ['lockAcquire', ({ locks }) => locks.tryAcquire(['a', 'b'])],
  ['isLocked', ({ locks }) => locks.isLocked('k')],
  ['forceRelease', ({ locks }) => locks.forceRelease('k')],
];

const OPERATIONS = new Set([...CALLS, ...ALWAYS].map(([operation]) => operation));

async function listed<T>(all: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const each of all) list.push(each);
  return list;
}

describe('onError without Redis', () => {
  let proxy: FaultProxy;

  beforeAll(async () => {
    proxy = await FaultProxy.start(process.env.TEST_REDIS_URL!);
  });
  afterAll(() => proxy.close());

  /** What is heard of a call, and of nothing else. */
  async function hearing(
    failure: 'open' | 'strict',
    act: (cache: TestCache) => Promise<void>,
  ): Promise<string[]> {
    const cache = await openCache({ type: 'single', url: proxy.url }, { failure, l1: false });
    proxy.set('reset');
    cache.errors.length = 0;
    await act(cache);
    const heard = cache.errors.map(({ operation }) => operation);
    proxy.set('pass');
    await waitFor(() => cache.engine.pending().journal === 0);
    // The subscription fails as well, by itself.
    return heard.filter((operation) => OPERATIONS.has(operation));
  }

  it.each([...CALLS, ...ALWAYS])(
    "R2 R3 %s — failure: 'strict' → rejects, and onError hears of it once",
    async (operation, call) => {
      const heard = await hearing('strict', async (cache) => {
        await expect(call(cache)).rejects.toMatchObject({
          code: expect.stringMatching(/CONNECTION|TIMEOUT|EVICT/),
        });
      });
      // A write that does not begin also evicts what it may have barred.
      const isWrite = operation === 'withWrite' || operation === 'writeThrough';
      expect(isWrite ? heard.slice(-1) : heard).toEqual([operation]);
    },
  );

  it.each(ALWAYS)(
    'R1 R3 %s — nothing to give instead → rejects, and onError hears of it once',
    async (operation, call) => {
      const heard = await hearing('open', async (cache) => {
        await expect(call(cache)).rejects.toMatchObject({
          code: expect.stringMatching(/CONNECTION|TIMEOUT/),
        });
      });
      expect(heard).toEqual([operation]);
    },
  );

  it("R1 set — 'if', and nothing to compare with → false, and onError hears of it once", async () => {
    const heard = await hearing('open', async ({ service }) => {
      expect(await service.set('k', 1, { if: 'absent' })).toBe(false);
    });
    expect(heard).toEqual(['set']);
  });

  it('R3 B12 nodes — not reached → it says so itself, and onError hears of nothing', async () => {
    const all = await hearing('open', async (cache) => {
      const [node] = await cache.service.nodes();
      expect(node!.error).toMatchObject({ code: expect.stringMatching(/CONNECTION|TIMEOUT/) });
      expect(cache.errors.filter(({ error }) => error === node!.error)).toEqual([]);
    });
    expect(all).toEqual([]);
  });

  it.each<[operation: string, call: Call]>([
    ['get', ({ service }) => service.get('k')],
    ['ttl', ({ service }) => service.ttl('k')],
    ['take', ({ service }) => service.take('k')],
    ['set', ({ service }) => service.set('k', 1)],
    ['touch', ({ service }) => service.touch('k', '1m')],
    ['raw.get', ({ service }) => service.raw.get('k')],
    ['raw.set', ({ service }) => service.raw.set('k', 'text')],
  ])('R3 %s → onError hears what is returned instead, and why', async (operation, call) => {
    const events: CacheErrorEvent[] = [];
    const options = { onError: (event: CacheErrorEvent) => events.push(event), l1: false } as const;
    const cache = await openCache({ type: 'single', url: proxy.url }, options);
    proxy.set('reset');
    const returned = await call(cache);
    proxy.set('pass');
    const event = events.find((each) => each.operation === operation)!;
    expect(event.returning).toEqual(returned);
    expect(event.error).toMatchObject({ code: expect.stringMatching(/CONNECTION|TIMEOUT/) });
  });

  it('R3 an onError that throws → every call is as without it, and the log says so once', async () => {
    let calls = 0;
    const onError = (): never => {
      calls++;
      throw new Error('the handler is broken');
    };
    const cache = await openCache({ type: 'single', url: proxy.url }, { onError, l1: false });
    proxy.set('reset');
    expect(await cache.service.get('k')).toBeUndefined();
    expect(await cache.service.getOrSet('k', () => 1)).toBe(1);
    expect(await cache.service.set('k', 1)).toBe(false);
    await expect(cache.service.evict('k')).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
    proxy.set('pass');
    await waitFor(() => cache.engine.pending().journal === 0);
    expect(calls).toBeGreaterThan(3);
    expect(cache.log.filter((line) => line.includes('the handler is broken'))).toHaveLength(1);
  });
});
