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
  /** It is to stand still, whoever else is at it. */
  private isFrozen = false;
  /** Calls of `advance` that have not ended. */
  private advancing = 0;

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
   * Lets this much time pass; of two calls that overlap, both do at the same time. What falls due within it happens at its own
   * moment, one after the other, and is done when this resolves, unless it waits for something else than the cache.
   */
  async advance(duration: Duration): Promise<void> {
    const ms = parseDuration(duration, {}, 'advance');
    this.stop();
    this.advancing++;
    const until = this.frozenAt! + ms;
    try {
      await this.passUntil(until);
    } finally {
      this.advancing--;
      this.goOn();
    }
  }

  private async passUntil(until: number): Promise<void> {
    await settled();
    for (let next = this.next(until); next; next = this.next(until)) {
      this.frozenAt = Math.max(this.frozenAt!, next.dueAt);
      this.fire(next);
      await settled();
    }
    this.frozenAt = Math.max(this.frozenAt!, until);
  }

  /** The time stands still, and only `advance` lets it pass. */
  freeze(): void {
    this.isFrozen = true;
    this.stop();
  }

  /** The time goes on from where it stands. */
  unfreeze(): void {
    this.isFrozen = false;
    this.goOn();
  }

  private stop(): void {
    this.frozenAt ??= this.monotonic();
    for (const { real } of this.timers) clearTimeout(real);
  }

  private goOn(): void {
    if (this.frozenAt === undefined || this.isFrozen || this.advancing > 0) return;
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
