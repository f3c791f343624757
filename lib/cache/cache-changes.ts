import type { Duration } from '../common/duration.js';
import type { Key } from '../keys/encode-key.js';
import type { KeySpace } from '../keys/key-space.js';
import type { KeyOf } from '../keys/typed-key.js';
import { CacheControls } from './cache-controls.js';
import type { CacheEngine } from './cache-engine.js';
import { additionOf, type Addition, type CounterOptions } from './counters.js';
import { readSettings, type ReadOptions } from './entry.options.js';
import { lifeMs } from './life.options.js';
import { RawStrings } from './raw-strings.js';
import type { StandardSchema } from './schema.js';

/** The part of `CacheService` that changes what is stored where it is: counts, gives another life, takes. */
export abstract class CacheChanges extends CacheControls {
  readonly #engine: CacheEngine;
  readonly #space: KeySpace;

  constructor(engine: CacheEngine, space: KeySpace) {
    super(engine, space);
    this.#engine = engine;
    this.#space = space;
  }

  /**
   * Adds to a counter, which begins at 0, and gives the sum. With `ttl` the counter gets an end if it has none yet; it is never
   * prolonged. `get` reads it, and `set` replaces it; an integer that was stored by `set` or a load is counted on as well.
   *
   * Never counts twice, nor tries again: where Redis cannot be reached it rejects with `CacheConnectionError` or
   * `CacheTimeoutError`, whatever `failure` says, and after the latter nobody knows whether it was counted. Rejects with a
   * `CacheError` that has the code `ERR_CACHE_NOT_A_NUMBER` where something else is stored, `ERR_CACHE_OVERFLOW` beyond 2^53 - 1,
   * `ERR_CACHE_BARRED` while `withWrite` or `writeThrough` is at this key; then nothing has changed.
   */
  async increment(key: KeyOf<number>, by = 1, options?: CounterOptions): Promise<number> {
    return this.#add(key, additionOf('increment', by, options));
  }

  /** The same the other way. */
  async decrement(key: KeyOf<number>, by = 1, options?: CounterOptions): Promise<number> {
    return this.#add(key, additionOf('decrement', by, options));
  }

  /**
   * Gives an entry this long to live from now, longer or shorter than before; Infinity: it does not expire. True: it was there.
   * Stored HTTP responses are entries, too; loads that are running, writes, and what is past its ttl are not. Where Redis
   * cannot be reached: false, or (`failure: 'strict'`) it rejects.
   */
  async touch(key: Key, ttl: Duration): Promise<boolean> {
    const entry = this.#space.entry(key);
    return this.#engine.inPlace.toucher.touch(entry, lifeMs(ttl, 'ttl', 'touch'));
  }

  /** How many of them were there. In two round trips for each thousand. With `strict`: rejects with `CacheBatchError`. */
  async touchMany(keys: readonly Key[], ttl: Duration): Promise<number> {
    const once = new Map(this.#space.entries(keys).map((entry) => [entry.redisKey, entry]));
    const { toucher } = this.#engine.inPlace;
    return toucher.touchMany([...once.values()], lifeMs(ttl, 'ttl', 'touchMany'));
  }

  /**
   * The value, which nobody has any more: of many who take the same one, one gets it. Undefined: there was none, or Redis cannot
   * be reached (`failure: 'strict'`: rejects). Past the copies in the process. A load that is running is not stored. What this
   * call cannot read, for its version, serializer or schema, stays.
   */
  take<T>(
    key: Key,
    options: ReadOptions & { schema: StandardSchema<unknown, T> },
  ): Promise<T | undefined>;
  take<T = unknown>(key: KeyOf<T>, options?: Omit<ReadOptions, 'schema'>): Promise<T | undefined>;
  async take<T>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    const entry = this.#space.entry(key);
    const taken = await this.#engine.inPlace.taker.take(entry, readSettings('take', options));
    return taken?.take() as T | undefined;
  }

  /** Plain Redis strings of this namespace, for what other programs read and write as well. */
  get raw(): RawStrings {
    return new RawStrings(this.#engine.inPlace.raw, this.#space);
  }

  #add(key: Key, addition: Addition): Promise<number> {
    return this.#engine.inPlace.counters.add(this.#space.entry(key), addition);
  }
}
