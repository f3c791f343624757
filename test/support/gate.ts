import { deferred } from '../../lib/common/async.js';

/** Holds everybody who passes until a test opens it by hand, so that the order of a race is written down, not timed. */
export class Gate {
  private readonly opened = deferred<void>();
  private readonly expected: { count: number; resolve: () => void }[] = [];
  /** How many have come to the gate so far, also those who went through when it was open. */
  arrivals = 0;

  /** Waits until the gate is open; an open gate stays open. */
  pass(): Promise<void> {
    this.arrivals++;
    for (const wait of this.expected) if (this.arrivals >= wait.count) wait.resolve();
    return this.opened.promise;
  }

  /** Resolves once `count` callers have come. */
  async arrived(count = 1): Promise<void> {
    if (this.arrivals >= count) return;
    const { promise, resolve } = deferred<void>();
    this.expected.push({ count, resolve });
    await promise;
  }

  open(): void {
    this.opened.resolve();
  }

  /** Lets everybody waiting, and everybody to come, fail with `error`. */
  fail(error: unknown): void {
    this.opened.promise.catch(() => undefined);
    this.opened.reject(error);
  }
}
