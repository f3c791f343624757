import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../common/clock.js';
import { parseDuration, type Duration } from '../common/duration.js';

interface Timer {
  readonly dueAt: number;
  readonly fn: () => void;
  real?: NodeJS.Timeout;
}

/** Turns of the event loop that what a timer has begun gets before the next one fires: enough for all that waits for no I/O. */
const TURNS = 10;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
// Bound here: a test may put fake ones in the place of the global ones.
const realMonotonic = performance.now.bind(performance);
const EPOCH = Date.now() - realMonotonic();

/**
 * The time of a cache in tests. It goes on as the real time does, until `advance` lets hours pass at once or `freeze` stops it;
 * whatever the cache does by time follows: ttl, grace, leases, waits, refreshes, queues. Fake timers of a test runner neither need
 * nor touch it.
 */
export class TestClock implements Clock {
  private readonly timers = new Set<Timer>();
  private aheadMs = 0;
  private frozenAt: number | undefined;

  now(): number {
    return Math.floor(EPOCH + this.monotonic());
  }

  monotonic(): number {
    return this.frozenAt ?? realMonotonic() + this.aheadMs;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const timer = { dueAt: this.monotonic() + ms, fn };
    this.timers.add(timer);
    this.arm(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    if (this.timers.delete(timer as Timer)) clearTimeout((timer as Timer).real);
  }

  /**
   * Lets this much time pass. What falls due within it happens at its own moment, one after the other, and is done when this
   * resolves, unless it waits for something else than the cache.
   */
  async advance(duration: Duration): Promise<void> {
    const wasFrozen = this.frozenAt !== undefined;
    this.freeze();
    const until = this.frozenAt! + parseDuration(duration, {}, 'advance');
    await settled();
    for (let next = this.next(until); next; next = this.next(until)) {
      this.frozenAt = Math.max(this.frozenAt!, next.dueAt);
      this.fire(next);
      await settled();
    }
    this.frozenAt = until;
    if (!wasFrozen) this.unfreeze();
  }

  /** The time stands still, and only `advance` lets it pass. */
  freeze(): void {
    this.frozenAt ??= this.monotonic();
    for (const { real } of this.timers) clearTimeout(real);
  }

  /** The time goes on from where it stands. */
  unfreeze(): void {
    if (this.frozenAt === undefined) return;
    this.aheadMs = this.frozenAt - realMonotonic();
    this.frozenAt = undefined;
    for (const timer of this.timers) this.arm(timer);
  }

  private next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers)
      if (timer.dueAt <= until && !(first && first.dueAt <= timer.dueAt)) first = timer;
    return first;
  }

  private arm(timer: Timer): void {
    if (this.frozenAt !== undefined) return;
    const ms = Math.min(Math.max(timer.dueAt - this.monotonic(), 0), LONGEST_TIMER_MS);
    timer.real = setTimeout(() => {
      if (this.monotonic() < timer.dueAt - 1) this.arm(timer);
      else this.fire(timer);
    }, ms).unref();
  }

  private fire(timer: Timer): void {
    this.clearTimer(timer);
    timer.fn();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await turn();
}
