import { untilAborted } from '../../common/async.js';
import type { Clock } from '../../common/clock.js';

/** The result, or undefined from a moment on (monotonic ms; Infinity: never), or the reason of the signal; the promise goes on. */
export async function patiently<T>(
  promise: Promise<T>,
  { clock, until, signal }: { clock: Clock; until: number; signal: AbortSignal | undefined },
): Promise<T | undefined> {
  if (until === Infinity) return untilAborted(promise, signal);
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
