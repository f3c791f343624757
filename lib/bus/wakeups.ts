import { deferred, type Deferred } from '../common/async.js';

/** One party's interest in the wake of a key; must be given up by `cancel` if the wake is no longer awaited. */
export interface Expectation {
  readonly woken: Promise<void>;
  cancel(): void;
}

interface Waiting {
  /** Made by the first who waits: most never do. */
  wake?: Deferred<void>;
  isWoken?: true;
  parties: number;
}

/**
 * Who in this process waits for which key. A wake says only that something about the key has changed: who is woken
 * reads again. Only keys with a party waiting or acquiring are present.
 */
export class Wakeups {
  private readonly waiting = new Map<string, Waiting>();

  /** Must be called before the command is sent that registers this process at the key, or a quick wake is lost. */
  expect(key: string): Expectation {
    let entry = this.waiting.get(key);
    if (!entry) this.waiting.set(key, (entry = { parties: 0 }));
    entry.parties++;
    let given = false;
    const mine = entry;
    return {
      get woken() {
        return mine.isWoken ? Promise.resolve() : (mine.wake ??= deferred()).promise;
      },
      cancel: () => {
        if (given) return;
        given = true;
        if (--mine.parties === 0 && this.waiting.get(key) === mine) this.waiting.delete(key);
      },
    };
  }

  wake(key: string): void {
    const entry = this.waiting.get(key);
    if (!entry) return;
    this.waiting.delete(key);
    entry.isWoken = true;
    entry.wake?.resolve();
  }

  /** After messages may have been lost: everybody reads again. */
  wakeAll(): void {
    for (const key of [...this.waiting.keys()]) this.wake(key);
  }

  get size(): number {
    return this.waiting.size;
  }
}
