import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntryStore } from '../../lib/store/entry-store.js';
import { waitFor } from '../support/wait-for.js';
import { memoryBackend } from './support/memory-backend.js';
import { ANY_BYTES, barrier, bodyOf, lease, newId, value } from './support/records.js';
import { redisBackend } from './support/redis-backend.js';
import type { StoreBackend } from './support/store-backend.js';

const MINUTE = 60_000;
const HOLD_ID = '!error..............';

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

  const newKey = (): string => `store:${randomUUID()}`;

  /** Every script that ended a lease in this test has sent its wakes by now. */
  const wakesOf = async (key: string): Promise<string[]> =>
    (await backend.wakes()).filter((w) => w.endsWith(` ${key}`)).map((w) => w.split(' ')[0]!);

  /** A key that holds these bytes. */
  async function keyWith(bytes: Buffer): Promise<string> {
    const key = newKey();
    await backend.put(key, bytes);
    return key;
  }

  const ask = (key: string, token: string, reject = '') =>
    store.acquire(key, { token, leaseMs: MINUTE, reject });
  const stored = { body: bodyOf(), softMs: 0, ttlMs: MINUTE };

  describe('read', () => {
    it('absent key → null', async () => {
      expect(await store.read(newKey())).toBeNull();
    });

    it('any bytes at any key → the same bytes', async () => {
      for (const name of ['plain', 'ümläut 🦄', 'a\0b\r\nc', '{tag}}{', '*?[x]\\']) {
        const key = `${newKey()}:${name}`;
        const id = newId();
        const body = bodyOf({ payload: ANY_BYTES });
        expect(await store.write(key, { ...stored, newId: id, body })).toBe(true);
        expect(await store.read(key)).toEqual(value(id, body));
      }
    });

    it('many in one tick, some equal, some absent → each its own', async () => {
      const keys = await Promise.all(
        Array.from({ length: 1500 }, (_, i) => keyWith(Buffer.from(`bytes ${i}`))),
      );
      const wanted = [keys[3]!, newKey(), ...keys, keys[3]!];
      const expected = ['bytes 3', null, ...keys.map((_, i) => `bytes ${i}`), 'bytes 3'];
      const text = (bytes: Buffer | null): string | null => bytes && bytes.toString();
      expect((await Promise.all(wanted.map((key) => store.read(key)))).map(text)).toEqual(expected);
      expect((await store.readMany(wanted)).map(text)).toEqual(expected);
    });

    it('two readers of one key → buffers of their own', async () => {
      const key = await keyWith(Buffer.from('shared'));
      const [one, two] = await Promise.all([store.read(key), store.read(key)]);
      one!.fill(0);
      expect(two!.toString()).toBe('shared');
      expect((await store.read(key))!.toString()).toBe('shared');
    });

    it('no keys → an empty list', async () => {
      expect(await store.readMany([])).toEqual([]);
    });
  });

  describe('inspect', () => {
    it('absent → null; without expiry → Infinity; else what is left', async () => {
      const key = newKey();
      expect(await store.inspect(key)).toBeNull();
      await store.write(key, { ...stored, newId: newId(), ttlMs: 0 });
      expect(await store.inspect(key)).toEqual({ bytes: await backend.peek(key), ttlMs: Infinity });
      await store.write(key, { ...stored, newId: newId() });
      const { ttlMs } = (await store.inspect(key))!;
      expect(ttlMs).toBeGreaterThan(MINUTE - 5_000);
      expect(ttlMs).toBeLessThanOrEqual(MINUTE);
    });
  });

  describe('acquire', () => {
    it('absent → granted, and the lease is at the key for its time', async () => {
      const [key, token] = [newKey(), newId()];
      expect(await ask(key, token)).toEqual({ state: 'granted' });
      expect(await backend.peek(key)).toEqual(lease(token));
      expect((await store.inspect(key))!.ttlMs).toBeLessThanOrEqual(MINUTE);
    });

    it('asked again with its own token → granted, nothing changed', async () => {
      const key = await keyWith(lease('t'.repeat(20), 'other'));
      expect(await ask(key, 't'.repeat(20))).toEqual({ state: 'granted' });
      expect(await backend.peek(key)).toEqual(lease('t'.repeat(20), 'other'));
    });

    it('held by another → held for what is left, registered once', async () => {
      const [key, token] = [newKey(), newId()];
      await ask(key, token);
      for (let i = 0; i < 2; i++) {
        const reply = await ask(key, newId());
        expect(reply).toEqual({ state: 'held', ttlMs: expect.any(Number) });
        expect((reply as { ttlMs: number }).ttlMs).toBeGreaterThan(MINUTE - 5_000);
      }
      expect(await backend.peek(key)).toEqual(lease(token, backend.instance));
    });

    it('registered behind others → their names stay', async () => {
      const key = await keyWith(lease('t'.repeat(20), 'instance-B'));
      await ask(key, newId());
      expect(await backend.peek(key)).toEqual(
        lease('t'.repeat(20), 'instance-B', backend.instance),
      );
    });

    it('a value → the value, whatever its freshness', async () => {
      const bytes = value(newId(), bodyOf({ graceMs: 1 }), 5);
      expect(await ask(await keyWith(bytes), newId(), newId())).toEqual({ state: 'value', bytes });
    });

    it('a value that the caller rejects → granted in its place', async () => {
      const [id, token] = [newId(), newId()];
      const key = await keyWith(value(id, bodyOf()));
      expect(await ask(key, token, id)).toEqual({ state: 'granted' });
      expect(await backend.peek(key)).toEqual(lease(token));
    });

    it('a reject that is part of the id, or empty → the value', async () => {
      const id = newId();
      const key = await keyWith(value(id, bodyOf()));
      for (const reject of ['', id.slice(0, 19), `${id}x`])
        expect(await ask(key, newId(), reject)).toMatchObject({ state: 'value' });
    });

    it('foreign bytes, or too few → granted in their place', async () => {
      for (const text of ['', 'V', 'L' + 'x'.repeat(19), 'X' + 'x'.repeat(40), 'v' + newId()]) {
        const [key, token] = [await keyWith(Buffer.from(text)), newId()];
        expect(await ask(key, token)).toEqual({ state: 'granted' });
        expect(await backend.peek(key)).toEqual(lease(token));
      }
    });

    it('a barrier → barrier, untouched', async () => {
      const key = await keyWith(barrier());
      expect(await ask(key, newId())).toEqual({ state: 'barrier', ttlMs: Infinity });
      expect(await backend.peek(key)).toEqual(barrier());
    });

    it('the lease runs out → granted to the next', async () => {
      const key = newKey();
      await store.acquire(key, { token: newId(), leaseMs: 20, reject: '' });
      await waitFor(async () => (await backend.peek(key)) === null);
      const token = newId();
      expect(await ask(key, token)).toEqual({ state: 'granted' });
      expect(await backend.peek(key)).toEqual(lease(token));
    });
  });

  describe('fill', () => {
    it('its lease is there → stored byte for byte, waiters woken', async () => {
      const [key, token] = [await keyWith(lease('t'.repeat(20), 'one', 'two')), 't'.repeat(20)];
      const body = bodyOf({ payload: ANY_BYTES });
      const request = { ...stored, body, expectId: token, newId: token };
      expect(await store.fill(key, request)).toBe(true);
      expect(await backend.peek(key)).toEqual(value(token, body));
      expect((await store.inspect(key))!.ttlMs).toBeGreaterThan(MINUTE - 5_000);
      expect(await wakesOf(key)).toEqual(['one', 'two']);
    });

    it('sent twice → true, and stored once', async () => {
      const [key, token] = [newKey(), newId()];
      await ask(key, token);
      const request = { ...stored, expectId: token, newId: token };
      expect([await store.fill(key, request), await store.fill(key, request)]).toEqual([
        true,
        true,
      ]);
    });

    it('absent, evicted, or another lease → refused, nothing stored', async () => {
      const [key, token] = [newKey(), newId()];
      const request = { ...stored, expectId: token, newId: token };
      expect(await store.fill(key, request)).toBe(false);
      expect(await backend.peek(key)).toBeNull();
      await ask(key, token);
      await store.evict(key);
      expect(await store.fill(key, request)).toBe(false);
      const other = newId();
      await ask(key, other);
      expect(await store.fill(key, request)).toBe(false);
      expect(await backend.peek(key)).toEqual(lease(other));
    });

    it('a refresh whose value is still there → stored under the new id', async () => {
      const [seen, id] = [newId(), newId()];
      const key = await keyWith(value(seen, bodyOf()));
      const request = { ...stored, expectId: seen, newId: id };
      expect([await store.fill(key, request), await store.fill(key, request)]).toEqual([
        true,
        true,
      ]);
      expect(await backend.peek(key)).toEqual(value(id, stored.body));
    });

    it('a refresh whose value was replaced → refused', async () => {
      const bytes = value(newId(), bodyOf());
      const key = await keyWith(bytes);
      expect(await store.fill(key, { ...stored, expectId: newId(), newId: newId() })).toBe(false);
      expect(await backend.peek(key)).toEqual(bytes);
    });

    it('a barrier, or bytes that are foreign → refused', async () => {
      const dots = '.'.repeat(20);
      const key = await keyWith(barrier());
      expect(await store.fill(key, { ...stored, expectId: dots, newId: newId() })).toBe(false);
      const foreign = await keyWith(Buffer.from('X' + dots));
      expect(await store.fill(foreign, { ...stored, expectId: dots, newId: newId() })).toBe(false);
    });

    it('without ttl → does not expire, although its lease did', async () => {
      const [key, token] = [newKey(), newId()];
      await ask(key, token);
      await store.fill(key, { ...stored, expectId: token, newId: token, ttlMs: 0 });
      expect((await store.inspect(key))!.ttlMs).toBe(Infinity);
    });

    it('softMs → softAt by the clock of the store; 0 → none', async () => {
      const [key, token] = [newKey(), newId()];
      await ask(key, token);
      const before = await backend.now();
      await store.fill(key, { ...stored, expectId: token, newId: token, softMs: MINUTE });
      const softAt = (await backend.peek(key))!.readDoubleBE(24);
      expect(softAt).toBeGreaterThanOrEqual(before + MINUTE);
      expect(softAt).toBeLessThanOrEqual((await backend.now()) + MINUTE);
      await store.fill(key, { ...stored, expectId: token, newId: newId(), softMs: 0 });
      expect((await backend.peek(key))!.readDoubleBE(24)).toBe(0);
    });

    it('several in one tick, each with a life of its own → each its own softAt', async () => {
      const lives = [MINUTE, MINUTE, 0, 3 * MINUTE, MINUTE];
      const fills = lives.map((softMs) => ({ key: newKey(), token: newId(), softMs }));
      await Promise.all(fills.map(({ key, token }) => ask(key, token)));
      const before = await backend.now();
      await Promise.all(
        fills.map(({ key, token, softMs }) =>
          store.fill(key, { ...stored, expectId: token, newId: token, softMs }),
        ),
      );
      const within = (await backend.now()) - before;
      for (const { key, softMs } of fills) {
        const softAt = (await backend.peek(key))!.readDoubleBE(24);
        const least = softMs && before + softMs;
        expect(softAt).toBeGreaterThanOrEqual(least);
        expect(softAt).toBeLessThanOrEqual(least && least + within);
      }
    });
  });

  describe('renew', () => {
    it('its own lease → prolonged, waiters kept', async () => {
      const [key, token] = [newKey(), newId()];
      await store.acquire(key, { token, leaseMs: 1_000, reject: '' });
      await ask(key, newId());
      expect(await store.renew(key, { token, leaseMs: MINUTE })).toBe(true);
      expect(await backend.peek(key)).toEqual(lease(token, backend.instance));
      expect((await store.inspect(key))!.ttlMs).toBeGreaterThan(MINUTE - 5_000);
    });

    it('absent, another lease, or a value of that id → false', async () => {
      const token = newId();
      const keys = [newKey(), await keyWith(lease(newId())), await keyWith(value(token, bodyOf()))];
      for (const key of keys)
        expect(await store.renew(key, { token, leaseMs: MINUTE })).toBe(false);
    });
  });

  describe('release', () => {
    it('its own lease → gone, waiters woken', async () => {
      const [key, token] = [newKey(), newId()];
      await ask(key, token);
      await ask(key, newId());
      expect(await store.release(key, { token, holdMs: 0 })).toBe(true);
      expect(await backend.peek(key)).toBeNull();
      expect(await wakesOf(key)).toEqual([backend.instance]);
      expect(await store.release(key, { token, holdMs: 0 })).toBe(false);
    });

    it('with a hold → nobody is granted until it is over', async () => {
      const [key, token] = [newKey(), newId()];
      await ask(key, token);
      await ask(key, newId());
      expect(await store.release(key, { token, holdMs: 200 })).toBe(true);
      expect(await backend.peek(key)).toEqual(lease(HOLD_ID));
      expect(await wakesOf(key)).toEqual([backend.instance]);
      expect(await ask(key, token)).toMatchObject({ state: 'held', backoff: true });
      await waitFor(async () => (await backend.peek(key)) === null);
      expect(await ask(key, token)).toEqual({ state: 'granted' });
    });

    it('absent, another lease, or a value of that id → false, untouched', async () => {
      const token = newId();
      const [other, own] = [lease(newId(), 'waiter'), value(token, bodyOf())];
      for (const bytes of [other, own]) {
        const key = await keyWith(bytes);
        expect(await store.release(key, { token, holdMs: 1_000 })).toBe(false);
        expect(await backend.peek(key)).toEqual(bytes);
        expect(await wakesOf(key)).toEqual([]);
      }
      expect(await store.release(newKey(), { token, holdMs: 0 })).toBe(false);
    });
  });

  describe('evict', () => {
    it('B3 a value → true and gone; absent → false', async () => {
      const key = await keyWith(value(newId(), bodyOf()));
      expect([await store.evict(key), await store.evict(key)]).toEqual([true, false]);
      expect(await backend.peek(key)).toBeNull();
    });

    it('a lease → false, gone, waiters woken', async () => {
      const key = await keyWith(lease(newId(), 'one', 'two'));
      expect(await store.evict(key)).toBe(false);
      expect(await backend.peek(key)).toBeNull();
      expect(await wakesOf(key)).toEqual(['one', 'two']);
    });

    it('foreign bytes → false and gone', async () => {
      const key = await keyWith(Buffer.from('foreign'));
      expect(await store.evict(key)).toBe(false);
      expect(await backend.peek(key)).toBeNull();
    });

    it('a barrier → false, tainted and still there', async () => {
      const key = await keyWith(barrier());
      expect(await store.evict(key)).toBe(false);
      expect(await backend.peek(key)).toEqual(barrier({ taint: '1' }));
      expect((await store.inspect(key))!.ttlMs).toBe(Infinity);
    });
  });

  describe('write', () => {
    it('B2 always → stored, whatever was there but a barrier', async () => {
      for (const before of [
        null,
        value(newId(), bodyOf()),
        lease(newId()),
        Buffer.from('foreign'),
      ]) {
        const [key, id] = [newKey(), newId()];
        await backend.put(key, before);
        expect(await store.write(key, { ...stored, newId: id })).toBe(true);
        expect(await backend.peek(key)).toEqual(value(id, stored.body));
      }
    });

    it('over a lease → waiters woken, its fill refused', async () => {
      const [token, id] = [newId(), newId()];
      const key = await keyWith(lease(token, 'one'));
      await store.write(key, { ...stored, newId: id });
      expect(await wakesOf(key)).toEqual(['one']);
      expect(await store.fill(key, { ...stored, expectId: token, newId: token })).toBe(false);
      expect(await backend.peek(key)).toEqual(value(id, stored.body));
    });

    it('under a barrier → refused and tainted', async () => {
      const key = await keyWith(barrier());
      expect(await store.write(key, { ...stored, newId: newId() })).toBe(false);
      expect(await backend.peek(key)).toEqual(barrier({ taint: '1' }));
    });

    it('sent twice with `only` → true both times', async () => {
      const [key, id] = [newKey(), newId()];
      const request = { ...stored, newId: id, only: 'absent' as const };
      expect([await store.write(key, request), await store.write(key, request)]).toEqual([
        true,
        true,
      ]);
    });

    const soon = 9e15;
    it.each<[string, Buffer | null, boolean]>([
      ['nothing', null, false],
      ['a lease', lease(newId()), false],
      ['foreign bytes', Buffer.from('foreign'), false],
      ['a value cut off within its fixed part', value(newId(), bodyOf()).subarray(0, 35), false],
      ['a value', value(newId(), bodyOf()), true],
      ['a value past its softAt, without grace', value(newId(), bodyOf(), 5), true],
      ['a value past its softAt, in grace', value(newId(), bodyOf({ graceMs: 1 }), 5), false],
      ['a value before its softAt', value(newId(), bodyOf({ graceMs: 1 }), soon), true],
      ['a value with grace and no softAt', value(newId(), bodyOf({ graceMs: 1 })), true],
    ])('B5 only absent, only present — %s', async (_what, before, live) => {
      for (const only of ['absent', 'present'] as const) {
        const [key, id] = [newKey(), newId()];
        await backend.put(key, before);
        const storesIt = live === (only === 'present');
        expect(await store.write(key, { ...stored, newId: id, only })).toBe(storesIt);
        expect(await backend.peek(key)).toEqual(storesIt ? value(id, stored.body) : before);
      }
    });
  });
});
