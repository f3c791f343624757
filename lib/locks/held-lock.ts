import type { Clock, TimerHandle } from '../common/clock.js';
import type { Duration } from '../common/duration.js';
import { LockLostError } from '../common/errors.js';
import type { IdSource } from '../common/ids.js';
import type { Wakeups } from '../bus/wakeups.js';
import type { Reporter } from '../observe/reporter.js';
import type { LockStore } from './lock-store.js';
import { extensionMs } from './lock.options.js';

/** A lock that is held. `await using lock = await locks.acquire(…)` gives it back at the end of the block. */
export interface Lock extends AsyncDisposable {
  /** As it was given; several names sorted and joined by a comma. */
  readonly name: string;
  /**
   * Higher than that of every earlier holder, of each of the names. A resource that remembers the highest it has seen, and
   * refuses whatever comes with a lower one, is safe from a holder that does not know yet that it has lost the lock.
   */
  readonly fencingToken: bigint;
  /** Fires, with a `LockLostError`, when somebody else may hold the lock from now on. Never because of `release`. */
  readonly signal: AbortSignal;
  /**
   * Held for at least `ttl` from now, even if this process stops; never shorter than before. False: it is lost. Without
   * this call it is renewed as well, by the ttl that it was acquired with. Rejects while Redis cannot be reached.
   */
  extend(ttl: Duration): Promise<boolean>;
  /**
   * Gives it back, and wakes the next who waits. False: it was not ours any more. Rejects if Redis cannot be reached; it
   * is then not renewed any more and expires by itself, and may be released again. The end of an `await using` block
   * and of `withLock` does the same, but reports instead of rejecting.
   */
  release(): Promise<boolean>;
}

/** What locks are made of. */
export interface LockParts {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly wakeups: Wakeups;
  readonly reporter: Reporter;
}

/** What was granted. */
export interface Grant {
  readonly name: string;
  readonly key: string;
  readonly id: string;
  readonly token: bigint;
  readonly ttlMs: number;
  /** When it was asked for, on the monotonic clock: the hold on the server began later. */
  readonly askedAt: number;
}

/** Pause after a renewal that has failed, as a share of the ttl, and at most. */
const RETRY = { share: 1 / 10, mostMs: 1_000 };

/**
 * One lock, from the grant to the end: renewed every third of its ttl. What counts is when the last renewal that
 * succeeded was sent: the server cannot end the hold before its ttl has passed since then, however late the answer came,
 * and with nothing heard by then it is taken for lost.
 */
export class HeldLock implements Lock {
  readonly name: string;
  readonly fencingToken: bigint;
  private readonly loss = new AbortController();
  private state: 'held' | 'given back' | 'over' = 'held';
  private validUntil: number;
  private renewal: TimerHandle;
  private expiry: TimerHandle;
  private failure: unknown;

  constructor(
    private readonly grant: Grant,
    private readonly parts: LockParts,
    /** Called once, when it is not held any more. */
    private readonly onEnd: (lock: HeldLock) => void,
  ) {
    this.name = grant.name;
    this.fencingToken = grant.token;
    this.validUntil = grant.askedAt + grant.ttlMs;
    this.watch();
    this.renewIn(grant.ttlMs / 3);
  }

  get signal(): AbortSignal {
    return this.loss.signal;
  }

  async extend(ttl: Duration): Promise<boolean> {
    return this.parts.reporter.told('lockExtend', this.prolong(extensionMs(ttl)));
  }

  async release(): Promise<boolean> {
    return this.parts.reporter.told('lockRelease', this.giveBack());
  }

  private async giveBack(): Promise<boolean> {
    if (this.state === 'over') return false;
    this.stop('given back');
    const { key, id } = this.grant;
    const wasOurs = await this.parts.store.release(key, { id });
    this.state = 'over';
    return wasOurs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.giveBack().catch((error: unknown) =>
      this.parts.reporter.report('lockRelease', undefined, error),
    );
  }

  /** Ends it from our side, while its holder still counts on it. */
  async revoke(why: string): Promise<void> {
    if (this.state !== 'held') return;
    this.lose(new LockLostError(`The lock "${this.name}" is lost: ${why}`, { key: this.name }));
    await this.withdraw();
  }

  /** False: it is lost. With `token`, the record's token is raised to it. */
  async prolong(ttlMs: number, token: bigint = this.fencingToken): Promise<boolean> {
    if (this.state !== 'held') return false;
    const { store, clock } = this.parts;
    const { key, id } = this.grant;
    const sentAt = clock.monotonic();
    const isOurs = await store.extend(key, { id, ttlMs, token });
    if (this.state !== 'held') return false;
    if (!isOurs) {
      this.reportLoss('it has expired in Redis, or somebody has taken it');
      return false;
    }
    this.failure = undefined;
    this.validUntil = Math.max(this.validUntil, sentAt + ttlMs);
    this.watch();
    return true;
  }

  private renewIn(ms: number): void {
    this.renewal = this.parts.clock.setTimer(ms, () => void this.renew());
  }

  private async renew(): Promise<void> {
    const { clock } = this.parts;
    const { ttlMs } = this.grant;
    const sentAt = clock.monotonic();
    try {
      await this.prolong(ttlMs);
      // From when it was sent: a late answer leaves less time for the next one.
      if (this.state === 'held') this.renewIn(Math.max(0, sentAt + ttlMs / 3 - clock.monotonic()));
    } catch (error) {
      this.failure = error;
      if (this.state === 'held') this.renewIn(Math.min(ttlMs * RETRY.share, RETRY.mostMs));
    }
  }

  private watch(): void {
    const { clock } = this.parts;
    clock.clearTimer(this.expiry);
    this.expiry = clock.setTimer(this.validUntil - clock.monotonic(), () => {
      // Timers run before sockets are read: after a busy time the answer to a renewal may be there already.
      setImmediate(() => setImmediate(() => this.expire()));
    });
  }

  private expire(): void {
    if (this.state !== 'held') return;
    // Renewed meanwhile, or a timer that was a fraction of a millisecond early.
    if (this.parts.clock.monotonic() < this.validUntil) return this.watch();
    this.reportLoss(`it could not be renewed within its ttl of ${this.grant.ttlMs} ms`);
    // What was sent and not answered may be carried out later, and would keep the next holder waiting.
    void this.withdraw();
  }

  private reportLoss(why: string): void {
    const { failure: cause, name } = this;
    const error = new LockLostError(`The lock "${name}" is lost: ${why}`, { key: name, cause });
    this.parts.reporter.report('lockRenew', undefined, error, `a lock is lost: ${why}`);
    this.lose(error);
  }

  private lose(error: LockLostError): void {
    this.stop('over');
    this.loss.abort(error);
  }

  private stop(state: 'given back' | 'over'): void {
    const { clock } = this.parts;
    clock.clearTimer(this.renewal);
    clock.clearTimer(this.expiry);
    this.state = state;
    this.onEnd(this);
  }

  private async withdraw(): Promise<void> {
    const { key, id } = this.grant;
    await this.parts.store.release(key, { id }).catch(() => undefined);
  }
}
