import type { OnModuleInit, Provider } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';

import { CacheOptionsError } from '../common/errors.js';
import { shown } from '../common/option-checks.js';
import { cacheableRoute } from '../http/http.options.js';

/** Options of loads that responses do not have: nobody could run a handler again, and they are bytes already. */
const OF_VALUES = [
  'grace',
  'staleWhileRevalidate',
  'refreshAhead',
  'serializer',
  'schema',
] as const;

/**
 * Refuses what has no effect on a handler of HTTP requests. At the start, because `@Cacheable` itself cannot know whether what it
 * decorates is one. Throws `CacheOptionsError`.
 */
class HandlerOptionsCheck implements OnModuleInit {
  constructor(
    private readonly cache: string,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    for (const { metatype } of this.discovery.getControllers()) {
      const handlers = metatype?.prototype as Record<string, object> | undefined;
      for (const name of handlers ? this.scanner.getAllMethodNames(handlers!) : [])
        this.check(handlers![name]!);
    }
  }

  private check(handler: object): void {
    const route = cacheableRoute.get(handler);
    if (route?.cache !== this.cache || !Reflect.hasMetadata(PATH_METADATA, handler)) return;
    const problems = OF_VALUES.filter((path) => route.options[path]).map((path) => ({
      path,
      given: shown(route.options[path]),
      accepted: 'not on a handler of HTTP requests, where it has no effect',
    }));
    if (problems.length > 0) throw new CacheOptionsError(route.where, problems);
  }
}

/** For the handlers that name this cache. */
export const handlerOptionsCheck = (cache: string): Provider => ({
  provide: HandlerOptionsCheck,
  useFactory: (discovery: DiscoveryService, scanner: MetadataScanner) =>
    new HandlerOptionsCheck(cache, discovery, scanner),
  inject: [DiscoveryService, MetadataScanner],
});
