import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import { engineOf, spaceOf, type CacheService } from '../cache/cache.service.js';
import { CacheOptionsError } from '../common/errors.js';
import type { Key } from '../keys/encode-key.js';
import { Meter } from '../observe/meter.js';

/** Counts the runs of loaders by key as well; for tests, so it forgets none. */
export class CountingMeter extends Meter {
  private readonly runs = new Map<string, number>();

  override load<T>(
    operation: string,
    key: { given: unknown; redisKey: string },
    loader: () => Promise<T>,
  ): Promise<T> {
    this.runs.set(key.redisKey, this.of(key.redisKey) + 1);
    return super.load(operation, key, loader);
  }

  of(redisKey: string): number {
    return this.runs.get(redisKey) ?? 0;
  }
}

/**
 * How often loaders have run for this key, or for all of this cache with its namespaces: those of `getOrSet`, of decorated methods and
 * handlers, and of refreshes. A loader of `getOrSetMany` counts once, under the first of the keys that it was run for.
 *
 * Throws `CacheOptionsError` for a cache that is none of these tests.
 */
export function loadsOf(cache: CacheService, key?: Key): number {
  const engine = engineOf(cache);
  if (!engine || !(engine.meter instanceof CountingMeter)) throw notOfTests();
  return key === undefined
    ? engine.stats().loads
    : engine.meter.of(spaceOf(cache).entry(key).redisKey);
}

/** Throws an `AssertionError` unless loaders have run just so often, see {@link loadsOf}. */
export function expectLoads(cache: CacheService, expected: number, key?: Key): void {
  const actual = loadsOf(cache, key);
  if (actual === expected) return;
  const of = key === undefined ? 'of the cache' : `of ${inspect(key)}`;
  const message = `expected ${expected} loads ${of}, and there were ${actual}`;
  throw new AssertionError({ message, actual, expected, operator: 'expectLoads' });
}

function notOfTests(): CacheOptionsError {
  const accepted = 'a CacheService of RedisCacheTestingModule or createTestCache()';
  return new CacheOptionsError('loadsOf', [{ path: 'cache', given: 'another object', accepted }]);
}
