import { noCache } from '../cache/decorated/decorated-method.js';

/**
 * Keeps a handler, or every handler of a controller, out of a `CacheableInterceptor` that is bound further out.
 *
 * @publicApi
 */
export function NoCache(): MethodDecorator & ClassDecorator {
  return (target: object, _name?: string | symbol, descriptor?: PropertyDescriptor) => {
    noCache.set((descriptor?.value as object | undefined) ?? target, true);
  };
}
