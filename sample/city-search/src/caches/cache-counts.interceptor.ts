import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { CacheService, InjectCache, type CacheCounts } from 'nestjs-redis-cache';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import type { ServerResponse } from 'node:http';
import { STATISTICS } from './statistics.js';

/**
 * Says in `Cache-Counts` what the caches did for the request, in whatever service: `X-Cache` is of responses that are
 * stored, and knows nothing of values.
 */
@Injectable()
export class CacheCountsInterceptor implements NestInterceptor {
  constructor(
    private readonly cities: CacheService,
    @InjectCache(STATISTICS) private readonly statistics: CacheService,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context.switchToHttp().getResponse<ServerResponse>();
    const answer = () => lastValueFrom(next.handle(), { defaultValue: undefined });
    return defer(async () => {
      const { result, stats } = await this.cities.withStats(() =>
        this.statistics.withStats(answer),
      );
      response.setHeader('Cache-Counts', told([stats, result.stats]));
      return result.result;
    });
  }
}

/** A dictionary (RFC 9651), such as `hits=2, misses=1, stale=0, loads=1, refreshes=0`. */
function told(counts: readonly CacheCounts[]): string {
  const sum = (of: (counts: CacheCounts) => number) =>
    counts.reduce((total, each) => total + of(each), 0);
  return [
    `hits=${sum(({ hits }) => hits.memo + hits.l1 + hits.redis)}`,
    `misses=${sum(({ misses }) => misses)}`,
    `stale=${sum(({ staleServed }) => staleServed)}`,
    `loads=${sum(({ loads }) => loads)}`,
    `refreshes=${sum(({ refreshes }) => refreshes.triggered)}`,
  ].join(', ');
}
