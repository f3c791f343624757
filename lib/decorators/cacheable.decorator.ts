import { UseInterceptors } from '@nestjs/common';

import { CacheOptionsError } from '../common/errors.js';
import { CacheableInterceptor } from '../http/cacheable.interceptor.js';
import { compileCacheable } from '../http/compile-route.js';
import { cacheableRoute, type CacheableOptions } from '../http/http.options.js';

/**
 * Answers the requests of a controller's handler from the cache. A miss runs the handler once, however many requests wait for
 * it, and stores its response before it is sent.
 *
 * A request that carries `Authorization` or `Cookie`, or has a `request.user`, bypasses the cache unless `http.shared`,
 * `http.varyBy` or a key such as `'mine:{user.id}'` says how it is to be shared. Never stored: errors, streams, events,
 * responses with a cookie, and those whose `Cache-Control` is `no-store`, `private` or `no-cache`.
 *
 * Throws `CacheOptionsError` at decoration for wrong options, with everything that is wrong.
 *
 * @example
 * `@Cacheable({ key: 'cat:{params.id}', ttl: '10m', tags: 'owner:{result.ownerId}' })`
 *
 * @publicApi
 */
export function Cacheable(options: CacheableOptions = {}): MethodDecorator {
  return (target, name, descriptor) => {
    const where = `@Cacheable on ${target.constructor.name}.${String(name)}`;
    const handler = descriptor.value as object;
    if (cacheableRoute.get(handler))
      throw new CacheOptionsError(where, [
        { path: '@Cacheable', given: 'a second time', accepted: 'once on each method' },
      ]);
    cacheableRoute.set(handler, compileCacheable(where, options));
    // At decoration: routes are registered, with their interceptors, before any lifecycle hook runs.
    UseInterceptors(CacheableInterceptor)(target, name, descriptor);
  };
}
