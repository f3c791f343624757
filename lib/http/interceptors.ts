import type { ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import { wraps } from '../cache/decorated/decorated-method.js';

const runners = new WeakSet<object>();

/** Of interceptors that have what is further in run once at most, and wait for its end. A class derived from one may do otherwise. */
export function RunsOnce(interceptor: Type<NestInterceptor>): void {
  runners.add(interceptor);
}

/**
 * Whether the handler has ended when what that interceptor leads to has: there are only interceptors of ours further in, and no
 * function of others around it. Others may have it run again, or give it up and leave it running.
 */
export function endsWithHandler(
  interceptor: Type<NestInterceptor>,
  all: readonly unknown[],
  handler: object,
): boolean {
  const inner = all.slice(all.indexOf(interceptor));
  return inner.every((type) => runners.has(type as object)) && wraps.has(handler);
}

/** Their classes, the outermost first. */
export function interceptorsOf(context: ExecutionContext, config: ApplicationConfig): unknown[] {
  return [
    ...config.getGlobalInterceptors(),
    ...config.getGlobalRequestInterceptors().map(({ metatype }) => metatype),
    ...[context.getClass(), context.getHandler()].flatMap((target) =>
      [Reflect.getMetadata(INTERCEPTORS_METADATA, target) ?? []].flat(),
    ),
  ].map(typeOf);
}

function typeOf(interceptor: unknown): unknown {
  return typeof interceptor === 'function'
    ? interceptor
    : (interceptor as object | undefined)?.constructor;
}

export const isA = (type: unknown, base: Type): boolean =>
  type === base || (type as Type | undefined)?.prototype instanceof base;
