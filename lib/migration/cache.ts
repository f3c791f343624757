import type { CacheService } from '../cache/cache.service.js';
import { engineOf } from '../cache/cache.service.js';
import type { LoadOptions } from '../cache/entry.options.js';
import { CacheOptionsError } from '../common/errors.js';
import { shown } from '../common/option-checks.js';

/** A number of ms; 0: it does not expire. */
type Ttl = number;

export type WrapOptions<T> =
  | {
      ttl?: Ttl | undefined;
      /** What is left of the ttl, in ms, when a read begins to load anew in the background; 0: never. */
      refreshThreshold?: number | undefined;
    }
  | {
      ttl: (value: T) => Ttl;
      /** Of a ttl that only the value knows, a read does not know what is left. */
      refreshThreshold?: 0 | undefined;
    };

/**
 * The `Cache` of `cache-manager`, as `@Inject(CACHE_MANAGER)` gives it, over a `CacheService`: for code that is still to be moved. What it
 * does differently is in docs/migration.md.
 *
 * @publicApi
 */
export class Cache {
  constructor(private readonly service: CacheService) {}

  get<T>(key: string): Promise<T | undefined> {
    return this.service.get(key) as Promise<T | undefined>;
  }

  async mget<T>(keys: string[]): Promise<(T | undefined)[]> {
    const found = await this.service.getMany(keys);
    return keys.map((key) => found.get(key) as T | undefined);
  }

  /** The value. undefined is not stored; what was there is evicted. */
  async set<T>(key: string, value: T, ttl?: Ttl): Promise<T> {
    const options = { ttl: lifeOf('set', ttl) };
    if (value === undefined) await this.service.evict(key);
    else await this.service.set<unknown>(key, value, options);
    return value;
  }

  async mset<T>(list: { key: string; value: T; ttl?: Ttl }[]): Promise<typeof list> {
    assertList('mset', 'list', list);
    await Promise.all(list.map(({ key, value, ttl }) => this.set(key, value, ttl)));
    return list;
  }

  async del(key: string): Promise<boolean> {
    await this.service.evict(key);
    return true;
  }

  async mdel(keys: string[]): Promise<boolean> {
    assertList('mdel', 'keys', keys);
    await Promise.all(keys.map((key) => this.service.evict(key)));
    return true;
  }

  /** When it expires, in ms since 1970; undefined: it does not, or is not there. */
  async ttl(key: string): Promise<number | undefined> {
    const leftMs = await this.service.ttl(key);
    return leftMs === undefined || leftMs === Infinity ? undefined : Date.now() + leftMs;
  }

  wrap<T>(
    key: string,
    load: () => T | Promise<T>,
    ttl?: Ttl,
    refreshThreshold?: number,
  ): Promise<T>;
  wrap<T>(
    key: string,
    load: () => T | Promise<T>,
    ttl: (value: T) => Ttl,
    refreshThreshold?: 0,
  ): Promise<T>;
  wrap<T>(key: string, load: () => T | Promise<T>, options: WrapOptions<T>): Promise<T>;
  async wrap<T>(
    key: string,
    load: () => T | Promise<T>,
    given?: WrapOptions<T>['ttl'] | WrapOptions<T>,
    refreshThreshold?: number,
  ): Promise<T> {
    const options = typeof given === 'object' && given ? given : { ttl: given, refreshThreshold };
    return this.service.getOrSet<unknown>(key, load, this.loadOptions(options)) as Promise<T>;
  }

  async clear(): Promise<boolean> {
    await this.service.clear();
    return true;
  }

  /** What `clear` was called before version 6 of `cache-manager`. */
  async reset(): Promise<void> {
    await this.service.clear();
  }

  private loadOptions(options: {
    ttl?: WrapOptions<any>['ttl'];
    refreshThreshold?: number | undefined;
  }): Omit<LoadOptions, 'schema'> {
    const { ttl, refreshThreshold, ...unknown } = options;
    for (const name of Object.keys(unknown))
      throw refused('wrap', 'options', { given: name, accepted: 'ttl, refreshThreshold' });
    // Also where the module says otherwise: undefined leaves it to that.
    const never = refreshThreshold === 0 && ({ refreshAhead: false } as const);
    const asks = refreshThreshold !== undefined && !never;
    if (typeof ttl === 'function' && asks)
      throw refused('wrap', 'ttl', {
        given: 'a function beside refreshThreshold',
        accepted: 'a number of ms',
      });
    if (typeof ttl === 'function')
      return { ttl: (value: unknown) => lifeOf('wrap', ttl(value))!, ...never };
    const life = lifeOf('wrap', ttl);
    const ttlMs = life ?? engineOf(this.service)!.options.ttlMs;
    if (!asks) return { ttl: life, ...never };
    if (!(typeof refreshThreshold === 'number' && refreshThreshold > 0))
      throw refused('wrap', 'refreshThreshold', {
        given: shown(refreshThreshold),
        accepted: 'a number of ms from 0',
      });
    if (ttlMs === Infinity) return { ttl: life };
    // As a share of the ttl; a threshold that is longer than the ttl refreshes with each read.
    return { ttl: life, refreshAhead: { after: Math.max(1 - refreshThreshold / ttlMs, 1e-6) } };
  }
}

/** As `cache-manager` reads it: 0 is for ever. Its options of older versions were seconds, and would be a thousandth here. */
export function lifeOf(where: string, ttl: unknown): number | undefined {
  if (ttl === undefined || ttl === null) return undefined;
  if (typeof ttl !== 'number' || !(ttl >= 0))
    throw refused(where, 'ttl', {
      given: typeof ttl === 'number' ? String(ttl) : typeof ttl,
      accepted: TTL,
    });
  return ttl === 0 ? Infinity : ttl;
}

function assertList(where: string, path: string, given: unknown): void {
  if (!Array.isArray(given))
    throw refused(where, path, { given: shown(given), accepted: 'a list' });
}

const TTL = 'a number of ms; 0: it does not expire';

function refused(
  where: string,
  path: string,
  { given, accepted }: { given: string; accepted: string },
): CacheOptionsError {
  return new CacheOptionsError(`cache.${where}`, [{ path, given, accepted }]);
}
