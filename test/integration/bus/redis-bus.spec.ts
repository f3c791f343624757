import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Publisher } from '../../../lib/bus/publisher.js';
import { RedisBus } from '../../../lib/bus/redis-bus.js';
import { Wakeups } from '../../../lib/bus/wakeups.js';
import { systemClock, type Clock } from '../../../lib/common/clock.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const CHANNEL = 'shop:w:0123456789';

interface Opened {
  bus: RedisBus;
  wakeups: Wakeups;
  /** 'live' and 'down' as they came. */
  changes: string[];
  errors: string[];
  close(): Promise<void>;
}

const opened: Opened[] = [];

/** A bus that hears over `hearing` and sends its heartbeats over `sending`. */
async function open(
  hearing: string,
  sending: string | Redis = hearing,
  clock: Clock = systemClock,
) {
  const context = { clock, connectTimeoutMs: 500, onError: () => undefined };
  const sender = typeof sending === 'string' ? { url: sending } : { client: sending };
  const publisher = new SingleTopology({ type: 'single', ...sender }, context);
  const listener = new SingleTopology({ type: 'single', url: hearing }, context);
  const wakeups = new Wakeups();
  const changes: string[] = [];
  const errors: string[] = [];
  const shard = publisher.shardOf('');
  const bus = new RedisBus({
    shard,
    createClient: () => listener.createPubSubClient(shard),
    namespace: 'shop',
    channel: CHANNEL,
    wakeups,
    guard: new CallGuard({ readMs: 300, writeMs: 300, clock }),
    clock,
    answerMs: 500,
    invalidations: {
      channel: 'shop:i',
      instance: 'me',
      publisher: new Publisher({
        channel: 'shop:i',
        instance: 'me',
        clock,
        publish: () => undefined,
      }),
      sink: {
        open: () => changes.push('live'),
        shut: () => changes.push('down'),
        distrust: () => changes.push('distrust'),
        apply: (invalidation) => changes.push(JSON.stringify(invalidation)),
      },
    },
    onError: (operation, { message }) => errors.push(`${operation}: ${message}`),
  });
  const close = async (): Promise<void> => {
    await bus.close();
    await publisher.close();
  };
  const all = { bus, wakeups, changes, errors, close };
  opened.push(all);
  bus.start();
  await publisher.connect();
  return all;
}

async function openLive(...args: Parameters<typeof open>): Promise<Opened> {
  const all = await open(...args);
  await waitFor(() => all.bus.live);
  return all;
}

/** Resolves with the ms that it took. */
async function timed(promise: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await promise;
  return performance.now() - begin;
}

