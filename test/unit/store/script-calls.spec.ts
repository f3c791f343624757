import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Command } from 'ioredis';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deferred, handled, type Deferred } from '../../../lib/common/async.js';
import { systemClock } from '../../../lib/common/clock.js';
import type { Announcer } from '../../../lib/common/invalidation.js';
import type { RedisClient, Shard, Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { RedisEntryStore } from '../../../lib/store/redis-entry-store.js';
import { acquire } from '../../../lib/store/lua/acquire.lua.js';
import { evict } from '../../../lib/store/lua/evict.lua.js';
import { fill } from '../../../lib/store/lua/fill.lua.js';
import { release } from '../../../lib/store/lua/release.lua.js';
import { renew } from '../../../lib/store/lua/renew.lua.js';
import { write } from '../../../lib/store/lua/write.lua.js';
import { bodyOf, newId } from '../../contract/support/records.js';
import { waitFor } from '../../support/wait-for.js';

/** Over one server that answers so. */
function storeOver(
  sendCommand: (command: Command) => Promise<unknown>,
  {
    guard,
    kind = 'single',
    name = 'server',
  }: { guard: CallGuard; kind?: Topology['kind']; name?: string },
): RedisEntryStore {
  const client = { isCluster: kind === 'cluster', slots: [], nodes: () => [], sendCommand };
  const shard = { name, client: client as unknown as RedisClient };
  const topology: Partial<Topology> = {
    kind,
    shardOf: () => shard,
    shards: () => [shard],
    formerOwnersOf: () => [],
  };
  return new RedisEntryStore(topology as Topology, { instance: 'me', wakePrefix: 'w:', guard });
}

describe('evicts on a cluster', () => {
  const EVICTED = (evict.replies as readonly string[]).indexOf('evicted');

  /** One master, which answers the evict of each key but one. */
  function openStore(unanswered: string): RedisEntryStore {
    const answer = ({ args }: Command): Promise<unknown> =>
      args.includes(unanswered) ? new Promise(() => undefined) : Promise.resolve(EVICTED);
    const guard = new CallGuard({ readMs: 50, writeMs: 50, clock: systemClock });
    return storeOver(answer, { kind: 'cluster', name: 'master', guard });
  }

  const KEYS = Array.from({ length: 50 }, (_, i) => `cache:k${i}`);

  it.each([
    ['by one call', (store: RedisEntryStore) => store.evictMany(KEYS)],
    [
      'each by itself',
      (store: RedisEntryStore) => Promise.allSettled(KEYS.map((key) => store.evict(key))),
    ],
  ])('R8 one of fifty is not answered, %s → that one has failed', async (_, evictAll) => {
    const results = await evictAll(openStore('cache:k7'));
    const failed = KEYS.filter((__, i) => results[i]!.status === 'rejected');
    expect(failed).toEqual(['cache:k7']);
    expect(results.filter((each) => each.status === 'fulfilled' && each.value)).toHaveLength(49);
  });
});

const SCRIPTS = [acquire, evict, fill, release, renew, write];
const nameOf = ({ args: [text] }: Command): string | undefined =>
  SCRIPTS.find(({ source, sha }) => text === source || text === sha)?.name;

describe('writes in line at a server that is slow', () => {
  it('row 25 what ends a load or a lease → before what begins or writes others', async () => {
    const sent: { name: string | undefined; answer: Deferred<unknown> }[] = [];
    const send = (command: Command): Promise<unknown> => {
      const answer = deferred<unknown>();
      sent.push({ name: nameOf(command), answer });
      return answer.promise;
    };
    const guard = new CallGuard({ readMs: 60_000, writeMs: 60_000, clock: systemClock });
    const store = storeOver(send, { guard });
    const token = newId();
    const stored = { newId: token, body: bodyOf(), softMs: 0, ttlMs: 60_000 };
    const begun = Array.from({ length: 1_024 + 64 }, (_, i) =>
      store.acquire(`cache:k${i}`, { token, leaseMs: 60_000, reject: '' }),
    );
    await nextTurn();
    const underWay = sent.length;
    const more = [
      store.write('cache:w', stored),
      store.renew('cache:r', { token, leaseMs: 60_000 }),
      store.release('cache:s', { token, holdMs: 0 }),
      store.fill('cache:f', { ...stored, expectId: token }),
    ];
    await nextTurn();
    expect(sent).toHaveLength(underWay);
    sent[0]!.answer.reject(new Error('refused'));
    await nextTurn();
    expect(sent.slice(underWay).map(({ name }) => name)).toEqual(['renew', 'release', 'fill', 'acquire']); // prettier-ignore
    const all = Promise.allSettled([...begun, ...more]);
    for (let i = 0; i < sent.length; i++) {
      sent[i]!.answer.reject(new Error('refused'));
      await nextTurn();
    }
    await all;
    expect(sent.at(-1)?.name).toBe('write');
  });
});

describe('writes to a server that has gone', () => {
  it('R8 all of a tick fail, tick after tick → it is known not to answer', async () => {
    const send = (): Promise<never> => Promise.reject(new Error('Connection is closed.'));
    const ping = (): Promise<never> => new Promise(() => undefined);
    const guard = new CallGuard({ readMs: 5_000, writeMs: 5_000, clock: systemClock, ping });
    const store = storeOver(send, { name: 'gone', guard });
    const stored = { newId: newId(), body: bodyOf(), softMs: 0, ttlMs: 60_000 };
    for (let i = 0; i < 5; i++) {
      expect(guard.state('gone')).toBe('closed');
      await Promise.allSettled(['cache:a', 'cache:b'].map((key) => store.write(key, stored)));
    }
    expect(guard.state('gone')).toBe('open');
    guard.close();
  });
});

describe('changes while the list of shards is changed', () => {
  let sent: string[];
  let told: string[];
  let store: RedisEntryStore;
  /** What the shard answers that is asked last. */
  let last: Deferred<unknown>;

  beforeEach(() => {
    [sent, told, last] = [[], [], deferred()];
    void handled(last.promise);
    const shardOf = (name: string): Shard => {
      const sendCommand = (command: Command): Promise<unknown> => {
        sent.push(`${name} ${nameOf(command)}`);
        return name === 'last' ? last.promise : Promise.resolve(0);
      };
      return { name, client: { isCluster: false, sendCommand } as unknown as RedisClient };
    };
    const [owner, ...former] = ['owner', 'former', 'last'].map(shardOf) as [Shard, ...Shard[]];
    const topology = {
      kind: 'sharded',
      shardOf: () => owner,
      shards: () => [owner],
      formerOwnersOf: () => former,
    } as unknown as Topology;
    const announcer: Announcer = {
      announce: (shard) => {
        told.push((shard as Shard).name);
        return { channel: 'news', message: `${told.length}` };
      },
      disown: () => undefined,
    };
    const guard = new CallGuard({ readMs: 5_000, writeMs: 5_000, clock: systemClock });
    store = new RedisEntryStore(topology, { instance: 'me', wakePrefix: 'w:', guard, announcer });
  });

  const stored = { newId: newId(), body: bodyOf(), softMs: 0, ttlMs: 60_000 };

  it.each<[string, () => Promise<unknown>]>([
    ['evict', () => store.evict('cache:k')],
    ['write', () => store.write('cache:k', stored)],
  ])('T2 %s → each shard that had the key evicts it, and tells of it', async (name, act) => {
    const change = act();
    let isOver = false;
    void change.then(() => (isOver = true));
    await waitFor(() => sent.length === 3);
    expect(sent).toEqual([`owner ${name}`, 'former evict', 'last evict']);
    await nextTurn();
    expect(isOver).toBe(false);
    last.resolve(0);
    await change;
    expect(told).toEqual(['owner', 'former', 'last']);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['evict', () => store.evict('cache:k')],
    ['write', () => store.write('cache:k', stored)],
  ])('T2 R8 %s, one that had the key fails → rejects', async (_, act) => {
    last.reject(new Error('Connection is closed.'));
    await expect(act()).rejects.toMatchObject({ code: 'ERR_CACHE_CONNECTION' });
  });

  it('T2 the value of a load → is no news to those', async () => {
    await store.fill('cache:k', { ...stored, expectId: newId() });
    expect(sent).toEqual(['owner fill']);
    expect(told).toEqual(['owner']);
  });
});
