import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createHook } from 'node:async_hooks';
import { inspect } from 'node:util';
import { systemClock } from '../../../lib/common/clock.js';
import { ShardedTopology } from '../../../lib/redis/sharded.topology.js';
import type { ShardedTopologyOptions } from '../../../lib/redis/topology.options.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const NOT_CONNECTED = /isn't writeable|closed/;
const KEYS = Array.from({ length: 300 }, (_, i) => `p:${i}`);

async function timed(promise: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await promise;
  return performance.now() - begin;
}

/** Timers of the client that have neither run nor been cleared; the test runner has its own in the same process. */
const clientTimers = new Set<number>();
const timerHook = createHook({
  init: (id, type) => {
    if (type === 'Timeout' && new Error().stack!.includes('/ioredis/')) clientTimers.add(id);
  },
  destroy: (id) => clientTimers.delete(id),
});

/** What would keep this process alive. */
async function handles(): Promise<string[]> {
  await new Promise(setImmediate);
  const sockets = process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name));
  return [...sockets.sort(), ...[...clientTimers].map(() => 'Timeout')];
}

describe('ShardedTopology', () => {
  let servers: TestServer[];
  let errors: Error[];
  let opened: ShardedTopology | undefined;

  beforeAll(async () => {
    servers = await Promise.all([
      startServer(),
      startServer(),
      startServer({ password: 'secret' }),
    ]);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));
  afterEach(async () => {
    await opened?.close();
    for (const server of servers) await server.resume();
  });

  function open(
    options: Partial<ShardedTopologyOptions> = {},
    connectTimeoutMs = 2_000,
  ): ShardedTopology {
    errors = [];
    const shards = servers.map(({ url }, i) => ({ url, name: `shard-${i}` }));
    opened = new ShardedTopology(
      { type: 'sharded', shards, ...options },
      { clock: systemClock, connectTimeoutMs, onError: (error) => errors.push(error) },
    );
    return opened;
  }

  /** Which of the servers has the key, asked directly. */
  async function holders(key: string): Promise<number[]> {
    const found = servers.map(async ({ url }, i) => {
      const client = new Redis(url);
      const exists = await client.exists(key);
      await client.quit();
      return exists ? [i] : [];
    });
    return (await Promise.all(found)).flat();
  }

  it('T2 set at the owner of each key → on that server alone, each has some', async () => {
    const topology = open();
    await topology.connect();
    await Promise.all(KEYS.map((key) => topology.shardOf(key).client.set(key, '1', 'EX', 60)));
    for (const key of KEYS.slice(0, 30))
      expect(await holders(key)).toEqual([Number(topology.shardOf(key).name.at(-1))]);
    expect(new Set(KEYS.map((key) => topology.shardOf(key).name)).size).toBe(3);
    expect(errors).toEqual([]);
  });

  it('T7 several connections → to each server', async () => {
    const before = await Promise.all(servers.map(connectionsOf));
    await open({ connections: 3 }).connect();
    const after = await Promise.all(servers.map(connectionsOf));
    expect(after.map((count, i) => count - before[i]!)).toEqual([3, 3, 3]);
  });

  it('a pub/sub client of a shard → is at its server', async () => {
    const topology = open();
    await topology.connect();
    for (const shard of topology.shards()) {
      const subscriber = topology.createPubSubClient(shard);
      const heard: string[] = [];
      subscriber.on('message', (_, message: string) => heard.push(message));
      await subscriber.connect();
      await subscriber.subscribe('news');
      for (const { client, name } of topology.shards()) await client.publish('news', name);
      await waitFor(() => heard.length > 0);
      expect(heard).toEqual([shard.name]);
      subscriber.disconnect();
    }
  });

  describe('connect', () => {
    it('T10 one refuses, one has another password → resolves at once, the third can be used', async () => {
      const gone = await startServer();
      await gone.kill();
      const wrong = servers[2]!.url.replace('secret', 'wrong-secret');
      const topology = open({ shards: [servers[0]!.url, gone.url, wrong] });
      expect(await timed(topology.connect())).toBeLessThan(1_000);
      const [good, refusing, other] = topology.shards().map(({ client }) => client);
      expect(await good!.ping()).toBe('PONG');
      for (const client of [refusing!, other!])
        await expect(client.ping()).rejects.toThrow(/isn't writeable|closed|max retries/);
      const messages = errors.map(({ message }) => message);
      expect(messages).toContainEqual(
        expect.stringMatching(`^127.0.0.1:${gone.port}: .*ECONNREFUSED`),
      );
      expect(messages).toContainEqual(
        expect.stringMatching(`^127.0.0.1:${servers[2]!.port}: WRONGPASS`),
      );
      expect(inspect(errors, { depth: 9, showHidden: true })).not.toContain('wrong-secret');
      await gone.stop();
    });

    it('T10 one hangs → resolves within the connect timeout', async () => {
      await servers[1]!.pause();
      const topology = open({}, 300);
      expect(await timed(topology.connect())).toBeLessThan(600);
      expect(await topology.shards()[0]!.client.ping()).toBe('PONG');
      expect(await topology.shards()[2]!.client.ping()).toBe('PONG');
    });

    it('one that was down comes → is connected to, its keys are where they were', async () => {
      const late = await startServer();
      await late.kill();
      const topology = open({ shards: [servers[0]!.url, { url: late.url, name: 'late' }] });
      const before = KEYS.map((key) => topology.shardOf(key).name);
      await topology.connect();
      expect(KEYS.map((key) => topology.shardOf(key).name)).toEqual(before);
      await late.restart();
      const key = KEYS.find((one) => topology.shardOf(one).name === 'late')!;
      await waitFor(() => topology.shardOf(key).client.status === 'ready');
      expect(await topology.shardOf(key).client.ping()).toBe('PONG');
      expect(KEYS.map((one) => topology.shardOf(one).name)).toEqual(before);
      await late.stop();
    });

    it('twice → the same', () => {
      const topology = open();
      expect(topology.connect()).toBe(topology.connect());
    });
  });

  describe('previousShards', () => {
    it('servers only there → connected to for commands, once; the others over the same connections', async () => {
      const [a, b, c] = servers.map(({ url }) => url) as [string, string, string];
      const before = await Promise.all(servers.map(connectionsOf));
      const topology = open({ shards: [a, b], previousShards: [b, c], connections: 2 });
      await topology.connect();
      const after = await Promise.all(servers.map(connectionsOf));
      expect(after.map((count, i) => count - before[i]!)).toEqual([2, 2, 2]);
      const key = KEYS.find((one) => topology.formerOwnersOf(one)[0]?.name.endsWith('(former)'))!;
      await topology.formerOwnersOf(key)[0]!.client.set(key, '1', 'EX', 60);
      expect(await holders(key)).toContain(2);
    });

    it('one of them hangs → connect and close are not held up beyond their time', async () => {
      await servers[2]!.pause();
      const [a, b, c] = servers.map(({ url }) => url) as [string, string, string];
      const topology = open({ shards: [a, b], previousShards: [a, b, c] }, 300);
      expect(await timed(topology.connect())).toBeLessThan(600);
      expect(await timed(topology.close())).toBeLessThan(1_000);
    });
  });

  describe('close', () => {
    beforeAll(() => void timerHook.enable());
    afterAll(() => void timerHook.disable());

    it.each<[string, () => Promise<void>]>([
      ['before connect', async () => undefined],
      ['while connecting', async () => void opened!.connect()],
      ['when ready', () => opened!.connect()],
      [
        'while one hangs',
        async () => {
          await opened!.connect();
          await servers[1]!.pause();
        },
      ],
    ])('T11 %s → no handle left, nothing comes back', async (_, bring) => {
      const before = await handles();
      const topology = open({
        connections: 2,
        shards: [servers[0]!.url],
        previousShards: [servers[1]!.url],
      });
      await bring();
      expect(await timed(topology.close())).toBeLessThan(1_000);
      expect(await handles()).toEqual(before);
      await topology.close();
      for (const { client } of topology.connections())
        await expect(client.get('k')).rejects.toThrow(NOT_CONNECTED);
    });
  });
});

async function connectionsOf({ url }: TestServer): Promise<number> {
  const client = new Redis(url);
  const list = String(await client.client('LIST'));
  await client.quit();
  return list.trim().split('\n').length - 1;
}
