import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { scanKeys } from '../../../lib/redis/key-scanner.js';
import type { RedisClient, Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { freePort } from '../../support/ports.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const guard = new CallGuard({ readMs: 2_000, writeMs: 2_000, clock: systemClock });

/** As much of a topology as a scan looks at. */
function topologyOf(kind: Topology['kind'], ...clients: RedisClient[]): Topology {
  const shards = clients.map((client, i) => ({ name: `shard ${i}`, client }));
  return { kind, shards: () => shards, formerShards: () => [] } as unknown as Topology;
}

async function listed(topology: Topology, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const batch of scanKeys(topology, prefix, { guard })) keys.push(...batch);
  return keys.toSorted();
}

async function fill(client: Redis, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 10_000)
    await client.mset(keys.slice(at, at + 10_000).flatMap((key) => [key, '1']));
}

const keysOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`).toSorted();

function connect(server: TestServer): Redis {
  const client = new Redis(server.url, { retryStrategy: () => 20, disconnectTimeout: 10 });
  client.on('error', () => undefined);
  return client;
}

/** The server's hash table of keys, which it shrinks some time after keys have gone. */
async function bytesOfTable(client: Redis): Promise<number> {
  const stats = (await client.call('MEMORY', 'STATS')) as unknown[];
  const ofDatabase = stats[stats.indexOf('db.0') + 1] as unknown[];
  return Number(ofDatabase[ofDatabase.indexOf('overhead.hashtable.main') + 1]);
}

describe('scanKeys', () => {
  let servers: TestServer[];
  let one: Redis;
  let two: Redis;

  beforeAll(async () => {
    servers = await Promise.all([startServer(), startServer()]);
    [one, two] = servers.map(connect) as [Redis, Redis];
  });
  afterAll(async () => {
    one.disconnect();
    two.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  });
  beforeEach(async () => {
    await Promise.all([one.flushall(), two.flushall()]);
  });

  it('G2 several servers → the keys of each', async () => {
    await fill(one, keysOf('p:a', 1_500));
    await fill(two, [...keysOf('p:b', 1_500), 'other']);
    const expected = [...keysOf('p:a', 1_500), ...keysOf('p:b', 1_500)];
    expect(await listed(topologyOf('sharded', one, two), 'p:')).toEqual(expected);
  });

  it('each step looks at 500 keys or so, and only when the one before has been taken', async () => {
    await fill(one, keysOf('p:', 5_000));
    await one.config('RESETSTAT');
    const calls = async (): Promise<number> =>
      Number(/cmdstat_scan:calls=(\d+)/.exec(await one.info('commandstats'))?.[1] ?? 0);
    const scan = scanKeys(topologyOf('single', one), 'p:', { guard });
    await scan.next();
    await scan.next();
    expect(await calls()).toBe(2);
    await scan.return();
    expect(await calls()).toBe(2);
    expect(await listed(topologyOf('single', one), 'p:')).toHaveLength(5_000);
    // 8192 buckets for 5000 keys, and what the server adds while it resizes its table.
    expect(await calls()).toBeGreaterThan(8);
    expect(await calls()).toBeLessThan(40);
  });

  it('the table grows meanwhile → those that stay come, each once', async () => {
    const staying = keysOf('p:', 5_000);
    await fill(one, staying);
    const found: string[] = [];
    for await (const batch of scanKeys(topologyOf('single', one), 'p:', { guard })) {
      if (found.length === 0) await fill(one, keysOf('q:', 50_000));
      found.push(...batch);
    }
    expect(found.toSorted()).toEqual(staying);
  });

  it('the table shrinks meanwhile, so that SCAN itself repeats keys → each once all the same', async () => {
    const staying = keysOf('p:stay', 2_000);
    const passing = keysOf('p:pass', 60_000);
    await fill(one, [...staying, ...passing]);
    // A single scan repeats the keys of a bucket or two, if any; so there are many, at many places of the table.
    const scans = Array.from({ length: 20 }, () =>
      scanKeys(topologyOf('single', one), 'p:', { guard }),
    );
    const found: string[][] = scans.map(() => []);
    const step = async (i: number): Promise<boolean> => {
      const { value } = await scans[i]!.next();
      found[i]!.push(...(value ?? []));
      return value !== undefined;
    };
    for (const i of scans.keys()) for (let steps = 0; steps <= 7 * i; steps++) await step(i);
    for (let at = 0; at < passing.length; at += 10_000)
      await one.unlink(passing.slice(at, at + 10_000));
    await waitFor(async () => (await bytesOfTable(one)) < 500_000);
    for (const i of scans.keys()) while (await step(i));

    for (const keys of found) {
      expect(keys.filter((key) => key.startsWith('p:stay')).toSorted()).toEqual(staying);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });

  it('a million keys, few that match → found while the process goes on', async () => {
    for (let i = 0; i < 10; i++)
      await one.eval(`for i = 1, 100000 do redis.call('SET', ARGV[1] .. i, '1') end`, 0, `q:${i}:`);
    await one.set('p:needle', '1');
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    expect(await listed(topologyOf('single', one), 'p:')).toEqual(['p:needle']);
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(20);
  }, 60_000);

  it('the connection is lost between two steps → CacheConnectionError, not a list with gaps', async () => {
    await fill(one, keysOf('p:', 5_000));
    const scan = scanKeys(topologyOf('single', one), 'p:', { guard });
    await scan.next();
    const lost = new Promise((resolve) => one.once('close', resolve));
    const killer = connect(servers[0]!);
    await killer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await lost;
    await waitFor(() => one.status === 'ready');
    killer.disconnect();
    await expect(scan.next()).rejects.toMatchObject({
      code: 'ERR_CACHE_CONNECTION',
      message: expect.stringContaining('shard 0'),
    });
    expect(await listed(topologyOf('single', one), 'p:')).toHaveLength(5_000);
  });

  it('a server that hangs → CacheTimeoutError in time; with a signal, its reason at once', async () => {
    await one.ping();
    await servers[0]!.pause();
    const impatient = new CallGuard({ readMs: 100, writeMs: 100, clock: systemClock });
    const scan = scanKeys(topologyOf('single', one), 'p:', { guard: impatient });
    await expect(scan.next()).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT' });
    const abort = new AbortController();
    const patient = new CallGuard({ readMs: 60_000, writeMs: 60_000, clock: systemClock });
    const options = { guard: patient, signal: abort.signal };
    const waiting = scanKeys(topologyOf('single', one), 'p:', options).next();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await servers[0]!.resume();
    await one.ping();
  });

  describe('a cluster', () => {
    let server: TestServer;
    let cluster: Cluster;

    beforeAll(async () => {
      // By default it is the port + 10 000, which may be more than there are.
      const busPort = `${await freePort()}`;
      server = await startServer({
        args: ['--cluster-enabled', 'yes', '--cluster-port', busPort],
      });
      const node = connect(server);
      // One node that has all slots, and says where it can be reached.
      await node.config('SET', 'cluster-announce-ip', server.host);
      await node.config('SET', 'cluster-announce-port', server.port);
      await node.cluster('ADDSLOTSRANGE', 0, 16383);
      await waitFor(async () => (await node.cluster('INFO')).includes('cluster_state:ok'));
      node.disconnect();
      cluster = new Cluster([{ host: server.host, port: server.port }], { lazyConnect: true });
      cluster.on('error', () => undefined);
    });
    afterAll(async () => {
      cluster.disconnect();
      await server.stop();
    });

    it('not connected yet → CacheConnectionError, and not an empty list', async () => {
      await expect(listed(topologyOf('cluster', cluster), 'p:')).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
      });
    });

    it('T13 connected → the keys of its node, whatever their slots', async () => {
      await cluster.connect();
      const keys = keysOf('p:', 1_000);
      await Promise.all(keys.map((key) => cluster.set(key, '1')));
      await cluster.set('q:1', '1');
      expect(await listed(topologyOf('cluster', cluster), 'p:')).toEqual(keys);
    });
  });

  it('a prefix of any bytes → nothing but what begins with it', async () => {
    const odd = `ü🦄\0*?[a]\\${randomUUID()}`;
    await fill(one, [`${odd}1`, `${odd}`, odd.slice(0, -1), odd.replace('*', 'x')]);
    expect(await listed(topologyOf('single', one), odd)).toEqual([odd, `${odd}1`]);
  });
});
