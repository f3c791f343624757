import { assertFunction } from '../common/option-checks.js';
import type { Key } from '../keys/encode-key.js';
import { keysOf } from '../keys/key-list.js';
import type { KeySpace } from '../keys/key-space.js';
import type { KeyOf } from '../keys/typed-key.js';
import { CacheBatches, unique } from './cache-batches.js';
import type { NodeInfo } from '../redis/node-survey.js';
import type { CacheEngine } from './cache-engine.js';
import type { Opened } from './entry.js';
import {
  loadSettings,
  readSettings,
  setSettings,
  throughSettings,
  type LoadOptions,
  type ReadOptions,
  type SetOptions,
} from './entry.options.js';
import type { StandardSchema } from './schema.js';
import type { WriteContext } from './write/write-through.js';
import { listingSignal, type ListingOptions } from './key-listing.js';
import type { LoadContext } from './read/load-context.js';

/** The engine behind a service, for the rest of this package; undefined for a stand-in that a test has provided. */
export let engineOf: (service: CacheService) => CacheEngine | undefined;
/** Where the keys of a service lie. */
export let spaceOf: (service: CacheService) => KeySpace;

/**
 * The cache. Every method takes a key as a string or as an array of its parts, which is encoded so that two different
 * keys never meet: `['a:b']` is not `['a', 'b']`, and `1` is not `'1'`. A `typedKey` brings the type of its value along. A
 * wrong key rejects with `CacheKeyError`, a wrong option with `CacheOptionsError`, before anything runs. What happens while
 * Redis cannot be reached is the module's `failure` option: by default reads miss, loads go to the loader, writes store
 * nothing, and evicts say so.
 *
 * Values are the same on a miss as on a hit: what the serializer gives back. Plain objects and arrays are frozen.
 */
export class CacheService extends CacheBatches {
  readonly #engine: CacheEngine;
  readonly #space: KeySpace;

