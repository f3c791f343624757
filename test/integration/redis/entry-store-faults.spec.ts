import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { inspect } from 'node:util';
import { systemClock } from '../../../lib/common/clock.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import type { EntryStore } from '../../../lib/store/entry-store.js';
import { RedisEntryStore } from '../../../lib/store/redis-entry-store.js';
import { barrier, bodyOf, factsWith, lease, newId, value } from '../../contract/support/records.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

const LEASE_MS = 60_000;
const stored = { body: bodyOf(), softMs: 0, ttlMs: LEASE_MS };

/** Each operation once, as the cache would use it. */
function operations(store: EntryStore, key: string): [string, () => Promise<unknown>][] {
  const token = newId();
  return [
    ['read', () => store.read(key)],
    ['inspect', () => store.inspect(key)],
    ['acquire', () => store.acquire(key, { token, leaseMs: LEASE_MS, reject: '' })],
    ['fill', () => store.fill(key, { ...stored, expectId: token, newId: token })],
    ['renew', () => store.renew(key, { token, leaseMs: LEASE_MS })],
    ['release', () => store.release(key, { token, holdMs: 0 })],
    ['evict', () => store.evict(key)],
    ['write', () => store.write(key, { ...stored, newId: newId() })],
  ];
}

describe('RedisEntryStore', () => {
  let server: TestServer;
  let raw: Redis;
  let topology: SingleTopology;
  let store: RedisEntryStore;

  function storeOver(url: string): [SingleTopology, RedisEntryStore] {
    const over = new SingleTopology(
      { type: 'single', url },
      { clock: systemClock, connectTimeoutMs: 1_000, onError: () => undefined },
    );
    const guard = new CallGuard({ readMs: 300, writeMs: 300, clock: systemClock });
    return [over, new RedisEntryStore(over, { instance: 'me', wakePrefix: 'wake:', guard })];
  }

  beforeAll(async () => {
    server = await startServer();
    raw = new Redis(server.url, { retryStrategy: () => 20, disconnectTimeout: 10 });
    raw.on('error', () => undefined);
    [topology, store] = storeOver(server.url);
    await topology.connect();
  });
  afterAll(async () => {
    raw.disconnect();
    await topology.close();
    await server.stop();
  });

  const ask = (key: string, token = newId()) =>
    store.acquire(key, { token, leaseMs: LEASE_MS, reject: '' });

  describe('a key that holds no string', () => {
    it.each(['lpush', 'sadd'] as const)(
      '%s → absent to reads, replaced by acquire',
      async (put) => {
        await raw[put]('odd', 'x');
        const [one, many, whole] = await Promise.all([
          store.read('odd'),
          store.readMany(['odd', 'nobody']),
          store.inspect('odd'),
        ]);
        expect([one, many, whole]).toEqual([null, [null, null], null]);
        const token = newId();
        expect(await store.fill('odd', { ...stored, expectId: token, newId: token })).toBe(false);
        expect(await store.renew('odd', { token, leaseMs: LEASE_MS })).toBe(false);
        expect(await ask('odd', token)).toEqual({ state: 'granted' });
        expect(await raw.getBuffer('odd')).toEqual(lease(token));
        await raw.del('odd');
      },
    );

    it('evict → gone; write → replaced, as if absent', async () => {
      await raw.lpush('odd', 'x');
      expect(await store.evict('odd')).toBe(false);
      expect(await raw.exists('odd')).toBe(0);
      await raw.lpush('odd', 'x');
      expect(await store.write('odd', { ...stored, newId: newId(), only: 'present' })).toBe(false);
      expect(await store.write('odd', { ...stored, newId: newId(), only: 'absent' })).toBe(true);
    });
  });

  describe('a full Redis', () => {
    const token = newId();
    const id = newId();

    beforeAll(async () => {
      await raw.set('full:value', value(id, bodyOf()));
      await raw.set('full:other', value(newId(), bodyOf()));
      await raw.set('full:held', lease(token));
      await raw.set('full:barrier', barrier(), 'PX', LEASE_MS);
      await raw.set('full:ours', barrier({ writers: [token] }), 'PX', LEASE_MS);
      await raw.set('full:young', value(newId(), bodyOf()));
      await raw.config('SET', 'maxmemory', '1');
    });
    afterAll(() => raw.config('SET', 'maxmemory', '0'));

    it('what needs no memory → works: hits, evict, renew, release and its hold, the taint', async () => {
      expect(await ask('full:value')).toMatchObject({ state: 'value' });
      expect(await store.evict('full:value')).toBe(true);
      expect(await store.evict('full:barrier')).toBe(false);
      expect(await raw.getBuffer('full:barrier')).toEqual(barrier({ taint: '1' }));
      expect(await raw.pttl('full:barrier')).toBeGreaterThan(LEASE_MS - 5_000);
      expect(await store.write('full:barrier', { ...stored, newId: newId() })).toBe(false);
      expect(await store.renew('full:held', { token, leaseMs: LEASE_MS })).toBe(true);
      expect(await store.release('full:held', { token, holdMs: LEASE_MS })).toBe(true);
      expect(await store.evict('full:held')).toBe(false);
    });

    it('row 5 the end of a barrier → its value is stored, for that takes the place of the barrier', async () => {
      const end = { writer: token, value: { ...stored, newId: newId() } };
      expect(await store.barrierEnd('full:ours', end)).toBe('stored');
      expect(await raw.getBuffer('full:ours')).toEqual(value(end.value.newId, stored.body));
    });

    it('row 5 X8 touch → touched', async () => {
      const request = { facts: factsWith(), softMs: LEASE_MS };
      expect(await store.touch('full:young', request)).toBe('touched');
      expect(await raw.pttl('full:young')).toBeGreaterThan(LEASE_MS - 5_000);
    });

    it('what stores → CacheConnectionError without the payload', async () => {
      const secret = bodyOf({ payload: Buffer.from('a secret payload') });
      const refused = [
        ask('full:absent'),
        store.write('full:other', { ...stored, body: secret, newId: newId() }),
      ];
      for (const call of refused) {
        const error = await call.catch((e: unknown) => e);
        expect(error).toMatchObject({
          code: 'ERR_CACHE_CONNECTION',
          message: expect.stringContaining('OOM'),
        });
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret');
      }
    });
  });

  it('wakes that may not be published → the step is done all the same', async () => {
    await raw.acl('SETUSER', 'mute', 'on', '>pw', '~*', 'resetchannels', '+@all');
    const [mute, muteStore] = storeOver(`redis://mute:pw@${server.host}:${server.port}`);
    await mute.connect();
    const [token, key] = [newId(), 'mute:key'];
    await raw.set(key, lease(token, 'somebody'));
    expect(await muteStore.fill(key, { ...stored, expectId: token, newId: token })).toBe(true);
    expect(await raw.getBuffer(key)).toEqual(value(token, stored.body));
    await mute.close();
  });

  it('a right that is missing → CacheConnectionError that names it, nothing treated as absent', async () => {
    await raw.acl('SETUSER', 'blind', 'on', '>pw', '~*', '&*', '+@all', '-getrange');
    const [blind, blindStore] = storeOver(`redis://blind:pw@${server.host}:${server.port}`);
    await blind.connect();
    await raw.set('seen', value(newId(), bodyOf()));
    await expect(blindStore.evict('seen')).rejects.toMatchObject({
      code: 'ERR_CACHE_CONNECTION',
      message: expect.stringMatching(/permission|can't run this command/i),
    });
    expect(await raw.exists('seen')).toBe(1);
    await blind.close();
  });

  it('R8 SCRIPT FLUSH between any two steps → no difference', async () => {
    const answers: unknown[] = [];
    for (const [, run] of operations(store, 'flushed')) {
      await raw.script('FLUSH');
      answers.push(await run());
    }
    const granted = { state: 'granted' };
    expect(answers).toEqual([null, null, granted, true, false, false, true, true]);
  });

  it('R7 the server hangs → every operation ends in time, with its name and the node', async () => {
    await server.pause();
    const begin = performance.now();
    const ended = await Promise.all(
      operations(store, 'hung').map(async ([name, run]) => {
        const error = await run().catch((e: unknown) => e);
        return [name, (error as { code: string }).code, (error as Error).message] as const;
      }),
    );
    expect(performance.now() - begin).toBeLessThan(700);
    for (const [name, code, message] of ended) {
      expect(code).toBe('ERR_CACHE_TIMEOUT');
      expect(message).toContain(`${name} was not answered by 127.0.0.1:${server.port}`);
    }
    await server.resume();
    await waitFor(() => store.read('hung').then(() => true));
  });

  it('R2 the server is gone → CacheConnectionError at once; it is back → works again', async () => {
    await server.kill();
    await waitFor(
      async () => (await store.read('k').catch((e) => e.code)) === 'ERR_CACHE_CONNECTION',
    );
    const begin = performance.now();
    for (const [, run] of operations(store, 'gone'))
      await expect(run()).rejects.toMatchObject({ code: 'ERR_CACHE_CONNECTION' });
    expect(performance.now() - begin).toBeLessThan(100);
    await server.restart();
    await waitFor(() => store.read('k').then(() => true));
    expect(await ask('k')).toEqual({ state: 'granted' });
  });
});
