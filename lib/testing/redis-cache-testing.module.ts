import { Module, type DynamicModule } from '@nestjs/common';
import { DEFAULT_CACHE } from '../common/tokens.js';
import type { CacheRegistration } from '../module/module-definition.js';
import { SURROUNDINGS } from '../module/providers.js';
import type { RedisCacheOptions } from '../module/redis-cache.options.js';
import { RedisCacheModule } from '../redis-cache.module.js';
import { CacheTesting, getCacheTestingToken, surroundingsOf } from './cache-testing.js';

/** As much of Nest's `TestingModuleBuilder` as it takes. */
interface Overridable {
  overrideProvider(token: unknown): { useValue(value: unknown): unknown };
}

/**
 * `RedisCacheModule` without a server: the same providers under the same tokens and the same behaviour, in this process, with a
 * `CacheTesting` beside them.
 *
 * @publicApi
 */
@Module({})
export class RedisCacheTestingModule {
  /** Takes the place of `RedisCacheModule.forRoot`, also by `overrideModule(…).useModule(…)`. Options are checked as there. */
  static register(
    options: Omit<RedisCacheOptions, 'topology'> & CacheRegistration = {},
  ): DynamicModule {
    const { name = DEFAULT_CACHE } = options;
    const testing = new CacheTesting();
    const token = name === DEFAULT_CACHE ? CacheTesting : getCacheTestingToken(name);
    const alias = { provide: getCacheTestingToken(name), useExisting: CacheTesting };
    const { providers = [], exports = [], ...definition } = RedisCacheModule.forRoot(options);
    const own = [token, ...(name === DEFAULT_CACHE ? [alias.provide] : [])];
    return {
      ...definition,
      module: RedisCacheTestingModule,
      providers: [
        ...providers,
        { provide: SURROUNDINGS, useValue: surroundingsOf(testing) },
        { provide: token, useValue: testing },
        ...(name === DEFAULT_CACHE ? [alias] : []),
      ],
      exports: [...exports, ...own],
    };
  }

  /**
   * Has every `RedisCacheModule` of the application under test work without its server, whatever its topology; each with entries
   * of its own, all with one clock and the same faults. Their options stay what they are, and are checked.
   */
  static replaceIn(builder: Overridable): CacheTesting {
    const testing = new CacheTesting();
    builder.overrideProvider(SURROUNDINGS).useValue(surroundingsOf(testing));
    return testing;
  }
}
