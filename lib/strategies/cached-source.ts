import type { CacheService } from '../cache/cache.service.js';
import type { SetOptions } from '../cache/entry.options.js';
import { parsed } from '../cache/schema.js';
import type { QueuedWrite } from '../cache/write/write-behind.options.js';
import { CacheOptionsError } from '../common/errors.js';
import {
  aFunction,
  aLife,
  anObject,
  pairsOf,
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

const METHODS = ['load', 'loadMany', 'write', 'writeMany', 'remove'] as const;
/** Options of loads that writes have as well. */
const OF_WRITES = ['version', 'serializer', 'schema', 'expiresAt', 'sliding'] as const;

type EntryOptions = Omit<SetOptions, 'if'>;

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
    for (const method of METHODS)
      if (method === 'load' || options.source[method] !== undefined) this.method(method);
  }

  async get(key: K): Promise<V | undefined> {
    const { source, load } = this.options;
    return this.cache.getOrSet<V | undefined>(
      this.options.key(key) as Key,
      (context) => source.load(key, context),
      { ...load, ...this.lifeAndTags(key) },
    );
  }

  async getMany(keys: readonly K[]): Promise<Map<K, V>> {
    const values = this.options.source.loadMany
      ? await this.loadMany(keys)
      : await Promise.all(keys.map((key) => this.get(key)));
    const found = new Map<K, V>();
    for (const [i, value] of values.entries()) if (value !== undefined) found.set(keys[i]!, value);
    return found;
  }

  /** A value that has not been read through the cache, as reads of it would give it. */
  async fitting(value: V): Promise<V> {
    const schema = this.options.load?.schema;
    return schema ? ((await parsed(schema, value)) as V) : value;
  }

  private async loadMany(keys: readonly K[]): Promise<(V | undefined)[]> {
    const { source, load, ttl } = this.options;
    const places = keys.map((key): Key => this.options.key(key));
    const keyAt = new Map(places.map((place, i) => [place, keys[i]!]));
    const values = await this.cache.getOrSetMany<V>(
      [...keyAt.keys()],
      async (missing, context) => {
        const asked = missing.map((place) => keyAt.get(place)!);
        const rows = await source.loadMany!(asked, { signal: context.signal });
        const pairs = pairsOf(this.name, 'source.loadMany (what it gives)', rows);
        return pairs.map(([key, value]) => {
          const place = this.options.key(key);
          const { tags } = this.lifeAndTags(key);
          if (tags) context.setTags(place, tags);
          return [place, value] as const;
        });
      },
      { ...load, ...(ttl !== undefined && { ttl }) },
    );
    return places.map((place) => values.get(place));
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

  /** Of what is written to this key. */
  entryOptions(key: K): EntryOptions {
    const { load } = this.options;
    const own = OF_WRITES.map((name) => [name, load?.[name]] as const);
    return { ...(Object.fromEntries(own) as EntryOptions), ...this.lifeAndTags(key) };
  }

  private lifeAndTags(key: K): Pick<EntryOptions, 'ttl' | 'tags'> {
    const { ttl, tags } = this.options;
    return { ...(ttl !== undefined && { ttl }), ...(tags && { tags: tags(key) }) };
  }

  /** Throws `CacheOptionsError` where the source cannot do that. */
  method<Name extends (typeof METHODS)[number]>(name: Name): NonNullable<Source<K, V>[Name]> {
    const { source } = this.options;
    const method = source[name];
    if (typeof method === 'function') return method.bind(source) as never;
    const problem = { path: `source.${name}`, given: shown(method) };
    throw new CacheOptionsError(this.name, [{ ...problem, accepted: aFunction.accepted }]);
  }
}
