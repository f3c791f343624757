import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { RedisCacheHealth } from 'nestjs-redis-cache/health';
import { STATISTICS } from './statistics.js';

/** Without its caches the application is slower and works, so that is no reason to take it out of service. */
const FAILS_OPEN = { whenUnreachable: 'degraded' } as const;

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly caches: RedisCacheHealth,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([
      () => this.caches.check('cities', FAILS_OPEN),
      () => this.caches.check(STATISTICS, { cache: STATISTICS, ...FAILS_OPEN }),
    ]);
  }
}
