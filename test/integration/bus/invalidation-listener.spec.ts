import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { InvalidationEvent } from '../../../lib/bus/invalidation-feed.js';
import type { Surroundings } from '../../../lib/module/assemble.js';
import type { Backend } from '../../../lib/module/backend.js';
import { createMemoryBackend } from '../../../lib/module/memory-backend.js';
import { openCache, plainClient, VARIANTS, type TestCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const freshName = (): string => `listen${randomBytes(6).toString('hex')}`;

async function openLive(...args: Parameters<typeof openCache>): Promise<TestCache> {
  const cache = await openCache(...args);
  await waitFor(() => cache.listener.live);
  return cache;
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A way to a server of one test. */
async function ownProxy(): Promise<FaultProxy> {
  const server = await startServer();
  const proxy = await FaultProxy.start(server.url);
  ends.push(
    () => proxy.close(),
    () => server.stop(),
  );
  return proxy;
}

function record({ listener }: TestCache): InvalidationEvent[] {
  const events: InvalidationEvent[] = [];
  listener.on((event) => events.push(event));
  return events;
}

/** What a change is told as, but for the namespace and who has done it. */
const CHANGES: [string, (cache: TestCache['service']) => Promise<unknown>, object[]][] = [
  ['evict', (cache) => cache.evict('k'), [{ keys: ['k'], reason: 'evict' }]],
  [
    'evict of many',
    (cache) => cache.evict(['k', 'ü {x}']),
    [{ keys: ['k', 'ü {x}', '["k","ü {x}"]'], reason: 'evict' }],
  ],
  [
    'evict of an array',
    (cache) => cache.evict(['cat', 7, 8n, null, true]),
    [{ keys: ['["cat",7,8n,null,true]'], reason: 'evict' }],
  ],
  ['set', (cache) => cache.set('k', 1), [{ keys: ['k'], reason: 'set' }]],
  ['evictTags', (cache) => cache.evictTags(['a', 'b']), [{ tags: ['a', 'b'], reason: 'evict' }]],
  ['clear', (cache) => cache.clear(), [{ all: true, reason: 'clear' }]],
];

it('I2 G3 more tags in one call than one message holds → each is told, and nothing else is dropped', async () => {
  const namespace = freshName();
  const [own, other] = [
    await openLive('single', { namespace }),
    await openLive('single', { namespace }),
  ];
  const tags = Array.from({ length: 1_000 }, (_, i) => `${i}`.padEnd(256, 'x'));
  await other.service.set('unrelated', 1, { tags: ['kept'] });
  await other.service.set('told', 1, { tags: [tags[999]!] });
  for (const key of ['unrelated', 'told']) {
    await other.service.get(key);
    expect(other.service.peek(key)).toBe(1);
  }
  const events = record(other);
  await own.service.evictTags(tags);
  await waitFor(() => events.length === tags.length / 50);
  expect(events.flatMap((event) => event.tags ?? [])).toEqual(tags);
  expect([other.service.peek('unrelated'), other.service.peek('told')]).toEqual([1, undefined]);
  expect(other.service.stats().invalidations).toMatchObject({ gaps: 0, malformed: 0 });
});

describe.each(VARIANTS)('own changes, %s', (_, topology, options) => {
  it.each([
    ...CHANGES,
    [
      'a key of 300 characters',
      (c) => c.evict('x'.repeat(300)),
      [{ keys: ['x'.repeat(300)], reason: 'evict' }],
    ],
    [
      'setMany',
      (c) =>
        c.setMany([
          ['a', 1],
          ['b', 2],
        ]),
      [
        { keys: ['a'], reason: 'set' },
        { keys: ['b'], reason: 'set' },
      ],
    ],
    [
      'withWrite',
      (c) => c.withWrite(['a', 1], async () => 1),
      [{ keys: ['["a",1]'], reason: 'evict' }],
    ],
    ['writeThrough', (c) => c.writeThrough('k', () => 1), [{ keys: ['k'], reason: 'set' }]],
    [
      'writeThrough of nothing',
      (c) => c.writeThrough('k', () => undefined),
      [{ keys: ['k'], reason: 'evict' }],
    ],
    [
      'a write that fails',
      (c) => c.withWrite('k', () => Promise.reject(new Error('x'))).catch(() => 0),
      [{ keys: ['k'], reason: 'evict' }],
    ],
    [
      'a forced load',
      async (c) => {
        await c.getOrSet('k', () => 1);
        await c.getOrSet('k', () => 2, { force: true });
      },
      [{ keys: ['k'], reason: 'set' }],
    ],
    ['a load', (c) => c.getOrSet('k', () => 1), []],
    ['a set that is refused', (c) => c.set('k', 1, { if: 'present' }), []],
    ['evict of nothing', (c) => c.evict([]), []],
    ['evictTags of nothing', (c) => c.evictTags([]), []],
  ] as typeof CHANGES)(
    'I2 %s → heard as local by the time it has returned',
    async (__, change, expected) => {
      const cache = await openLive(topology, options);
      const events = record(cache);
      await change(cache.service);
      const { namespace } = cache;
      // Shards answer in any order.
      expect(events).toHaveLength(expected.length);
      for (const event of expected)
        expect(events).toContainEqual({ ...event, namespace, local: true });
    },
  );
});

describe('changes of others', () => {
  async function openTwo(): Promise<{ namespace: string; here: TestCache; there: TestCache }> {
    const namespace = freshName();
    const [here, there] = await Promise.all([
      openLive('single', { namespace }),
      openLive('single', { namespace }),
    ]);
    return { namespace, here, there };
  }

  it.each(CHANGES)(
    'I1 I2 %s → heard as not local, in namespaces as well',
    async (_, change, expected) => {
      const { namespace, here, there } = await openTwo();
      const events = record(here);
      await change(there.service);
      await change(there.service.namespace('users').namespace('eu'));
      await waitFor(() => events.length === 2 * expected.length);
      expect(events).toEqual(
        [namespace, `${namespace}/users/eu`].flatMap((path) =>
          expected.map((event) => ({ ...event, namespace: path, local: false })),
        ),
      );
    },
  );

  it('I3 own changes → told once, as local', async () => {
    const { here, there } = await openTwo();
    const events = record(here);
    await here.service.evict('own');
    await there.service.evict('foreign');
    await waitFor(() => events.length === 2);
    expect(events.map(({ keys, local }) => [keys, local])).toEqual([
      [['own'], true],
      [['foreign'], false],
    ]);
  });

  it('I1 keys of several namespaces and a digest in one message → one event each, a digest as all', async () => {
    const { namespace, here } = await openTwo();
    const events = record(here);
    const keys = [
      `${namespace}:ka`,
      `${namespace}/n:kb`,
      `${namespace}:kc`,
      `${namespace}/n:h1234`,
    ];
    const message = JSON.stringify([1, 'stranger', 0, 1, 'evict', keys]);
    await plainClient().publish(`${namespace}:i`, message);
    await waitFor(() => events.length === 2);
    const about = { local: false, reason: 'evict' };
    expect(events).toEqual([
      { keys: ['a', 'c'], namespace, ...about },
      { all: true, namespace: `${namespace}/n`, ...about },
    ]);
  });

  it('I4 a message that is not understood, or missing → everything is told to be outdated', async () => {
    const { namespace, here } = await openTwo();
    const events = record(here);
    const client = plainClient();
    await client.publish(`${namespace}:i`, 'nonsense');
    await client.publish(`${namespace}:i`, JSON.stringify([1, 'stranger', 0, 7, 'evict', ['x']]));
    await waitFor(() => events.length === 3);
    const lost = { all: true, namespace, local: false, reason: 'disconnect' };
    expect(events.slice(0, 2)).toEqual([lost, lost]);
  });

  it('I5 the connection is lost → told at once, and again when messages arrive', async () => {
    const proxy = await ownProxy();
    const cache = await openLive({ type: 'single', url: proxy.url });
    const events = record(cache);
    proxy.set('reset');
    await waitFor(() => events.length === 1);
    expect(cache.listener.live).toBe(false);
    proxy.set('pass');
    await waitFor(() => cache.listener.live);
    await waitFor(() => events.length === 2);
    const { namespace } = cache;
    const lost = { all: true, namespace, local: false, reason: 'disconnect' };
    expect(events).toEqual([lost, lost]);
  });

  it('an evict that does not get through → heard as local at once, since this process bypasses it', async () => {
    const proxy = await ownProxy();
    const cache = await openLive({ type: 'single', url: proxy.url });
    const events = record(cache);
    proxy.set('drop');
    await Promise.allSettled([cache.service.evict('k'), cache.service.evictTags('t')]);
    const { namespace } = cache;
    const about = { namespace, local: true, reason: 'evict' };
    expect(events.filter(({ local }) => local)).toEqual(
      expect.arrayContaining([
        { keys: ['k'], ...about },
        { tags: ['t'], ...about },
      ]),
    );
    proxy.set('pass');
    await waitFor(() => cache.engine.pending().journal === 0);
  });

  it('a start without Redis → not live, and once it is there what was missed is told', async () => {
    const proxy = await ownProxy();
    proxy.set('reset');
    const cache = await openCache(
      { type: 'single', url: proxy.url },
      { timeouts: { connect: 50 } },
    );
    expect(cache.listener.live).toBe(false);
    const events = record(cache);
    proxy.set('pass');
    await waitFor(() => events.length === 1);
    expect(events).toMatchObject([{ all: true, reason: 'disconnect' }]);
    expect(cache.listener.live).toBe(true);
  });
});

it.each([
  [[3, 7, 5], 7],
  [[3, undefined, 5], undefined],
  [[], undefined],
])(
  'K5 lagMs of shards %j → %p: of the slowest, and none while one is not live',
  async (lags, lag) => {
    const buses = lags.map((lagMs) => ({ lagMs })) as unknown as Backend['buses'];
    const createBackend: Surroundings['createBackend'] = (_, parts) => ({
      ...createMemoryBackend(parts),
      buses,
    });
    const { listener } = await openCache('memory', {}, { createBackend });
    expect(listener.lagMs).toBe(lag);
  },
);

describe('handlers', () => {
  it('I2 one throws, one rejects → reported, and no other misses anything', async () => {
    const cache = await openLive('memory');
    const before = record(cache);
    cache.listener.on(() => {
      throw new Error('thrown');
    });
    cache.listener.on(() => Promise.reject(new Error('rejected')));
    const after = record(cache);
    await cache.service.evict('a');
    await cache.service.evict('b');
    expect([before.length, after.length]).toEqual([2, 2]);
    await waitFor(() => cache.errors.length === 4);
    const heard = cache.errors.map(({ operation, error }) => `${operation}: ${error.message}`);
    for (const message of ['thrown', 'rejected'])
      expect(heard.filter((line) => line === `onInvalidation: ${message}`)).toHaveLength(2);
  });

  it('on — its return value is called, also within a handler → no more events', async () => {
    const cache = await openLive('memory');
    const heard: string[] = [];
    const hear = (event: InvalidationEvent): void => void heard.push(event.keys![0]!);
    const first = cache.listener.on(hear);
    const second = cache.listener.on(hear);
    const once = cache.listener.on((event) => {
      hear(event);
      once();
    });
    await cache.service.evict('a');
    first();
    first();
    await cache.service.evict('b');
    second();
    await cache.service.evict('c');
    expect(heard).toEqual(['a', 'a', 'a', 'b']);
  });

  it('on — no function → CacheOptionsError', async () => {
    const { listener } = await openLive('memory');
    for (const wrong of [5, undefined, {}])
      expect(() => listener.on(wrong as never)).toThrow(
        /^Wrong options for InvalidationListener\.on:\n {2}handler: given /,
      );
  });

  it('a handler changes the event → it cannot', async () => {
    const cache = await openLive('memory');
    cache.listener.on((event) => (event.keys as string[]).push('more'));
    cache.listener.on((event) => ((event as { local: boolean }).local = false));
    const events = record(cache);
    await cache.service.evict('a');
    expect(events).toEqual([
      { keys: ['a'], namespace: cache.namespace, local: true, reason: 'evict' },
    ]);
    expect(cache.errors).toHaveLength(2);
  });

  it('a handler evicts and loads the very key that is being loaded → as from anywhere else', async () => {
    const cache = await openLive('memory');
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    context.run('registration', () =>
      cache.listener.on(async (event) => {
        seen.push(context.getStore());
        if (event.keys?.includes('changed')) seen.push(await cache.service.getOrSet('k', () => 2));
      }),
    );
    const load = async (): Promise<number> => {
      await context.run('change', () => cache.service.evict('changed'));
      return 1;
    };
    expect(await cache.service.getOrSet('k', load)).toBe(1);
    await waitFor(() => seen.length === 2);
    expect(seen).toEqual(['registration', 1]);
    expect(cache.errors).toEqual([]);
  });

  it('close → not live, nobody is called, and registering does nothing', async () => {
    const cache = await openLive('single');
    const events = record(cache);
    await cache.close();
    expect(cache.listener.live).toBe(false);
    record(cache);
    expect(events).toEqual([]);
  });
});
