import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import { createServer, type AddressInfo } from 'node:net';
import { systemClock, type Clock, type TimerHandle } from '../../../lib/common/clock.js';
import { createConnection, createPubSubClient } from '../../../lib/redis/connection.js';
import { Subscriber } from '../../../lib/redis/subscriber.js';
import { freePort } from '../../support/ports.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeSentinel } from './fake-sentinel.js';

interface Listening {
  subscriber: Subscriber;
  messages: string[];
  errors: string[];
  /** 'live' and 'down' as they came. */
  changes: string[];
  /** Clients asked for so far. */
  clients: Redis[];
  timers: Set<TimerHandle>;
}

const opened: Subscriber[] = [];
const ANSWER_MS = 300;

function listen(
  redis: RedisOptions & { url?: string },
  { channels = ['c'], onClient }: { channels?: string[]; onClient?: (client: Redis) => void } = {},
): Listening {
  const { url, ...options } = redis;
  const like = createConnection(
    { url, redis: options },
    { clock: systemClock, connectTimeoutMs: ANSWER_MS, onError: () => undefined },
  );
  const lists: Omit<Listening, 'subscriber'> = {
    messages: [],
    errors: [],
    changes: [],
    clients: [],
    timers: new Set(),
  };
  const subscriber = new Subscriber({
    createClient: () => {
      const client = createPubSubClient(like, { connectTimeoutMs: ANSWER_MS });
      lists.clients.push(client);
      onClient?.(client);
      return client;
    },
    channels,
    clock: clockThatCounts(lists.timers),
    answerMs: ANSWER_MS,
    onMessage: (channel, message) => lists.messages.push(`${channel} ${message.toString()}`),
    onLive: () => lists.changes.push('live'),
    onDown: () => lists.changes.push('down'),
    onError: ({ message }) => lists.errors.push(message),
  });
  opened.push(subscriber);
  return { subscriber, ...lists };
}

async function startLive(...args: Parameters<typeof listen>): Promise<Listening> {
  const listening = listen(...args);
  listening.subscriber.start();
  await waitFor(() => listening.subscriber.live);
  return listening;
}

/** Keeps the timers that are set. */
function clockThatCounts(timers: Set<TimerHandle>): Clock {
  return {
    ...systemClock,
    setTimer: (ms, fn) => {
      const timer = systemClock.setTimer(ms, () => {
        timers.delete(timer);
        fn();
      });
      timers.add(timer);
      return timer;
    },
    clearTimer: (timer) => {
      timers.delete(timer);
      systemClock.clearTimer(timer);
    },
  };
}

/** Sockets and timers that would keep this process alive. */
function handles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /^(TCP|Pipe|TLS|Timeout)/.test(name));
}

