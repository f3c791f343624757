import type { CacheService } from '../cache/cache.service.js';
import { DEFAULT_CACHE } from '../common/tokens.js';
import type { Key } from '../keys/encode-key.js';
import type { Surroundings } from '../module/assemble.js';
import { createFaultyBackend } from './faulty-backend.js';
import { Faults } from './faults.js';
import { CountingMeter, expectLoads, loadsOf } from './load-counter.js';
import { TestClock } from './test-clock.js';

/**
 * What a test holds in its hands: the time of its caches, what goes wrong with them, and how often they have loaded. Injected by
 * this class, or by `getCacheTestingToken(name)` for a cache that is registered with a name.
 *
 * @publicApi
 */
export class CacheTesting {
  readonly clock = new TestClock();
  readonly faults = new Faults(this.clock);

  /** How often loaders have run for this key, or, without one, for all of this cache with its namespaces. */
  loadsOf(cache: CacheService, key?: Key): number {
    return loadsOf(cache, key);
  }

  /** Throws an `AssertionError` unless loaders have run just so often, for this key or for all. */
  expectLoads(cache: CacheService, expected: number, key?: Key): void {
    expectLoads(cache, expected, key);
  }
}

/** Injects the `CacheTesting` of the cache of that name. */
export function getCacheTestingToken(name: string = DEFAULT_CACHE): symbol {
  return Symbol.for(`nestjs-redis-cache.testing:${name}`);
}

export function surroundingsOf({ clock, faults }: CacheTesting): Surroundings {
  return {
    clock,
    createMeter: (...args) => new CountingMeter(...args),
    createBackend: (options, parts) => createFaultyBackend(options, parts, faults),
  };
}
