import { setMaxListeners } from 'node:events';
import { closedError } from '../common/errors.js';
import { assertFunction } from '../common/option-checks.js';
import { lockKeyOf, type KeySpace } from '../keys/key-space.js';
import { Acquisition } from './acquisition.js';
import { HeldLock, type Lock, type LockParts } from './held-lock.js';
import { LockGroup } from './lock-group.js';
import { lockNames, lockSettings, type LockOptions, type LockSettings } from './lock.options.js';

/** For `acquire`, `tryAcquire` and `withLock`: one name or several, which are then held all or none. */
export type LockNames = string | readonly string[];

/**
 * Locks that one process of the cluster holds at a time, so that work is not done twice; they need a Redis of at least 7.0.
 * They do not make it impossible: a process that stands still for longer than the ttl, or a failover that forgets the
 * lock, lets a second one in, so where twice would be wrong and not only wasteful, the resource itself has to refuse a
 * `fencingToken` that is lower than one it has seen. It is one Redis that decides, not a majority of several (Redlock),
 * which costs more and would not change that.
 *
 * A lock is not re-entrant. While Redis cannot be reached, every method rejects with `CacheConnectionError` or
 * `CacheTimeoutError`, whatever the module's `failure`; wrong options with `CacheOptionsError`, wrong names with
 * `CacheKeyError`; after the cache has been closed all reject with `ERR_CACHE_CLOSED`.
 */
export class LockProvider {
  readonly #parts: LockParts;
  readonly #space: KeySpace;
  readonly #closing = new AbortController();
  /** What this process holds at the moment. */
  readonly #held = new Set<HeldLock>();

  /** Made by the module; see `RedisCacheModule.forRoot`. */
  constructor(parts: LockParts, space: KeySpace) {
    this.#parts = parts;
    this.#space = space;
    // One listener for each who waits.
    setMaxListeners(0, this.#closing.signal);
  }

  /**
   * Waits in the queue until the lock is ours; it is renewed until it is released. Rejects with `LockTimeoutError` when
   * `wait` is over, and with the reason of `signal` when that fires. Several names are taken one after the other, sorted,
   * so that no two callers can wait for each other.
   */
  async acquire(names: LockNames, options?: LockOptions): Promise<Lock> {
    const settings = lockSettings('LockProvider.acquire', options);
    return (await this.#take(lockNames(names), settings, 'queue'))!;
  }

  /** The lock, or undefined if somebody holds it, or waits for it and is about to get it. */
  async tryAcquire(
    names: LockNames,
    options?: Omit<LockOptions, 'wait'>,
  ): Promise<Lock | undefined> {
    const settings = lockSettings('LockProvider.tryAcquire', options, ['ttl', 'signal']);
    return this.#take(lockNames(names), settings, 'leave');
  }

  /**
   * Runs `fn` while holding the lock, and gives its result, or its error. When the lock is lost meanwhile its `signal` fires,
   * and `fn` decides what to do: its result is still the result.
   */
  async withLock<T>(
    names: LockNames,
    fn: (lock: Lock) => T | Promise<T>,
    options?: LockOptions,
  ): Promise<T> {
    assertFunction('withLock', 'fn', fn);
    const settings = lockSettings('LockProvider.withLock', options);
    const lock = (await this.#take(lockNames(names), settings, 'queue'))!;
    try {
      return await fn(lock);
    } finally {
      await lock[Symbol.asyncDispose]();
    }
  }

  /** Whether anybody holds it. It may have changed by the time you know: to act on it, use `tryAcquire`. */
  async isLocked(name: string): Promise<boolean> {
    this.#closing.signal.throwIfAborted();
    const { store, reporter } = this.#parts;
    return reporter.told('isLocked', store.isHeld(this.#keyOf(name)));
  }

  /**
   * Takes the lock from whoever holds it, for an operator's hand: it is free at once, and its holder learns of it at its
   * next renewal, within a third of its ttl. False: nobody held it.
   */
  async forceRelease(name: string): Promise<boolean> {
    this.#closing.signal.throwIfAborted();
    const { store, reporter } = this.#parts;
    return reporter.told('forceRelease', store.release(this.#keyOf(name), {}));
  }

  /**
   * Gives back what is held, whose `signal` fires, and rejects everybody who waits with `ERR_CACHE_CLOSED`. Part of
   * closing the cache, when its loads have ended; takes no longer than `timeouts.write`.
   */
  async close(): Promise<void> {
    this.#closing.abort(closedError('no locks any more'));
    await Promise.all([...this.#held].map((lock) => lock.revoke('the cache is closed')));
  }

  async #take(
    names: readonly string[],
    settings: LockSettings,
    ifHeld: 'queue' | 'leave',
  ): Promise<Lock | undefined> {
    const { clock, reporter } = this.#parts;
    const waitUntil = clock.monotonic() + settings.waitMs;
    const taken: HeldLock[] = [];
    const giveBack = (): Promise<unknown> =>
      Promise.all(taken.map((lock) => lock[Symbol.asyncDispose]()));
    try {
      for (const name of names) {
        const signals = [this.#closing.signal, ...taken.map(({ signal }) => signal)];
        if (settings.signal) signals.push(settings.signal);
        const { ttlMs } = settings;
        const wanted = { name, key: this.#keyOf(name), ttlMs, ifHeld, waitUntil, signals };
        const grant = await reporter.told(
          'lockAcquire',
          new Acquisition(wanted, this.#parts).run(),
        );
        if (!grant) {
          await giveBack();
          return undefined;
        }
        taken.push(this.#hold(grant));
        this.#closing.signal.throwIfAborted();
      }
      if (taken.length === 1) return taken[0]!;
      return await reporter.told('lockAcquire', LockGroup.of(taken, settings.ttlMs));
    } catch (error) {
      await giveBack();
      // Closing also loses what was taken already, which is not the news.
      this.#closing.signal.throwIfAborted();
      throw error;
    }
  }

  #hold(grant: ConstructorParameters<typeof HeldLock>[0]): HeldLock {
    const lock = new HeldLock(grant, this.#parts, () => this.#held.delete(lock));
    this.#held.add(lock);
    return lock;
  }

  #keyOf(name: string): string {
    lockNames([name]);
    return lockKeyOf(this.#space.entry(name));
  }
}
