import type { Expectation } from '../bus/wakeups.js';
import type { Clock } from '../common/clock.js';
import { deferred } from '../common/async.js';
import { PassingMap } from '../common/passing-map.js';

/** A wake that never comes costs at most this. */
const FALLBACK_MS = 1_000;
/** Spreads the processes that wait for the same lease to expire. */
const SPREAD_MS = { least: 5, most: 30 };

/** A lease that others hold, as this process knows of it. */
export interface LeaseWait {
  /** It has ended, or has not been looked at for a second. */
  readonly ended: Promise<void>;
  /** Nobody loads: somebody has failed to, and all leave it alone for a while. */
  readonly backoff: boolean;
  end(): void;
}

/**
 * The waits of this process for leases that others hold, one per key whoever asks: woken by message, at the latest
 * when the lease has expired or after a second. Only keys that have been asked for in that time are present.
 */
export class LeaseWaits {
  private readonly waits = new PassingMap<string, LeaseWait>();

  constructor(private readonly clock: Clock) {}

  /** The wait that is under way for this key: this process is registered there already. */
  current(key: string): LeaseWait | undefined {
    return this.waits.get(key);
  }

  start(
    key: string,
    { ttlMs, backoff }: { ttlMs: number; backoff?: true },
    expectation: Expectation,
  ): LeaseWait {
    const { promise: over, resolve: end } = deferred<void>();
    const spread = SPREAD_MS.least + Math.random() * (SPREAD_MS.most - SPREAD_MS.least);
    const timer = this.clock.setTimer(Math.min(ttlMs + spread, FALLBACK_MS), end);
    const ended = Promise.race([expectation.woken, over]).finally(() => {
      this.clock.clearTimer(timer);
      expectation.cancel();
      if (this.waits.get(key) === wait) this.waits.delete(key);
    });
    const wait = { ended, backoff: backoff === true, end };
    this.waits.set(key, wait);
    return wait;
  }

  get size(): number {
    return this.waits.size;
  }

  /** Ends them all, also those that nobody waits for any more. */
  close(): void {
    for (const wait of this.waits.values()) wait.end();
  }
}
