import type { Clock } from '../common/clock.js';
import { PassingList, type Link } from '../common/passing-list.js';

/** One call that is being waited for. */
export interface Deadline extends Link<Deadline> {
  setAt: number;
  dueAt: number;
  /** Called once when the time is up. */
  expire: () => void;
}

/** That those which are due are given more time. */
const MOST_TIMES = 5;

/**
 * Deadlines that are all equally long, so that they fall due in the order in which they were set: a list and a single
 * timer for its head do for any number of calls, and a call costs no timer of its own. The list holds the calls in
 * flight and nothing else. The timer is left to run out when the list empties; it never keeps the process alive.
 *
 * A timer that fires may be late because this process was busy, and then the answer is perhaps already in the socket.
 * Timers run before sockets are read; so what is due is given two turns of the event loop before it expires, and then
 * as long as the timer was late, because two turns read no more than a few megabytes; and as long again for as often as the first
 * of those that are due has had its answer by then, five times at most: the others' are on their way.
 */
export class Deadlines {
  private readonly list = new PassingList<Deadline>();
  private armed = false;

  constructor(
    private readonly afterMs: number,
    private readonly clock: Clock,
  ) {}

  set(expire: () => void): Deadline {
    const setAt = this.clock.monotonic();
    const dueAt = setAt + this.afterMs;
    const deadline: Deadline = { setAt, dueAt, expire, before: undefined, after: undefined };
    this.list.add(deadline);
    if (!this.armed) this.arm(this.afterMs);
    return deadline;
  }

  /** Must be called exactly once per deadline, unless it has expired. */
  clear(deadline: Deadline): void {
    this.list.delete(deadline);
  }

  private arm(ms: number): void {
    this.armed = true;
    this.clock.setTimer(ms, () => {
      const now = this.clock.monotonic();
      const { first } = this.list;
      const lateMs = first ? now - first.dueAt : -1;
      if (lateMs < 0) this.rearm();
      else setImmediate(() => setImmediate(() => this.expireLater(now, lateMs)));
    });
  }

  private expireLater(dueBy: number, lateMs: number, times = MOST_TIMES): void {
    const { first } = this.list;
    // Timers are seldom on time to the millisecond.
    if (lateMs < 2 || !first || first.dueAt > dueBy) return this.expireUntil(dueBy);
    this.clock.setTimer(lateMs, () => {
      if (first === this.list.first || times === 1) this.expireUntil(dueBy);
      else this.expireLater(dueBy, lateMs, times - 1);
    });
  }

  private rearm(): void {
    this.armed = false;
    const { first } = this.list;
    if (first) this.arm(Math.max(1, first.dueAt - this.clock.monotonic()));
  }

  private expireUntil(dueBy: number): void {
    for (let due = this.list.first; due && due.dueAt <= dueBy; due = this.list.first) {
      this.clear(due);
      due.expire();
    }
    this.rearm();
  }
}
