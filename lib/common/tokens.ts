/**
 * Injection tokens of named caches. `Symbol.for` makes them equal across two installed copies of the package.
 * The unnamed cache is injected by its class, `CacheService`, and by `getCacheToken()`.
 */

export const DEFAULT_CACHE = 'default';

const OPTIONS = 'nestjs-redis-cache.options:';

/** What `@InjectCache(name)` injects: the `CacheService` of that name. */
export function getCacheToken(name: string = DEFAULT_CACHE): symbol {
  return Symbol.for(`nestjs-redis-cache.cache:${name}`);
}

/** The resolved, frozen options of that cache. */
export function getCacheOptionsToken(name: string = DEFAULT_CACHE): symbol {
  return Symbol.for(`${OPTIONS}${name}`);
}

/** Whether it is one of those, whatever the name. */
export const isCacheOptionsToken = (token: unknown): boolean =>
  typeof token === 'symbol' && token.description?.startsWith(OPTIONS) === true;

/** The `InvalidationListener` of the cache of that name; that of the unnamed one is injected by its class as well. */
export function getInvalidationListenerToken(name: string = DEFAULT_CACHE): symbol {
  return Symbol.for(`nestjs-redis-cache.invalidations:${name}`);
}

/** The `LockProvider` of the cache of that name; that of the unnamed one is injected by its class as well. */
export function getLockToken(name: string = DEFAULT_CACHE): symbol {
  return Symbol.for(`nestjs-redis-cache.locks:${name}`);
}
