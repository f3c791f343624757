import { UseInterceptors } from '@nestjs/common';

import { CacheEvictInterceptor } from '../http/cache-evict.interceptor.js';
import { compileEvict } from '../http/compile-route.js';
import { cacheEvictRoutes, type CacheEvictOptions } from '../http/http.options.js';

/**
 * Evicts entries once a controller's handler has succeeded, before its response is sent; with `when: 'before'`, before it
 * runs: by `key` or `keys`, `tags`, a `pattern`, or `all` of a namespace. May be written several times on one handler.
 *
 * Redis out of reach does not fail the request: the evict is reported, retried, and until then this process bypasses the
 * cache for those keys, or for their namespace (the module's `evictFailure` says otherwise).
 *
 * Throws `CacheOptionsError` at decoration for wrong options, with everything that is wrong.
 *
 * @example
 * `@CacheEvict({ keys: ['cat:{params.id}', 'cats:of:{result.ownerId}'] })`
 * @example
 * `@CacheEvict({ tags: 'owner:{result.ownerId}' })`
 *
 * @publicApi
 */
export function CacheEvict(options: CacheEvictOptions): MethodDecorator {
  return (target, name, descriptor) => {
    const where = `@CacheEvict on ${target.constructor.name}.${String(name)}`;
    const handler = descriptor.value as object;
    const others = cacheEvictRoutes.get(handler);
    // Decorators are applied from the last to the first.
    cacheEvictRoutes.set(handler, [compileEvict(where, options), ...(others ?? [])]);
    if (!others) UseInterceptors(CacheEvictInterceptor)(target, name, descriptor);
  };
}
