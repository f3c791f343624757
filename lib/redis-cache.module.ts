import { Module, type DynamicModule } from '@nestjs/common';

import {
  checkAsyncOptions,
  ConfigurableModuleClass,
  plainOptions,
  withFactory,
  type CacheRegistration,
  type RedisCacheAsyncOptions,
} from './module/module-definition.js';
import type { RedisCacheOptions } from './module/redis-cache.options.js';

/**
 * Registers a cache. Several are told apart by `name`; each registration has its own connections, and with the memory
 * topology its own entries.
 *
 * @publicApi
 */
@Module({})
export class RedisCacheModule extends ConfigurableModuleClass {
  /** Options are checked when the application starts: CacheOptionsError lists all that is wrong with them. */
  static override forRoot(options: RedisCacheOptions & CacheRegistration = {}): DynamicModule {
    return super.forRoot(plainOptions(options, 'forRoot'));
  }

  /** @throws CacheOptionsError at once unless there is exactly one of `useFactory`, `useClass` and `useExisting` */
  static override forRootAsync(options: RedisCacheAsyncOptions): DynamicModule {
    const given = plainOptions(options, 'forRootAsync');
    checkAsyncOptions(given);
    const { extraProviders = [], ...source } = withFactory(given);
    const definition = super.forRootAsync(source);
    return { ...definition, providers: [...(definition.providers ?? []), ...extraProviders] };
  }
}
