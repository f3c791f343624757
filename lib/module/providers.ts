import { Logger, type InjectionToken, type Provider } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';

import { InvalidationListener } from '../bus/invalidation-listener.js';
import { CacheService } from '../cache/cache.service.js';
import {
  DEFAULT_CACHE,
  getCacheOptionsToken,
  getCacheToken,
  getInvalidationListenerToken,
  getLockToken,
} from '../common/tokens.js';
import { LockProvider } from '../locks/lock.provider.js';
import { assemble, type AssembledCache, type Surroundings } from './assemble.js';
import { decoratedMethodsCheck } from './decorated-methods.check.js';
import { CacheLifecycle } from './lifecycle.js';
import { OnInvalidationExplorer } from './on-invalidation.explorer.js';
import { registrationsCheck } from './registrations.check.js';
import { resolveOptions } from './resolve-options.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

/** What the application gave, unchecked. This token and the next are private to each registration of the module. */
export const GIVEN_OPTIONS = Symbol('nestjs-redis-cache.given-options');
const ASSEMBLED_CACHE = Symbol('nestjs-redis-cache.assembled-cache');
/** Nothing in an application; the testing module puts a clock and a store in. The same for two installed copies. */
export const SURROUNDINGS = Symbol.for('nestjs-redis-cache.surroundings');

/** Aliases, so that a test which overrides a class has replaced it for everybody. */
const ALIASES: Provider[] = [
  { provide: getCacheToken(), useExisting: CacheService },
  { provide: getLockToken(), useExisting: LockProvider },
  { provide: getInvalidationListenerToken(), useExisting: InvalidationListener },
];

/**
 * The providers of one registration: given options, checked options, cache, and who opens and closes it. Making them
 * opens nothing, so an application that fails to compile leaves nothing open.
 */
export function cacheProviders(name: string, { isGlobal }: { isGlobal: boolean }): Provider[] {
  const optionsToken = getCacheOptionsToken(name);
  const listenerToken =
    name === DEFAULT_CACHE ? InvalidationListener : getInvalidationListenerToken(name);
  return [
    { provide: SURROUNDINGS, useValue: {} },
    {
      provide: optionsToken,
      useFactory: (given: unknown) => resolveOptions(given, describeCache(name)),
      inject: [GIVEN_OPTIONS],
    },
    {
      provide: ASSEMBLED_CACHE,
      useFactory: (options: ResolvedCacheOptions, surroundings: Surroundings) =>
        assemble(options, { log: new Logger(describeCache(name)), name, ...surroundings }),
      inject: [optionsToken, SURROUNDINGS],
    },
    {
      provide: CacheLifecycle,
      useFactory: (cache: AssembledCache, { timeouts }: ResolvedCacheOptions) =>
        new CacheLifecycle(cache, timeouts.connectMs),
      inject: [ASSEMBLED_CACHE, optionsToken],
    },
    {
      provide: name === DEFAULT_CACHE ? CacheService : getCacheToken(name),
      useFactory: (cache: AssembledCache) => cache.service,
      inject: [ASSEMBLED_CACHE],
    },
    {
      provide: name === DEFAULT_CACHE ? LockProvider : getLockToken(name),
      useFactory: (cache: AssembledCache) => cache.locks,
      inject: [ASSEMBLED_CACHE],
    },
    {
      provide: listenerToken,
      useFactory: (cache: AssembledCache) => cache.listener,
      inject: [ASSEMBLED_CACHE],
    },
    DiscoveryService,
    MetadataScanner,
    {
      provide: OnInvalidationExplorer,
      useFactory: (
        listener: InvalidationListener,
        discovery: DiscoveryService,
        scanner: MetadataScanner,
      ) =>
        new OnInvalidationExplorer(
          { name, where: describeCache(name), listener },
          discovery,
          scanner,
        ),
      inject: [listenerToken, DiscoveryService, MetadataScanner],
    },
    decoratedMethodsCheck(name),
    // One for a module alone may well be one of several.
    ...(isGlobal ? [registrationsCheck(name, describeCache(name))] : []),
    ...(name === DEFAULT_CACHE ? ALIASES : []),
  ];
}

/** Only the unnamed cache has the class tokens; a named one would otherwise take its place where both are global. */
export function exportedTokens(name: string): InjectionToken[] {
  const own = [getCacheToken(name), getLockToken(name), getInvalidationListenerToken(name)];
  return name === DEFAULT_CACHE ? [CacheService, LockProvider, InvalidationListener, ...own] : own;
}

export function describeCache(name: string): string {
  return name === DEFAULT_CACHE ? 'RedisCacheModule' : `RedisCacheModule '${name}'`;
}
