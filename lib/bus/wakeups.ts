import { deferred, type Deferred } from '../common/async.js';
import { PassingMap } from '../common/passing-map.js';

/** A class for the reason of `Stored` in `cache/flights.ts`. */
class Waiting {
  /** Made by the first who waits: most never do. */
  wake: Deferred<void> | undefined;
  isWoken = false;
  parties = 0;
}

/**
 * One party's interest in the wake of a key; must be given up by `cancel` if the wake is no longer awaited. A class: V8 makes a
 * dictionary of an object that is written with a getter.
 */
export class Expectation {
  private isGiven = false;

  constructor(
    private readonly entry: Waiting,
    private readonly forget: () => void,
  ) {}

  get woken(): Promise<void> {
    const { entry } = this;
    return entry.isWoken ? Promise.resolve() : (entry.wake ??= deferred()).promise;
  }

  cancel(): void {
    if (this.isGiven) return;
    this.isGiven = true;
    if (--this.entry.parties === 0) this.forget();
  }
}

/**
 * Who in this process waits for which key. A wake says only that something about the key has changed: who is woken
 * reads again. Only keys with a party waiting or acquiring are present.
 */
export class Wakeups {
  private readonly waiting = new PassingMap<string, Waiting>();

  /** Must be called before the command is sent that registers this process at the key, or a quick wake is lost. */
  expect(key: string): Expectation {
    let entry = this.waiting.get(key);
    if (!entry) this.waiting.set(key, (entry = new Waiting()));
    entry.parties++;
    return new Expectation(entry, () => this.forget(key, entry));
  }

  private forget(key: string, entry: Waiting): void {
    if (this.waiting.get(key) === entry) this.waiting.delete(key);
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
    for (const [key] of this.waiting.entries()) this.wake(key);
  }

  get size(): number {
    return this.waiting.size;
  }
}
