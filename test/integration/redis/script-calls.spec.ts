import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import type { Announcer } from '../../../lib/common/invalidation.js';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { RedisEntryStore } from '../../../lib/store/redis-entry-store.js';
import { bodyOf, newId } from '../../contract/support/records.js';
import { countWrites } from '../../support/count-writes.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const wakes = { instance: 'me', wakePrefix: 'w:' };
/** What one command takes. */
const KEYS = 32;

const stored = { body: bodyOf(), softMs: 0, ttlMs: 60_000 };

describe('what is written in one tick', () => {
  let server: TestServer;
  let admin: Redis;
  let topology: SingleTopology;
  let store: RedisEntryStore;
  let told: (readonly string[])[] = [];
  let disowned = 0;

  const announcer: Announcer = {
    announce: (_, invalidation) => {
      told.push((invalidation as { keys: readonly string[] }).keys);
      return { channel: 'news', message: `message ${told.length}` };
    },
    disown: () => void disowned++,
  };

  beforeAll(async () => {
    server = await startServer();
    admin = new Redis(server.url);
    topology = new SingleTopology(
      { type: 'single', url: server.url },
      { clock: systemClock, connectTimeoutMs: 1_000, onError: () => undefined },
    );
    const guard = new CallGuard({ readMs: 5_000, writeMs: 5_000, clock: systemClock });
    store = new RedisEntryStore(topology, { ...wakes, guard, announcer });
    await topology.connect();
  });
  afterAll(async () => {
    admin.disconnect();
    await topology.close();
    await server.stop();
  });

  async function sent(work: () => Promise<unknown>) {
    told = [];
    disowned = 0;
    await admin.config('RESETSTAT');
    const result = await work();
    const stats = await admin.info('commandstats');
    const calls = (name: string): number =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    return { result, commands: calls('eval') + calls('evalsha'), messages: calls('publish') };
  }

  const write = (key: string, body = bodyOf()) =>
    store.write(key, { newId: newId(), body, softMs: 0, ttlMs: 60_000 });

  const named = (count: number, name: string): string[] =>
    Array.from({ length: count }, (_, i) => `cache:${name}${i}`);

  it('fifty values → two commands, and a message for each of them', async () => {
    const keys = named(50, 'v');
    const { result, commands, messages } = await sent(() =>
      Promise.all(keys.map((key) => write(key))),
    );
    expect(result).toEqual(keys.map(() => true));
    expect({ commands, messages, disowned }).toEqual({ commands: 2, messages: 2, disowned: 0 });
    expect(told).toEqual([keys.slice(0, KEYS), keys.slice(KEYS)]);
    expect(await admin.exists(...keys)).toBe(50);
  });

  it('row 25 several kinds of them, and a read → one write to the socket', async () => {
    const [begun, written, read] = named(3, 'together') as [string, string, string];
    const work = () =>
      Promise.all([
        store.acquire(begun, { token: newId(), leaseMs: 60_000, reject: '' }),
        write(written),
        store.read(read),
      ]);
    // The text of a script goes only once.
    await work();
    const count = countWrites((topology.shards()[0]!.client as Redis).stream);
    await work();
    expect(count()).toBe(1);
  });

  it('large values → few in a command, so that none keeps the server for long', async () => {
    const body = Buffer.concat([bodyOf(), Buffer.alloc(30_000)]);
    const { commands } = await sent(() =>
      Promise.all(named(5, 'large').map((key) => write(key, body))),
    );
    expect(commands).toBe(3);
  });

  it('values larger than what one command takes → a command for each', async () => {
    const body = Buffer.concat([bodyOf(), Buffer.alloc(70_000)]);
    const keys = named(3, 'huge');
    const { result, commands } = await sent(() => Promise.all(keys.map((key) => write(key, body))));
    expect(result).toEqual(keys.map(() => true));
    expect(commands).toBe(3);
  });

  it('C1 the value of a load → nobody is told; that of a refresh → its key', async () => {
    const [loaded, refreshed] = named(2, 'filled') as [string, string];
    const [token, before] = [newId(), newId()];
    await store.acquire(loaded, { token, leaseMs: 60_000, reject: '' });
    await store.write(refreshed, { newId: before, ...stored });
    const load = await sent(() => store.fill(loaded, { expectId: token, newId: token, ...stored }));
    expect({ ...load, told }).toEqual({ result: true, commands: 1, messages: 0, told: [] });
    const refresh = await sent(() =>
      store.fill(refreshed, { expectId: before, newId: newId(), ...stored }),
    );
    expect({ ...refresh, told }).toEqual({
      result: true,
      commands: 1,
      messages: 1,
      told: [[refreshed]],
    });
  });

  it('a value for a key twice → the later one stays', async () => {
    const [key] = named(1, 'twice') as [string];
    const payloads = ['one', 'two'];
    await sent(() =>
      Promise.all(payloads.map((text) => write(key, bodyOf({ payload: Buffer.from(text) })))),
    );
    expect((await store.read(key))!.toString()).toMatch(/two$/);
  });

  it('250 keys evicted together → three commands, a message for each of them', async () => {
    const keys = named(250, 'gone');
    await Promise.all(keys.slice(100).map((key) => write(key)));
    const { result, commands, messages } = await sent(() => store.evictMany(keys));
    const evicted = keys.map((_, i) => ({ status: 'fulfilled', value: i >= 100 }));
    expect(result).toEqual(evicted);
    expect({ commands, messages }).toEqual({ commands: 3, messages: 3 });
    expect(told.flat()).toEqual(keys);
    expect(await admin.exists(...keys)).toBe(0);
  });

  it('row 25 150 keys evicted in one tick, each by itself → two commands, a message for each of them', async () => {
    const keys = named(150, 'single');
    await Promise.all(keys.slice(0, 120).map((key) => write(key)));
    const { result, commands, messages } = await sent(() =>
      Promise.all(keys.map((key) => store.evict(key))),
    );
    expect(result).toEqual(keys.map((_, i) => i < 120));
    expect({ commands, messages }).toEqual({ commands: 2, messages: 2 });
    expect(told).toEqual([keys.slice(0, 100), keys.slice(100)]);
    expect(await admin.exists(...keys)).toBe(0);
  });

  it.each([
    ['read', async (key: string) => expect(await store.read(key)).toBeNull()],
    [
      'read with others',
      async (key: string) => expect(await store.readsOf(key).readAll([key])).toEqual([null]),
    ],
    ['written', async (key: string) => expect(await write(key)).toBe(true)],
    [
      'taken',
      async (key: string) =>
        expect(await store.take(key, { reject: '' })).toEqual({ state: 'absent' }),
    ],
  ])('C1 row 25 evicted, and then %s, in one tick → in that order', async (name, act) => {
    const [before, key] = named(2, `order-${name}-`) as [string, string];
    await Promise.all([write(before), write(key)]);
    // What is asked for before holds nothing up, nor does it go ahead.
    const asked = [store.read(before), write(before)];
    const evicted = store.evict(key);
    await act(key);
    expect(await evicted).toBe(true);
    expect(await admin.exists(key)).toBe(name === 'written' ? 1 : 0);
    await Promise.all(asked);
  });

  it('the server refuses all of it → each is told why, and the messages may yet be news here', async () => {
    await admin.config('SET', 'maxmemory', '1');
    try {
      const { result } = await sent(() =>
        Promise.allSettled(named(40, 'full').map((key) => write(key))),
      );
      for (const each of result as PromiseSettledResult<boolean>[])
        expect(each).toMatchObject({
          status: 'rejected',
          reason: { code: 'ERR_CACHE_CONNECTION', message: expect.stringContaining('OOM') },
        });
      expect(disowned).toBe(2);
      const leases = await sent(() =>
        Promise.allSettled(
          named(3, 'lease').map((key) =>
            store.acquire(key, { token: newId(), leaseMs: 60_000, reject: '' }),
          ),
        ),
      );
      expect((leases.result as PromiseSettledResult<unknown>[]).map(({ status }) => status)).toEqual(Array(3).fill('rejected')); // prettier-ignore
      // Nobody is told of these.
      expect(disowned).toBe(0);
    } finally {
      await admin.config('SET', 'maxmemory', '0');
    }
  });

  it.each([0, 1, 2])(
    'C1 the server refuses one of several, number %i → that one is told why, and the message may yet be news here',
    async (refused) => {
      const keys = named(3, `one${refused}`);
      const { result } = await sent(() =>
        Promise.allSettled(
          keys.map((key, i) =>
            store.write(key, { newId: newId(), ...stored, ttlMs: i === refused ? -1 : 60_000 }),
          ),
        ),
      );
      const rejected = {
        status: 'rejected',
        reason: expect.objectContaining({
          code: 'ERR_CACHE_CONNECTION',
          message: expect.stringMatching(/^write failed at .*invalid expire/),
        }),
      };
      const written = { status: 'fulfilled', value: true };
      expect(result).toEqual(keys.map((_, i) => (i === refused ? rejected : written)));
      expect(disowned).toBe(1);
    },
  );

  it('not answered in time, and carried out after that → each message may yet be news here', async () => {
    const guard = new CallGuard({ readMs: 50, writeMs: 50, clock: systemClock });
    const hasty = new RedisEntryStore(topology, { ...wakes, guard, announcer });
    const writes = named(40, 'late').map((key) => ({ key, newId: newId() }));
    disowned = 0;
    await server.pause();
    const results = await Promise.allSettled([
      ...writes.map(({ key, newId: id }) => hasty.write(key, { newId: id, ...stored })),
      hasty.evict('cache:late'),
    ]);
    for (const each of results)
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CACHE_TIMEOUT' } });
    expect(disowned).toBe(3);
    await server.resume();
    await waitFor(async () => (await admin.exists(...writes.map(({ key }) => key))) === 40);
    expect(disowned).toBe(3);
  });

  it('C1 taken, and not answered in time → the message may yet be news here', async () => {
    const guard = new CallGuard({ readMs: 50, writeMs: 50, clock: systemClock });
    const hasty = new RedisEntryStore(topology, { ...wakes, guard, announcer });
    disowned = 0;
    await server.pause();
    await expect(hasty.take('cache:late-taken', { reject: '' })).rejects.toMatchObject({
      code: 'ERR_CACHE_TIMEOUT',
    });
    await server.resume();
    expect(disowned).toBe(1);
  });

  it('a server that refuses keys of several slots in one script → each by itself from then on', async () => {
    const cluster = await startServer({ args: ['--cluster-enabled', 'yes'] });
    const node = new Redis(cluster.url);
    await node.cluster('ADDSLOTSRANGE', 0, 16_383);
    await waitFor(async () => /cluster_state:ok/.test((await node.cluster('INFO')) as string));
    const alone = new SingleTopology(
      { type: 'single', url: cluster.url },
      { clock: systemClock, connectTimeoutMs: 1_000, onError: () => undefined },
    );
    await alone.connect();
    const guard = new CallGuard({ readMs: 5_000, writeMs: 5_000, clock: systemClock });
    const proxied = new RedisEntryStore(alone, { ...wakes, guard, announcer });
    const keys = named(20, 'spread');
    for (let i = 0; i < 2; i++)
      expect(
        await Promise.all(keys.map((key) => proxied.write(key, { newId: newId(), ...stored }))),
      ).toEqual(keys.map(() => true));
    expect(await proxied.evictMany(keys)).toEqual(
      keys.map(() => ({ status: 'fulfilled', value: true })),
    );
    expect(await node.info('errorstats')).toMatch(/errorstat_CROSSSLOT:count=1\r/);

    // Now it has all slots but that of the first.
    await node.config('SET', 'cluster-require-full-coverage', 'no');
    await node.cluster('DELSLOTS', hashSlot(keys[0]!));
    disowned = 0;
    const [first, ...others] = await proxied.evictMany(keys);
    expect(first).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'ERR_CACHE_CONNECTION',
        message: expect.stringMatching(/^evict failed .*CLUSTERDOWN/s),
      },
    });
    expect(others).toEqual(others.map(() => ({ status: 'fulfilled', value: false })));
    expect(disowned).toBe(1);
    node.disconnect();
    await alone.close();
    await cluster.stop();
  });
});
