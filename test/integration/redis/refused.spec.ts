import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis, type ClusterOptions } from 'ioredis';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { openCache, plainClient } from '../../support/caches.js';
import { ClusterNode, sharedCluster } from '../../support/cluster.js';
import { startServer } from '../../support/start-server.js';
import type { TestServer } from '../../support/server.js';
import { waitFor } from '../../support/wait-for.js';

describe('a server that does not have what was asked for', () => {
  it.each<[row: string, type: string, to: (url: string) => RedisCacheOptions['topology']]>([
    ['T1', 'single', (url) => ({ type: 'single', url })],
    ['T2', 'sharded', (url) => ({ type: 'sharded', shards: [url] })],
  ])('%s R8 %s, no such database → no entry of database 0, and it is said', async (_, __, to) => {
    const inZero = await openCache(to(process.env.TEST_REDIS_URL!));
    await inZero.service.set('k', 'of database 0');
    const { namespace } = inZero;
    const cache = await openCache(to(`${process.env.TEST_REDIS_URL!}/4711`), { namespace });
    expect(await cache.service.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await cache.service.set('other', 1)).toBe(false);
    expect(await plainClient().keys(`${namespace}*other*`)).toEqual([]);
    const refused = 'ERR DB index is out of range';
    expect((await cache.service.nodes())[0]!.error!.message).toContain(refused);
    const lines = cache.log.filter((line) => line.startsWith('connection failed'));
    expect(lines).toEqual([expect.stringContaining(refused)]);
  });

  it('T1 R2 a node of a cluster → the error and the log ask whether it is one', async () => {
    const [node] = await sharedCluster();
    const cache = await openCache({ type: 'single', url: `redis://${node}` }, { l1: false });
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => cache.service.get(key)));
    const perhaps = /(MOVED|CROSSSLOT) .*; is it a Redis Cluster \(topology\.type 'cluster'\)\?$/;
    expect(cache.errors[0]!.error.message).toMatch(perhaps);
    expect(cache.log).toContainEqual(expect.stringMatching(perhaps));
  });
});

describe('a cluster that is not found', () => {
  it('T3 R2 its names cannot be looked up → the errors and the log say so', async () => {
    const dnsLookup: ClusterOptions['dnsLookup'] = (host, done) =>
      done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '');
    const cluster = { dnsLookup };
    const cache = await openCache({ type: 'cluster', nodes: ['nowhere.invalid'], cluster });
    const unknown = 'getaddrinfo ENOTFOUND nowhere.invalid';
    await waitFor(() => cache.log.includes(`connection failed: ${unknown}`));
    await cache.service.get('k');
    expect(cache.errors.at(-1)!.error.message).toContain(unknown);
    expect((await cache.service.nodes())[0]!.error!.message).toContain(unknown);
    expect(cache.log.join()).not.toContain('onModuleInit');
  });

  it('T6 R2 by a client of the application → the errors say so', async () => {
    const dnsLookup: ClusterOptions['dnsLookup'] = (_, done) => done(new Error('no such name'), '');
    const options = { dnsLookup, lazyConnect: true, clusterRetryStrategy: () => 10 };
    const client = new Cluster(['nowhere.invalid'], options);
    client.on('error', () => undefined);
    const cache = await openCache({ type: 'cluster', client }, { failure: 'strict' });
    await waitFor(() =>
      cache.service.get('k').then(
        () => false,
        (error: Error) => error.message.includes('the cluster was not found'),
      ),
    );
    client.disconnect();
  });
});

describe('a cluster in which no node has a slot', () => {
  let node: ClusterNode;
  beforeAll(async () => {
    node = await ClusterNode.start({});
  });
  afterAll(() => node.stop());

  it('T3 R2 the first call → the error and the log say what is wrong with it', async () => {
    const cache = await openCache({ type: 'cluster', nodes: [node.address] });
    expect(await cache.service.getOrSet('k', () => 'loaded')).toBe('loaded');
    const unwell = 'the cluster was found and is not well';
    await waitFor(() => cache.log.some((line) => line.startsWith(`connection failed: ${unwell}`)));
    await cache.service.get('k');
    expect(cache.errors.at(-1)!.error.message).toContain(unwell);
    expect(cache.log.join()).not.toContain('onModuleInit');
  });
});

describe('a replica', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ args: ['--replicaof', '127.0.0.1', '1'] });
  });
  afterAll(() => server.stop());

  it('O7 R2 an evict that it refuses → the log says why', async () => {
    const cache = await openCache({ type: 'single', url: server.url }, { evictFailure: 'queue' });
    await cache.service.evict('some key');
    const [line] = cache.log.filter((each) => each.startsWith('evict failed'));
    expect(line).toMatch(/not evicted yet; .*: evict failed at .*READONLY/);
    expect(line).not.toContain('some key');
    const admin = new Redis(server.url);
    await admin.replicaof('NO', 'ONE');
    admin.disconnect();
    await waitFor(() => cache.engine.pending().journal === 0, { timeoutMs: 10_000 });
  });
});
