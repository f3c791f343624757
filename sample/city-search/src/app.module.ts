import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { RedisCacheModule } from 'nestjs-redis-cache';
import { CitiesModule } from './cities/cities.module.js';
import { CountriesModule } from './countries/countries.module.js';
import { DatabaseModule } from './database/database.module.js';
import { PageController } from './page/page.controller.js';
import { serverTiming } from './server-timing.middleware.js';
import { Settings, SettingsModule } from './settings.js';

@Module({
  imports: [
    SettingsModule,
    DatabaseModule,
    EventEmitterModule.forRoot(),
    RedisCacheModule.forRootAsync({
      inject: [Settings],
      useFactory: ({ redisUrl }: Settings) => ({
        topology: redisUrl ? { type: 'single', url: redisUrl } : { type: 'memory' },
        namespace: 'city-search',
        ttl: '10m',
        // An update that is in the database is not undone because Redis is away: the evict is retried, and until it
        // succeeds this process does not read what it concerns.
        evictFailure: 'queue',
      }),
    }),
    CitiesModule,
    CountriesModule,
  ],
  controllers: [PageController],
})
export class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(serverTiming).forRoutes('{*path}');
  }
}
