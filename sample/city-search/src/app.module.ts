import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { CachesModule } from './caches/caches.module.js';
import { CitiesModule } from './cities/cities.module.js';
import { CountriesModule } from './countries/countries.module.js';
import { DatabaseModule } from './database/database.module.js';
import { PageController } from './page/page.controller.js';
import { serverTiming } from './server-timing.middleware.js';
import { SettingsModule } from './settings.js';

@Module({
  imports: [
    SettingsModule,
    DatabaseModule,
    EventEmitterModule.forRoot(),
    CachesModule,
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