  static {
    engineOf = (service) => (#engine in service ? service.#engine : undefined);
    spaceOf = (service) => service.#space;
  }

  /** Made by the module; see `RedisCacheModule.forRoot`. */
  constructor(engine: CacheEngine, space: KeySpace) {
    super(engine, space);
    this.#engine = engine;
    this.#space = space;
  }

  /** The value, or undefined for a miss; null is a value. */
  get<T>(
    key: Key,
    options: ReadOptions & { schema: StandardSchema<unknown, T> },
  ): Promise<T | undefined>;
  get<T = unknown>(key: KeyOf<T>, options?: Omit<ReadOptions, 'schema'>): Promise<T | undefined>;
  get<T>(key: Key, options?: ReadOptions): Promise<T | undefined> {
    try {
      const entry = this.#space.entry(key);
      const { front } = this.#engine;
      const reads = readSettings('get', options);
      const copy = reads ? undefined : front.copy(entry, 'get');
      if (copy) return copy.promised() as Promise<T>;
      return front.get(entry, { operation: 'get', reads, as: taken<T> });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async has(key: Key, options?: ReadOptions): Promise<boolean> {
    const entry = this.#space.entry(key);
    return this.#engine.inspection.has(entry, readSettings('has', options));
  }

  /**
   * Stores a value as it is now, whatever becomes of it before this resolves; a load that is running cannot overwrite it. False:
   * refused by `if`, by a write in progress (`withWrite`), or Redis cannot be reached. Rejects with `CacheSerializationError` where
   * the value cannot be stored.
   */
  async set<T>(key: KeyOf<T>, value: NoInfer<T>, options?: SetOptions): Promise<boolean> {
    const entry = this.#space.entry(key);
    return this.#engine.writer.set(entry, value, setSettings('set', options, this.#engine.options));
  }

  /**
   * Removes entries; gives how many existed. Once it has resolved, no read that begins later, in any process, gives an
   * older value from Redis, and no load that began earlier can store one.
   * An array of nothing but strings is at once a list of keys and a key of several parts: both are evicted.
   *
   * Rejects with `CacheEvictError` where Redis could not be reached: those keys are retried, and bypassed in this
   * process until then.
   */
  async evict(key: Key | readonly Key[]): Promise<number> {
    const entries = this.#space.entries(keysOf(key));
    return this.#engine.evict(unique(entries), this.#engine.options.evictFailure.calls);
  }

  /**
   * Makes outdated what was stored in this namespace with one of these tags, in time that does not depend on how many
   * entries that is. A load that runs meanwhile does not bring it back. Namespaces nested in this one have tags of their own.
   * Rejects as `evict` does; until the evict has got through, this process bypasses the namespace.
   */
  async evictTags(tags: string | readonly string[]): Promise<void> {
    const list = typeof tags === 'string' ? [tags] : tags;
    await this.#engine.evictTags(this.#space.path, list, this.#engine.options.evictFailure.calls);
  }

  /** Makes everything in this namespace outdated, and nothing in those nested in it. Otherwise as `evictTags`. */
  async clear(): Promise<void> {
    await this.#engine.clear(this.#space.path, this.#engine.options.evictFailure.calls);
  }

  /**
   * The value, or what the loader gives: run by this caller, or by whoever is at it already, in any process; its result
   * is stored unless the key was evicted or written meanwhile. A loader's error is passed on as it is, to everybody who
   * waits for that load. undefined is never stored.
   *
   * Rejects with `CacheTimeoutError` after `loaderTimeout`, or (`onWaitTimeout: 'throw'`) after `waitTimeout`.
   */
  getOrSet<Input, T>(
    key: Key,
    loader: (context: LoadContext) => NoInfer<Input> | Promise<NoInfer<Input>>,
    options: LoadOptions & { schema: StandardSchema<Input, T> },
  ): Promise<T>;
  getOrSet<T>(
    key: KeyOf<T>,
    loader: (context: LoadContext) => T | Promise<T>,
    options?: Omit<LoadOptions, 'schema'>,
  ): Promise<T>;
  getOrSet<T>(
    key: Key,
    loader: (context: LoadContext) => unknown,
    options?: LoadOptions,
  ): Promise<T> {
    try {
      const entry = this.#space.entry(key);
      assertFunction('getOrSet', 'loader', loader);
      const { options: defaults, front } = this.#engine;
      const isPlain = options === undefined && !defaults.refreshAhead;
      const copy = isPlain ? front.copy(entry, 'getOrSet') : undefined;
      if (copy) return copy.promised() as Promise<T>;
      const settings = loadSettings('getOrSet', options, defaults);
      const request = { key: entry, kind: 'value', loader, settings } as const;
      return this.#engine.load(request).then(({ value }) => value.take() as T);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Runs a transaction with its keys barred: nothing that is read while it runs is cached, and afterwards the keys are
   * absent, whether it has committed or thrown. If this process dies in between, the barrier expires by itself: 30 s after
   * its last renewal, so let the database end transactions sooner than that.
   *
   * The transaction's own error is passed on. Where Redis cannot be reached the transaction runs all the same, its keys
   * are evicted as `evict` does, and the `CacheEvictError` carries its `result` (`failure: 'strict'`: rejects before it runs).
   */
  async withWrite<T>(key: Key | readonly Key[], transaction: () => Promise<T>): Promise<T> {
    const entries = this.#space.entries(keysOf(key));
    assertFunction('withWrite', 'transaction', transaction);
    return this.#engine.barrier.withWrite(unique(entries), transaction);
  }

  /**
   * Runs a writer as `withWrite` does, and stores what it returns, unless somebody else wrote or evicted the key meanwhile:
   * then the key is absent, because nobody knows whose value is the newer. A writer that throws leaves the key absent.
   */
  async writeThrough<T>(
    key: KeyOf<T>,
    writer: (context: WriteContext) => T | Promise<T>,
    options?: Omit<SetOptions, 'if'>,
  ): Promise<T> {
    const entry = this.#space.entry(key);
    assertFunction('writeThrough', 'writer', writer);
    const settings = throughSettings('writeThrough', options, this.#engine.options);
    return (await this.#engine.through.one(entry, writer, settings)) as T;
  }

  /** What is left of an entry's life in ms; Infinity: it does not expire; undefined: there is none. */
  async ttl(key: Key): Promise<number | undefined> {
    return this.#engine.inspection.ttl(this.#space.entry(key));
  }

  /**
   * Evicts the entries of this namespace whose string key matches; gives how many existed. `*` is any run of characters,
   * `?` one, `[a-z]` one of these, `\\` takes the next one literally; `escapeGlob` makes a literal of what users typed.
   * It walks over all keys of the servers: for maintenance; tags do the same in no time. Rejects as `evict` does.
   */
  async evictPattern(glob: string, options?: ListingOptions): Promise<number> {
    const failure = this.#engine.options.evictFailure.calls;
    const signal = listingSignal('evictPattern', options);
    return this.#engine.evictPattern(this.#space, glob, { failure, signal });
  }

  /** The string keys of this namespace that are live, matching a glob as `evictPattern` takes it; in no order. */
  keys(glob = '*', options?: ListingOptions): AsyncIterable<string> {
    return this.#engine.keys(this.#space, glob, listingSignal('keys', options));
  }

  /**
   * The copy in this process, at once and without a look at Redis; undefined: there is none, or it may not be used.
   */
  peek<T = unknown>(key: KeyOf<T>): T | undefined {
    return this.#engine.front.peek(this.#space.entry(key), 'peek')?.take() as T | undefined;
  }

  /**
   * Every server of this cache as this process sees it: whether it is connected, answers a PING, and what waits for it. In a
   * cluster its masters; without Redis one that is called `memory`. Asks all of them at once, each for `timeouts.read` at
   * most, and never rejects: why one has not answered is in its `error`, and `onError` does not hear of it.
   */
  async nodes(): Promise<NodeInfo[]> {
    return this.#engine.parts.nodes();
  }

  /** Asks every server of `nodes`; gives the ms of the slowest. Rejects with the error of one that has not answered. */
  async ping(): Promise<number> {
    const { nodes, reporter } = this.#engine.parts;
    return reporter.told('ping', nodes().then(slowestMs));
  }

  /**
   * A view of this cache whose keys are apart from all others; views nest.
   * `name`: 1 to 64 letters, digits, `.`, `_`, `-`; anything else throws `CacheKeyError`.
   */
  namespace(name: string): CacheService {
    return new CacheService(this.#engine, this.#space.child(name));
  }
}

function slowestMs(nodes: readonly NodeInfo[]): number {
  for (const { error } of nodes) if (error) throw error;
  return Math.max(...nodes.map(({ pingMs = 0 }) => pingMs));
}

const taken = <T>(value: Opened | undefined): T | undefined => value?.take() as T | undefined;
