import { CacheOptionsError } from '../common/errors.js';
import { CacheableInterceptor } from '../http/cacheable.interceptor.js';
import { compileCacheable } from '../http/compile-route.js';
import { cacheableRoute, type CacheableOptions } from '../http/http.options.js';
import { wrapCacheable } from '../methods/cacheable.method.js';
import type {
  CacheableMethodOptions,
  CachedShapes,
  MethodDecoratorFor,
} from '../methods/method-types.js';
import { placeOf, type Place } from '../methods/wrap-method.js';
import { bind } from './bind.js';

/**
 * Has what a method gives come from the cache. A miss runs the method once in the whole cluster, however many calls wait for
 * it, and stores what it returns: the same on a miss as on a hit, with plain objects and arrays frozen. The method is to
 * return a promise. Class, method and arguments are the key unless there is a `key`.
 *
 * On a controller's handler it answers HTTP requests. One that carries `Authorization` or `Cookie`, or has a `request.user`,
 * bypasses the cache unless `http.shared`, `http.varyBy` or a key such as `'mine:{user.id}'` says how it is to be shared.
 * Never stored: errors, streams, events, responses with a cookie, and those whose `Cache-Control` is `no-store`, `private` or
 * `no-cache`.
 *
 * Throws `CacheOptionsError` at decoration for wrong options, with everything that is wrong.
 *
 * @example
 * `@Cacheable({ key: 'user:{0}', ttl: '10m', tags: 'team:{result.teamId}' }) async find(id: number) { … }`
 * @example
 * `@Get(':id') @Cacheable({ key: 'cat:{params.id}', ttl: '10m', tags: 'owner:{result.ownerId}' })`
 *
 * @publicApi
 */
export function Cacheable<const Options extends CacheableOptions>(
  options?: Options,
): MethodDecorator;
export function Cacheable<const Options extends CacheableMethodOptions>(
  options: Options,
): MethodDecoratorFor<Options, CachedShapes>;
export function Cacheable(options: CacheableOptions | CacheableMethodOptions = {}) {
  return (target: object, name: string | symbol, descriptor: PropertyDescriptor): any => {
    const place = placeOf('@Cacheable', target, name, descriptor);
    assertFirst(place, '@Cacheable');
    const route = compileCacheable(place.where, options);
    wrapCacheable(place, route);
    const handler = place.descriptor.value as object;
    cacheableRoute.set(handler, route);
    bind(handler, CacheableInterceptor);
  };
}

/** Throws `CacheOptionsError` where the method has `@Cacheable` or `@CachePut` already. */
export function assertFirst({ descriptor, where }: Place, decorator: string): void {
  if (cacheableRoute.get(descriptor.value as object))
    throw new CacheOptionsError(where, [
      { path: decorator, given: 'a second time', accepted: '@Cacheable or @CachePut once on each method' },
    ]); // prettier-ignore
}
