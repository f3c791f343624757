import type { Clock, TimerHandle } from '../../../lib/common/clock.js';

/** A clock that stands until a test moves it; timers run in the order in which they fall due. */
export class ManualClock implements Clock {
  private readonly timers = new Set<{ dueAt: number; fn: () => void }>();
  private elapsedMs = 0;
  /** What the wall clock is ahead of the monotonic one. */
  wallOffsetMs = 1_700_000_000_000;

  now = (): number => this.elapsedMs + this.wallOffsetMs;
  monotonic = (): number => this.elapsedMs;

  setTimer(ms: number, fn: () => void): TimerHandle {
    const timer = { dueAt: this.elapsedMs + ms, fn };
    this.timers.add(timer);
    return timer;
  }

  clearTimer(timer: TimerHandle): void {
    this.timers.delete(timer as { dueAt: number; fn: () => void });
  }

  advance(ms: number): void {
    const until = this.elapsedMs + ms;
    for (;;) {
      const [next] = [...this.timers].sort((a, b) => a.dueAt - b.dueAt);
      if (!next || next.dueAt > until) break;
      this.timers.delete(next);
      this.elapsedMs = Math.max(this.elapsedMs, next.dueAt);
      next.fn();
    }
    this.elapsedMs = until;
  }

  /** Time passes while this process is busy: what was due runs late, and all at once. */
  stall(ms: number): void {
    this.elapsedMs += ms;
    this.advance(0);
  }

  /** The same, and no timer has had its turn yet. */
  standStill(ms: number): void {
    this.elapsedMs += ms;
  }

  get pendingTimers(): number {
    return this.timers.size;
  }
}
