import type { KeySpace } from '../keys/key-space.js';
import type { Key } from '../keys/encode-key.js';
import { countsOf, type CacheCounts, type CacheStats } from '../observe/stats.js';
import { assertFunction } from '../common/option-checks.js';
import { afterCommit } from './after-commit.js';
import type { CacheEngine } from './cache-engine.js';
import type { CallMode } from './call-mode.js';
import type { EntryInfo } from './inspection.js';

/** How a cache behaves, and what it has done: the part of `CacheService` that neither reads nor writes values. */
export abstract class CacheControls {
  readonly #engine: CacheEngine;
  readonly #space: KeySpace;

  constructor(engine: CacheEngine, space: KeySpace) {
    this.#engine = engine;
    this.#space = space;
  }

  /** The mode that calls made here and now have: that of the innermost `run` around them, else that of `setMode`. */
  get mode(): CallMode {
    return this.#engine.modes.mode;
  }

  /**
   * Changes how this whole cache behaves in this process, all of its namespaces, until it is changed again: to switch it off
   * while the application runs, say. Calls inside `run` keep the mode of theirs. Throws `CacheOptionsError` for a mode that
   * there is not.
   */
  setMode(mode: CallMode): void {
    this.#engine.modes.set(mode);
  }

  /**
   * Changes how this cache behaves for everything that `fn` does, also later and asynchronously. `bypass`: reads miss, loads go
   * to the loader, nothing is stored; `refresh`: `get` misses, and `getOrSet` loads and replaces what is stored; `readonly`: reads
   * hit, nothing is stored; `normal`: as if there were no other mode around it. Evicts act in all of them.
   */
  run<T>(mode: CallMode, fn: () => T): T {
    assertFunction('run', 'fn', fn);
    return this.#engine.modes.run(mode, fn);
  }

  /**
   * Reads each key once while `fn` runs: `get`, `getMany` and `getOrSet` repeat the first answer that any of them got, be it a miss.
   * What this call sets, evicts or otherwise changes itself is read again; what others change meanwhile is not seen. Up to 1 000
   * keys are remembered, until the promise of `fn` is settled. Within another `withMemo` it is that one.
   */
  async withMemo<T>(fn: () => T | Promise<T>): Promise<T> {
    assertFunction('withMemo', 'fn', fn);
    return this.#engine.memos.run(fn);
  }

  /**
   * Does something, such as `() => cache.evict(key)`, once the database transaction around this call has committed, and not at all if that
   * is rolled back; then this resolves at once. Outside of a transaction it does it now, and waits for it. It takes the module's option
   * `transaction`.
   */
  async afterCommit(act: () => unknown): Promise<void> {
    assertFunction('afterCommit', 'act', act);
    return afterCommit(this.#engine.parts, act, { asked: true });
  }

  /** What this cache has done since it was made, with all of its namespaces: a frozen snapshot, to be compared with others. */
  stats(): CacheStats {
    return this.#engine.stats();
  }

  /** What `fn` returns, and what was counted in all that it did until then. */
  async withStats<T>(fn: () => T | Promise<T>): Promise<{ result: T; stats: CacheCounts }> {
    assertFunction('withStats', 'fn', fn);
    const { result, counters } = await this.#engine.meter.scoped(fn);
    return { result, stats: countsOf(counters) };
  }

  /**
   * What there is at a key, without its value: whether it would be served, from where, for how long, with which tags. For people
   * and tools; it counts as no read. Undefined: nothing. Rejects where Redis cannot be reached, whatever `failure` says.
   */
  async inspect(key: Key): Promise<EntryInfo | undefined> {
    return this.#engine.inspection.inspect(this.#space.entry(key));
  }
}
