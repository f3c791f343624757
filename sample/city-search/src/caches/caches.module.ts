import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { RedisCacheModule } from 'nestjs-redis-cache';
import { RedisCacheHealth } from 'nestjs-redis-cache/health';
import { Settings } from '../settings.js';
import { CachesController } from './caches.controller.js';
import { HealthController } from './health.controller.js';
import { Invalidations } from './invalidations.js';
import { STATISTICS } from './statistics.js';

const topologyOf = ({ redisUrl }: Settings) =>
  redisUrl ? ({ type: 'single', url: redisUrl } as const) : ({ type: 'memory' } as const);

@Module({
  imports: [
    TerminusModule,
    // Cities and searches: many, quickly read, current because updates evict them.
    RedisCacheModule.forRootAsync({
      inject: [Settings],
      useFactory: (settings: Settings) => ({
        topology: topologyOf(settings),
        namespace: 'city-search',
        ttl: '10m',
        // That there is no such city is cached, too, and not for long.
        negativeTtl: '10s',
      }),
    }),
    // Statistics: few, dear, and nobody minds that they are some seconds old, but everybody minds to wait for them.
    RedisCacheModule.forRootAsync({
      name: STATISTICS,
      inject: [Settings],
      useFactory: (settings: Settings) => ({
        topology: topologyOf(settings),
        namespace: 'city-search-statistics',
        // Updates evict them; this is for what comes into the database by another way, which nobody is told of.
        ttl: settings.statisticsTtl,
        // In the last fifth of its life a value that is read is computed anew beside the answer. One that nobody has read
        // in that time is given once more at its next read, while the new one is computed.
        refreshAhead: { after: 0.8 },
        grace: '1d',
        staleWhileRevalidate: true,
        negativeTtl: '10s',
        // The database runs one statement after the other: more would hold up those who search.
        loaderConcurrency: 1,
      }),
    }),
  ],
  controllers: [CachesController, HealthController],
  providers: [Invalidations, RedisCacheHealth],
})
export class CachesModule {}
