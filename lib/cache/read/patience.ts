import { untilAborted } from '../../common/async.js';
import type { Clock } from '../../common/clock.js';

interface Limits {
  readonly clock: Clock;
  /** Monotonic ms. */
  readonly until: number;
  readonly signal: AbortSignal | undefined;
}

/** The result, or undefined from a moment on (monotonic ms; Infinity: never), or the reason of the signal; the promise goes on. */
export function patiently<T>(promise: Promise<T>, limits: Limits): Promise<T | undefined> {
  const { until, signal } = limits;
  if (until !== Infinity) return untilLate(promise, limits);
  return signal ? untilAborted(promise, signal) : promise;
}

async function untilLate<T>(
  promise: Promise<T>,
  { clock, until, signal }: Limits,
): Promise<T | undefined> {
  let timer;
  const late = new Promise<undefined>((resolve) => {
    const ms = Math.max(0, until - clock.monotonic());
    timer = clock.setTimer(ms, () => resolve(undefined));
  });
  try {
    return await untilAborted(Promise.race([promise, late]), signal);
  } finally {
    clock.clearTimer(timer);
  }
}
