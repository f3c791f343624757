import type { CacheService } from '../cache/cache.service.js';
import type { LoadOptions } from '../cache/entry.options.js';
import type { LoadContext } from '../cache/read/load-context.js';
import type { QueuedWrite } from '../cache/write/write-behind.options.js';
import type { Duration } from '../common/duration.js';
import type { KeyOf } from '../keys/typed-key.js';

type Maybe<T> = T | Promise<T>;

/** Where the truth is: a table, a service, a file. Only `load` is needed to read. */
export interface Source<K, V> {
  /** undefined: there is none, which is not cached; null is a value, and cached. */
  load(key: K, context: LoadContext): Maybe<V | undefined>;
  /** Several at once; what it leaves out is not there. `signal`: as that of `load`. Default: `load` for each. */
  loadMany?(
    keys: readonly K[],
    context: { readonly signal: AbortSignal },
  ): Maybe<Iterable<readonly [K, V]>>;
  /** What it gives, if anything, is what the source has made of the value. */
  write?(key: K, value: V): Maybe<V | void>;
  /** Several at once, for queued writes. Default: `write` for each, one after the other. */
  writeMany?(writes: readonly QueuedWrite<K, V>[]): Maybe<void>;
  remove?(key: K): Maybe<unknown>;
}

/**
 * A cache and its source as one: what is read is cached, what is written reaches both. The strategies of this package differ in
 * when that happens; one of your own is whatever has these four methods.
 */
export interface CacheStrategy<K, V> {
  /** undefined: the source has none. */
  get(key: K): Promise<V | undefined>;
  /** What there is, in the order of the keys. */
  getMany(keys: readonly K[]): Promise<Map<K, V>>;
  set(key: K, value: V): Promise<void>;
  delete(key: K): Promise<void>;
}

/** What every strategy is made with. */
export interface StrategyOptions<K, V> {
  source: Source<K, V>;
  /** Where a key's value is cached. */
  key: (key: K) => KeyOf<V>;
  /** How long values are cached. Default: the module's. */
  ttl?: Duration;
  /** The tags of a key's value. */
  tags?: (key: K) => readonly string[];
  /** Further options of loads; `version`, `serializer`, `schema`, `expiresAt` and `sliding` are those of writes as well. */
  load?: Omit<LoadOptions, 'ttl' | 'tags' | 'force' | 'signal'>;
}

/** All strategies are made in the same way, so that one can take the place of another. */
export type StrategyFactory = <K, V>(
  cache: CacheService,
  options: StrategyOptions<K, V>,
) => CacheStrategy<K, V>;
