import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { openCache, plainClient, type TestCache } from '../../support/caches.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

/** A cache whose copies may be used. */
async function openLive(
  namespace: string,
  options: Parameters<typeof openCache>[1] = {},
): Promise<TestCache> {
  const cache = await openCache('single', { namespace, ...options });
  await waitFor(() => cache.buses[0]!.live);
  return cache;
}

/** How often a plain GET or MGET reached the server since the last call. */
async function reads(client: Redis): Promise<number> {
  const stats = await client.info('commandstats');
  await client.config('RESETSTAT');
  return [...stats.matchAll(/cmdstat_m?get:calls=(\d+)/g)].reduce(
    (sum, m) => sum + Number(m[1]),
    0,
  );
}

describe('copies in the process', () => {
  let a: TestCache;
  let b: TestCache;
  let namespace: string;

  beforeEach(async () => {
    namespace = `tier${Math.random().toString(36).slice(2)}`;
    [a, b] = await Promise.all([openLive(namespace), openLive(namespace)]);
  });

  it('C1 A9 a second read → no command', async () => {
    const server = await startServer();
    const cache = await openCache({ type: 'single', url: server.url });
    await waitFor(() => cache.buses[0]!.live);
    const client = new Redis(server.url);
    await cache.service.set('k', { a: 1 });
    await cache.service.get('k');
    await reads(client);
    const first = await cache.service.get('k');
    expect(await cache.service.getOrSet('k', () => 'loaded')).toBe(first);
    expect(await cache.service.has('k')).toBe(true);
    expect(await reads(client)).toBe(0);
    client.disconnect();
    await cache.close();
    await server.stop();
  });

  it('set — where nothing was read before → the first asks for the tag clock, the others seldom do', async () => {
    const server = await startServer();
    const client = new Redis(server.url);
    for (const own of [{}, { l1: false }] as const) {
      const cache = await openCache({ type: 'single', url: server.url }, own);
      await waitFor(() => cache.buses[0]!.live);
      await cache.service.set('k', 1);
      await reads(client);
      for (let i = 0; i < 10; i++) await cache.service.set('k', i);
      // What is known counts for a tenth of a second, which is long for ten calls unless the machine is busy.
      expect(await reads(client)).toBeLessThan(5);
      await cache.close();
    }
    client.disconnect();
    await server.stop();
  });

  it.each<[string, (writer: TestCache) => Promise<unknown>, unknown]>([
    ['evict', (writer) => writer.service.evict('k'), undefined],
    ['evict of many', (writer) => writer.service.evict(['x', 'k', 'y']), undefined],
    ['set', (writer) => writer.service.set('k', 'new'), 'new'],
    ['writeThrough', (writer) => writer.service.writeThrough('k', () => 'new'), 'new'],
    ['withWrite', (writer) => writer.service.withWrite('k', async () => 1), undefined],
    [
      'a forced load',
      (writer) => writer.service.getOrSet('k', () => 'new', { force: true }),
      'new',
    ],
  ])('C2 I1 %s by another process → the copy here goes', async (_, change, expected) => {
    await a.service.set('k', 'old');
    expect([await a.service.get('k'), await b.service.get('k')]).toEqual(['old', 'old']);
    await change(a);
    expect(await a.service.get('k')).toBe(expected);
    await waitFor(async () => (await b.service.get('k')) === expected);
  });

  it('C1 the entry expires → so does the copy', async () => {
    await a.service.set('k', 1, { ttl: 60 });
    expect(await a.service.get('k')).toBe(1);
    await waitFor(async () => (await a.service.get('k')) === undefined, { timeoutMs: 500 });
  });

  it('C1 l1.ttl → a copy lives no longer, its entry does', async () => {
    const short = await openLive(namespace, { l1: { ttl: 40 } });
    await short.service.set('k', 1);
    expect(await short.service.get('k')).toBe(1);
    const client = plainClient();
    await client.del(`${namespace}:kk`);
    expect(await short.service.get('k')).toBe(1);
    await waitFor(async () => (await short.service.get('k')) === undefined, { timeoutMs: 500 });
  });

  it('C6 null → copied, too', async () => {
    const loader = jest.fn(() => null);
    expect(await a.service.getOrSet('k', loader)).toBeNull();
    const client = plainClient();
    await client.del(`${namespace}:kk`);
    expect(await a.service.getOrSet('k', loader)).toBeNull();
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('C9 l1: false → every read asks Redis', async () => {
    const bare = await openCache('single', { namespace, l1: false });
    await bare.service.set('k', 1);
    expect(await bare.service.get('k')).toBe(1);
    await plainClient().del(`${namespace}:kk`);
    expect(await bare.service.get('k')).toBeUndefined();
  });

  it('C4 the listener is killed → no copy is used until it is subscribed again', async () => {
    // Its own: on the one that all share, the listeners of other tests would be killed as well.
    const server = await startServer();
    const cache = await openCache({ type: 'single', url: server.url });
    await waitFor(() => cache.buses[0]!.live);
    await cache.service.set('k', 1);
    await cache.service.get('k');
    const client = new Redis(server.url);
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await client.del(`${cache.namespace}:kk`);
    await waitFor(async () => (await cache.service.get('k')) === undefined, { timeoutMs: 500 });
    await waitFor(() => cache.buses[0]!.live);
    await cache.service.set('k', 2);
    expect(await cache.service.get('k')).toBe(2);
    client.disconnect();
    await cache.close();
    await server.stop();
  });

  it('I4 malformed, foreign and oversized messages → the copies go, nothing else happens', async () => {
    const client = plainClient();
    await client.set(`${namespace}:kk`, 'x');
    for (const message of [
      '',
      '{',
      '[]',
      '[2,"x",0,1]',
      '[1,"x",0,1,"evict"]',
      'x'.repeat(70_000),
    ]) {
      await a.service.set('k', 1);
      await a.service.get('k');
      await client.del(`${namespace}:kk`);
      await client.publish(`${namespace}:i`, message);
      await waitFor(async () => (await a.service.get('k')) === undefined, { timeoutMs: 500 });
    }
    expect(a.buses[0]).toMatchObject({ malformed: 6 });
  });

  it('I4 a message is missing → the copies go', async () => {
    const client = plainClient();
    const say = (sequence: number, key: string): Promise<number> =>
      client.publish(
        `${namespace}:i`,
        JSON.stringify([1, 'stranger00', 0, sequence, 'evict', [key]]),
      );
    await say(1, 'elsewhere');
    await a.service.set('k', 1);
    await a.service.get('k');
    await client.del(`${namespace}:kk`);
    await say(2, 'elsewhere');
    await say(2, 'elsewhere');
    expect(await a.service.get('k')).toBe(1);
    await say(4, 'elsewhere');
    await waitFor(async () => (await a.service.get('k')) === undefined, { timeoutMs: 500 });
  });

  it('I4 the last message of a process is lost → noticed within two seconds', async () => {
    const client = plainClient();
    await a.service.set('k', 1);
    await a.service.get('k');
    await client.del(`${namespace}:kk`);
    // Its tail repeats the number of a message that never came.
    await client.publish(`${namespace}:i`, JSON.stringify([1, 'stranger01', 0, 1]));
    await waitFor(async () => (await a.service.get('k')) === undefined, { timeoutMs: 500 });
  });

  it('C7 own writes → no copy of others goes, and the own one is current', async () => {
    await a.service.setMany([
      ['k', 1],
      ['other', 1],
    ]);
    await a.service.get('other');
    await plainClient().del(`${namespace}:kother`);
    await a.service.set('k', 2);
    expect(await a.service.get('k')).toBe(2);
    expect(await a.service.get('other')).toBe(1);
  });
});

describe('the listener hears nothing any more', () => {
  it('C4 the server is frozen → from 3.5 s on no copy is used', async () => {
    const server = await startServer();
    const cache = await openCache({ type: 'single', url: server.url });
    await waitFor(() => cache.buses[0]!.live);
    await cache.service.set('k', 1);
    expect(await cache.service.get('k')).toBe(1);
    await server.pause();
    const begin = performance.now();
    await waitFor(async () => (await cache.service.get('k')) === undefined, { timeoutMs: 4_500 });
    expect(performance.now() - begin).toBeLessThan(3_900);
    await server.resume();
    await waitFor(() => cache.buses[0]!.live);
    expect(await cache.service.get('k')).toBe(1);
    await cache.close();
    await server.stop();
  }, 15_000);

  it('G4 evictTags and clear by another process → the copies here go, too', async () => {
    const namespace = `tags${Math.random().toString(36).slice(2)}`;
    const [a, b] = await Promise.all([openLive(namespace), openLive(namespace)]);
    for (const evict of [() => a.service.evictTags('t'), () => a.service.clear()]) {
      await a.service.set('k', 'old', { tags: ['t'] });
      expect(await b.service.get('k')).toBe('old');
      await evict();
      expect(await a.service.get('k')).toBeUndefined();
      await waitFor(async () => (await b.service.get('k')) === undefined);
    }
  });

  it('G4 the tag table is lost → everything older is a miss, copies aside; what comes later stays', async () => {
    const cache = await openCache('single', { l1: false });
    await cache.service.set('k', 1, { tags: ['t'] });
    await cache.service.set('plain', 1);
    const parts = ['g', 'v'].map((part) => `${cache.namespace}:{t0}:${part}`);
    expect(await plainClient().unlink(parts)).toBe(2);
    expect(await cache.service.get('k')).toBeUndefined();
    expect(await cache.service.get('plain')).toBeUndefined();
    expect(await cache.service.getOrSet('k', () => 2, { tags: ['t'] })).toBe(2);
    expect(await cache.service.get('k')).toBe(2);
  });

  it('evictTags and clear, server killed → CacheEvictError; the namespace is bypassed until they get through', async () => {
    const server = await startServer();
    const cache = await openCache({ type: 'single', url: server.url });
    await cache.service.set('k', 'old', { tags: ['t'] });
    await cache.service.namespace('n').set('k', 'other');
    await server.pause();
    await expect(cache.service.evictTags('t')).rejects.toMatchObject({
      code: 'ERR_CACHE_EVICT',
      failed: ['t'],
    });
    await expect(cache.service.clear()).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
    expect(await cache.service.get('k')).toBeUndefined();
    await server.resume();
    await waitFor(() => cache.engine.pending().journal === 0);
    expect(await cache.service.get('k')).toBeUndefined();
    expect(await cache.service.namespace('n').get('k')).toBe('other');
    await cache.close();
    await server.stop();
  }, 15_000);
});
