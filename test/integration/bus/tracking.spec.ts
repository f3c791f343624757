import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Tracking, type TrackingSink } from '../../../lib/bus/tracking.js';
import { loadSettings } from '../../../lib/cache/entry.options.js';
import { systemClock } from '../../../lib/common/clock.js';
import type { Key } from '../../../lib/keys/encode-key.js';
import type { KeySpace } from '../../../lib/keys/key-space.js';
import { Meter } from '../../../lib/observe/meter.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { openCache, plainClient, type TestCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const TRACKING = { invalidation: { mode: 'tracking' } } as const;
/** What a foreign change may take to be seen; measured are 1 to 2 ms. */
const SEEN_MS = 500;

async function openLive(
  options: Parameters<typeof openCache>[1],
  url = process.env.TEST_REDIS_URL!,
): Promise<TestCache> {
  const cache = await openCache({ type: 'single', url }, { ...TRACKING, ...options });
  await waitFor(() => cache.listener.live);
  return cache;
}

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server for one test, and a plain client to it. */
async function ownServer(...args: Parameters<typeof startServer>) {
  const server = await startServer(...args);
  const admin = new Redis(server.url);
  ends.push(
    () => admin.disconnect(),
    () => server.stop(),
  );
  return { url: server.url, port: server.port, admin };
}

/** Ids of the connections whose changes are tracked. */
async function trackingIds(client: Redis): Promise<string[]> {
  const list = String(await client.call('CLIENT', 'LIST'));
  return [...list.matchAll(/^id=(\d+) .*\bflags=\w*t/gm)].map((match) => match[1]!);
}

async function entriesAt(client: Redis): Promise<string[]> {
  return (await client.keys('*')).filter((key) => /:[kh]/.test(key));
}

/** Where a read gets the value from, loaded if need be. */
async function sourceOf(cache: TestCache, given: Key, space?: KeySpace): Promise<string> {
  const settings = loadSettings('the test', undefined, cache.engine.options);
  const key = (space ?? cache.engine.keySpace()).entry(given);
  const served = await cache.engine.load({ key, kind: 'value', loader: () => 1, settings });
  return served.source;
}

