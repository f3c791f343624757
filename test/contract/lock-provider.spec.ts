import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CacheKeyError,
  CacheOptionsError,
  LockLostError,
  LockTimeoutError,
} from '../../lib/common/errors.js';
import type { HeldLock, Lock } from '../../lib/locks/held-lock.js';
import type { LockProvider } from '../../lib/locks/lock.provider.js';
import { openCache, TOPOLOGIES, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(TOPOLOGIES)('L9 LockProvider on %s', (topology) => {
  let cache: TestCache;
  let locks: LockProvider;

  beforeEach(async () => {
    cache = await openCache(topology);
    locks = cache.locks;
  });

  /** Resolves once so many are in the queue: a wake is expected for each. */
  const queued = (count: number): Promise<boolean> =>
    waitFor(() => cache.engine.pending().wakeups === count, { intervalMs: 1 });

  describe('acquire', () => {
    it('nobody has it → ours, with a name, a token and a quiet signal', async () => {
      const lock = await locks.acquire('report');
      expect(lock.name).toBe('report');
      expect(typeof lock.fencingToken).toBe('bigint');
      expect(lock.signal.aborted).toBe(false);
      expect(await locks.isLocked('report')).toBe(true);
      expect(await locks.isLocked('other')).toBe(false);
    });

    it('another has it → waits until it is released', async () => {
      const first = await locks.acquire('report');
      const second = locks.acquire('report');
      await queued(1);
      expect(await first.release()).toBe(true);
      expect((await second).fencingToken).toBeGreaterThan(first.fencingToken);
    });

    it('L10 `wait` is over → LockTimeoutError, about then; and the queue is left', async () => {
      const lock = await locks.acquire('report');
      const began = performance.now();
      const failure = await locks.acquire('report', { wait: 150 }).catch((error: unknown) => error);
      const tookMs = performance.now() - began;
      expect(failure).toBeInstanceOf(LockTimeoutError);
      expect(failure).toMatchObject({ code: 'ERR_CACHE_LOCK_TIMEOUT', key: 'report' });
      expect(tookMs).toBeGreaterThanOrEqual(149);
      expect(tookMs).toBeLessThan(1_000);
      await lock.release();
      expect(await locks.tryAcquire('report')).toBeDefined();
    });

    it('A7 `signal` fires while waiting → its reason; and the queue is left', async () => {
      const lock = await locks.acquire('report');
      const stop = new AbortController();
      const waiting = locks.acquire('report', { wait: Infinity, signal: stop.signal });
      await queued(1);
      const reason = new Error('not needed any more');
      stop.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      await lock.release();
      expect(await locks.tryAcquire('report')).toBeDefined();
    });

    it('`signal` has fired before → its reason, and nothing is asked', async () => {
      const reason = new Error('too late');
      await expect(locks.acquire('report', { signal: AbortSignal.abort(reason) })).rejects.toBe(
        reason,
      );
      expect(await locks.isLocked('report')).toBe(false);
    });

    it('`signal` fires when the lock is held → it stays held', async () => {
      const stop = new AbortController();
      const lock = await locks.acquire('report', { signal: stop.signal });
      stop.abort();
      expect(lock.signal.aborted).toBe(false);
      expect(await locks.isLocked('report')).toBe(true);
    });

    it('L14 by the holder itself → it is not re-entrant', async () => {
      await locks.withLock('report', async () => {
        await expect(locks.acquire('report', { wait: 50 })).rejects.toBeInstanceOf(
          LockTimeoutError,
        );
      });
    });

    it('a cache entry of the same name → they do not touch each other', async () => {
      await cache.service.set('report', 1);
      const lock = await locks.acquire('report');
      expect(await cache.service.get('report')).toBe(1);
      await cache.service.evict('report');
      expect(await locks.isLocked('report')).toBe(true);
      expect(await lock.release()).toBe(true);
    });

    it.each([
      ['long', 'x'.repeat(1_000)],
      ['with a blank', 'b c'],
      ['with a hash tag', '{tag}:x'],
      ['beyond ASCII', 'ümläut 🦄'],
    ])('a name that is %s → works', async (_, name) => {
      await using lock = await locks.acquire(name);
      expect(lock.name).toBe(name);
      expect(await locks.tryAcquire(name)).toBeUndefined();
    });
  });

  describe('what is refused', () => {
    it.each([
      ['ttl', 0],
      ['ttl', -1],
      ['ttl', NaN],
      ['ttl', null],
      ['ttl', Infinity],
      ['ttl', '8d'],
      ['ttl', 'soon'],
      ['wait', 0],
      ['wait', 'never'],
      ['signal', 'no signal'],
      ['timeout', 5],
    ])(
      'X3 %s: %p → CacheOptionsError that names it, and nothing is asked',
      async (option, value) => {
        const options = { [option]: value };
        const work = jest.fn(async () => 1);
        for (const call of [locks.acquire('x', options), locks.withLock('x', work, options)]) {
          await expect(call).rejects.toBeInstanceOf(CacheOptionsError);
          await expect(call).rejects.toThrow(option);
        }
        expect(work).not.toHaveBeenCalled();
        expect(await locks.isLocked('x')).toBe(false);
      },
    );

    it('tryAcquire with `wait`, extend without a ttl → CacheOptionsError', async () => {
      await expect(locks.tryAcquire('x', { wait: 5 } as object)).rejects.toBeInstanceOf(
        CacheOptionsError,
      );
      const lock = await locks.acquire('x');
      for (const ttl of [0, undefined, Infinity] as number[])
        await expect(lock.extend(ttl)).rejects.toBeInstanceOf(CacheOptionsError);
    });

    it.each([[''], [[]], [['a', '']], [undefined], [7], [[['a']]]])(
      'the name %j → CacheKeyError',
      async (name) => {
        const given = name as string;
        for (const call of [
          locks.acquire(given),
          locks.tryAcquire(given),
          locks.withLock(given, async () => 1),
          locks.isLocked(given),
          locks.forceRelease(given),
        ])
          await expect(call).rejects.toBeInstanceOf(CacheKeyError);
      },
    );
  });

  describe('tryAcquire', () => {
    it('free → the lock; held → undefined, at once', async () => {
      const lock = await locks.tryAcquire('x');
      expect(lock).toBeDefined();
      expect(await locks.tryAcquire('x')).toBeUndefined();
      expect(cache.engine.pending().wakeups).toBe(0);
      await lock!.release();
      expect(await locks.tryAcquire('x', { ttl: '1s' })).toBeDefined();
    });

    it('released, but others wait for it → undefined: it is theirs', async () => {
      const lock = await locks.acquire('x');
      const waiting = locks.acquire('x');
      await queued(1);
      const [, tried] = await Promise.all([lock.release(), locks.tryAcquire('x')]);
      expect(tried).toBeUndefined();
      await waiting;
    });
  });

  describe('withLock', () => {
    it('L9 without a function → CacheOptionsError, and nothing is locked', async () => {
      await expect(locks.withLock('x', undefined as never)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
      });
      expect(await locks.isLocked('x')).toBe(false);
    });

    it('fn resolves → its result, and the lock is given back', async () => {
      const result = await locks.withLock('x', async (lock) => {
        expect(await locks.isLocked('x')).toBe(true);
        return lock.name;
      });
      expect(result).toBe('x');
      expect(await locks.isLocked('x')).toBe(false);
    });

    it('fn rejects, or throws → its error, and the lock is given back', async () => {
      const error = new Error('mine');
      await expect(locks.withLock('x', () => Promise.reject(error))).rejects.toBe(error);
      const fail = (): never => {
        throw error;
      };
      await expect(locks.withLock('x', fail)).rejects.toBe(error);
      expect(await locks.isLocked('x')).toBe(false);
    });

    it('fn has released it already → its result', async () => {
      const work = async (lock: Lock) => (await lock.release()) && 'done';
      expect(await locks.withLock('x', work)).toBe('done');
      expect(cache.errors).toEqual([]);
    });

    it('100 callers at once → one after the other, in their order, woken by messages', async () => {
      const gate = new Gate();
      const holder = locks.withLock('x', () => gate.pass());
      await gate.arrived();
      let inside = 0;
      let counter = 0;
      const order: number[] = [];
      const work = async (i: number): Promise<void> => {
        expect(++inside).toBe(1);
        const read = counter;
        await new Promise(setImmediate);
        counter = read + 1;
        order.push(i);
        inside--;
      };
      const callers: Promise<void>[] = [];
      for (let i = 0; i < 100; i++) {
        callers.push(locks.withLock('x', () => work(i)));
        await queued(i + 1);
      }
      // All have asked, and the last answer has been heard: whoever still waits, does so for a message or for its timer.
      await locks.isLocked('x');
      const began = performance.now();
      gate.open();
      await Promise.all([holder, ...callers]);
      expect(counter).toBe(100);
      expect(order).toEqual(Array.from({ length: 100 }, (_, i) => i));
      // By timer alone it would be a second for each.
      expect(performance.now() - began).toBeLessThan(5_000);
    }, 20_000);
  });

  describe('a lock that is held', () => {
    it('for longer than its ttl → is renewed, and nobody else gets it', async () => {
      const lock = await locks.acquire('x', { ttl: 150 });
      await expect(locks.acquire('x', { wait: 600 })).rejects.toBeInstanceOf(LockTimeoutError);
      expect(lock.signal.aborted).toBe(false);
      expect(await lock.release()).toBe(true);
    });

    it('at the end of an `await using` block → is given back', async () => {
      {
        await using lock = await locks.acquire('x');
        expect(await locks.isLocked(lock.name)).toBe(true);
      }
      expect(await locks.isLocked('x')).toBe(false);
    });

    it('released twice → true, then false; it does not release the next holder’s', async () => {
      const lock = await locks.acquire('x');
      expect(await lock.release()).toBe(true);
      const next = await locks.acquire('x');
      expect(await lock.release()).toBe(false);
      expect(await lock.extend('1m')).toBe(false);
      await lock[Symbol.asyncDispose]();
      expect(await locks.isLocked('x')).toBe(true);
      expect(lock.signal.aborted).toBe(false);
      expect(await next.release()).toBe(true);
    });

    it('extended → true, and still renewed by its own ttl', async () => {
      const lock = await locks.acquire('x', { ttl: 400 });
      expect(await lock.extend('800ms')).toBe(true);
      await sleep(1_200);
      expect(lock.signal.aborted).toBe(false);
      expect(await locks.isLocked('x')).toBe(true);
    });

    it('taken by force → its signal fires at the next renewal, with LockLostError', async () => {
      const lock = await locks.acquire('x', { ttl: 300 });
      expect(await locks.forceRelease('x')).toBe(true);
      expect(await locks.forceRelease('x')).toBe(false);
      const next = await locks.acquire('x');
      await waitFor(() => lock.signal.aborted, { timeoutMs: 1_000 });
      expect(lock.signal.reason).toBeInstanceOf(LockLostError);
      expect(lock.signal.reason).toMatchObject({ code: 'ERR_CACHE_LOCK_LOST', key: 'x' });
      expect(cache.errors).toEqual([{ operation: 'lockRenew', error: lock.signal.reason }]);
      // The name of a lock may be a user's.
      const why = 'it has expired in Redis, or somebody has taken it';
      expect(lock.signal.reason).toMatchObject({ message: `The lock "x" is lost: ${why}` });
      expect(cache.log).toEqual([`lockRenew failed: a lock is lost: ${why}`]);
      expect(await lock.extend('1m')).toBe(false);
      expect(await lock.release()).toBe(false);
      expect(next.signal.aborted).toBe(false);
      expect(await locks.isLocked('x')).toBe(true);
    });

    it('found lost by extend → false, and its signal has fired', async () => {
      const lock = await locks.acquire('x');
      await locks.forceRelease('x');
      expect(await lock.extend('1m')).toBe(false);
      expect(lock.signal.reason).toBeInstanceOf(LockLostError);
    });
  });

  describe('L14 several names', () => {
    it('all are held, sorted and each once; released together', async () => {
      const lock = await locks.acquire(['b', 'a', 'b']);
      expect(lock.name).toBe('a,b');
      expect(await Promise.all(['a', 'b'].map((name) => locks.isLocked(name)))).toEqual([
        true,
        true,
      ]);
      expect(await lock.extend('1m')).toBe(true);
      expect(await lock.release()).toBe(true);
      expect(await lock.release()).toBe(false);
      expect(await Promise.all(['a', 'b'].map((name) => locks.isLocked(name)))).toEqual([
        false,
        false,
      ]);
    });

    it('one is not to be had → none is held', async () => {
      await locks.acquire('b');
      await expect(locks.acquire(['a', 'b', 'c'], { wait: 50 })).rejects.toBeInstanceOf(
        LockTimeoutError,
      );
      expect(await locks.tryAcquire(['a', 'b', 'c'])).toBeUndefined();
      expect(await locks.isLocked('a')).toBe(false);
      expect(await locks.isLocked('c')).toBe(false);
    });

    it('in opposite orders, again and again → everybody gets them', async () => {
      const orders = [
        ['a', 'b', 'c'],
        ['c', 'b', 'a'],
        ['b', 'c', 'a'],
        ['c', 'a'],
      ];
      let inside = 0;
      const work = async (): Promise<void> => {
        expect(++inside).toBe(1);
        await new Promise(setImmediate);
        inside--;
      };
      const callers = orders.map(async (names) => {
        for (let i = 0; i < 10; i++) await locks.withLock(names, work);
      });
      await Promise.all(callers);
      expect(inside).toBe(0);
    }, 20_000);

    it('the first is lost while the second is waited for → LockLostError, and none is held', async () => {
      const holder = await locks.acquire('b');
      const waiting = locks.acquire(['a', 'b'], { ttl: 150 }).catch((error: unknown) => error);
      await queued(1);
      await locks.forceRelease('a');
      expect(await waiting).toBeInstanceOf(LockLostError);
      await holder.release();
      expect(await locks.tryAcquire(['a', 'b'])).toBeDefined();
    });

    it('one of them is lost → the signal fires; release gives back the others, and false', async () => {
      const lock = await locks.acquire(['a', 'b'], { ttl: 150 });
      await locks.forceRelease('b');
      await waitFor(() => lock.signal.aborted);
      expect(lock.signal.reason).toBeInstanceOf(LockLostError);
      expect(await lock.extend('1m')).toBe(false);
      expect(await lock.release()).toBe(false);
      expect(await locks.isLocked('a')).toBe(false);
    });

    it('the token → higher than all before at any of the names, lower than all after', async () => {
      let last = 0n;
      for (let i = 0; i < 20; i++)
        for (const names of [['a'], ['a', 'b'], ['b'], ['b', 'c', 'a'], ['c']]) {
          await using lock = await locks.acquire(names);
          expect(lock.fencingToken).toBeGreaterThan(last);
          last = lock.fencingToken;
        }
    });

    it('one of them has a token from a server whose clock was ahead → all have it, and later ones are higher', async () => {
      const ahead = (await locks.acquire('b')) as HeldLock;
      const far = ahead.fencingToken + 3_600_000_000n;
      expect(await ahead.prolong(10_000, far)).toBe(true);
      await ahead.release();
      const pair = await locks.acquire(['a', 'b']);
      expect(pair.fencingToken).toBeGreaterThan(far);
      await pair.release();
      for (const name of ['a', 'b'])
        expect((await locks.acquire(name)).fencingToken).toBeGreaterThan(pair.fencingToken);
    });
  });

  describe('close', () => {
    it('held → given back, its signal fires; waiting → ERR_CACHE_CLOSED; later → the same', async () => {
      const lock = await locks.acquire('x');
      const pair = await locks.acquire(['y', 'z']);
      const waiting = [locks.acquire('x'), locks.withLock(['w', 'x'], async () => 1)];
      const closed = waiting.map((call) =>
        expect(call).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' }),
      );
      await queued(2);
      await cache.close();
      await Promise.all(closed);
      for (const { signal } of [lock, pair]) expect(signal.reason).toBeInstanceOf(LockLostError);
      expect(await lock.release()).toBe(false);
      expect(cache.errors).toEqual([]);
      const other = await openCache(topology, { namespace: cache.namespace });
      for (const name of ['x', 'y', 'z']) expect(await other.locks.isLocked(name)).toBe(false);
      for (const call of [
        locks.acquire('free'),
        locks.tryAcquire('free'),
        locks.isLocked('x'),
        locks.forceRelease('x'),
      ])
        await expect(call).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    });

    it('a loader that needs a lock → gets it, and its load ends first', async () => {
      const gate = new Gate();
      const loading = cache.service.getOrSet('k', async () => {
        await gate.pass();
        return locks.withLock('x', async () => 'loaded');
      });
      await gate.arrived();
      const closing = cache.close();
      gate.open();
      expect(await loading).toBe('loaded');
      await closing;
    });
  });
});
