import type {
  BeforeApplicationShutdown,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';

import { systemClock, type Clock, type TimerHandle } from '../common/clock.js';
import type { AssembledCache } from './assemble.js';

/**
 * Opens and closes the connections of one registered cache.
 *
 * Opened in `onModuleInit`: not earlier, because an application that fails to compile has no hook in which to close
 * what a constructor has opened; not later, because other modules warm the cache in theirs. Nest runs a global module's
 * first, and that of an imported one before its importer's, unless that is global as well.
 *
 * Closed in `onApplicationShutdown`: Nest lets the HTTP server finish the requests in flight after `onModuleDestroy` and
 * `beforeApplicationShutdown`, and they still use the cache. In that hook the order of modules is reversed, so the
 * cache is there for whoever uses it in their own.
 */
export class CacheLifecycle
  implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown
{
  private closing?: Promise<void>;

  constructor(
    private readonly cache: Pick<AssembledCache, 'connect' | 'flush' | 'close'>,
    private readonly connectMs: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /** Waits for Redis no longer than `timeouts.connect`; without it the application starts, and the cache serves as `failure` says. */
  async onModuleInit(): Promise<void> {
    let timer: TimerHandle;
    const late = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(this.connectMs, resolve);
    });
    try {
      await Promise.race([this.cache.connect(), late]);
    } finally {
      this.clock.clearTimer(timer);
    }
  }

  /** Queued writes go to a source that others close in `onApplicationShutdown`, perhaps before this cache. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.cache.flush();
  }

  /** Drains and closes once, however often the application is closed. */
  onApplicationShutdown(): Promise<void> {
    return (this.closing ??= this.close());
  }

  private async close(): Promise<void> {
    // The cache's timers keep no process alive. This one does, or a process whose last socket is gone would end before
    // evicts are sent again and other hooks have run; close() is bounded by `shutdownTimeout`.
    const alive = setInterval(() => undefined, 60_000);
    try {
      await this.cache.close();
    } finally {
      clearInterval(alive);
    }
  }
}