describe('RedisBus', () => {
  let server: TestServer;
  let admin: Redis;
  let proxy: FaultProxy;

  beforeAll(async () => {
    server = await startServer();
    admin = new Redis(server.url);
  });
  beforeEach(async () => {
    proxy = await FaultProxy.start(server.url);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((all) => all.close()));
    await proxy.close();
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  it('L3 a key arrives → who waits for it is woken, and nobody else', async () => {
    const { wakeups, bus } = await openLive(server.url);
    const [mine, other] = [wakeups.expect('shop:kZürich'), wakeups.expect('shop:kBern')] as const;
    await admin.publish(CHANNEL, 'shop:kZürich');
    await mine.woken;
    expect(wakeups.size).toBe(1);
    expect(bus.malformed).toBe(0);
    other.cancel();
  });

  it.each<[string, string | Buffer]>([
    ['empty', ''],
    ["another application's", 'other:k1'],
    ['not text', Buffer.from([0xff, 0xfe, 0x00])],
    ['like a heartbeat, and far longer', `!${'0'.repeat(40)}`],
    ['far too long', `shop:k${'x'.repeat(5_000)}`],
  ])('I4 a message that is %s → counted, nobody is woken, still live', async (_, message) => {
    const { wakeups, bus } = await openLive(server.url);
    const waiting = wakeups.expect(message.toString());
    await admin.publish(CHANNEL, message);
    await waitFor(() => bus.malformed === 1);
    expect(wakeups.size).toBe(1);
    expect(bus.live).toBe(true);
    waiting.cancel();
  });

  it.each(['!', '!00', '!0x0', '!-1', '!999999'])(
    'I4 a heartbeat of nobody, %s → proves nothing',
    async (beat) => {
      proxy.set('drop');
      const { bus } = await open(server.url, proxy.url);
      await waitFor(async () => (await admin.publish(CHANNEL, beat)) === 1);
      await admin.publish(CHANNEL, '');
      await waitFor(() => bus.malformed === 1);
      expect(bus.live).toBe(false);
    },
  );

  it('I4 a heartbeat on the channel of all → not understood', async () => {
    const { bus, changes } = await openLive(server.url);
    await admin.publish('shop:i', '!0');
    await waitFor(() => bus.malformed === 1);
    expect(changes).toEqual(['live', 'distrust']);
  });

  it('I4 a key arrives twice, or for nobody → nothing', async () => {
    const { wakeups, bus } = await openLive(server.url);
    const mine = wakeups.expect('shop:k1');
    for (const key of ['shop:k2', 'shop:k1', 'shop:k1']) await admin.publish(CHANNEL, key);
    await mine.woken;
    await admin.publish(CHANNEL, '');
    await waitFor(() => bus.malformed === 1);
    expect(wakeups.size).toBe(0);
  });

  it('T14 the connection is killed → everybody is woken, live again, woken once more', async () => {
    const { wakeups, changes } = await openLive(server.url);
    const before = wakeups.expect('shop:k1');
    await admin.client('KILL', 'TYPE', 'PUBSUB');
    await before.woken;
    expect(changes).toEqual(['live', 'down']);
    // A message for this one would be lost.
    await wakeups.expect('shop:k2').woken;
    await waitFor(() => changes.length === 3);
    expect(changes).toEqual(['live', 'down', 'live']);
  });

  it('I5 the connection is killed between two messages of a process → none is missing, but for one that did not come', async () => {
    const { changes } = await openLive(server.url);
    const evict = (sequence: number): object => ({ reason: 'evict', keys: [`shop:k${sequence}`] });
    const say = (sequence: number): Promise<number> => {
      const { reason, keys } = evict(sequence) as { reason: string; keys: string[] };
      return admin.publish('shop:i', JSON.stringify([1, 'stranger', 0, sequence, reason, keys]));
    };
    await say(1);
    await waitFor(() => changes.length === 2);
    await admin.client('KILL', 'TYPE', 'PUBSUB');
    await waitFor(() => changes.length === 4);
    await say(2);
    await say(4);
    await waitFor(() => changes.length === 7);
    const [first, second, fourth] = [1, 2, 4].map((sequence) => JSON.stringify(evict(sequence)));
    expect(changes).toEqual(['live', first, 'down', 'live', second, 'distrust', fourth]);
  });

  it('T14 the connection is killed before it was live → waiters are woken, and nothing is told to be lost', async () => {
    proxy.set('drop');
    const { bus, changes, wakeups } = await open(server.url, proxy.url);
    await waitFor(async () => (await admin.publish(CHANNEL, '')) === 1);
    await waitFor(() => bus.malformed > 0);
    const waiting = wakeups.expect('shop:k1');
    await admin.client('KILL', 'TYPE', 'PUBSUB');
    await waiting.woken;
    expect(changes).toEqual([]);
  });

  it('T14 only the subscription is black-holed → not live within 3 s, waiters woken, live once healed', async () => {
    const { bus, wakeups, errors, changes } = await openLive(proxy.url, server.url);
    const waiting = wakeups.expect('shop:k1');
    proxy.set('drop');
    expect(await timed(waitFor(() => !bus.live))).toBeLessThan(3_200);
    await waiting.woken;
    expect(errors).toEqual([expect.stringMatching(/^heartbeat: no heartbeat .* 127\.0\.0\.1:/)]);
    expect(errors[0]).toContain(String(server.port));
    proxy.set('pass');
    await waitFor(() => bus.live, { timeoutMs: 2_500 });
    expect(changes).toEqual(['live', 'down', 'live']);
  });

  it('T14 only the replies of the subscription are lost → the same', async () => {
    const { bus } = await openLive(proxy.url, server.url);
    proxy.set('drop-replies');
    expect(await timed(waitFor(() => !bus.live))).toBeLessThan(3_200);
    proxy.set('pass');
    await waitFor(() => bus.live, { timeoutMs: 2_500 });
  });

  it('T14 a heartbeat cannot be sent for a while → reported, and the subscription is left alone', async () => {
    await admin.acl('SETUSER', 'hoarse', 'on', '>secret', '~*', '&*', '+@all');
    const { errors, changes } = await openLive(
      server.url,
      `redis://hoarse:secret@127.0.0.1:${server.port}`,
    );
    await admin.acl('SETUSER', 'hoarse', '-publish');
    await waitFor(() => errors.length > 0);
    await admin.acl('SETUSER', 'hoarse', '+publish');
    const ears = new Redis(server.url);
    let beats = 0;
    ears.on('message', () => beats++);
    await ears.subscribe(CHANNEL);
    // By the fourth, those before the gap prove nothing any more.
    await waitFor(() => beats === 4);
    ears.disconnect();
    expect(changes).toEqual(['live']);
  });

  it('T14 the client of an application is cut off, and would keep commands → no beat is left to it', async () => {
    // A beat that is on its way fails with its connection, and not later.
    const options = { retryStrategy: () => 20, maxRetriesPerRequest: 0 };
    const client = new Redis(proxy.url, options).on('error', () => undefined);
    const { bus, errors } = await openLive(server.url, client);
    proxy.set('reset');
    await waitFor(() => client.status !== 'ready');
    errors.length = 0;
    await waitFor(() => !bus.live);
    expect(errors).toEqual([expect.stringMatching(/^heartbeat: no heartbeat has come back/)]);
    client.disconnect();
  });

  it('T14 a frozen server → not live within 3 s, live again when it goes on', async () => {
    const own = await startServer();
    try {
      const { bus } = await openLive(own.url);
      await own.pause();
      expect(await timed(waitFor(() => !bus.live))).toBeLessThan(3_200);
      await own.resume();
      await waitFor(() => bus.live, { timeoutMs: 2_500 });
    } finally {
      await own.stop();
    }
  });

  it('T14 a server restarted → live within two seconds after it answers', async () => {
    const own = await startServer();
    try {
      const { bus, changes } = await openLive(own.url);
      await own.restart();
      await waitFor(() => changes.includes('down'));
      await waitFor(() => bus.live, { timeoutMs: 2_000 });
      expect(changes).toEqual(['live', 'down', 'live']);
    } finally {
      await own.stop();
    }
  });

  it('the user may subscribe and not publish → never live, reported once, wakes arrive all the same', async () => {
    await admin.acl('SETUSER', 'deaf', 'on', '>secret', '~*', '&*', '+@all', '-publish');
    const url = `redis://deaf:secret@127.0.0.1:${server.port}`;
    const { bus, errors, wakeups } = await open(url);
    await waitFor(() => errors.length > 0);
    const mine = wakeups.expect('shop:k1');
    await waitFor(async () => (await admin.publish(CHANNEL, 'shop:k1')) === 1);
    await mine.woken;
    expect(bus.live).toBe(false);
    await waitFor(() => errors.length > 1);
    expect(errors).toEqual([
      expect.stringMatching(/^heartbeat: .*NOPERM/),
      expect.stringMatching(/^heartbeat: no heartbeat has come back/),
    ]);
  });

  it('serverOffsetMs — our clock is ten seconds behind → about ten thousand', async () => {
    const clock = { ...systemClock, now: () => Date.now() - 10_000 };
    const { bus } = await openLive(server.url, server.url, clock);
    await waitFor(() => bus.serverOffsetMs !== 0);
    expect(Math.abs(bus.serverOffsetMs - 10_000)).toBeLessThan(30);
  });

  it('close — live → down once, nothing is heard or sent any more', async () => {
    const { bus, changes, close } = await openLive(server.url);
    expect(bus.lagMs).toBeGreaterThanOrEqual(0);
    await Promise.all([close(), bus.close()]);
    bus.start();
    expect(changes).toEqual(['live', 'down']);
    expect([bus.live, bus.lagMs]).toEqual([false, undefined]);
    expect(await admin.pubsub('NUMSUB', CHANNEL)).toEqual([CHANNEL, 0]);
  });
});
