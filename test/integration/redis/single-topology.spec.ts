import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { createHook } from 'node:async_hooks';
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { deferred } from '../../../lib/common/async.js';
import { systemClock } from '../../../lib/common/clock.js';
import { dropConnection } from '../../../lib/redis/closing.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import type { SingleTopologyOptions } from '../../../lib/redis/topology.options.js';
import { ManualClock } from '../../contract/support/manual-clock.js';
import { freePort } from '../../support/ports.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

/** The type byte of the first TLS record. */
const TLS_HANDSHAKE = 0x16;
const PASSWORD = 'pä:ss/w@rd';

const NOT_CONNECTED = /isn't writeable|closed/;

interface Opened {
  topology: SingleTopology;
  client: Redis;
  errors: Error[];
}

function open(options: Partial<SingleTopologyOptions>, connectTimeoutMs = 2_000): Opened {
  const errors: Error[] = [];
  const topology = new SingleTopology(
    { ...options, type: 'single' },
    { clock: systemClock, connectTimeoutMs, onError: (error) => errors.push(error) },
  );
  return { topology, client: topology.shardOf('k').client as Redis, errors };
}

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

/** What would keep this process alive: open sockets, and timers of the client. */
async function handles(): Promise<string[]> {
  await new Promise(setImmediate);
  const sockets = process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name));
  return [...sockets.sort(), ...[...clientTimers].map(() => 'Timeout')];
}

