import { Module, type DynamicModule } from '@nestjs/common';
import type { CacheService } from '../cache/cache.service.js';
import { getCacheToken } from '../common/tokens.js';
import { Cache } from './cache.js';

/** The token of `@nestjs/cache-manager`, the same text, so that it does not matter from where code imports it. */
export const CACHE_MANAGER = 'CACHE_MANAGER';

/**
 * Provides `CACHE_MANAGER` and `Cache` over a cache that `RedisCacheModule` has registered.
 *
 * @publicApi
 */
@Module({})
export class CacheManagerModule {
  /** `cache`: the name of the cache; default: the unnamed one. */
  static register({
    cache,
    isGlobal = true,
  }: { cache?: string; isGlobal?: boolean } = {}): DynamicModule {
    return {
      module: CacheManagerModule,
      global: isGlobal,
      providers: [
        {
          provide: CACHE_MANAGER,
          useFactory: (service: CacheService) => new Cache(service),
          inject: [getCacheToken(cache)],
        },
        { provide: Cache, useExisting: CACHE_MANAGER },
      ],
      exports: [CACHE_MANAGER, Cache],
    };
  }
}
