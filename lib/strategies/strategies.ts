import type { CacheService } from '../cache/cache.service.js';
import { WriteBehind } from '../cache/write/write-behind.js';
import type { WriteBehindOptions } from '../cache/write/write-behind.options.js';
import { CachedSource } from './cached-source.js';
import type { CacheStrategy, StrategyOptions } from './strategy.js';

/** A miss loads from the source, once in the whole cluster. A write goes to the source, and the next read loads it from there. */
export function readThrough<K, V>(
  cache: CacheService,
  options: StrategyOptions<K, V>,
): CacheStrategy<K, V> {
  return throughCache(new CachedSource('readThrough', cache, options));
}

/** As `readThrough`; and what has been written is cached at once. */
export function writeThrough<K, V>(
  cache: CacheService,
  options: StrategyOptions<K, V>,
): CacheStrategy<K, V> {
  const cached = new CachedSource('writeThrough', cache, options);
  return {
    ...throughCache(cached),
    async set(key, value) {
      cached.method('write');
      const write = (): Promise<V> => cached.write(key, value);
      await cache.writeThrough<V>(options.key(key), write, cached.entryOptions(key));
    },
  };
}

/** Options of `writeBehind`. */
export interface WriteBehindStrategyOptions<K, V> extends StrategyOptions<K, V> {
  /** How writes are queued. */
  queue?: Omit<WriteBehindOptions<K, V>, 'write' | 'key'>;
}

/** As `readThrough`; but a write is cached at once and reaches the source later, in batches: see `WriteBehind`. */
export function writeBehind<K, V>(
  cache: CacheService,
  given: WriteBehindStrategyOptions<K, V>,
): CacheStrategy<K, V> & { readonly queue: WriteBehind<K, V> } {
  const { queue: queued, ...options } = given ?? {};
  const cached = new CachedSource('writeBehind', cache, options);
  if (!options.source.writeMany) cached.method('write');
  const through = throughCache(cached);
  const queue = new WriteBehind<K, V>(cache, {
    ...queued,
    key: options.key,
    write: (batch) => cached.writeMany(batch),
  });
  return {
    queue,
    async get(key) {
      const waiting = queue.pending(key);
      return waiting === undefined ? through.get(key) : cached.fitting(waiting);
    },
    async getMany(keys) {
      const waiting = keys.map((key) => queue.pending(key));
      const others = await through.getMany(keys.filter((_, i) => waiting[i] === undefined));
      const found = new Map<K, V>();
      for (const [i, key] of keys.entries()) {
        const own = waiting[i];
        const value = own === undefined ? others.get(key) : await cached.fitting(own);
        if (value !== undefined) found.set(key, value);
      }
      return found;
    },
    async set(key, value) {
      await queue.put(key, value, cached.entryOptions(key));
    },
    async delete(key) {
      cached.method('remove');
      await queue.flush(key);
      await through.delete(key);
    },
  };
}

/**
 * As `readThrough`; and a value that is read near the end of its ttl is loaded again in the background, so that what is read often
 * is never waited for. Default: after 80 % of its ttl.
 */
export function refreshAhead<K, V>(
  cache: CacheService,
  options: StrategyOptions<K, V>,
): CacheStrategy<K, V> {
  const given = options?.load;
  const load = { ...given, refreshAhead: given?.refreshAhead ?? { after: 0.8 } };
  return throughCache(new CachedSource('refreshAhead', cache, { ...options, load }));
}

function throughCache<K, V>(cached: CachedSource<K, V>): CacheStrategy<K, V> {
  return {
    get: (key) => cached.get(key),
    getMany: (keys) => cached.getMany(keys),
    async set(key, value) {
      cached.method('write');
      await cached.barred(key, () => cached.write(key, value));
    },
    async delete(key) {
      cached.method('remove');
      await cached.barred(key, () => cached.remove(key));
    },
  };
}
