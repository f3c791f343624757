/**
 * An application for `open-handles.spec.ts`, run in a process of its own: it goes through the life that its first
 * argument names, against the Redis of its second, prints what happened, and then has to end by itself.
 */
import 'reflect-metadata';

import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { CacheService } from '../../../../lib/cache/cache.service.js';
import { RedisCacheModule } from '../../../../lib/redis-cache.module.js';

const [life, url = ''] = process.argv.slice(2);
const cache = RedisCacheModule.forRoot({
  namespace: `life-${process.pid}`,
  topology: { type: 'single', url, connections: 2 },
  timeouts: { connect: 300 },
});

@Injectable()
class Unresolvable {
  constructor(readonly nothing: Promise<void>) {}
}

@Injectable()
class FailsToStart {
  constructor(readonly cache: CacheService) {}
  async onModuleInit(): Promise<void> {
    console.log('stored', await this.cache.set('k', 1));
    throw new Error('fails to start');
  }
}

const lives: Record<string, () => Promise<void>> = {
  /** Starts, uses the cache, closes. */
  async whole() {
    @Module({ imports: [cache] })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    console.log('loaded', await app.get(CacheService).getOrSet('k', () => 'value'));
    await app.close();
  },

  /** The container cannot be built: nobody has anything to close. */
  async 'compile-fails'() {
    @Module({ imports: [cache], providers: [Unresolvable] })
    class App {}
    await NestFactory.create(App, { logger: false, abortOnError: false });
  },

  /** Wrong options of a second cache, beside a first that is right. */
  async 'options-fail'() {
    @Module({ imports: [cache, RedisCacheModule.forRoot({ name: 'second', ttl: 0 })] })
    class App {}
    await NestFactory.create(App, { logger: false, abortOnError: false });
  },

  /** Another provider fails in onModuleInit, when the cache is connected; the application is then closed. */
  async 'init-fails'() {
    @Module({ imports: [cache], providers: [FailsToStart] })
    class App {}
    const app = await NestFactory.create(App, { logger: false, abortOnError: false });
    try {
      await app.init();
    } finally {
      await app.close();
    }
  },

  /** Built and closed, never started. */
  async 'never-started'() {
    @Module({ imports: [cache] })
    class App {}
    const app = await NestFactory.create(App, { logger: false });
    await app.close();
  },

  /** Closed by a signal, with the hooks for it enabled. */
  async signal() {
    @Module({ imports: [cache] })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    app.enableShutdownHooks(['SIGTERM']);
    console.log('stored', await app.get(CacheService).set('k', 1));
    process.kill(process.pid, 'SIGTERM');
  },
};

await lives[life!]!().catch((error: Error) => console.log('failed', error.name, error.message));
console.log('over');
