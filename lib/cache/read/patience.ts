import { untilAborted } from '../../common/async.js';
import type { Clock, TimerHandle } from '../../common/clock.js';

/** How long somebody waits. */
export interface Limits {
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

/** In one promise, since all callers of a hot key wait at the same time. */
function untilLate<T>(
  promise: Promise<T>,
  { clock, until, signal }: Limits,
): Promise<T | undefined> {
  let timer: TimerHandle;
  const stop = (): void => clock.clearTimer(timer);
  const inTime = new Promise<T | undefined>((resolve, reject) => {
    timer = clock.setTimer(Math.max(0, until - clock.monotonic()), () => resolve(undefined));
    promise.then(
      (value) => {
        stop();
        resolve(value);
      },
      (error: unknown) => {
        stop();
        reject(error);
      },
    );
  });
  return signal ? untilAborted(inTime, signal).finally(stop) : inTime;
}
