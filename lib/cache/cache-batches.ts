import { assertFunction, pairsOf } from '../common/option-checks.js';
import type { Key } from '../keys/encode-key.js';
import type { EntryKey, KeySpace } from '../keys/key-space.js';
import type { KeyOf } from '../keys/typed-key.js';
import { CacheChanges } from './cache-changes.js';
import type { CacheEngine } from './cache-engine.js';
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
import type { BatchLoadContext } from './read/batch-call.js';
import type { BatchWriteContext } from './write/write-through.js';

type BatchLoaderOf<T> = (
  missing: Key[],
  context: BatchLoadContext,
) => Iterable<readonly [Key, T]> | Promise<Iterable<readonly [Key, T]>>;

/** The part of `CacheService` that reads and writes many values at once: in as few round trips as one value takes. */
export abstract class CacheBatches extends CacheChanges {
  readonly #engine: CacheEngine;
  readonly #space: KeySpace;

  constructor(engine: CacheEngine, space: KeySpace) {
    super(engine, space);
    this.#engine = engine;
    this.#space = space;
  }

  /**
   * The hits, under the keys as given and in their order. While a server cannot be reached its keys are misses, or
   * (`failure: 'strict'`) it rejects with a `CacheBatchError`.
   */
  getMany<T>(
    keys: readonly Key[],
    options: ReadOptions & { schema: StandardSchema<unknown, T> },
  ): Promise<Map<Key, T>>;
  getMany<T = unknown>(
    keys: readonly KeyOf<T>[],
    options?: Omit<ReadOptions, 'schema'>,
  ): Promise<Map<Key, T>>;
  async getMany<T>(keys: readonly Key[], options?: ReadOptions): Promise<Map<Key, T>> {
    const entries = this.#space.entries(keys);
    const reads = readSettings('getMany', options);
    const values = await this.#engine.batches.getMany(entries, reads);
    const hits = new Map<Key, T>();
    for (const [i, value] of values.entries()) if (value) hits.set(keys[i]!, value.take() as T);
    return hits;
  }

  /**
   * The values of all keys, under the keys as given and in their order: the hits, and what the loader gives for the keys that
   * are missing. It is called once for all keys that nobody else is loading, and gives pairs of key and value, for instance a
   * Map; what they hold is stored before this call waits for keys that others load, in whatever process. It is called
   * again only for keys whose load by somebody else has failed. A key that it leaves out, or gives undefined for, is absent from
   * the result, and nothing is stored for it; one that was not asked for is ignored.
   *
   * Otherwise each key goes its way as with `getOrSet`, and may be shared with its callers. The loader's error is passed on as it
   * is. With `loaderConcurrency` a call of the loader counts as one load.
   */
  getOrSetMany<Input, T>(
    keys: readonly Key[],
    loader: BatchLoaderOf<NoInfer<Input>>,
    options: LoadOptions & { schema: StandardSchema<Input, T> },
  ): Promise<Map<Key, T>>;
  getOrSetMany<T>(
    keys: readonly KeyOf<T>[],
    loader: BatchLoaderOf<T>,
    options?: Omit<LoadOptions, 'schema'>,
  ): Promise<Map<Key, T>>;
  async getOrSetMany<T>(
    keys: readonly Key[],
    loader: BatchLoaderOf<unknown>,
    options?: LoadOptions,
  ): Promise<Map<Key, T>> {
    const entries = this.#space.entries(keys);
    assertFunction('getOrSetMany', 'loader', loader);
    const settings = loadSettings('getOrSetMany', options, this.#engine.options);
    const served = await this.#engine.batches.getOrLoadMany(this.#space, unique(entries), {
      loader,
      settings,
    });
    const values = new Map<Key, T>();
    for (const { given, redisKey } of entries) {
      const value = served.get(redisKey)!.value.take();
      if (value !== undefined) values.set(given, value as T);
    }
    return values;
  }

  /**
   * Stores several values, each as `set` does, with options of its own if it has any: `[key, value, options]`. Of a key that
   * comes twice the last value counts. Everything is checked and encoded before anything is sent. Where Redis cannot be
   * reached nothing is stored, or (`failure: 'strict'`) it rejects with a `CacheBatchError` that says which keys are not.
   */
  async setMany<T>(
    entries: Iterable<readonly [key: KeyOf<T>, value: T, options?: SetOptions]>,
    options?: SetOptions,
  ): Promise<void> {
    const settingsOf = (own?: SetOptions) =>
      setSettings(
        'setMany',
        typeof own === 'object' ? ownBefore(options, own) : (own ?? options),
        this.#engine.options,
      );
    const common = settingsOf();
    const values = pairsOf('setMany', 'entries', entries).map(([key, value, own]) => ({
      key: this.#space.entry(key),
      value,
      settings: own == null ? common : settingsOf(own),
    }));
    const last = new Map(values.map((value) => [value.key.redisKey, value]));
    await this.#engine.writer.setMany([...last.values()]);
  }

  /**
   * Runs a writer of several keys as `withWrite` does, and stores the values that it returns as pairs of key and value, each
   * unless somebody else wrote or evicted that key meanwhile. What it leaves out is absent afterwards. The result has what
   * it has written under the keys as given, in their order.
   *
   * Rejects as `withWrite` does; a `CacheEvictError` has the keys that are not evicted yet, and the written values as `result`.
   */
  async writeThroughMany<T>(
    keys: readonly KeyOf<T>[],
    writer: (
      context: BatchWriteContext,
    ) => Iterable<readonly [Key, T]> | Promise<Iterable<readonly [Key, T]>>,
    options?: Omit<SetOptions, 'if'>,
  ): Promise<Map<Key, T>> {
    const entries = this.#space.entries(keys);
    assertFunction('writeThroughMany', 'writer', writer);
    const settings = throughSettings('writeThroughMany', options, this.#engine.options);
    const write = { writer, settings };
    const values = await this.#engine.through.many(this.#space, unique(entries), write);
    const written = new Map<Key, T>();
    for (const { given, redisKey } of entries) {
      const value = values.get(redisKey);
      if (value !== undefined) written.set(given, value as T);
    }
    return written;
  }
}

/** Undefined is as good as absent. An entry that says how long it lives is told nothing of it by the call. */
function ownBefore(common: SetOptions | undefined, own: SetOptions): SetOptions {
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  const given: SetOptions = Object.fromEntries(said);
  const life = {
    ...('ttl' in given && { expiresAt: undefined }),
    ...('expiresAt' in given && { ttl: undefined, sliding: undefined }),
  };
  return { ...common, ...life, ...given };
}

export function unique(entries: readonly EntryKey[]): EntryKey[] {
  return [...new Map(entries.map((entry) => [entry.redisKey, entry])).values()];
}
