import type { Duration } from '../common/duration.js';
import type { HeldLock, Lock } from './held-lock.js';

/** Several locks that are held together; lost as soon as one of them is. */
export class LockGroup implements Lock {
  readonly name: string;
  readonly signal: AbortSignal;

  private constructor(
    private readonly locks: readonly HeldLock[],
    readonly fencingToken: bigint,
  ) {
    this.name = locks.map(({ name }) => name).join(',');
    this.signal = AbortSignal.any(locks.map(({ signal }) => signal));
  }

  /**
   * The highest token of all, to which the records of the others are raised: whoever holds any of them later gets a
   * higher one. Rejects with the `LockLostError` of one that was lost meanwhile.
   */
  static async of(locks: readonly HeldLock[], ttlMs: number): Promise<LockGroup> {
    const token = locks.map((lock) => lock.fencingToken).reduce((a, b) => (a > b ? a : b));
    const lower = locks.filter((lock) => lock.fencingToken < token);
    await Promise.all(lower.map((lock) => lock.prolong(ttlMs, token)));
    for (const { signal } of locks) signal.throwIfAborted();
    return new LockGroup(locks, token);
  }

  async extend(ttl: Duration): Promise<boolean> {
    const extended = await Promise.all(this.locks.map((lock) => lock.extend(ttl)));
    return extended.every(Boolean);
  }

  async release(): Promise<boolean> {
    const released = await Promise.all(this.locks.map((lock) => lock.release()));
    return released.every(Boolean);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.locks.map((lock) => lock[Symbol.asyncDispose]()));
  }
}
