import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { CacheService } from '../../../lib/cache/cache.service.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { topologyOptions } from '../../support/caches.js';
import { collect } from '../methods/app.js';

const NAMESPACE = `lazy-${process.pid}`;
const LAZY = /was not sent: the cache connects in onModuleInit.*LazyModuleLoader.*root module/;

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function build(...imports: unknown[]): Promise<{ app: TestingModule; log: string[] }> {
  const log: string[] = [];
  const builder = Test.createTestingModule({ imports: imports as [] }).setLogger(collect(log));
  const app = await builder.compile();
  open.push(() => app.close());
  return { app, log };
}

const cacheOf = (topology: RedisCacheOptions['topology']) =>
  RedisCacheModule.forRoot({ namespace: NAMESPACE, topology });

async function loadLazily(topology: RedisCacheOptions['topology']) {
  const { app, log } = await build();
  await app.init();
  const loaded = await app.get(LazyModuleLoader).load(() => cacheOf(topology));
  return { cache: loaded.get(CacheService), log };
}

describe('K6 RedisCacheModule by LazyModuleLoader', () => {
  it.each(['single', 'sharded', 'cluster'] as const)(
    '%s → every call says that it is not connected and why, the loader runs, one line in the log',
    async (name) => {
      const topology = await topologyOptions(name);
      const { cache, log } = await loadLazily(topology);
      for (let i = 0; i < 3; i++) expect(await cache.getOrSet('k', () => i)).toBe(i);
      expect(log).toEqual([expect.stringMatching(LAZY)]);
      await expect(cache.increment('n')).rejects.toThrow(LAZY);
      const [node] = await cache.nodes();
      expect(node).toMatchObject({ connected: false, circuit: 'closed' });
      expect(node!.error!.message).toMatch(LAZY);
    },
  );

  it('used → no connection is opened, which nobody would close', async () => {
    const admin = new Redis(process.env.TEST_REDIS_URL!);
    open.push(() => admin.quit());
    const { hostname: host, port } = new URL(process.env.TEST_REDIS_URL!);
    const redis = { host, port: Number(port), connectionName: NAMESPACE };
    const { cache } = await loadLazily({ type: 'single', redis });
    for (let i = 0; i < 3; i++) await cache.set('k', i);
    expect(String(await admin.client('LIST'))).not.toContain(`name=${NAMESPACE} `);
  });

  it('a client of the application → is used', async () => {
    const client = new Redis(process.env.TEST_REDIS_URL!);
    open.push(() => client.quit());
    const { cache } = await loadLazily({ type: 'single', client });
    expect(await cache.set('k', 1)).toBe(true);
  });
});

it('T10 a constructor that calls the cache → as without Redis, and all is well after the start', async () => {
  @Injectable()
  class Early {
    readonly found: Promise<unknown>;
    constructor(readonly cache: CacheService) {
      this.found = cache.getOrSet('early', () => 'loaded');
    }
  }
  @Module({ providers: [Early] })
  class EarlyModule {}
  const topology = await topologyOptions('single');
  const { app, log } = await build(cacheOf(topology), EarlyModule);
  const { cache, found } = app.get(Early, { strict: false });
  expect(await found).toBe('loaded');
  expect(log).toEqual([expect.stringMatching(LAZY)]);
  await app.init();
  expect(await cache.set('early', 1)).toBe(true);
  expect(await cache.get('early')).toBe(1);
});