describe('Subscriber', () => {
  let server: TestServer;
  let admin: Redis;
  let proxy: FaultProxy;

  const subscribers = async (channel = 'c'): Promise<number> =>
    Number((await admin.pubsub('NUMSUB', channel))[1]);
  const idsOfPubSub = async (): Promise<string[]> =>
    [...((await admin.client('LIST', 'TYPE', 'PUBSUB')) as string).matchAll(/^id=(\d+)/gm)].map(
      ([, id]) => id!,
    );

  beforeAll(async () => {
    server = await startServer();
    proxy = await FaultProxy.start(server.url);
  });
  beforeEach(async () => {
    admin = new Redis(server.url);
    admin.on('error', () => undefined);
    // Its handles are there before a test counts them.
    await admin.ping();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((subscriber) => subscriber.close()));
    proxy.set('pass');
    admin.disconnect();
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  it('T14 start — the server answers → live once the server counts it, and messages arrive', async () => {
    const { subscriber, messages, changes } = listen({ url: server.url }, { channels: ['c', 'd'] });
    expect(subscriber.live).toBe(false);
    subscriber.start();
    subscriber.start();
    await waitFor(() => subscriber.live);
    expect(await subscribers('c')).toBe(1);
    expect(await subscribers('d')).toBe(1);
    await admin.publish('d', 'über');
    await waitFor(() => messages.length > 0);
    expect(messages).toEqual(['d über']);
    expect(changes).toEqual(['live']);
  });

  it('T14 start — the server speaks RESP2 only to it → the same', async () => {
    const { messages } = await startLive({ url: server.url, protocol: 2 });
    await admin.publish('c', 'm');
    await waitFor(() => messages.length > 0);
  });

  it('T14 start — the acknowledgement is not there yet → not live', async () => {
    const { subscriber, errors } = listen(
      { url: proxy.url },
      { onClient: (client) => void client.on('ready', () => proxy.set('drop-replies')) },
    );
    subscriber.start();
    await waitFor(async () => (await subscribers()) === 1);
    expect(subscriber.live).toBe(false);
    await waitFor(() => errors.length > 0);
    expect(errors).toEqual(['SUBSCRIBE was not answered within 300 ms']);
  });

  it('T14 a lost connection — killed again and again → down and live in turns, one subscription left', async () => {
    const { subscriber, changes, messages, errors } = await startLive({ url: server.url });
    const begin = performance.now();
    for (let round = 1; round <= 8; round++) {
      await admin.client('KILL', 'TYPE', 'PUBSUB');
      await waitFor(() => changes.length === 2 * round + 1);
      expect(subscriber.live).toBe(true);
    }
    // None of them is taken for a failure of the one before.
    expect(performance.now() - begin).toBeLessThan(3_000);
    expect(changes).toEqual(['live', ...Array.from({ length: 8 }, () => ['down', 'live']).flat()]);
    expect(await subscribers()).toBe(1);
    await admin.publish('c', 'm');
    await waitFor(() => messages.length > 0);
    expect(messages).toEqual(['c m']);
    expect(errors).toEqual([]);
  });

  it('T14 a lost connection — reset by the network → not live at once, live again', async () => {
    const { subscriber, changes } = await startLive({ url: proxy.url });
    proxy.set('reset');
    await waitFor(() => !subscriber.live);
    proxy.set('pass');
    await waitFor(() => subscriber.live);
    expect(changes).toEqual(['live', 'down', 'live']);
  });

  it('reset — live → another connection, the first is gone from the server', async () => {
    const { subscriber, changes } = await startLive({ url: server.url });
    const [before] = await idsOfPubSub();
    subscriber.reset();
    expect(subscriber.live).toBe(false);
    expect(changes).toEqual(['live', 'down']);
    await waitFor(() => subscriber.live);
    const after = await idsOfPubSub();
    expect(after).toHaveLength(1);
    expect(after).not.toContain(before);
  });

  it('reset — not started, between two attempts, closed → nothing', async () => {
    const { subscriber, clients, changes } = listen({ port: await freePort() });
    subscriber.reset();
    expect(clients).toHaveLength(0);
    subscriber.start();
    await waitFor(() => clients.length === 3);
    await subscriber.close();
    subscriber.reset();
    subscriber.start();
    expect(clients).toHaveLength(3);
    expect(changes).toEqual([]);
  });

  describe('a server that is not there', () => {
    it('restart — the server was away → live within two seconds after it answers', async () => {
      const own = await startServer();
      try {
        const { subscriber, changes, errors } = await startLive({ url: own.url });
        await own.kill();
        await waitFor(() => !subscriber.live);
        await waitFor(() => errors.length > 0);
        await own.restart();
        await waitFor(() => subscriber.live, { timeoutMs: 2_000 });
        expect(changes).toEqual(['live', 'down', 'live']);
        expect(errors.filter((text) => text.includes('ECONNREFUSED'))).toHaveLength(1);
      } finally {
        await own.stop();
      }
    });

    it('start — frozen → the handshake is given up and reported once; live when it goes on', async () => {
      const own = await startServer();
      try {
        await own.pause();
        const { subscriber, errors, clients } = listen({ url: own.url });
        subscriber.start();
        await waitFor(() => clients.length === 3);
        expect(errors).toEqual(['The handshake was not answered within 300 ms']);
        await own.resume();
        await waitFor(() => subscriber.live, { timeoutMs: 2_000 });
      } finally {
        await own.stop();
      }
    });

    it('start — a wrong password → reported once, never live, and the process goes on', async () => {
      const { subscriber, errors, clients } = listen({ url: server.url, password: 'wrong' });
      await admin.config('SET', 'requirepass', 'right');
      try {
        subscriber.start();
        await waitFor(() => clients.length === 3);
        expect(errors).toEqual([expect.stringContaining('WRONGPASS')]);
        expect(subscriber.live).toBe(false);
      } finally {
        await admin.config('SET', 'requirepass', '');
      }
      await waitFor(() => subscriber.live);
    });
  });

  it('NOPERM — the user may use no channel → reported once, tried on the same connection, live once allowed', async () => {
    await admin.acl('SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels');
    const refusals = async (): Promise<number> =>
      Number(
        /cmdstat_subscribe:.*rejected_calls=(\d+)/.exec(await admin.info('commandstats'))?.[1],
      );
    await admin.config('RESETSTAT');
    const { subscriber, errors, clients, changes } = listen({
      url: server.url,
      username: 'mute',
      password: 'secret',
    });
    subscriber.start();
    await waitFor(async () => (await refusals()) === 4);
    expect(subscriber.live).toBe(false);
    expect(errors).toEqual([expect.stringContaining('NOPERM')]);
    expect(clients).toHaveLength(1);
    await admin.acl('SETUSER', 'mute', 'allchannels');
    await waitFor(() => subscriber.live);
    expect(clients).toHaveLength(1);
    expect(changes).toEqual(['live']);
  });

  it('T14 options of the application — a deadline on commands and a socket timeout → not for the subscriber', async () => {
    proxy.set({ delayMs: 30 });
    const { subscriber, changes, clients } = await startLive({
      url: proxy.url,
      commandTimeout: 10,
      socketTimeout: 100,
      enableOfflineQueue: true,
      autoResubscribe: true,
      retryStrategy: () => 1,
    });
    expect(clients).toHaveLength(1);
    await admin.client('KILL', 'TYPE', 'PUBSUB');
    await waitFor(() => changes.length === 3);
    expect(clients[0]!.status).toBe('end');
    expect(subscriber.live).toBe(true);
  });

  it('T14 an injected client that already connects by itself → its duplicate does not until it is started', async () => {
    const given = new Redis(server.url);
    const client = createPubSubClient(given, { connectTimeoutMs: ANSWER_MS });
    expect(client.status).toBe('wait');
    client.disconnect();
    given.disconnect();
  });

  describe('Sentinel', () => {
    let before: string[];
    beforeAll(() => void (before = handles()));
    /** The client keeps a timer of two seconds for each Sentinel that it could not reach. */
    afterAll(() => waitFor(() => handles().length <= before.length));

    it('T14 the master has moved → live at the new one', async () => {
      const next = await startServer();
      const sentinel = await FakeSentinel.start(server);
      const nextAdmin = new Redis(next.url);
      try {
        const { changes, messages } = await startLive({
          sentinels: [{ host: '127.0.0.1', port: await freePort() }, sentinel.address],
          name: 'main',
        });
        expect(await subscribers()).toBe(1);
        sentinel.master = next;
        await admin.client('KILL', 'TYPE', 'PUBSUB');
        await waitFor(() => changes.length === 3);
        await nextAdmin.publish('c', 'from the new master');
        await waitFor(() => messages.length > 0);
      } finally {
        nextAdmin.disconnect();
        await sentinel.close();
        await next.stop();
      }
    });

    it('T14 none answers → reported, and live when one does', async () => {
      const port = await freePort();
      const { subscriber, errors, clients } = listen({
        sentinels: [{ host: '127.0.0.1', port }],
        name: 'main',
      });
      subscriber.start();
      await waitFor(() => clients.length === 3);
      expect(errors).toEqual([expect.stringContaining('All sentinels are unreachable')]);
      expect(subscriber.live).toBe(false);
    });
  });

  describe('close', () => {
    /** Accepts connections and says nothing. */
    async function withSilentServer(run: (port: number) => Promise<void>): Promise<void> {
      const silent = createServer((socket) => void socket.on('error', () => undefined));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      try {
        await run((silent.address() as AddressInfo).port);
      } finally {
        silent.close();
      }
    }

    async function expectClosed(listening: Listening, before: string[]): Promise<void> {
      const begin = performance.now();
      const { subscriber, clients, timers } = listening;
      const closing = subscriber.close();
      expect(subscriber.close()).toBe(closing);
      await closing;
      expect(performance.now() - begin).toBeLessThan(300);
      expect(subscriber.live).toBe(false);
      expect(timers.size).toBe(0);
      await waitFor(() => handles().length <= before.length, { timeoutMs: 400 });
      for (const client of clients) expect(client.status).toBe('end');
    }

    it('T11 K6 before the start, and a start afterwards → nothing was ever opened', async () => {
      const before = handles();
      const listening = listen({ url: server.url });
      await expectClosed(listening, before);
      listening.subscriber.start();
      expect(listening.clients).toHaveLength(0);
    });

    it('T11 K6 live → down, and gone from the server', async () => {
      const before = handles();
      const listening = await startLive({ url: server.url });
      await expectClosed(listening, before);
      expect(listening.changes).toEqual(['live', 'down']);
      await waitFor(async () => (await subscribers()) === 0);
    });

    it('T11 K6 in the step after the start → no handle', async () => {
      const before = handles();
      const listening = listen({ url: server.url });
      listening.subscriber.start();
      await expectClosed(listening, before);
      expect(listening.changes).toEqual([]);
    });

    it('T11 K6 while connecting to a host that does not answer → no handle', async () => {
      const before = handles();
      const listening = listen({ host: '192.0.2.1' });
      listening.subscriber.start();
      await waitFor(() => listening.clients.length > 0);
      await expectClosed(listening, before);
    });

    it('T11 K6 in the handshake → no handle', () =>
      withSilentServer(async (port) => {
        const before = handles();
        const listening = listen({ port });
        listening.subscriber.start();
        await waitFor(() => listening.clients[0]?.status === 'connect');
        await expectClosed(listening, before);
      }));

    it('T11 K6 between two attempts → no handle, and no further attempt', async () => {
      const port = await freePort();
      const before = handles();
      const listening = listen({ port });
      listening.subscriber.start();
      await waitFor(() => listening.clients[0]?.status === 'end');
      await expectClosed(listening, before);
    });

    it('T11 K6 while SUBSCRIBE is refused → no handle, and no further attempt', async () => {
      await admin.acl('SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels');
      const before = handles();
      const listening = listen({ url: server.url, username: 'mute', password: 'secret' });
      listening.subscriber.start();
      await waitFor(() => listening.errors.length > 0);
      await expectClosed(listening, before);
    });

    it('T11 K6 on a black-holed connection → no handle', async () => {
      const listening = await startLive({ url: proxy.url });
      proxy.set('drop');
      const begin = performance.now();
      await listening.subscriber.close();
      expect(performance.now() - begin).toBeLessThan(300);
      expect(listening.clients[0]!.status).toBe('end');
    });
  });
});
