import type { CacheService } from '../cache/cache.service.js';
import type { QueuedWrite } from '../cache/write/write-behind.options.js';
import type { Duration } from '../common/duration.js';
import { CacheOptionsError } from '../common/errors.js';
import {
  aFunction,
  aLife,
  anObject,
  problemsOf,
  shown,
  type Rules,
} from '../common/option-checks.js';
import type { Key } from '../keys/encode-key.js';
import type { Source, StrategyOptions } from './strategy.js';

const RULES: Rules<StrategyOptions<unknown, unknown>> = {
  source: anObject,
  key: aFunction,
  ttl: aLife,
  tags: aFunction,
  load: anObject,
};

/** What the strategies are made of: reads through the cache, and the steps of a write. */
export class CachedSource<K, V> {
  /** Throws `CacheOptionsError`. `name` is the strategy's. */
  constructor(
    private readonly name: string,
    private readonly cache: CacheService,
    private readonly options: StrategyOptions<K, V>,
  ) {
    const needed = { source: options?.source ?? null, key: options?.key ?? null };
    const problems = problemsOf({ ...options, ...needed }, RULES);
    if (problems.length > 0) throw new CacheOptionsError(name, problems);
    this.method('load');
  }

  async get(key: K): Promise<V | undefined> {
    const { source, load } = this.options;
    const options = { ...load, ...this.entryOptions(key) };
    return this.cache.getOrSet<V | undefined>(
      this.options.key(key) as Key,
      (context) => source.load(key, context),
      options,
    );
  }

  async getMany(keys: readonly K[]): Promise<Map<K, V>> {
    const { source, load, ttl } = this.options;
    const found = new Map<K, V>();
    if (!source.loadMany) {
      const values = await Promise.all(keys.map((key) => this.get(key)));
      for (const [i, value] of values.entries())
        if (value !== undefined) found.set(keys[i]!, value);
      return found;
    }
    const asked = new Map<Key, K>(keys.map((key) => [this.options.key(key), key]));
    const values = await this.cache.getOrSetMany<V>(
      [...asked.keys()],
      async (missing, context) => {
        const rows = [...(await source.loadMany!(missing.map((key) => asked.get(key)!)))];
        return rows.map(([key, value]) => {
          const { tags } = this.entryOptions(key);
          if (tags) context.setTags(this.options.key(key), tags);
          return [this.options.key(key), value] as const;
        });
      },
      { ...load, ...(ttl !== undefined && { ttl }) },
    );
    for (const [key, value] of values) found.set(asked.get(key)!, value);
    return found;
  }

  /** What the source has made of the value. */
  async write(key: K, value: V): Promise<V> {
    const written = await this.method('write')(key, value);
    return written === undefined ? value : written;
  }

  async writeMany(writes: readonly QueuedWrite<K, V>[]): Promise<void> {
    const { source } = this.options;
    if (source.writeMany) return source.writeMany(writes);
    for (const { key, value } of writes) await this.write(key, value);
  }

  async remove(key: K): Promise<void> {
    await this.method('remove')(key);
  }

  /** Nothing that is read meanwhile is cached, and afterwards the key is absent. */
  async barred(key: K, write: () => Promise<unknown>): Promise<void> {
    const one = this.options.key(key) as Key;
    await this.cache.withWrite(typeof one === 'string' ? one : [one], write);
  }

  /** Of what is stored at this key. */
  entryOptions(key: K): { ttl?: Duration; tags?: readonly string[] } {
    const { ttl, tags } = this.options;
    return { ...(ttl !== undefined && { ttl }), ...(tags && { tags: tags(key) }) };
  }

  /** Throws `CacheOptionsError` where the source cannot do that. */
  method<Name extends 'load' | 'write' | 'remove'>(name: Name): NonNullable<Source<K, V>[Name]> {
    const { source } = this.options;
    const method = source[name];
    if (typeof method === 'function') return method.bind(source) as never;
    const problem = { path: `source.${name}`, given: shown(method) };
    throw new CacheOptionsError(this.name, [{ ...problem, accepted: aFunction.accepted }]);
  }
}
