import { compileEvicting } from '../cache/decorated/compile.js';
import { CacheEvictInterceptor } from '../http/cache-evict.interceptor.js';
import { cacheEvictRoutes, type CacheEvictOptions } from '../http/http.options.js';
import { wrapEvict } from '../methods/evict.method.js';
import type {
  CacheEvictMethodOptions,
  EvictShapes,
  HandlerDecoratorFor,
} from '../methods/method-types.js';
import { placeOf } from '../methods/wrap-method.js';
import { bind } from './bind.js';

/**
 * Evicts entries once a method has succeeded, before its caller gets the result; with `when: 'before'`, before it runs: by
 * `key` or `keys`, `tags`, a `pattern`, or `all` of a namespace. May be written several times on one method; they act from
 * the first to the last. On a controller's handler it acts before the response of an HTTP request is sent.
 *
 * Redis out of reach does not fail the call: the evict is reported, retried, and until then this process bypasses the
 * cache for those keys, or for their namespace (the module's `evictFailure`, or `failure: 'strict'`, says otherwise).
 *
 * Throws `CacheOptionsError` at decoration for wrong options, with everything that is wrong.
 *
 * @example
 * `@CacheEvict({ keys: ['user:{0.id}', ['team', '{result.teamId}']] }) async save(user: User) { … }`
 * @example
 * `@Put(':id') @CacheEvict({ tags: 'owner:{result.ownerId}' })`
 *
 * @publicApi
 */
export function CacheEvict<const Options extends CacheEvictOptions>(
  options: Options,
): MethodDecorator;
export function CacheEvict<const Options extends CacheEvictMethodOptions>(
  options: Options,
): HandlerDecoratorFor<Options, EvictShapes>;
export function CacheEvict(options: CacheEvictOptions | CacheEvictMethodOptions) {
  return (target: object, name: string | symbol, descriptor: PropertyDescriptor): any => {
    const place = placeOf('@CacheEvict', target, name, descriptor);
    const evicting = compileEvicting(place.where, options);
    wrapEvict(place, evicting);
    const handler = place.descriptor.value as object;
    // Decorators are applied from the last to the first.
    cacheEvictRoutes.set(handler, [evicting, ...(cacheEvictRoutes.get(handler) ?? [])]);
    bind(handler, CacheEvictInterceptor);
  };
}
