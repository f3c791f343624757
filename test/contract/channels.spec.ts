import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';

const NAMES = ['hit', 'miss', 'wait', 'load', 'set', 'evict', 'error'] as const;
const SECRET = 'a value that nobody else may see';

type Heard = [string, Record<string, unknown>];

describe.each(VARIANTS)('channels on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;
  let namespace: string;
  const heard: Heard[] = [];
  const ends: (() => void)[] = [];

  beforeEach(async () => {
    cache = await openCache(topology, variant, { name: 'reports' });
    ({ service, namespace } = cache);
    heard.length = 0;
  });

  afterEach(() => ends.splice(0).forEach((end) => end()));

  /** Listens from now on, to this cache alone. */
  function listen(name: string, as = name): void {
    const hear = (message: unknown): void => {
      const { cache: of, ...rest } = message as Record<string, unknown>;
      if (of === 'reports') heard.push([as, { ...rest }]);
    };
    subscribe(name, hear);
    ends.push(() => unsubscribe(name, hear));
  }

  const listenToAll = (): void => {
    for (const name of NAMES) listen(`nestjs-redis-cache:${name}`, name);
  };

  const ms = expect.any(Number);

  it('O6 O7 O11 reads, loads, writes and evicts → one message each, never with a value', async () => {
    listenToAll();
    await service.getOrSet(['user', 7], () => SECRET);
    await service.run('readonly', () => service.get(['user', 7]));
    await service.get('absent');
    await service.set('k', SECRET, { tags: ['t'] });
    await service.set('k', SECRET, { if: 'absent' });
    await service.evict('k');
    await service.namespace('users').evictTags(['t']);
    await service.clear();
    const about = { namespace, key: 'k' };
    const user = { namespace, key: ['user', 7] };
    const expected: Heard[] = [
      ['miss', { ...user, operation: 'getOrSet', ms }],
      ['load', { ...user, operation: 'getOrSet', ms }],
      ['hit', { ...user, operation: 'get', source: expect.stringMatching(/l1|redis/), ms }],
      ['miss', { namespace, key: 'absent', operation: 'get', ms }],
      ['set', { ...about, operation: 'set', stored: true }],
      ['set', { ...about, operation: 'set', stored: false }],
      ['evict', { namespace, operation: 'evict', keys: ['k'] }],
      ['evict', { namespace: `${namespace}/users`, operation: 'evictTags', tags: ['t'] }],
      ['evict', { namespace, operation: 'clear' }],
    ];
    expect(heard).toEqual(expected);
    expect(JSON.stringify(heard)).not.toContain(SECRET);
  });

  it('O7 the span of a load → begins before it and ends after it, with its error and without its value', async () => {
    for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'])
      listen(`tracing:nestjs-redis-cache:load:${event}`, event);
    const gate = new Gate();
    const load = service.getOrSet('k', async () => (await gate.pass(), SECRET));
    await gate.arrived();
    expect(heard.map(([event]) => event)).toEqual(['start', 'end']);
    gate.open();
    expect(await load).toBe(SECRET);
    expect(heard.map(([event]) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(heard[0]).toEqual(['start', { namespace, operation: 'getOrSet', key: 'k' }]);
    expect(JSON.stringify(heard)).not.toContain(SECRET);
    heard.length = 0;
    const down = new Error('down');
    await expect(service.getOrSet('other', () => Promise.reject(down))).rejects.toBe(down);
    expect(heard.find(([event]) => event === 'error')![1]).toMatchObject({
      key: 'other',
      error: down,
    });
  });

  it.each<[string, (fail: () => never) => Promise<unknown>]>([
    ['the ttl function', (fail) => service.getOrSet('k', () => 1, { ttl: fail })],
    [
      'what a loader of several gives',
      (fail) => service.getOrSetMany(['k'], () => ({ [Symbol.iterator]: fail }) as never),
    ],
  ])('O7 %s fails → a load that fails', async (_, call) => {
    listen('nestjs-redis-cache:load', 'load');
    const own = new Error('no idea');
    const fail = (): never => {
      throw own;
    };
    await expect(call(fail)).rejects.toBe(own);
    expect(heard).toMatchObject([['load', { error: own }]]);
    expect(service.stats().loadErrors).toBe(1);
  });

  it('O7 a load that fails, and what onError hears → told with the error', async () => {
    listenToAll();
    const down = new Error('down');
    await expect(service.getOrSet('k', () => Promise.reject(down))).rejects.toBe(down);
    await service.getOrSet('big', () => 'x'.repeat(2 * 1024 * 1024));
    expect(heard).toEqual([
      ['miss', { namespace, key: 'k', operation: 'getOrSet', ms }],
      ['load', { namespace, key: 'k', operation: 'getOrSet', ms, error: down }],
      ['miss', { namespace, key: 'big', operation: 'getOrSet', ms }],
      ['load', { namespace, key: 'big', operation: 'getOrSet', ms }],
      ['error', { operation: 'getOrSet', error: cache.errors[0]!.error }],
    ]);
  });

  it('O2 O7 waits for a load of this process → whose, and how long', async () => {
    listen('nestjs-redis-cache:wait', 'wait');
    const gate = new Gate();
    const callers = [1, 2].map(() =>
      service.getOrSet('k', async () => (await gate.pass(), 'loaded')),
    );
    await gate.arrived();
    gate.open();
    await Promise.all(callers);
    expect(heard).toEqual([
      ['wait', { namespace, operation: 'getOrSet', key: 'k', source: 'process', ms }],
    ]);
  });

  it('O6 many keys → a message each', async () => {
    await service.set('a', 1);
    listenToAll();
    await service.getMany(['a', 'b']);
    await service.getOrSetMany(['a', 'b', 'c'], (missing) => missing.map((key) => [key, 2]));
    const told = heard.map(([name, { operation, key }]) => [name, operation, key]);
    expect(told).toEqual([
      ['hit', 'getMany', 'a'],
      ['miss', 'getMany', 'b'],
      ['hit', 'getOrSetMany', 'a'],
      ['miss', 'getOrSetMany', 'b'],
      ['miss', 'getOrSetMany', 'c'],
      ['load', 'getOrSetMany', undefined],
    ]);
  });
});
