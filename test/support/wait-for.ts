import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitForOptions {
  /** Gives up after so long; default 5000. */
  timeoutMs?: number;
  /** Pause between two looks; default 10. */
  intervalMs?: number;
}

/**
 * The first truthy result of `condition`. A condition that throws is not fulfilled yet; its last error becomes the
 * cause when time is up. Real time, also under jest's fake timers.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 5000, intervalMs = 10 }: WaitForOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const result = await condition();
      if (result) return result;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline)
      throw new Error(`Not fulfilled within ${timeoutMs} ms: ${String(condition)}`, { cause });
    await sleep(intervalMs);
  }
}