describe('copies under tracking', () => {
  let namespace: string;
  let cache: TestCache;
  let foreign: Redis;

  /** A value of which there is a copy, so that another read needs no command. */
  async function haveCopy(key: string, reader = cache): Promise<void> {
    await waitFor(async () => (await sourceOf(reader, key)) === 'copy');
  }

  beforeEach(async () => {
    namespace = `track${randomBytes(6).toString('hex')}`;
    foreign = plainClient();
    cache = await openLive({ namespace });
  });

  it.each<[string, (client: Redis, key: string) => Promise<unknown>]>([
    ['DEL', (client, key) => client.del(key)],
    ['UNLINK', (client, key) => client.unlink(key)],
    ['SET', (client, key) => client.set(key, 'not ours')],
    ['PEXPIRE in the past', (client, key) => client.pexpire(key, -1)],
    ['RENAME', (client, key) => client.rename(key, `${key}:elsewhere`)],
    ['a script', (client, key) => client.eval("return redis.call('DEL', KEYS[1])", 1, key)],
  ])('C2 C3 %s by another program → the copy goes within ms', async (_, change) => {
    await cache.service.set('k', 'old');
    await haveCopy('k');
    await change(foreign, `${namespace}:kk`);
    await waitFor(async () => (await cache.service.get('k')) === undefined, {
      timeoutMs: SEEN_MS,
      intervalMs: 1,
    });
  });

  it('C3 the server shortens the life of an entry → so does the copy', async () => {
    await cache.service.set('k', 1, { ttl: Infinity });
    await haveCopy('k');
    await foreign.pexpire(`${namespace}:kk`, 20);
    await sleep(30);
    // The server tells of an entry's end when it comes across it: by itself soon, where few others have an end, or here.
    await foreign.exists(`${namespace}:kk`);
    await waitFor(async () => (await cache.service.get('k')) === undefined, {
      timeoutMs: SEEN_MS,
      intervalMs: 1,
    });
  });

  it('C3 a nested namespace, an array and a digest as key → all of them are seen', async () => {
    const root = cache.engine.keySpace();
    const nested = cache.service.namespace('users').namespace('eu');
    const views = [
      [cache.service, root],
      [nested, root.child('users').child('eu')],
    ] as const;
    const keys = ['plain', ['a', 1, null], 'long'.repeat(100)];
    for (const [, space] of views)
      for (const key of keys)
        await waitFor(async () => (await sourceOf(cache, key, space)) === 'copy');
    const entries = (await entriesAt(foreign)).filter((key) => key.startsWith(namespace));
    expect(entries).toHaveLength(6);
    await foreign.del(entries);
    for (const [view] of views)
      for (const key of keys)
        await waitFor(async () => (await view.get(key)) === undefined, { timeoutMs: SEEN_MS });
  });

  it('C3 keys of other applications, leases, locks and tags change → no copy goes', async () => {
    await cache.service.set('k', 1);
    await haveCopy('k');
    const events: unknown[] = [];
    cache.listener.on((event) => events.push(event));
    const near = ['2:kk', ':rk', ':lk', ':w:kk', '/users:rk', '/users:lk', ':{t0}:g'];
    await Promise.all(near.map((key) => foreign.set(`${namespace}${key}`, 1, 'PX', 1_000)));
    await foreign.set(`${namespace}:kother`, 1, 'PX', 1_000);
    await haveCopy('k');
    expect(events).toEqual([]);
  });

  it('C2 two caches → what one writes, the other sees, and is told once, with its reason', async () => {
    const other = await openLive({ namespace });
    const events: unknown[] = [];
    other.listener.on((event) => events.push(event));
    const written = Array.from({ length: 30 }, (_, i) => i);
    for (const i of written) {
      await haveCopy('k', other);
      await cache.service.set('k', i);
      await waitFor(async () => (await other.service.get('k')) === i, { timeoutMs: SEEN_MS });
    }
    await haveCopy('last', other);
    await foreign.del(`${namespace}:klast`);
    const told = { namespace, local: false };
    await waitFor(() => events.length > 30);
    expect(events).toEqual([
      ...written.map(() => ({ keys: ['k'], reason: 'set', ...told })),
      { keys: ['last'], reason: 'evict', ...told },
    ]);
  });

  it('C2 a foreign change of a copied key → an event; of one that nobody here has read → none', async () => {
    await cache.service.setMany([
      ['k', 1],
      ['unread', 1],
    ]);
    await haveCopy('k');
    const events: unknown[] = [];
    cache.listener.on((event) => events.push(event));
    await foreign.del(`${namespace}:kunread`);
    await foreign.del(`${namespace}:kk`);
    await waitFor(() => events.length > 0);
    expect(events).toEqual([{ keys: ['k'], namespace, local: false, reason: 'evict' }]);
  });

  it('A9 own loads change their key, too → the load and one read more, then only copies', async () => {
    const sources: string[] = [];
    for (let i = 0; i < 200; i++) sources.push(await sourceOf(cache, 'hot'));
    const copies = sources.filter((source) => source === 'copy').length;
    expect(sources[0]).toBe('loaded');
    // Each answer of the server may be overtaken by what it tells of the load.
    expect(copies).toBeGreaterThan(190);
  });

  it('I5 FLUSHALL → every copy goes, and one event says so', async () => {
    const { url, admin } = await ownServer();
    const own = await openLive({ namespace }, url);
    await own.service.setMany([
      ['a', 1],
      ['b', 1],
    ]);
    await haveCopy('a', own);
    await haveCopy('b', own);
    const events: unknown[] = [];
    own.listener.on((event) => events.push(event));
    await admin.flushall();
    await waitFor(async () => (await own.service.get('a')) === undefined, { timeoutMs: SEEN_MS });
    expect(await own.service.get('b')).toBeUndefined();
    expect(events).toEqual([{ all: true, namespace, local: false, reason: 'clear' }]);
  });

  it('C3 the server evicts for want of memory → the copy goes', async () => {
    const { url, admin } = await ownServer({ args: ['--maxmemory-policy', 'allkeys-random'] });
    const own = await openLive({ namespace }, url);
    await own.service.set('k', 1);
    await haveCopy('k', own);
    await admin.config('SET', 'maxmemory', '1');
    await admin.get('x');
    await waitFor(async () => (await own.service.get('k')) === undefined, { timeoutMs: SEEN_MS });
  });

  it('C10 several shards → each is tracked', async () => {
    const servers = [await ownServer(), await ownServer()];
    const shards = servers.map(({ url }) => url);
    const sharded = await openCache({ type: 'sharded', shards }, { ...TRACKING, namespace });
    await waitFor(() => sharded.listener.live);
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    for (const key of keys) await haveCopy(key, sharded);
    for (const { admin } of servers) expect(await admin.del(await entriesAt(admin))).not.toBe(0);
    for (const key of keys)
      await waitFor(async () => (await sharded.service.get(key)) === undefined, {
        timeoutMs: SEEN_MS,
      });
  });

  it('the rights that docs/invalidation.md names → enough', async () => {
    const { admin, port } = await ownServer();
    const rights = ['+@read', '+@write', '+@scripting', '+publish', '+time', '+info'];
    const named = ['+client|tracking', '+client|id', '+subscribe'];
    const where = ['~shop:*', '~shop/*', '&shop:*', '&__redis__:invalidate'];
    await admin.acl('SETUSER', 'cache', 'on', '>secret', ...where, ...rights, ...named);
    const url = `redis://cache:secret@127.0.0.1:${port}`;
    const own = await openLive({ namespace: 'shop' }, url);
    await haveCopy('k', own);
    await admin.del('shop:kk');
    await waitFor(async () => (await own.service.get('k')) === undefined);
  });

  it('l1 false → nothing is tracked', async () => {
    const { url, admin } = await ownServer();
    const bare = await openLive({ l1: false }, url);
    expect(await trackingIds(admin)).toEqual([]);
    await bare.close();
    await openLive({}, url);
    expect(await trackingIds(admin)).toHaveLength(1);
  });
});

