import 'reflect-metadata';
import { Metadata } from '../common/metadata.js';
import { CacheOptionsError } from '../common/errors.js';
import { problemsOf, type Rules } from '../common/option-checks.js';
import { DEFAULT_CACHE, getInvalidationListenerToken } from '../common/tokens.js';
import { aCacheName } from '../cache/decorated/option-rules.js';
import { injectInto } from '../methods/injection.js';
import { placeOf } from '../methods/wrap-method.js';

export interface OnInvalidationOptions {
  /** The `name` of the cache; without it, the unnamed one. */
  cache?: string;
}

const RULES: Rules<OnInvalidationOptions> = { cache: aCacheName };

/** The names of the caches of which a method hears. */
export const heardCaches = new Metadata<readonly string[]>('on-invalidation');

/**
 * Calls the method with each `InvalidationEvent` of a cache, from the start of the application to its end. For methods of
 * providers and controllers that live as long as the application; others are left out, with a warning. May be written
 * several times, for several caches.
 *
 * Throws `CacheOptionsError` at decoration for wrong options, with everything that is wrong.
 *
 * @publicApi
 */
export function OnInvalidation(options: OnInvalidationOptions = {}): MethodDecorator {
  return (target, name, descriptor) => {
    const place = placeOf('@OnInvalidation', target, name, descriptor);
    const problems = problemsOf(options, RULES);
    if (problems.length > 0) throw new CacheOptionsError(place.where, problems);
    const { cache = DEFAULT_CACHE } = options;
    const method = place.descriptor.value as object;
    const others = heardCaches.get(method) ?? [];
    heardCaches.set(method, [...new Set([cache, ...others])]);
    // Of two caches of that name, it hears the one that its module can inject.
    injectInto(target, getInvalidationListenerToken(cache));
  };
}
