import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis, type ClusterNode } from 'ioredis';
import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { deferred } from '../../../lib/common/async.js';
import { systemClock } from '../../../lib/common/clock.js';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { ClusterTopology } from '../../../lib/redis/cluster.topology.js';
import { runScript } from '../../../lib/redis/script-runner.js';
import { defineScript } from '../../../lib/redis/script.js';
import type { ClusterTopologyOptions } from '../../../lib/redis/topology.options.js';
import { TestCluster } from '../../support/cluster.js';
import { freePort } from '../../support/ports.js';
import { FaultProxy } from '../../support/proxy.js';
import { waitFor } from '../../support/wait-for.js';

/** The type byte of the first TLS record. */
const TLS_HANDSHAKE = 0x16;

interface Opened {
  topology: ClusterTopology;
  client: Cluster;
  errors: Error[];
}

const opened: ClusterTopology[] = [];

function open(options: Partial<ClusterTopologyOptions>, connectTimeoutMs = 2_000): Opened {
  const errors: Error[] = [];
  const topology = new ClusterTopology(
    { ...options, type: 'cluster' },
    { clock: systemClock, connectTimeoutMs, onError: (error) => errors.push(error) },
  );
  opened.push(topology);
  return { topology, client: topology.shards()[0]!.client as Cluster, errors };
}

async function timed(promise: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await promise;
  return performance.now() - begin;
}

async function sockets(): Promise<string[]> {
  await new Promise(setImmediate);
  return process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name));
}

