import { Inject, Logger, Optional } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { notRegistered } from '../cache/decorated/option-rules.js';
import { CacheOptionsError } from '../common/errors.js';
import { DEFAULT_CACHE } from '../common/tokens.js';

/**
 * How a decorated method comes to the cache of its own instance: Nest injects it into a property that only this file knows.
 * No module-wide variable: two applications of one process stay apart, and so do providers of any scope.
 */

/** The key under which Nest leaves the module's own `ModuleRef`, by which we know that Nest has built the instance. */
const MODULE_REF = Symbol('nestjs-redis-cache.module-ref');

/** What is to be injected: the token of a cache or of a lock provider, for the cache of that name. */
export interface Wanted {
  readonly token: symbol;
  readonly cache: string;
  /** For messages. */
  readonly where: string;
}

/** Has Nest inject `token` into instances of the class with that prototype, and of those that inherit from it. */
export function injectInto(prototype: object, token: symbol): void {
  // Optional: an application's tests need no cache. Nest leaves it out as well where it would be a circle, as for a
  // provider that the cache's own options are made with.
  hidden(prototype, token, () => {
    Inject(token)(prototype, token);
    Optional()(prototype, token);
  });
  hidden(prototype, MODULE_REF, () => Inject(ModuleRef)(prototype, MODULE_REF));
}

/** Not enumerable, so that an instance looks the same to whoever prints, copies or compares it. */
function hidden(prototype: object, key: symbol, inject: () => void): void {
  if (key in prototype) return;
  Object.defineProperty(prototype, key, {
    configurable: true,
    get: () => undefined,
    set(this: object, value: unknown) {
      Object.defineProperty(this, key, { value, configurable: true, writable: true });
    },
  });
  inject();
}

/**
 * The same for an instance that Nest has not built itself: a factory of the application has, or it was given as a value. That may
 * have been given to an application before, which is closed.
 */
export function adopt(instance: unknown, moduleRef: ModuleRef): void {
  try {
    if (!isObject(instance) || !(MODULE_REF in instance)) return;
    (instance as { [MODULE_REF]?: ModuleRef })[MODULE_REF] = moduleRef;
  } catch {
    // Frozen, or a proxy of others that may not be asked now.
  }
}

/** By module. What is not there may come later: a method may be called while the application starts. */
const lookedUp = new WeakMap<ModuleRef, Map<symbol, unknown>>();

/**
 * What was injected, or is registered anywhere in the application, as for interceptors. Undefined, and said once for each
 * class: the instance was not built by Nest, or there is no unnamed cache at all.
 *
 * Throws `CacheOptionsError` where a cache is named and no cache has that name.
 */
export function injectedInto<T>(instance: unknown, wanted: Wanted): T | undefined {
  const own = isObject(instance) ? (instance as Record<symbol, unknown>) : undefined;
  const direct = own?.[wanted.token];
  if (direct != null) return direct as T;
  const moduleRef = own?.[MODULE_REF] as ModuleRef | undefined;
  const found = moduleRef && lookUp(moduleRef, wanted.token);
  if (found !== undefined) return found as T;
  if (moduleRef && wanted.cache !== DEFAULT_CACHE) throw notRegistered(wanted.where, wanted.cache);
  warnOnce(own, moduleRef ? NO_MODULE : NOT_BY_NEST);
  return undefined;
}

/** Why there is none for that instance, for those that cannot do without. */
export function noneFor(instance: unknown, { where, cache }: Wanted): CacheOptionsError {
  const isByNest = isObject(instance) && (instance as Record<symbol, unknown>)[MODULE_REF] != null;
  if (isByNest) return notRegistered(where, cache);
  const accepted = 'a provider of an application that has started';
  return new CacheOptionsError(where, [
    { path: 'this', given: `an instance that ${NOT_BY_NEST}`, accepted },
  ]);
}

function lookUp(moduleRef: ModuleRef, token: symbol): unknown {
  const known = lookedUp.get(moduleRef) ?? new Map<symbol, unknown>();
  lookedUp.set(moduleRef, known);
  const found = known.get(token) ?? get(moduleRef, token);
  known.set(token, found);
  return found;
}

function get(moduleRef: ModuleRef, token: symbol): unknown {
  try {
    return moduleRef.get<unknown>(token, { strict: false }) ?? undefined; // null: not made yet
  } catch {
    return undefined; // not registered, which is all that Nest could tell
  }
}

const NOT_BY_NEST =
  'was not built by Nest, or is called before the application has started, so nothing was injected into it';
const NO_MODULE =
  'belongs to an application without RedisCacheModule.forRoot(), or is called before that';

/** Classes; those that are gone take no room. */
const warned = new WeakSet<object>();

function warnOnce(instance: object | undefined, why: string): void {
  const type = instance?.constructor ?? Object;
  if (warned.has(type)) return;
  warned.add(type);
  const name = instance ? type.name : 'A method that is called without its instance';
  log.warn(`${name} ${why}: its decorated methods run without the cache`);
}

export const log = new Logger('RedisCacheModule');

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
