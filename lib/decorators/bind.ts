import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import type { NestInterceptor, Type } from '@nestjs/common';
import { CacheEvictInterceptor } from '../http/cache-evict.interceptor.js';
import { CacheableInterceptor } from '../http/cacheable.interceptor.js';

const OURS: readonly unknown[] = [CacheableInterceptor, CacheEvictInterceptor];

/**
 * Binds one of our interceptors to a handler, at decoration: routes are registered, with their interceptors, before any
 * lifecycle hook runs. Of several decorators of ours the upper one is outside, as their wraps are; Nest by itself would put the
 * interceptor of the lower one outside. Evicts are outside all others of the method, one of which may commit what it has written.
 */
export function bind(handler: object, interceptor: Type<NestInterceptor>): void {
  const bound = (Reflect.getMetadata(INTERCEPTORS_METADATA, handler) ?? []) as unknown[];
  if (bound.includes(interceptor)) return;
  const below = bound.findIndex((other) => OURS.includes(other));
  const last = below < 0 ? bound.length : below;
  const at = interceptor === CacheEvictInterceptor ? 0 : last;
  Reflect.defineMetadata(INTERCEPTORS_METADATA, bound.toSpliced(at, 0, interceptor), handler);
}
