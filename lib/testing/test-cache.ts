import type { InvalidationListener } from '../bus/invalidation-listener.js';
import type { CacheService } from '../cache/cache.service.js';
import type { LockProvider } from '../locks/lock.provider.js';
import { assemble } from '../module/assemble.js';
import type { RedisCacheOptions } from '../module/redis-cache.options.js';
import { resolveOptions } from '../module/resolve-options.js';
import { CacheTesting, surroundingsOf } from './cache-testing.js';

/** A cache for tests of classes that Nest does not build. */
export interface TestCache extends Pick<CacheTesting, 'clock' | 'faults'> {
  readonly cache: CacheService;
  readonly locks: LockProvider;
  readonly invalidations: InvalidationListener;
  /** How often loaders have run, for all keys or for this one. */
  loadsOf(key?: Parameters<CacheService['get']>[0]): number;
  /** Throws an `AssertionError` unless they have run just so often. */
  expectLoads(expected: number, key?: Parameters<CacheService['get']>[0]): void;
  close(): Promise<void>;
}

/** Throws `CacheOptionsError` for wrong options. What the cache has to say goes to `onError` alone. */
export function createTestCache(options: Omit<RedisCacheOptions, 'topology'> = {}): TestCache {
  const testing = new CacheTesting();
  const made = assemble(resolveOptions(options, 'createTestCache'), {
    ...surroundingsOf(testing),
    log: { warn: () => undefined },
  });
  const { service: cache, locks, listener: invalidations, close } = made;
  const { clock, faults } = testing;
  const loadsOf: TestCache['loadsOf'] = (key) => testing.loadsOf(cache, key);
  const expectLoads: TestCache['expectLoads'] = (expected, key) =>
    testing.expectLoads(cache, expected, key);
  return { cache, locks, invalidations, clock, faults, loadsOf, expectLoads, close };
}
