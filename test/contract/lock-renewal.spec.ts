import { beforeEach, describe, expect, it } from '@jest/globals';
import { deferred, type Deferred } from '../../lib/common/async.js';
import { CacheTimeoutError } from '../../lib/common/errors.js';
import { IdSource } from '../../lib/common/ids.js';
import { Wakeups } from '../../lib/bus/wakeups.js';
import { HeldLock } from '../../lib/locks/held-lock.js';
import type { LockStore } from '../../lib/locks/lock-store.js';
import { Reporter } from '../../lib/observe/reporter.js';
import { ManualClock } from './support/manual-clock.js';

const TTL_MS = 3_000;

/** Timers as Node's may be: a little before their time. */
class HastyClock extends ManualClock {
  override setTimer(ms: number, fn: () => void): unknown {
    return super.setTimer(Math.max(0, ms - 0.5), fn);
  }
}

describe.each([
  ['exact', ManualClock],
  ['early by half a millisecond', HastyClock],
])('the time of a lock, timers %s', (_, ClockOfTest) => {
  let clock: ManualClock;
  let lock: HeldLock;
  /** Renewals that have been sent, when, and what will be answered. */
  let sent: { at: number; answer: Deferred<boolean> }[];
  let released: number;
  let ended: number;
  let hold: (askedAt: number) => HeldLock;

  beforeEach(() => {
    clock = new ClockOfTest();
    sent = [];
    released = ended = 0;
    const store: Pick<LockStore, 'extend' | 'release'> = {
      extend: () => {
        sent.push({ at: clock.monotonic(), answer: deferred() });
        return sent.at(-1)!.answer.promise;
      },
      release: async () => ++released > 0,
    };
    const parts = {
      store: store as LockStore,
      clock,
      ids: new IdSource(),
      wakeups: new Wakeups(),
      reporter: new Reporter({ clock, log: { warn: () => undefined } }),
    };
    const grant = { name: 'x', key: 'k', id: 'i', token: 1n, ttlMs: TTL_MS };
    hold = (askedAt) => new HeldLock({ ...grant, askedAt }, parts, () => ended++);
    lock = hold(0);
  });

  /** Lets time pass, in steps that are as short as a timer is early, and what is due happen. */
  async function pass(ms: number): Promise<void> {
    for (const until = clock.monotonic() + ms; clock.monotonic() < until;) {
      clock.advance(0.5);
      await new Promise(setImmediate);
    }
  }

  it('renewals are answered → one every third of the ttl, and never lost', async () => {
    for (let i = 1; i <= 10; i++) {
      await pass(TTL_MS / 3 + 10);
      expect(sent).toHaveLength(i);
      sent.at(-1)!.answer.resolve(true);
      await pass(10);
    }
    expect(lock.signal.aborted).toBe(false);
    expect(await lock.release()).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('nothing is answered → lost when the ttl is over, counted from the question; and given back', async () => {
    await pass(TTL_MS - 10);
    expect(lock.signal.aborted).toBe(false);
    await pass(30);
    expect(lock.signal.reason).toMatchObject({ code: 'ERR_CACHE_LOCK_LOST' });
    expect([sent.length, released, ended]).toEqual([1, 1, 1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('an answer comes late → what counts is when it was asked for', async () => {
    await pass(TTL_MS - 50);
    const [{ at, answer }] = sent as [(typeof sent)[0]];
    answer.resolve(true);
    await pass(at + TTL_MS - clock.monotonic() - 10);
    expect(lock.signal.aborted).toBe(false);
    expect(sent.length).toBeGreaterThan(1);
    await pass(30);
    expect(lock.signal.aborted).toBe(true);
  });

  it('L6 an answer comes late → the next renewal is a third of the ttl after that question', async () => {
    await pass(TTL_MS / 3 + 10);
    await pass(500);
    sent[0]!.answer.resolve(true);
    await pass(480);
    expect(sent).toHaveLength(1);
    await pass(30);
    expect(sent).toHaveLength(2);
  });

  it('L6 granted by an answer that came late → the ttl counts from the question', async () => {
    await lock.release();
    await pass(1_000);
    lock = hold(0);
    await pass(TTL_MS - 1_000 - 10);
    expect(lock.signal.aborted).toBe(false);
    await pass(30);
    expect(lock.signal.aborted).toBe(true);
  });

  it('renewals fail → tried again every tenth of the ttl, until one succeeds', async () => {
    await pass(TTL_MS / 3 + 10);
    for (let i = 1; i <= 4; i++) {
      expect(sent).toHaveLength(i);
      sent.at(-1)!.answer.reject(new CacheTimeoutError('too late'));
      await pass(TTL_MS / 10 + 10);
    }
    sent.at(-1)!.answer.resolve(true);
    await pass(TTL_MS / 3 - 50);
    expect(lock.signal.aborted).toBe(false);
    await pass(60);
    expect(sent).toHaveLength(6);
  });

  it('renewals fail until the end → lost, with the last failure as cause', async () => {
    const failure = new CacheTimeoutError('too late');
    for (let i = 0; i < 40 && !lock.signal.aborted; i++) {
      await pass(100);
      sent.at(-1)?.answer.reject(failure);
    }
    expect(clock.monotonic()).toBeGreaterThanOrEqual(TTL_MS);
    expect(clock.monotonic()).toBeLessThan(TTL_MS + 200);
    expect(lock.signal.reason).toMatchObject({ code: 'ERR_CACHE_LOCK_LOST', cause: failure });
  });

  it('L6 a renewal has failed, a later one not, then the answer is no → lost, and not for that failure', async () => {
    await pass(TTL_MS / 3 + 10);
    sent[0]!.answer.reject(new CacheTimeoutError('too late'));
    await pass(TTL_MS / 10 + 10);
    sent[1]!.answer.resolve(true);
    await pass(TTL_MS / 3 + 10);
    sent[2]!.answer.resolve(false);
    await pass(10);
    expect(lock.signal.reason).toMatchObject({ code: 'ERR_CACHE_LOCK_LOST', cause: undefined });
  });

  it('the answer is no → lost at once, and nothing is given back', async () => {
    await pass(TTL_MS / 3 + 10);
    sent[0]!.answer.resolve(false);
    await pass(10);
    expect(lock.signal.aborted).toBe(true);
    expect([released, ended, clock.pendingTimers]).toEqual([0, 1, 0]);
  });

  it('released while a renewal is under way → its answer changes nothing', async () => {
    await pass(TTL_MS / 3 + 10);
    expect(await lock.release()).toBe(true);
    sent[0]!.answer.resolve(false);
    await pass(2 * TTL_MS);
    expect(lock.signal.aborted).toBe(false);
    expect([sent.length, ended, clock.pendingTimers]).toEqual([1, 1, 0]);
  });
});