describe('SingleTopology', () => {
  let server: TestServer;
  let folder: string;
  let socket: Server;

  beforeAll(async () => {
    server = await startServer({ password: PASSWORD });
    const admin = new Redis(server.url);
    await admin.acl('SETUSER', 'reader', 'on', '>secret', '~*', '&*', '+@all');
    await admin.quit();
    // A socket of this process's own, since a server may run in a container.
    folder = await mkdtemp(join(tmpdir(), 'socket-'));
    socket = createServer((near) => {
      const far = connect(server.port, server.host);
      near.pipe(far).pipe(near);
      for (const end of [near, far]) end.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => socket.listen(join(folder, 'redis.sock'), resolve));
  });
  afterAll(async () => {
    socket.close();
    await server.stop();
    await rm(folder, { recursive: true });
  });

  describe('connect', () => {
    const at = (user: string, rest = ''): string => `${user}@127.0.0.1:${server.port}${rest}`;

    it.each<[string, () => Partial<SingleTopologyOptions>, string, string]>([
      [
        'password and db',
        () => ({ url: `redis://${at(`:${encodeURIComponent(PASSWORD)}`, '/3')}` }),
        'default',
        '3',
      ],
      ['user and password', () => ({ url: `redis://${at('reader:secret')}` }), 'reader', '0'],
      [
        'scheme in capitals',
        () => ({ url: `REDIS://${at('reader:secret', '/2')}` }),
        'reader',
        '2',
      ],
      [
        'socket',
        () => ({ url: `${join(folder, 'redis.sock')}?db=4`, redis: { password: PASSWORD } }),
        'default',
        '4',
      ],
      [
        'unix scheme',
        () => ({
          url: `unix://${join(folder, 'redis.sock')}?db=5&username=reader&password=secret`,
        }),
        'reader',
        '5',
      ],
      [
        'options alone',
        () => ({ redis: { port: server.port, username: 'reader', password: 'secret', db: 1 } }),
        'reader',
        '1',
      ],
    ])('T1 by %s → logged in, in its db', async (_what, options, user, db) => {
      const { topology, client, errors } = open(options());
      await topology.connect();
      const info = String(await client.client('INFO'));
      expect({ user: / user=(\S+)/.exec(info)?.[1], db: / db=(\d+)/.exec(info)?.[1] }).toEqual({
        user,
        db,
      });
      await topology.close();
      expect(errors).toEqual([]);
    });

    it.each(['rediss', 'REDISS'])('T1 by %s:// → speaks TLS', async (scheme) => {
      const first = deferred<Buffer>();
      const listener = createServer((near) => {
        near.on('error', () => undefined).once('data', first.resolve);
      });
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      const { port } = listener.address() as AddressInfo;
      const { topology } = open({ url: `${scheme}://127.0.0.1:${port}` });
      void topology.connect();
      expect((await first.promise)[0]).toBe(TLS_HANDSHAKE);
      await topology.close();
      listener.close();
    });

    it('T9 T10 nobody listens → resolves after the first attempt, and connects when somebody does', async () => {
      const other = await startServer();
      await other.kill();
      const { topology, client, errors } = open({ url: other.url });
      expect(await timed(topology.connect())).toBeLessThan(500);
      await expect(client.get('k')).rejects.toThrow(NOT_CONNECTED);
      expect(errors[0]!.message).toMatch('ECONNREFUSED');
      await other.restart();
      await waitFor(() => client.status === 'ready');
      expect(await client.ping()).toBe('PONG');
      await topology.close();
      await other.stop();
    });

    it('T10 the server accepts and does not answer → resolves within the connect timeout', async () => {
      await server.pause();
      const { topology } = open({ url: server.url }, 300);
      expect(await timed(topology.connect())).toBeLessThan(500);
      expect(await timed(topology.close())).toBeLessThan(500);
      await server.resume();
    });

    it('no sentinel answers → resolves, and close ends the search', async () => {
      const port = await freePort();
      const redis = { sentinels: [{ host: '127.0.0.1', port }], name: 'main' };
      const { topology, errors } = open({ redis });
      expect(topology.shards()[0]!.name).toBe('sentinel main');
      expect(await timed(topology.connect())).toBeLessThan(500);
      expect(errors[0]!.message).toMatch('sentinels are unreachable');
      await topology.close();
    });

    it('wrong password → resolves; reported once, and without it', async () => {
      const { topology, errors } = open({ url: `redis://${at(':a-wrong-secret')}` });
      await topology.connect();
      await waitFor(() => (topology.shardOf('k').client as Redis).status === 'reconnecting');
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(errors.filter((error) => error.message.startsWith('WRONGPASS'))).toHaveLength(1);
      expect(inspect(errors, { depth: 9, showHidden: true })).not.toContain('a-wrong-secret');
      await topology.close();
    });
  });

  describe('a command', () => {
    it('T9 the connection breaks while it is under way → rejected at once, not sent again', async () => {
      const { topology, client } = open({ url: server.url });
      await topology.connect();
      await server.pause();
      const calls = [client.incr('counter'), client.get('x')];
      client.stream.destroy();
      for (const call of calls) await expect(call).rejects.toThrow(/max retries|closed/i);
      await server.resume();
      await waitFor(() => client.status === 'ready');
      expect(Number(await client.get('counter'))).toBeLessThanOrEqual(1);
      await topology.close();
    });

    describe('READONLY', () => {
      let replica: TestServer;
      beforeEach(async () => {
        replica = await startServer();
        const admin = new Redis(replica.url);
        // Nobody listens there.
        await admin.replicaof('127.0.0.1', 1);
        admin.disconnect();
      });
      afterEach(() => replica.stop());

      const connections = async (client: Redis): Promise<number> =>
        Number(/total_connections_received:(\d+)/.exec(await client.info('stats'))![1]);

      it('no master is to be found → looked for over another connection, this one stays', async () => {
        const { topology, client } = open({ url: replica.url });
        await topology.connect();
        const { stream } = client;
        const before = await connections(client);
        for (let i = 0; i < 10; i++) await expect(client.set('k', i)).rejects.toThrow('READONLY');
        await waitFor(async () => (await connections(client)) === before + 1);
        await waitFor(async () => String(await client.client('LIST')).split('\n').length === 2);
        expect(await client.get('k')).toBeNull();
        expect(client.stream).toBe(stream);
        await topology.close();
      });

      /** Leads each connection to the port that is given for it, or nowhere. */
      async function startName(portOf: (near: Socket) => number | undefined): Promise<Server> {
        const name = createServer((near) => {
          near.on('error', () => undefined);
          const to = portOf(near);
          if (to === undefined) return;
          const far = connect(to, '127.0.0.1').on('error', () => undefined);
          near.pipe(far).pipe(near);
        });
        await new Promise<void>((resolve) => name.listen(0, '127.0.0.1', resolve));
        return name;
      }
      const openAt = (name: Server): Opened =>
        open({ redis: { port: (name.address() as AddressInfo).port, password: PASSWORD } });

      /** A write has been refused, and over the other connection that was made for that nothing is answered. */
      async function openBesideSilence() {
        const accepted: Socket[] = [];
        const name = await startName((near) =>
          accepted.push(near) === 1 ? replica.port : undefined,
        );
        const { topology, client } = openAt(name);
        await topology.connect();
        const { stream } = client;
        await expect(client.set('k', 'v')).rejects.toThrow('READONLY');
        const other = (await waitFor(() => accepted[1]))!;
        return { topology, client, stream, other, name };
      }

      it('the name leads to a master by now → that one, over a new connection', async () => {
        let target = replica.port;
        const name = await startName(() => target);
        const { topology, client } = openAt(name);
        await topology.connect();
        target = server.port;
        await expect(client.set('k', 'v')).rejects.toThrow('READONLY');
        await waitFor(() => client.set('k', 'v'));
        expect(await client.get('k')).toBe('v');
        await topology.close();
        name.close();
      });

      it('closed while the other connection waits for an answer → ended as well', async () => {
        const { topology, other, name } = await openBesideSilence();
        const ended = once(other.resume(), 'close');
        expect(await timed(Promise.all([topology.close(), ended]))).toBeLessThan(700);
        name.close();
      });

      it('R8 nothing is answered over the other connection → it is given up, this one stays', async () => {
        const { topology, client, stream, other, name } = await openBesideSilence();
        await once(other.resume(), 'close');
        expect(client.stream).toBe(stream);
        await topology.close();
        name.close();
      });
    });
  });

  describe('connections', () => {
    it('T7 several → each key always the same one, all of them used, one shard', async () => {
      const { topology } = open({ url: server.url, connections: 4 });
      await topology.connect();
      const keys = Array.from({ length: 1000 }, (_, i) => `user:${i}`);
      const used = new Map<unknown, number>();
      for (const key of keys) {
        const { client } = topology.shardOf(key);
        expect(topology.shardOf(key).client).toBe(client);
        used.set(client, (used.get(client) ?? 0) + 1);
      }
      expect(used.size).toBe(4);
      expect(Math.min(...used.values())).toBeGreaterThan(150);
      expect(topology.shards()).toHaveLength(1);
      expect(topology.shards()[0]!.name).toBe(`127.0.0.1:${server.port}`);
      await topology.close();
    });
  });

  describe('close', () => {
    beforeAll(() => void timerHook.enable());
    afterAll(() => void timerHook.disable());

    const states: [string, () => Promise<Opened>][] = [
      ['before connect', async () => open({ url: server.url })],
      [
        'while connecting',
        async () => {
          const opened = open({ url: server.url });
          void opened.topology.connect();
          return opened;
        },
      ],
      [
        'while the address does not answer',
        async () => {
          const opened = open({ url: 'redis://192.0.2.1:6379' });
          void opened.topology.connect();
          await waitFor(() => opened.client.stream);
          return opened;
        },
      ],
      [
        'when ready',
        async () => {
          const opened = open({ url: server.url, connections: 2 });
          await opened.topology.connect();
          return opened;
        },
      ],
      [
        'between two attempts',
        async () => {
          const opened = open({ url: `redis://127.0.0.1:${await freePort()}` });
          await opened.topology.connect();
          await waitFor(() => opened.client.status === 'reconnecting');
          return opened;
        },
      ],
    ];

    it.each(states)('T11 %s → no handle left, and nothing comes back', async (_state, start) => {
      const before = await handles();
      const { topology, client } = await start();
      expect(await timed(topology.close())).toBeLessThan(700);
      expect(await handles()).toEqual(before);
      await topology.close();
      await expect(client.get('k')).rejects.toThrow(NOT_CONNECTED);
    });

    it('T11 without a word to the server → the socket is gone at once, and no timer is left', async () => {
      const { topology, client } = open({ url: server.url });
      await topology.connect();
      const clock = new ManualClock();
      const dropped = dropConnection(client, clock);
      expect(client.stream.destroyed).toBe(true);
      await dropped;
      expect([client.status, clock.pendingTimers]).toEqual(['end', 0]);
      // Of one that has ended nothing is waited for.
      await dropConnection(client, clock);
    });

    it('T11 the server hangs → within a second', async () => {
      const before = await handles();
      const { topology } = open({ url: server.url });
      await topology.connect();
      await server.pause();
      const tookMs = await timed(topology.close());
      const after = await handles();
      await server.resume();
      expect(tookMs).toBeLessThan(1_000);
      expect(after).toEqual(before);
    });
  });

  describe('a given client', () => {
    it('T6 instance → used as it is, not closed', async () => {
      const mine = new Redis(server.url);
      const { topology, client } = open({ client: mine });
      expect(client).toBe(mine);
      await topology.connect();
      await topology.close();
      expect(mine.status).toBe('ready');
      expect(mine.listenerCount('error')).toBe(0);
      await mine.quit();
    });

    it('T6 function → called per connection, not closed', async () => {
      const made: Redis[] = [];
      const make = (): Redis => {
        made.push(new Redis(server.url, { lazyConnect: true }));
        return made.at(-1)!;
      };
      const { topology } = open({ client: make, connections: 2 });
      await topology.connect();
      expect(made.map((client) => client.status)).toEqual(['ready', 'ready']);
      await topology.close();
      expect(made.map((client) => client.status)).toEqual(['ready', 'ready']);
      for (const client of made) client.disconnect();
    });

    it('one with keyPrefix, or a Cluster → CacheOptionsError', () => {
      const prefixed = new Redis({ lazyConnect: true, keyPrefix: 'app:' });
      const cluster = new Cluster([server.port], { lazyConnect: true }) as unknown as Redis;
      for (const options of [
        { client: prefixed },
        { redis: { keyPrefix: 'x' } },
        { client: cluster },
      ])
        expect(() => open(options)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_OPTIONS' }));
    });
  });

  it('a URL that is none → CacheOptionsError without the URL', () => {
    let thrown: unknown;
    try {
      open({ url: 'redis://user:hunter2@host:port:1/' });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });

  it('errors — the same message again → once in ten seconds', async () => {
    const clock = new ManualClock();
    const errors: Error[] = [];
    const context = { clock, connectTimeoutMs: 100, onError: (error: Error) => errors.push(error) };
    const topology = new SingleTopology({ type: 'single', url: server.url }, context);
    const client = topology.shards()[0]!.client;
    const report = (): boolean => client.emit('error', new Error('gone'));
    for (let i = 0; i < 3; i++) report();
    expect(errors).toHaveLength(1);
    clock.advance(10_000);
    report();
    expect(errors).toHaveLength(2);
    client.emit('error', new Error('another'));
    expect(errors).toHaveLength(3);
  });
});