describe('ClusterTopology', () => {
  let cluster: TestCluster;
  let masters: string[];

  beforeAll(async () => {
    cluster = await TestCluster.start();
    masters = cluster.seeds.slice(0, 3).toSorted();
  }, 60_000);
  afterAll(() => cluster.stop());
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((topology) => topology.close()));
  });

  const names = (topology: ClusterTopology): string[] =>
    [
      ...new Set(Array.from({ length: 200 }, (_, i) => topology.shardOf(`key-${i}`).name)),
    ].toSorted();

  describe('addresses', () => {
    it.each<[string, (seed: string) => ClusterTopologyOptions['nodes']]>([
      ['host:port', (seed) => [seed]],
      ['a URL', (seed) => [`redis://${seed}`]],
      ['an object', (seed) => [{ host: seed.split(':')[0]!, port: Number(seed.split(':')[1]) }]],
    ])('T3 one seed as %s → keys on every master', async (_, nodes) => {
      const { topology, client } = open({ nodes: nodes(masters[1]!) });
      await topology.connect();
      expect(names(topology)).toEqual(masters);
      await Promise.all(Array.from({ length: 50 }, (__, i) => client.set(`seed:${i}`, i)));
      expect(await client.get('seed:7')).toBe('7');
    });

    it('T3 one seed that is a replica, and others that are down → keys on every master', async () => {
      const dead = `127.0.0.1:${await freePort()}`;
      const { topology } = open({ nodes: [dead, cluster.seeds[4]!] });
      await topology.connect();
      await waitFor(() => names(topology).length === 3);
      expect(names(topology)).toEqual(masters);
    });

    it('T3 hash tag → one shard, by whichever key', async () => {
      const { topology } = open({ nodes: masters });
      await topology.connect();
      expect(topology.shardOf('a{tag}b')).toBe(topology.shardOf('c{tag}d'));
      const owner = await cluster.ownerOf(hashSlot('{tag}'));
      expect(topology.shardOf('a{tag}b').name).toBe(owner.address);
    });

    it('user, password and TLS of one URL → for every node', async () => {
      const { client } = open({ nodes: ['rediss://reader:p%40ss@127.0.0.1:1', '127.0.0.1:2'] });
      const { username, password, tls } = client.options.redisOptions!;
      expect({ username, password, tls }).toEqual({
        username: 'reader',
        password: 'p@ss',
        tls: {},
      });
      // A certificate is made out to the name.
      const looked = deferred<string>();
      client.options.dnsLookup!('node.example', (_, address) => looked.resolve(address));
      expect(await looked.promise).toBe('node.example');
    });

    it('T3 a name beyond ASCII → as it is written', () => {
      const { client } = open({ nodes: ['redis://bücher.example:7000'] });
      expect(client).toMatchObject({ startupNodes: [{ host: 'bücher.example', port: 7000 }] });
    });

    it('TLS in a URL, and more of it in redisOptions → for the seeds, too', () => {
      const tls = { servername: 'cache.internal' };
      const { client } = open({
        nodes: ['rediss://127.0.0.1:1'],
        cluster: { redisOptions: { tls } },
      });
      expect(client).toMatchObject({ startupNodes: [{ tls }], options: { redisOptions: { tls } } });
    });

    it('redisOptions.tls → the connection begins with a handshake', async () => {
      const first = deferred<number>();
      const server = createServer((socket) =>
        socket.on('error', () => undefined).once('data', (bytes) => first.resolve(bytes[0]!)),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const { topology } = open({
        nodes: [{ host: '127.0.0.1', port }],
        cluster: { redisOptions: { tls: { rejectUnauthorized: false } } },
      });
      void topology.connect();
      expect(await first.promise).toBe(TLS_HANDSHAKE);
      await topology.close();
      server.close();
    });

    it('natMap → nodes are reached where it says', async () => {
      const proxies = await Promise.all(
        cluster.nodes.map((node) => FaultProxy.start(node.server.url)),
      );
      const natMap = Object.fromEntries(
        cluster.seeds.map((seed, i) => [seed, { host: '127.0.0.1', port: proxies[i]!.port }]),
      );
      const { topology, client } = open({
        nodes: [{ host: '127.0.0.1', port: proxies[0]!.port }],
        cluster: { natMap },
      });
      await topology.connect();
      const reached = proxies.slice(0, 3).map(({ port }) => `127.0.0.1:${port}`);
      expect(names(topology)).toEqual(reached.toSorted());
      await Promise.all(Array.from({ length: 50 }, (_, i) => client.set(`nat:${i}`, i)));
      const subscriber = topology.createPubSubClient(topology.shards()[0]!);
      expect(reached).toContain(`127.0.0.1:${subscriber.options.port}`);
      await topology.close();
      await Promise.all(proxies.map((proxy) => proxy.close()));
    });
  });

  describe('connect and close', () => {
    it('T10 connect — nobody there → within the timeout, and commands fail at once', async () => {
      const { topology, client, errors } = open({ nodes: [`127.0.0.1:${await freePort()}`] }, 500);
      expect(await timed(topology.connect())).toBeLessThan(700);
      const begin = performance.now();
      await expect(client.get('a')).rejects.toThrow(/isn't ready/);
      expect(performance.now() - begin).toBeLessThan(500);
      expect(errors.length).toBeGreaterThan(0);
      expect(await timed(topology.close())).toBeLessThan(700);
    });

    it('T10 connect — hosts that do not answer → within the timeout', async () => {
      const server = createServer(() => undefined);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const { topology } = open({ nodes: [{ host: '127.0.0.1', port }] }, 500);
      expect(await timed(topology.connect())).toBeLessThan(700);
      expect(await timed(topology.close())).toBeLessThan(700);
      server.close();
    });

    it('T10 a cluster that comes up after the boot → used by itself', async () => {
      const proxy = await FaultProxy.start(cluster.nodes[0]!.server.url);
      proxy.set('reset');
      const { topology, client } = open({ nodes: [`127.0.0.1:${proxy.port}`] }, 300);
      await topology.connect();
      expect(client.status).not.toBe('ready');
      proxy.set('pass');
      await waitFor(() => client.status === 'ready');
      expect(await client.set('late', 1)).toBe('OK');
      await topology.close();
      await proxy.close();
    });

    it('connect — resolves → a burst of commands goes to connections that are open', async () => {
      const { topology, client } = open({ nodes: masters });
      await topology.connect();
      const { length } = client.nodes('master').filter((node) => node.status === 'ready');
      expect(length).toBe(3);
      // Nothing is kept open to the replicas, which are never asked.
      expect(client.nodes('slave').map((node) => node.status)).toEqual(['wait', 'wait', 'wait']);
    });

    it('scripts used for the first time, many at once → a text for each master, and no second try', async () => {
      const echo = defineScript({
        name: 'echo',
        args: [],
        replies: ['key'],
        lua: 'return { KEY, key }',
      });
      const { topology, client } = open({ nodes: masters });
      await topology.connect();
      const heads = cluster.nodes.filter(({ address }) => masters.includes(address));
      for (const { admin } of heads) await admin.config('RESETSTAT');
      const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
      const answers = await Promise.all(keys.map((key) => runScript(client, echo, key, {})));
      expect(answers.map(({ details }) => String(details[0]))).toEqual(keys);
      for (const { admin } of heads) {
        expect(await admin.info('commandstats')).toContain('cmdstat_eval:calls=1,');
        expect(await admin.info('errorstats')).not.toContain('NOSCRIPT');
      }
    });

    it('close — connected → no handle is left, and a second close is the same', async () => {
      const before = await sockets();
      const { topology, client } = open({ nodes: masters });
      await topology.connect();
      await client.set('a', 1);
      await topology.close();
      await topology.close();
      await waitFor(async () => (await sockets()).length <= before.length);
      await expect(client.get('a')).rejects.toThrow(/isn't ready/);
    });

    it.each([0, 1, 5, 20, 60])(
      'close — %p ms after connect began → no handle is left',
      async (ms) => {
        const before = await sockets();
        const { topology } = open({ nodes: masters });
        const connected = topology.connect();
        await new Promise((resolve) => setTimeout(resolve, ms));
        await topology.close();
        await connected;
        await waitFor(async () => (await sockets()).length <= before.length, { timeoutMs: 3_000 });
      },
    );
  });

  describe('a client of the application', () => {
    it.each(['object', 'function'])('T6 given as %s → used and never closed', async (kind) => {
      const given = cluster.client();
      const { topology, client } = open({ client: kind === 'object' ? given : () => given });
      await topology.connect();
      expect(client).toBe(given);
      expect(names(topology)).toEqual(masters);
      await topology.close();
      expect(await given.set('a', 1)).toBe('OK');
    });

    it.each<[start: unknown, host: string, port: number, more?: object]>([
      ['redis://us%40er:p%40ss@[::1]:7000/1', '::1', 7000, { username: 'us@er', password: 'p@ss' }],
      ['redis://node-1?family=6', 'node-1', 6379, { password: 'of all' }],
      ['node-1:7000', 'node-1', 7000],
      ['7000', '127.0.0.1', 7000],
      [7000, '127.0.0.1', 7000],
      [{ host: 'node-1' }, 'node-1', 6379],
      [{ port: 7000, password: 'its own' }, '127.0.0.1', 7000, { password: 'its own' }],
    ])('T6 that begins at %j → pub/sub does, too', (start, host, port, more = {}) => {
      const options = { lazyConnect: true, redisOptions: { password: 'of all' } };
      const { topology } = open({ client: new Cluster([start as ClusterNode], options) });
      const [shard] = topology.shards();
      expect(shard!.name).toBe(`cluster ${host}:${port}`);
      expect(topology.createPubSubClient(shard!).options).toMatchObject({ host, port, ...more });
    });

    it('T6 that begins at a database, which it ignores → used', async () => {
      const given = new Cluster([`redis://${masters[0]}/1`]);
      const { topology } = open({ client: given });
      await topology.connect();
      expect(names(topology)).toEqual(masters);
      given.disconnect();
    });

    it.each<[string, object, RegExp]>([
      ['replica reads', { scaleReads: 'slave' }, /client.options.scaleReads.*'slave'.*replica/],
      ['replica reads by a function', { scaleReads: () => [] }, /scaleReads: given a function/],
      ['auto-pipelining', { enableAutoPipelining: true }, /enableAutoPipelining/],
      ['a keyPrefix', { keyPrefix: 'x' }, /options.keyPrefix: given a prefix.*namespace/],
      ['a keyPrefix', { redisOptions: { keyPrefix: 'x' } }, /keyPrefix/],
    ])('T6 with %s → refused', (_, options, message) => {
      const client = new Cluster([{ port: 1 }], { lazyConnect: true, ...options });
      expect(() => open({ client })).toThrow(message);
    });

    it('T6 a Redis → refused', () => {
      const client = new Redis({ lazyConnect: true }) as unknown as Cluster;
      expect(() => open({ client })).toThrow(/given a Redis, accepted a Cluster/);
    });
  });

  describe('createPubSubClient', () => {
    it('T14 asked for again → the next master', async () => {
      const { topology } = open({ nodes: masters });
      await topology.connect();
      const shard = topology.shards()[0]!;
      const chosen = Array.from({ length: 6 }, () => topology.createPubSubClient(shard)).map(
        ({ options }) => `${options.host}:${options.port}`,
      );
      expect(chosen.slice(0, 3).toSorted()).toEqual(masters);
      expect(chosen.slice(3)).toEqual(chosen.slice(0, 3));
    });

    it('T14 for a key’s shard → its master', async () => {
      const { topology } = open({ nodes: masters });
      await topology.connect();
      const shard = topology.shardOf('a');
      const { options } = topology.createPubSubClient(shard);
      expect(`${options.host}:${options.port}`).toBe(shard.name);
      expect(options).toMatchObject({ protocol: 2, retryStrategy: null, lazyConnect: true });
    });

    it('T14 nothing known yet → a seed, with the password of all', async () => {
      const { topology } = open({ nodes: ['redis://:secret@127.0.0.1:1', '127.0.0.1:2'] });
      const { options } = topology.createPubSubClient(topology.shards()[0]!);
      expect(['127.0.0.1:1', '127.0.0.1:2']).toContain(`${options.host}:${options.port}`);
      expect(options).toMatchObject({ password: 'secret', retryStrategy: null, lazyConnect: true });
    });
  });

  it('errors — a wrong password → reported with the node, without the password', async () => {
    const { topology, errors } = open({ nodes: [`redis://nobody:letmein@${masters[0]}`] }, 500);
    await topology.connect();
    expect(errors.map(({ message }) => message)).toContain(
      `${masters[0]}: WRONGPASS invalid username-password pair or user is disabled.`,
    );
    expect(inspect(errors, { depth: 9 })).not.toContain('letmein');
  });
});
