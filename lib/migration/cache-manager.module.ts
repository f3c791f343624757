import { Module, type DynamicModule } from '@nestjs/common';
import type { CacheService } from '../cache/cache.service.js';
import { CacheOptionsError } from '../common/errors.js';
import { aBoolean, problemsOf, type Rules } from '../common/option-checks.js';
import { getCacheToken } from '../common/tokens.js';
import { Cache } from './cache.js';

/** The token of `@nestjs/cache-manager`, the same text, so that it does not matter from where code imports it. */
export const CACHE_MANAGER = 'CACHE_MANAGER';

const RULES: Rules<{ cache: string; isGlobal: boolean }> = {
  cache: { accepted: 'a text, not empty', ok: (v) => typeof v === 'string' && v !== '' },
  isGlobal: aBoolean,
};

/**
 * Provides `CACHE_MANAGER` and `Cache` over a cache that `RedisCacheModule` has registered.
 *
 * @publicApi
 */
@Module({})
export class CacheManagerModule {
  /** `cache`: the name of the cache; default: the unnamed one. */
  static register(options: { cache?: string; isGlobal?: boolean } = {}): DynamicModule {
    const problems = problemsOf(options, RULES);
    if (problems.length > 0) throw new CacheOptionsError('CacheManagerModule.register', problems);
    const { cache, isGlobal = true } = options;
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
