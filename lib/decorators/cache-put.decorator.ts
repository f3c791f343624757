import { CacheOptionsError } from '../common/errors.js';
import { CacheableInterceptor } from '../http/cacheable.interceptor.js';
import { compileCacheable } from '../http/compile-route.js';
import { cacheableRoute, type CachePutOptions } from '../http/http.options.js';
import type {
  CachePutMethodOptions,
  MethodDecoratorFor,
  PutShapes,
} from '../methods/method-types.js';
import { wrapPut } from '../methods/put.method.js';
import { placeOf } from '../methods/wrap-method.js';
import { bind } from './bind.js';
import { assertFirst } from './cacheable.decorator.js';

/**
 * Always runs the method, and stores what it returns in place of what was there. While it runs nothing is cached under its
 * key, and no load that began before its end can overwrite what it stores; of two that overlap neither is stored, because
 * nobody knows whose value is the newer. That takes a key that is known before: one that is made of the result (`{result.id}`)
 * is barred only from then on. A method that throws leaves the key absent.
 *
 * On a controller's handler it stores the response.
 *
 * Throws `CacheOptionsError` at decoration for wrong options, with everything that is wrong.
 *
 * @example
 * `@CachePut({ key: 'user:{0.id}', ttl: '10m' }) async save(user: User) { … }`
 *
 * @publicApi
 */
export function CachePut<const Options extends CachePutOptions>(options: Options): MethodDecorator;
export function CachePut<const Options extends CachePutMethodOptions>(
  options: Options,
): MethodDecoratorFor<Options, PutShapes>;
export function CachePut(options: CachePutOptions | CachePutMethodOptions) {
  return (target: object, name: string | symbol, descriptor: PropertyDescriptor): any => {
    const place = placeOf('@CachePut', target, name, descriptor);
    assertFirst(place, '@CachePut');
    const route = compileCacheable(place.where, options, 'put');
    if (!route.key)
      throw new CacheOptionsError(place.where, [
        { path: 'key', given: 'none', accepted: 'the key under which others read the value' },
      ]);
    wrapPut(place, route);
    const handler = place.descriptor.value as object;
    cacheableRoute.set(handler, route);
    bind(handler, CacheableInterceptor);
  };
}
