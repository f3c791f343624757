import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../lib/common/clock.js';
import { guardNodes } from '../../../lib/redis/node-guard.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import { openCache } from '../../support/caches.js';
import { TestCluster } from '../../support/cluster.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

/** After some five seconds the client has no node of that name any more. */
const GIVEN_UP_MS = 6_500;

describe('B12 servers that are not well', () => {
  const servers: TestServer[] = [];
  beforeAll(async () => {
    servers.push(await startServer({ password: 'a-secret' }), await startServer());
  });
  afterEach(async () => {
    for (const server of servers) await server.resume().catch(() => undefined);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  const openShards = () => {
    const shards = servers.map(({ url }, i) => ({ name: `shard-${i}`, url }));
    return openCache({ type: 'sharded', shards }, { l1: false });
  };

  it('nodes — one is frozen → it alone, first by a timeout, then by its circuit; ping rejects with that', async () => {
    const { service } = await openShards();
    await servers[0]!.pause();
    const [frozen, well] = await service.nodes();
    expect(frozen).toMatchObject({ name: 'shard-0', connected: true, circuit: 'closed' });
    expect(frozen!.error).toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    expect(frozen!.pingMs).toBeUndefined();
    expect(well!.error).toBeUndefined();

    await Promise.all(Array.from({ length: 40 }, (_, i) => service.set(`k${i}`, i)));
    const circuit = async (): Promise<string> => (await service.nodes())[0]!.circuit;
    await waitFor(async () => (await circuit()) !== 'closed');
    await expect(service.ping()).rejects.toMatchObject({ code: 'ERR_CACHE_CONNECTION' });

    await servers[0]!.resume();
    await waitFor(() => service.ping().catch(() => undefined));
    expect(await circuit()).toBe('closed');
  });

  it('nodes — one is down → not connected, why, and without its password', async () => {
    const { service } = await openShards();
    await servers[0]!.kill();
    const down = await waitFor(async () =>
      (await service.nodes()).find(({ connected }) => !connected),
    );
    expect(down).toMatchObject({ name: 'shard-0', error: { code: 'ERR_CACHE_CONNECTION' } });
    expect(String(down!.error)).not.toContain('a-secret');
    await waitFor(async () => String((await service.nodes())[0]!.error).includes('ECONNREFUSED'));
    await servers[0]!.restart();
    await waitFor(() => service.ping().catch(() => undefined));
  });

  it.each([
    ['single', (url: string) => ({ type: 'single', url }) as const],
    ['cluster', (url: string) => ({ type: 'cluster' as const, nodes: [url] })],
  ])('B12 O7 %s — the password is wrong → errors, nodes and the log say so', async (_, at) => {
    const url = servers[0]!.url.replace('a-secret', 'a-wrong-one');
    const lines: string[] = [];
    const log = { warn: (line: string) => void lines.push(line) };
    const { service } = await openCache(at(url), { failure: 'strict' }, { log });
    await expect(service.get('k')).rejects.toThrow(/there is no connection: WRONGPASS /);
    for (let i = 0; i < 5; i++) await service.get('k').catch(() => undefined);
    await expect(service.get('k')).rejects.toThrow(/was not sent: .*WRONGPASS /);
    const [node] = await service.nodes();
    expect(node).toMatchObject({ connected: false, error: { code: 'ERR_CACHE_CONNECTION' } });
    expect(String(node!.error)).toContain('WRONGPASS');
    expect(lines.find((line) => line.includes('does not answer, and'))).toContain('WRONGPASS');
    expect(`${lines.join()} ${String(node!.error)}`).not.toContain('a-wrong-one');
  });

  it('a PING — several connections to one server → over each of them', async () => {
    const server = servers[1]!;
    const context = { clock: systemClock, connectTimeoutMs: 2_000, onError: () => undefined };
    const topology = new SingleTopology(
      { type: 'single', url: server.url, connections: 3 },
      context,
    );
    await topology.connect();
    const { guard, unwatch } = guardNodes(topology, {
      readMs: 100,
      writeMs: 100,
      clock: systemClock,
    });
    const [{ name, client }] = topology.connections() as [{ name: string; client: Redis }];
    await server.pause();
    const calls = Array.from({ length: 5 }, () =>
      guard.run('read', 'read', () => client.get('k'), name),
    );
    await Promise.allSettled(calls);
    expect(guard.state(name)).toBe('open');
    await server.resume();
    await waitFor(() => guard.state(name) === 'closed');
    const admin = new Redis(server.url);
    const list = String(await admin.client('LIST'));
    expect(list.split('\n').filter((line) => line.includes(' cmd=ping '))).toHaveLength(3);
    admin.disconnect();
    guard.close();
    unwatch();
    await topology.close();
  });
});

describe('B12 a master of a cluster that is not well', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start({ masters: 3, replicas: 0 });
  }, 60_000);
  afterAll(() => cluster.stop());

  it('nodes — dead for so long that the client has given it up → told of all the while', async () => {
    const { service } = await openCache({ type: 'cluster', nodes: cluster.seeds }, { l1: false });
    const names = cluster.seeds.toSorted();
    const told = async (): Promise<string[]> =>
      (await service.nodes()).map(({ name }) => name).toSorted();
    const [dead] = cluster.nodes;
    await dead!.server.kill();
    for (const ends = performance.now() + GIVEN_UP_MS; performance.now() < ends; await sleep(100))
      expect(await told()).toEqual(names);
    const bad = (await service.nodes()).filter(({ error }) => error);
    expect(bad.map(({ name, connected }) => [name, connected])).toEqual([[dead!.address, false]]);
  }, 20_000);
});
