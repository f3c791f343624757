import type { Expectation } from '../bus/wakeups.js';
import type { Clock, TimerHandle } from '../common/clock.js';

/** A wake that never comes costs at most this. */
const FALLBACK_MS = 1_000;
/** Spreads the processes that wait for the same lease to expire. */
const SPREAD_MS = { least: 5, most: 30 };

/**
 * The waits of this process for leases that others hold, one per key whoever asks: woken by message, at the latest
 * when the lease has expired or after a second. Only keys that are being waited for are present.
 */
export class LeaseWaits {
  private readonly waits = new Map<string, Promise<void>>();

  constructor(private readonly clock: Clock) {}

  /** The wait that is under way for this key: this process is registered there already. */
  current(key: string): Promise<void> | undefined {
    return this.waits.get(key);
  }

  start(key: string, ttlMs: number, expectation: Expectation): Promise<void> {
    const spread = SPREAD_MS.least + Math.random() * (SPREAD_MS.most - SPREAD_MS.least);
    const wait = this.until(expectation, Math.min(ttlMs + spread, FALLBACK_MS)).finally(() => {
      if (this.waits.get(key) === wait) this.waits.delete(key);
    });
    this.waits.set(key, wait);
    return wait;
  }

  get size(): number {
    return this.waits.size;
  }

  private async until(expectation: Expectation, ms: number): Promise<void> {
    let timer: TimerHandle;
    const late = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(ms, resolve);
    });
    await Promise.race([expectation.woken, late]);
    this.clock.clearTimer(timer);
    expectation.cancel();
  }
}
