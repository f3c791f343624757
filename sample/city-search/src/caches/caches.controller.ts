import { Controller, Get, Res, Sse, type MessageEvent } from '@nestjs/common';
import { CacheService, InjectCache, type CacheStats } from 'nestjs-redis-cache';
import type { Observable } from 'rxjs';
import type { ServerResponse } from 'node:http';
import { Database } from '../database/database.js';
import { Invalidations } from './invalidations.js';
import { STATISTICS } from './statistics.js';

@Controller()
export class CachesController {
  constructor(
    private readonly cities: CacheService,
    @InjectCache(STATISTICS) private readonly statistics: CacheService,
    private readonly db: Database,
    private readonly invalidations: Invalidations,
  ) {}

  /** What this instance has done since its start; for a rate, take the difference of two. */
  @Get('stats')
  stats() {
    return {
      cities: figures(this.cities.stats()),
      statistics: figures(this.statistics.stats()),
      database: this.db.counts,
    };
  }

  @Sse('invalidations')
  listen(@Res({ passthrough: true }) response: ServerResponse): Observable<MessageEvent> {
    // A browser would keep the connection, and the server wait for it when it closes.
    const { socket } = response;
    response.once('finish', () => socket?.end());
    return this.invalidations.stream;
  }
}

/** Of some forty numbers those to look at first. */
function figures({
  hits,
  misses,
  staleServed,
  loads,
  loadMs,
  refreshes,
  waits,
  ...stats
}: CacheStats) {
  return {
    hits,
    misses,
    staleServed,
    loads,
    msPerLoad: loads ? Math.round(loadMs / loads) : null,
    refreshes: refreshes.triggered,
    /** Each is a load that was not made, since somebody was at it. */
    waits: waits.process + waits.cluster,
    evicts: stats.evicts + stats.tagEvicts,
    /** 0 on a good day: calls that went on without Redis, and evicts that have not reached it yet. */
    degraded: stats.degraded,
    pendingEvicts: stats.journal,
  };
}
