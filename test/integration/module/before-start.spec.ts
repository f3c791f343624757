import { afterEach, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CacheService } from '../../../lib/cache/cache.service.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { collect } from '../methods/app.js';

const NOT_STARTED = /the cache connects in onModuleInit, which has not been called/;

let app: TestingModule | undefined;
afterEach(() => app?.close());

it('T10 a constructor that calls the cache → as without Redis, which the log says, and all is well after the start', async () => {
  @Injectable()
  class Early {
    readonly found: Promise<unknown>;
    constructor(cache: CacheService) {
      this.found = cache.getOrSet('early', () => 'loaded');
    }
  }
  @Module({ providers: [Early] })
  class EarlyModule {}
  const topology = { type: 'single', url: process.env.TEST_REDIS_URL! } as const;
  const namespace = `early-${process.pid}`;
  const log: string[] = [];
  app = await Test.createTestingModule({
    imports: [RedisCacheModule.forRoot({ namespace, topology }), EarlyModule],
  })
    .setLogger(collect(log))
    .compile();
  expect(await app.get(Early, { strict: false }).found).toBe('loaded');
  expect(log.join('\n')).toMatch(NOT_STARTED);
  await app.init();
  const cache = app.get(CacheService, { strict: false });
  expect(await cache.set('early', 1)).toBe(true);
  expect(await cache.get('early')).toBe(1);
  await cache.clear();
});
