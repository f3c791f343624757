/** A pending timer; opaque, because a clock may not be the machine's. */
export type TimerHandle = unknown;

/** Time as the cache sees it. Every timer and every comparison of times goes through one of these. */
export interface Clock {
  /** Wall time in ms since the epoch. May jump; decides soft expiry only. */
  now(): number;
  /** Monotonic time in ms. Never jumps; decides deadlines. */
  monotonic(): number;
  /** Runs `fn` once after `ms`; never keeps the process alive. */
  setTimer(ms: number, fn: () => void): TimerHandle;
  clearTimer(timer: TimerHandle): void;
}

/** Node's timers wrap around beyond this and fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  // Bound: a hit in this process takes little longer than to look for it by its global name.
  monotonic: performance.now.bind(performance),
  setTimer: (ms, fn) => setTimeout(fn, Math.min(ms, LONGEST_TIMER_MS)).unref(),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