describe('the connection of the tracking', () => {
  let server: TestServer;
  let admin: Redis;

  beforeAll(async () => {
    server = await startServer();
    admin = new Redis(server.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  interface Opened {
    tracking: Tracking;
    meter: Meter;
    /** What the sink was told, in order. */
    heard: unknown[];
    errors: string[];
    close(): Promise<void>;
  }

  async function open(hearing = server.url, sending = server.url): Promise<Opened> {
    const context = { clock: systemClock, connectTimeoutMs: 500, onError: () => undefined };
    const topology = new SingleTopology({ type: 'single', url: sending }, context);
    const listener = new SingleTopology({ type: 'single', url: hearing }, context);
    const heard: unknown[] = [];
    const errors: string[] = [];
    const sink: TrackingSink = {
      open: () => heard.push('live'),
      shut: () => heard.push('down'),
      distrust: () => heard.push('distrust'),
      changed: (keys) => heard.push(...keys),
      flushed: () => heard.push('flushed'),
    };
    const shard = topology.shardOf('');
    const meter = new Meter(systemClock);
    const tracking = new Tracking({
      shard,
      createClient: () => listener.createPubSubClient(shard),
      namespace: 'shop',
      channel: 'shop:b:me',
      guard: new CallGuard({ readMs: 300, writeMs: 300, clock: systemClock }),
      clock: systemClock,
      answerMs: 500,
      meter,
      sink,
      onError: (operation, { message }) => errors.push(`${operation}: ${message}`),
    });
    tracking.start();
    await topology.connect();
    const close = async (): Promise<void> => {
      await tracking.close();
      await topology.close();
    };
    ends.push(close);
    return { tracking, meter, heard, errors, close };
  }

  async function openLive(...args: Parameters<typeof open>): Promise<Opened> {
    const opened = await open(...args);
    await waitFor(() => opened.tracking.live);
    return opened;
  }

  it('C2 several keys changed at once → each is heard, of entries alone', async () => {
    const { heard } = await openLive();
    await admin.mset('shop:kZürich', 1, 'shop:h{t}x', 2, 'shop/eu:k1', 3, 'shop/eu:r1', 4, 'x', 5);
    await admin.set('shop:kuser:1', 1);
    await admin.mset('shops:k1', 1, 'shop:l1', 2, 'shop', 3, 'shop/odd', 4);
    await admin.set('shop:klast', 1);
    await waitFor(() => heard.includes('shop:klast'));
    expect(heard).toHaveLength(6);
    expect(new Set(heard.slice(1, -1))).toEqual(
      new Set(['shop/eu:k1', 'shop:h{t}x', 'shop:kZürich', 'shop:kuser:1']),
    );
  });

  it('C3 an entry expires → heard, without anybody asking for it', async () => {
    const { heard } = await openLive();
    await admin.set('shop:k1', 1, 'PX', 20);
    await waitFor(() => heard.length === 3);
    expect(heard).toEqual(['live', 'shop:k1', 'shop:k1']);
  });

  it('FLUSHDB, of whichever database → everything is gone', async () => {
    const { heard } = await openLive();
    await admin.call('SELECT', 3);
    await admin.flushdb();
    await admin.call('SELECT', 0);
    await waitFor(() => heard.includes('flushed'));
  });

  it('I5 T14 the connection is killed → down, and tracked again on another', async () => {
    const { heard, tracking } = await openLive();
    const [id] = await trackingIds(admin);
    await admin.call('CLIENT', 'KILL', 'ID', id!);
    await waitFor(() => heard.includes('down'));
    expect(tracking.live).toBe(false);
    await waitFor(() => tracking.live);
    expect(heard).toEqual(['live', 'down', 'live']);
    expect(await trackingIds(admin)).toEqual([expect.not.stringMatching(`^${id}$`)]);
    await admin.set('shop:k1', 1);
    await waitFor(() => heard.includes('shop:k1'));
  });

  it('T14 only its connection is black-holed → down within 3 s, live once healed', async () => {
    const proxy = await FaultProxy.start(server.url);
    const { tracking, errors } = await openLive(proxy.url);
    ends.push(() => proxy.close());
    proxy.set('drop');
    await waitFor(() => !tracking.live, { timeoutMs: 3_200 });
    expect(errors).toEqual([expect.stringMatching(/^tracking: no heartbeat has come back/)]);
    proxy.set('pass');
    await waitFor(() => tracking.live);
  });

  it.each([
    ['CLIENT TRACKING', '-client|tracking', '+client|tracking'],
    ['the channel', 'resetchannels', 'allchannels'],
  ])('NOPERM for %s → never live, reported; live once it is granted', async (_, deny, grant) => {
    const url = `redis://blind:secret@127.0.0.1:${server.port}`;
    await admin.acl('SETUSER', 'blind', 'reset', 'on', '>secret', '~*', '&*', '+@all', deny);
    const { tracking, errors, heard } = await open(url);
    await waitFor(() => errors.length > 0);
    expect(errors).toEqual([expect.stringMatching(/^tracking: NOPERM/)]);
    expect(tracking.live).toBe(false);
    await admin.acl('SETUSER', 'blind', grant);
    await waitFor(() => tracking.live);
    await admin.set('shop:k1', 1);
    await waitFor(() => heard.includes('shop:k1'));
  });

  it('I4 something else is published on its channels → everything is dropped, and it goes on', async () => {
    const { heard, tracking, meter } = await openLive();
    await admin.publish('__redis__:invalidate', 'shop:k1');
    await admin.publish('shop:b:me', 'x');
    await waitFor(() => heard.length === 3);
    expect(heard).toEqual(['live', 'distrust', 'distrust']);
    expect(tracking).toMatchObject({ live: true, malformed: 2 });
    expect(meter.total.invalidationsMalformed).toBe(2);
  });

  it('close — live → down once, and nothing is tracked any more', async () => {
    const { heard, tracking, close } = await openLive();
    await Promise.all([close(), tracking.close()]);
    tracking.start();
    expect(heard).toEqual(['live', 'down']);
    await waitFor(async () => (await trackingIds(admin)).length === 0);
  });
});

describe('copies while the tracking is down', () => {
  it('C4 refused → no copy is used, everything else works', async () => {
    const { admin, port } = await ownServer();
    await admin.acl('SETUSER', 'blind', 'on', '>secret', '~*', '&*', '+@all', '-client|tracking');
    const url = `redis://blind:secret@127.0.0.1:${port}`;
    const cache = await openCache({ type: 'single', url }, TRACKING);
    await waitFor(() => cache.buses[0]!.live);
    await waitFor(() => cache.errors.length > 0);
    expect(cache.errors[0]).toMatchObject({
      operation: 'tracking',
      error: { message: expect.stringMatching(/^NOPERM/) },
    });
    expect(cache.listener.live).toBe(false);
    await cache.service.set('k', 1);
    expect([await sourceOf(cache, 'k'), await sourceOf(cache, 'k')]).toEqual(['hit', 'hit']);
  });

  it('C4 I5 killed → no copy from before is used, and the application hears of it twice', async () => {
    const { admin, url } = await ownServer();
    const cache = await openLive({}, url);
    await cache.service.set('k', 1);
    await waitFor(async () => (await sourceOf(cache, 'k')) === 'copy');
    const events: unknown[] = [];
    cache.listener.on(({ all, reason }) => events.push({ all, reason }));
    const [id] = await trackingIds(admin);
    const key = `${cache.namespace}:kk`;
    await admin
      .multi([
        ['client', 'KILL', 'ID', id!],
        ['del', key],
      ])
      .exec();
    await waitFor(() => !cache.listener.live);
    expect(await cache.service.get('k')).toBeUndefined();
    await waitFor(() => cache.listener.live);
    await waitFor(() => events.length === 2);
    const lost = { all: true, reason: 'disconnect' };
    expect(events).toEqual([lost, lost]);
  });
});
