import type { ExecutionContext } from '@nestjs/common';
import { CacheOptionsError } from '../common/errors.js';
import { Metadata } from '../common/metadata.js';
import { compileCacheable, type RouteOptions } from '../http/compile-route.js';
import { cacheableRoute, type CacheableRoute } from '../http/http.options.js';
import { lifeOf } from './cache.js';

/** What the two decorators have said of one handler. */
interface Said {
  key?: string | ((context: ExecutionContext) => string);
  ttl?: number;
}

const said = new Metadata<Said>('migration');

/** The key of a handler's response, for `CacheInterceptor`. Of requests other than GET and HEAD nothing is cached. */
export function CacheKey(key: NonNullable<Said['key']>): MethodDecorator {
  return (target, name, descriptor: PropertyDescriptor) =>
    note(descriptor.value as object, `@CacheKey on ${placeOf(target, name)}`, { key });
}

/** For how many ms a handler's response is kept, or those of all handlers of a controller; 0: it does not expire. */
export function CacheTTL(ttl: number): MethodDecorator & ClassDecorator {
  return (target: object, name?: string | symbol, descriptor?: PropertyDescriptor): void => {
    if (typeof ttl === 'function') throw noFunction();
    const life = lifeOf('CacheTTL', ttl);
    if (descriptor)
      return note(descriptor.value as object, `@CacheTTL on ${placeOf(target, name!)}`, {
        ttl: life,
      });
    const { name: owner } = target as { name: string };
    cacheableRoute.set(target, routeOf(`@CacheTTL on ${owner}`, { ttl: life }));
  };
}

function note(handler: object, where: string, more: Said): void {
  const all = { ...said.get(handler), ...more };
  said.set(handler, all);
  cacheableRoute.set(handler, routeOf(where, all));
}

function routeOf(where: string, { key, ttl }: Said): CacheableRoute {
  const options: RouteOptions = {
    // A literal there, and a template here.
    key: typeof key === 'string' ? () => key : key,
    ttl,
    condition: isRead,
  };
  return compileCacheable(where, options);
}

/** A key would have other requests answered from the cache as well, and what they were to change would not be. */
function isRead(context: ExecutionContext): boolean {
  const { method } = context.switchToHttp().getRequest<{ method: string }>();
  return method === 'GET' || method === 'HEAD';
}

function placeOf(target: object, name: string | symbol): string {
  return `${target.constructor.name}.${String(name)}`;
}

function noFunction(): CacheOptionsError {
  const accepted = 'a number of ms; by request there is @Cacheable({ ttl: (value) => … })';
  return new CacheOptionsError('@CacheTTL', [{ path: 'ttl', given: 'a function', accepted }]);
}
