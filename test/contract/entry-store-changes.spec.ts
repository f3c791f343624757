import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntryStore, IncrementRequest } from '../../lib/store/entry-store.js';
import { memoryBackend } from './support/memory-backend.js';
import { barrier, bodyOf, bodyWith, factsWith, lease, newId, value } from './support/records.js';
import { redisBackend } from './support/redis-backend.js';
import type { StoreBackend } from './support/store-backend.js';

const MINUTE = 60_000;
const MOST = Number.MAX_SAFE_INTEGER;
const PLAIN = factsWith();
const OTHER = factsWith({ mark: 1 });
const GRACE = factsWith({ graceMs: MINUTE });

/** What it takes to change values that the caller has judged: counters, touch, take. */
describe.each([
  ['memory', memoryBackend],
  ['redis', redisBackend],
  ['redis over three connections', () => redisBackend({ connections: 3 })],
])('EntryStore in %s', (_name, start) => {
  let backend: StoreBackend;
  let store: EntryStore;

  beforeAll(async () => {
    backend = await start();
    store = backend.store;
  });
  afterAll(() => backend.close());

  const newKey = (): string => `changes:${randomUUID()}`;
  const counter = (count: number | string, facts = PLAIN, softAt = 0): Buffer =>
    value(newId(), bodyWith(facts, String(count)), softAt);
  const wakesOf = async (key: string): Promise<string[]> =>
    (await backend.wakes()).filter((w) => w.endsWith(` ${key}`)).map((w) => w.split(' ')[0]!);
  const idOf = (bytes: Buffer): string => bytes.toString('latin1', 1, 21);
  const ttlOf = async (key: string): Promise<number> => (await store.inspect(key))!.ttlMs;

  async function keyWith(bytes: Buffer | null): Promise<string> {
    const key = newKey();
    await backend.put(key, bytes);
    return key;
  }

  describe('increment', () => {
    const add = (key: string, request: Partial<IncrementRequest> = {}) =>
      store.increment(key, {
        newId: newId(),
        by: 1,
        ttlMs: 0,
        fresh: PLAIN,
        reject: '',
        ...request,
      });

    it('N1 nothing there → begins at 0, byte for byte', async () => {
      const [key, id] = [newKey(), newId()];
      expect(await add(key, { newId: id, by: -3 })).toEqual({ state: 'counted', count: -3 });
      expect(await backend.peek(key)).toEqual(value(id, bodyWith(PLAIN, '-3')));
      expect(await ttlOf(key)).toBe(Infinity);
    });

    it('N1 a counter with the facts of a new one, or with those seen → the sum under a new id', async () => {
      for (const request of [{ fresh: PLAIN }, { fresh: OTHER, seen: seen(PLAIN) }]) {
        const [key, id] = [await keyWith(counter(41)), newId()];
        expect(await add(key, { newId: id, ...request })).toEqual({ state: 'counted', count: 42 });
        expect(await backend.peek(key)).toEqual(value(id, bodyWith(PLAIN, '42')));
      }
      function seen(facts: Buffer) {
        return { id: newId(), count: 0, facts };
      }
    });

    it('a value with other facts → unlike, untouched', async () => {
      const bytes = counter(1, OTHER);
      const key = await keyWith(bytes);
      expect(await add(key)).toEqual({ state: 'unlike' });
      expect(await backend.peek(key)).toEqual(bytes);
    });

    it('N3 the value that was seen, no counter → it is one from here on', async () => {
      const bytes = value(newId(), bodyWith(factsWith({ mark: 2 }), '{"n":5}'));
      const [key, id] = [await keyWith(bytes), newId()];
      const seen = { id: idOf(bytes), count: 5, facts: OTHER };
      expect(await add(key, { newId: id, seen })).toEqual({ state: 'counted', count: 6 });
      expect(await backend.peek(key)).toEqual(value(id, bodyWith(OTHER, '6')));
      const again = await keyWith(counter(1, GRACE));
      expect(await add(again, { seen })).toEqual({ state: 'unlike' });
    });

    it('a rejected counter, one in grace, a lease, foreign bytes → begins at 0', async () => {
      const outdated = counter(9);
      for (const before of [
        outdated,
        counter(9, GRACE, 5),
        lease(newId()),
        Buffer.from('foreign'),
      ]) {
        const key = await keyWith(before);
        const reply = await add(key, { reject: idOf(outdated) });
        expect(reply).toEqual({ state: 'counted', count: 1 });
      }
    });

    it('over a lease → its waiters woken, its fill refused', async () => {
      const token = newId();
      const key = await keyWith(lease(token, 'one', 'two'));
      await add(key, { by: 7 });
      expect(await wakesOf(key)).toEqual(['one', 'two']);
      const fill = { expectId: token, newId: token, body: bodyOf(), softMs: 0, ttlMs: 0 };
      expect(await store.fill(key, fill)).toBe(false);
      expect(await add(key)).toEqual({ state: 'counted', count: 8 });
    });

    it('a refresh that began before → refused', async () => {
      const before = counter(1);
      const key = await keyWith(before);
      await add(key);
      const refresh = { expectId: idOf(before), newId: newId(), body: bodyOf() };
      expect(await store.fill(key, { ...refresh, softMs: 0, ttlMs: 0 })).toBe(false);
    });

    it('under a barrier → told so, nothing counted, not tainted', async () => {
      const key = await keyWith(barrier());
      expect(await add(key)).toEqual({ state: 'barrier' });
      expect(await backend.peek(key)).toEqual(barrier());
    });

    it.each([
      [MOST, 1],
      [-MOST, -1],
      [MOST, MOST],
      [-MOST, -MOST],
    ])('N4 %i and %i → overflow, the value kept', async (count, by) => {
      const bytes = counter(count);
      const key = await keyWith(bytes);
      expect(await add(key, { by })).toEqual({ state: 'overflow' });
      expect(await backend.peek(key)).toEqual(bytes);
    });

    it.each([
      [MOST - 1, 1, MOST],
      [-MOST, MOST, 0],
      [0, -MOST, -MOST],
      [0, MOST, MOST],
    ])('%i and %i → exactly %i', async (count, by, sum) => {
      const key = await keyWith(counter(count));
      expect(await add(key, { by })).toEqual({ state: 'counted', count: sum });
      expect(await add(key, { by: 0 })).toEqual({ state: 'counted', count: sum });
    });

    it('a damaged counter → unlike', async () => {
      for (const text of ['', 'x', '1.5', `${MOST}0`, '9007199254740992'])
        expect(await add(await keyWith(counter(text)))).toEqual({ state: 'unlike' });
    });

    it('N2 X2 ttl → given where there is none, also later, and never prolonged', async () => {
      const key = newKey();
      await add(key);
      expect(await ttlOf(key)).toBe(Infinity);
      const before = await backend.now();
      await add(key, { ttlMs: MINUTE + 0.5 });
      expect(await ttlOf(key)).toBeGreaterThan(MINUTE - 5_000);
      const softAt = (await backend.peek(key))!.readDoubleBE(24);
      expect(softAt).toBeGreaterThanOrEqual(before + MINUTE + 1);
      await add(key, { ttlMs: 10 * MINUTE });
      expect(await ttlOf(key)).toBeLessThanOrEqual(MINUTE + 1);
      expect((await backend.peek(key))!.readDoubleBE(24)).toBe(softAt);
      expect(await add(key)).toEqual({ state: 'counted', count: 4 });
    });

    it('N2 a new counter by more than 1 → has its ttl as well', async () => {
      const key = newKey();
      await add(key, { by: 5, ttlMs: MINUTE });
      expect(await ttlOf(key)).toBeLessThanOrEqual(MINUTE);
    });

    it('N1 a thousand at once → a thousand', async () => {
      const key = newKey();
      const replies = await Promise.all(Array.from({ length: 1000 }, () => add(key)));
      const counts = replies.map((reply) => (reply.state === 'counted' ? reply.count : NaN));
      expect(counts.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 1000 }, (_, i) => i + 1),
      );
    });
  });

  describe('touch', () => {
    it('X8 a live value → its life begins anew, the rest as it was', async () => {
      const bytes = counter('payload');
      const key = await keyWith(bytes);
      const before = await backend.now();
      expect(await store.touch(key, { facts: PLAIN, softMs: MINUTE })).toBe('touched');
      expect(await ttlOf(key)).toBeGreaterThan(MINUTE - 5_000);
      expect(await ttlOf(key)).toBeLessThanOrEqual(MINUTE);
      const after = (await backend.peek(key))!;
      expect(after.readDoubleBE(24)).toBeGreaterThanOrEqual(before + MINUTE);
      after.writeDoubleBE(0, 24);
      expect(after).toEqual(bytes);
    });

    it('X8 for ever → neither the key nor the value ends', async () => {
      const key = await keyWith(counter(1));
      await store.touch(key, { facts: PLAIN, softMs: MINUTE });
      expect(await store.touch(key, { facts: PLAIN, softMs: 0 })).toBe('touched');
      expect(await ttlOf(key)).toBe(Infinity);
      expect((await backend.peek(key))!.readDoubleBE(24)).toBe(0);
    });

    it('a value with grace → it is kept for that as well', async () => {
      const key = await keyWith(counter(1, GRACE));
      await store.touch(key, { facts: GRACE, softMs: MINUTE });
      expect(await ttlOf(key)).toBeGreaterThan(2 * MINUTE - 5_000);
    });

    it.each<[string, Buffer | null, string]>([
      ['nothing', null, 'absent'],
      ['a lease', lease(newId()), 'absent'],
      ['a barrier', barrier(), 'absent'],
      ['foreign bytes', Buffer.from('foreign'), 'absent'],
      ['a value in grace', value(newId(), bodyWith(GRACE, ''), 5), 'absent'],
      ['a value with other facts', value(newId(), bodyWith(OTHER, '')), 'unlike'],
      [
        'a value cut off within its facts',
        value(newId(), bodyWith(PLAIN, '').subarray(0, 20)),
        'unlike',
      ],
    ])('X8 %s → untouched', async (_what, bytes, reply) => {
      const key = await keyWith(bytes);
      expect(await store.touch(key, { facts: PLAIN, softMs: MINUTE })).toBe(reply);
      expect(await backend.peek(key)).toEqual(bytes);
      expect((await store.inspect(key))?.ttlMs).toBe(bytes ? Infinity : undefined);
    });
  });

  describe('take', () => {
    it('B6 a live value → its bytes, and it is gone', async () => {
      const bytes = counter(1);
      const key = await keyWith(bytes);
      const request = { facts: PLAIN, reject: '' };
      expect(await store.take(key, request)).toEqual({ state: 'taken', bytes });
      expect(await store.take(key, request)).toEqual({ state: 'absent' });
    });

    it('B6 taken by many at once → by one', async () => {
      const key = await keyWith(counter(1));
      const takes = Array.from({ length: 50 }, () => store.take(key, { facts: PLAIN, reject: '' }));
      expect((await Promise.all(takes)).filter(({ state }) => state === 'taken')).toHaveLength(1);
    });

    it('other facts, or none seen → unlike, untouched', async () => {
      const bytes = counter(1);
      const key = await keyWith(bytes);
      expect(await store.take(key, { facts: OTHER, reject: '' })).toEqual({ state: 'unlike' });
      expect(await store.take(key, { reject: '' })).toEqual({ state: 'unlike' });
      expect(await backend.peek(key)).toEqual(bytes);
    });

    it('a value in grace → absent, deleted', async () => {
      const key = await keyWith(counter(1, GRACE, 5));
      expect(await store.take(key, { facts: GRACE, reject: '' })).toEqual({ state: 'absent' });
      expect(await backend.peek(key)).toBeNull();
    });

    it('a rejected value, foreign bytes → absent, untouched', async () => {
      const rejected = counter(1);
      for (const bytes of [rejected, Buffer.from('foreign')]) {
        const key = await keyWith(bytes);
        const request = { facts: PLAIN, reject: idOf(rejected) };
        expect(await store.take(key, request)).toEqual({ state: 'absent' });
        expect(await backend.peek(key)).toEqual(bytes);
      }
    });

    it('a lease → absent, deleted, waiters woken; a barrier → tainted', async () => {
      const key = await keyWith(lease(newId(), 'one'));
      expect(await store.take(key, { reject: '' })).toEqual({ state: 'absent' });
      expect(await backend.peek(key)).toBeNull();
      expect(await wakesOf(key)).toEqual(['one']);
      const barred = await keyWith(barrier());
      expect(await store.take(barred, { reject: '' })).toEqual({ state: 'absent' });
      expect(await backend.peek(barred)).toEqual(barrier({ taint: '1' }));
    });
  });
});
