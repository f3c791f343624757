import type { Clock } from '../common/clock.js';
import { Deadlines } from './deadlines.js';
import { lateAnswer, toCacheError } from './redis-failure.js';

export type CallKind = 'read' | 'write';

export interface CallGuardOptions {
  /** `timeouts.read`. */
  readMs: number;
  /** `timeouts.write`. */
  writeMs: number;
  clock: Clock;
}

/**
 * Stands around every call to Redis: it ends within its deadline, and fails with `CacheConnectionError` or
 * `CacheTimeoutError`, whose cause has no payload in it. A programming error passes as it is.
 *
 * A call that is given up goes on: nothing can be taken back from a socket. It may be carried out later, which is why
 * every script can be sent twice.
 */
export class CallGuard {
  private readonly deadlines: Record<CallKind, Deadlines>;
  private readonly limits: Record<CallKind, string>;

  constructor(options: CallGuardOptions) {
    const { readMs, writeMs, clock } = options;
    this.deadlines = { read: new Deadlines(readMs, clock), write: new Deadlines(writeMs, clock) };
    this.limits = {
      read: `${readMs} ms (timeouts.read)`,
      write: `${writeMs} ms (timeouts.write)`,
    };
  }

  /** `node` is the server's name in errors. */
  run<T>(kind: CallKind, operation: string, call: () => Promise<T>, node = 'Redis'): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const deadlines = this.deadlines[kind];
      let waiting = true;
      const deadline = deadlines.set(() => {
        waiting = false;
        reject(lateAnswer(operation, node, this.limits[kind]));
      });
      const settle = (): void => {
        if (waiting) deadlines.clear(deadline);
        waiting = false;
      };
      const fail = (error: unknown): void => {
        settle();
        reject(toCacheError(error, operation, node));
      };
      try {
        call().then((value) => {
          settle();
          resolve(value);
        }, fail);
      } catch (error) {
        fail(error);
      }
    });
  }
}
