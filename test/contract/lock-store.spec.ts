import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { LockStore } from '../../lib/locks/lock-store.js';
import { memoryLocks, redisLocks, type LockBackend } from './support/lock-backends.js';

const MINUTE = 60_000;
const CLAIM_MS = 10_000;

/** An acquisition's id: ten characters of its instance, ten of its own. */
const idOf = (instance: string, number: number): string =>
  instance.padEnd(10, '0') + String(number).padStart(10, '0');

const [a1, a2, a3] = [1, 2, 3].map((n) => idOf('A', n)) as [string, string, string];
const [b1, b2] = [1, 2].map((n) => idOf('B', n)) as [string, string];
const c1 = idOf('C', 1);

describe.each([
  ['memory', memoryLocks],
  ['redis', redisLocks],
] as const)('LockStore in %s', (_, open) => {
  let backend: LockBackend;
  let store: LockStore;
  let key: string;

  beforeAll(async () => {
    backend = await open(CLAIM_MS);
    store = backend.store;
  });
  afterAll(() => backend.close());
  beforeEach(() => {
    key = `lock:${randomUUID()}`;
  });

  const ask = (id: string, ifHeld: 'queue' | 'leave' = 'queue', ttlMs = MINUTE) =>
    store.acquire(key, { id, ttlMs, ifHeld });
  const granted = async (id: string, ttlMs = MINUTE): Promise<bigint> => {
    const reply = await ask(id, 'queue', ttlMs);
    if (reply.state !== 'granted') throw new Error(`held for ${reply.ttlMs} ms`);
    return reply.token;
  };
  const refused = async (id: string): Promise<number> => {
    const reply = await ask(id);
    if (reply.state !== 'held') throw new Error('granted');
    return reply.ttlMs;
  };
  const free = (id: string): Promise<boolean> => store.release(key, { id });
  const waiting = async (): Promise<string[]> => (await backend.look(key)).waiting;
  const woken = async (): Promise<string[]> => {
    const all = (await backend.wakes()).map((wake) => wake.split(' '));
    for (const [instance, , id] of all) expect(instance).toBe(id!.slice(0, 10));
    return all.filter((wake) => wake[1] === key).map((wake) => wake[2]!);
  };

  describe('acquire', () => {
    it('a lock nobody has → granted, and held for the ttl', async () => {
      expect(await granted(a1)).toBeGreaterThan(1_600_000_000_000_000n);
      const seen = await backend.look(key);
      expect(seen).toEqual({ holder: a1, leftMs: expect.any(Number), waiting: [] });
      expect(seen.leftMs).toBeGreaterThan(MINUTE - 5_000);
      expect(seen.leftMs).toBeLessThanOrEqual(MINUTE);
      expect(await store.isHeld(key)).toBe(true);
    });

    it('held → for how long, and a place at the end of the queue', async () => {
      await granted(a1);
      expect(await refused(b1)).toBeGreaterThan(MINUTE - 5_000);
      expect(await refused(a2)).toBeLessThanOrEqual(MINUTE);
      expect(await waiting()).toEqual([b1, a2]);
    });

    it('held, and only a try → no place in the queue', async () => {
      await granted(a1);
      expect(await ask(b1, 'leave')).toMatchObject({ state: 'held' });
      expect(await waiting()).toEqual([]);
    });

    it('sent twice → the same token, one place in the queue', async () => {
      const token = await granted(a1);
      expect(await granted(a1)).toBe(token);
      await refused(b1);
      await refused(b1);
      expect(await waiting()).toEqual([b1]);
    });

    it('sent twice with a shorter ttl → as long as before', async () => {
      await granted(a1, MINUTE);
      await granted(a1, 1_000);
      expect((await backend.look(key)).leftMs).toBeGreaterThan(1_000);
    });

    it('the hold has expired → granted to others, not to a queue of nobody', async () => {
      const token = await granted(a1, 1_000);
      await backend.pass(key, 1_000);
      expect(await store.isHeld(key)).toBe(false);
      expect(await granted(b1)).toBeGreaterThan(token);
      expect((await backend.look(key)).holder).toBe(b1);
    });

    it('1000 wait already → held, without a place', async () => {
      await granted(a1);
      for (let i = 0; i < 1_000; i++) await refused(idOf('B', i));
      await refused(c1);
      expect(await waiting()).toHaveLength(1_000);
      expect(await waiting()).not.toContain(c1);
    });
  });

  describe('the queue', () => {
    it('released → the first is woken, and nobody else is granted it while it may come', async () => {
      await granted(a1);
      await refused(b1);
      await refused(c1);
      await free(a1);
      expect(await woken()).toEqual([b1]);
      expect(await store.isHeld(key)).toBe(false);
      const leftMs = await refused(a2);
      expect(leftMs).toBeGreaterThan(CLAIM_MS - 5_000);
      expect(leftMs).toBeLessThanOrEqual(CLAIM_MS);
      expect(await ask(a3, 'leave')).toMatchObject({ state: 'held' });
      await granted(b1);
      expect(await waiting()).toEqual([c1, a2]);
    });

    it('expired → the first is granted it, and nobody else while it may come', async () => {
      await granted(a1, 1_000);
      await refused(b1);
      await backend.pass(key, 1_000);
      await refused(c1);
      await granted(b1);
      expect(await waiting()).toEqual([c1]);
    });

    it('the first does not come → whoever asks; its whole instance has lost its places', async () => {
      await granted(a1);
      for (const id of [b1, a2, b2, a3]) await refused(id);
      await free(a1);
      await backend.pass(key, CLAIM_MS);
      await granted(c1);
      expect(await waiting()).toEqual([a2, a3]);
    });

    it('the first does not come, but another of its instance → only that one leaves the queue', async () => {
      await granted(a1);
      for (const id of [b1, a2, b2]) await refused(id);
      await free(a1);
      await backend.pass(key, CLAIM_MS);
      await granted(b2);
      expect(await waiting()).toEqual([b1, a2]);
    });

    it('struck, and still alive → at the end of the queue with its next question', async () => {
      await granted(a1);
      await refused(b1);
      await free(a1);
      await backend.pass(key, CLAIM_MS);
      await granted(c1);
      await refused(a2);
      await refused(b1);
      expect(await waiting()).toEqual([a2, b1]);
    });

    it('each releases in turn → granted in the order of arrival', async () => {
      const all = [a1, b1, c1, a2, b2];
      for (const id of all) await ask(id);
      for (const id of all) {
        await granted(id);
        await free(id);
      }
      expect(await woken()).toEqual(all.slice(1));
      expect(await backend.look(key)).toEqual({ holder: '', leftMs: 0, waiting: [] });
    });
  });

  describe('release', () => {
    it('by its holder → true, and false the second time', async () => {
      await granted(a1);
      expect(await free(a1)).toBe(true);
      expect(await free(a1)).toBe(false);
      expect(await store.isHeld(key)).toBe(false);
    });

    it('L4 by another, also of the same instance → false, and still held', async () => {
      await granted(a1);
      expect(await free(a2)).toBe(false);
      expect((await backend.look(key)).holder).toBe(a1);
    });

    it('L4 by a holder whose hold has expired and is now another’s → false, and still held', async () => {
      await granted(a1, 1_000);
      await backend.pass(key, 1_000);
      await granted(b1);
      expect(await free(a1)).toBe(false);
      expect((await backend.look(key)).holder).toBe(b1);
    });

    it('by one who waits → leaves the queue, wakes nobody', async () => {
      await granted(a1);
      await refused(b1);
      await refused(c1);
      expect(await free(b1)).toBe(false);
      expect(await waiting()).toEqual([c1]);
      expect(await woken()).toEqual([]);
      expect((await backend.look(key)).holder).toBe(a1);
    });

    it('by the only one who waits → still held, and nobody waits', async () => {
      await granted(a1);
      await refused(b1);
      expect(await free(b1)).toBe(false);
      expect(await backend.look(key)).toMatchObject({ holder: a1, waiting: [] });
      expect(await free(a1)).toBe(true);
    });

    it('by the first, who was woken → the next is woken', async () => {
      await granted(a1);
      await refused(b1);
      await refused(c1);
      await free(a1);
      await free(b1);
      expect(await woken()).toEqual([b1, c1]);
      await granted(c1);
    });

    it('by somebody unknown, or of a lock nobody ever had → false', async () => {
      expect(await free(a1)).toBe(false);
      expect(await store.release(key, {})).toBe(false);
      await granted(a1);
      await refused(b1);
      expect(await free(c1)).toBe(false);
      expect(await waiting()).toEqual([b1]);
    });

    it('by nobody in particular → taken from its holder, who cannot extend it; the first is woken', async () => {
      const token = await granted(a1);
      await refused(b1);
      expect(await store.release(key, {})).toBe(true);
      expect(await woken()).toEqual([b1]);
      expect(await store.extend(key, { id: a1, ttlMs: MINUTE, token })).toBe(false);
      await granted(b1);
    });
  });

  describe('extend', () => {
    it('held → for the ttl from now; a shorter one changes nothing', async () => {
      const token = await granted(a1, 20_000);
      expect(await store.extend(key, { id: a1, ttlMs: MINUTE, token })).toBe(true);
      expect((await backend.look(key)).leftMs).toBeGreaterThan(20_000);
      expect(await store.extend(key, { id: a1, ttlMs: 1_000, token })).toBe(true);
      expect((await backend.look(key)).leftMs).toBeGreaterThan(20_000);
    });

    it.each([
      ['another has it', async () => void (await granted(b1))],
      ['it was released', async () => void (await free(a1))],
      ['nobody ever had it', async () => undefined],
    ])('%s → false, and nothing has changed', async (situation, arrange) => {
      if (situation === 'it was released') await granted(a1);
      await arrange();
      const before = await backend.look(key);
      expect(await store.extend(key, { id: a1, ttlMs: MINUTE, token: 0n })).toBe(false);
      expect((await backend.look(key)).holder).toBe(before.holder);
    });

    it('expired, though nobody has taken it → false: its holder has been told', async () => {
      const token = await granted(a1, 1_000);
      await backend.pass(key, 1_000);
      expect(await store.extend(key, { id: a1, ttlMs: MINUTE, token })).toBe(false);
      expect(await store.isHeld(key)).toBe(false);
    });
  });

  describe('fencing tokens', () => {
    it('thousands of holds, released, expired or taken → each token is higher', async () => {
      let last = 0n;
      for (let i = 0; i < 3_000; i++) {
        const id = idOf('A', i);
        const token = await granted(id, 1_000);
        if (token <= last) throw new Error(`${token} after ${last}`);
        last = token;
        if (i % 3 === 0) await backend.pass(key, 1_000);
        else await store.release(key, i % 3 === 1 ? { id } : {});
      }
      expect(last).toBeGreaterThan(0n);
    }, 20_000);

    it('the clock goes back by an hour → higher by one', async () => {
      const before = await granted(a1);
      await free(a1);
      const raised = await granted(a1);
      await backend.turnBack(key, 3_600_000);
      await free(a1);
      const token = await granted(b1);
      await free(b1);
      expect(raised).toBeGreaterThan(before);
      expect(token).toBeGreaterThan(raised);
      expect((await granted(c1)) - token).toBe(1n);
    });

    it('raised by an extension → the next one is higher still', async () => {
      const raised = (await granted(a1)) + 3_600_000_000n;
      expect(await store.extend(key, { id: a1, ttlMs: MINUTE, token: raised })).toBe(true);
      expect(await granted(a1)).toBe(raised);
      await free(a1);
      expect(await granted(b1)).toBe(raised + 1n);
    });
  });
});

it('L9 in memory, a thousand holds that nobody gives back → forgotten; what is held or waited for is not', async () => {
  const { store, look, pass } = await memoryLocks(CLAIM_MS);
  const ask = (key: string, id: string, ttlMs: number) =>
    store.acquire(key, { id, ttlMs, ifHeld: 'queue' });
  await ask('held', a1, MINUTE);
  for (const id of [a1, b1]) await ask('waited for', id, 1);
  for (let i = 0; i < 998; i++) await ask(`lock:${i}`, a1, 1);
  await pass('any', 10);
  const { records } = store as unknown as { records: ReadonlyMap<string, unknown> };
  expect(records.size).toBe(1_000);
  await ask('one more', a2, MINUTE);
  expect([...records.keys()]).toEqual(['held', 'waited for', 'one more']);
  expect(await look('held')).toMatchObject({ holder: a1 });
  expect(await look('waited for')).toMatchObject({ waiting: [b1] });
});
