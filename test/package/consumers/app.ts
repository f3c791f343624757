/** An application that has installed the package; compiled and run as an ES module and as CommonJS, for each entry of the `nest-….long.ts`. */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Injectable, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import {
  Cacheable,
  CacheEvict,
  CacheKeyError,
  CacheService,
  InvalidationListener,
  isCacheError,
  LockProvider,
  RedisCacheModule,
  type RedisCacheOptions,
} from 'nestjs-redis-cache';

let runs = 0;

@Injectable()
class Cats {
  constructor(readonly cache: CacheService) {}

  @Cacheable({ key: 'cat:{0}', tags: 'cats', ttl: '1m' })
  async find(id: number): Promise<{ id: number; run: number }> {
    return { id, run: ++runs };
  }

  @CacheEvict({ key: 'cat:{0}' })
  async rename(_id: number): Promise<void> {}

  // @ts-expect-error the method has no second argument
  @Cacheable({ key: (_id: number, _of: string) => 'x' })
  async typed(id: number): Promise<number> {
    return id;
  }
}

@Controller('cats')
class CatsController {
  @Get(':id')
  @Cacheable({ key: 'response:{params.id}' })
  find(@Param('id') id: string) {
    return { id, run: ++runs };
  }
}

async function start(options: RedisCacheOptions) {
  @Module({
    imports: [RedisCacheModule.forRootAsync({ useFactory: () => options })],
    controllers: [CatsController],
    providers: [Cats],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  await app.listen(0, '127.0.0.1');
  return app;
}

type App = Awaited<ReturnType<typeof start>>;

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    assert(performance.now() < end, `not within 10 s: ${String(condition)}`);
    await sleep(10);
  }
}

async function useService(app: App): Promise<void> {
  const cache = app.get(CacheService);
  assert(cache instanceof CacheService);
  const value: { at: Date } = await cache.getOrSet('value', () => ({ at: new Date(0) }));
  assert.deepEqual(value, { at: new Date(0) });
  assert.equal(await cache.set('text', 'a', { ttl: '1m', tags: ['texts'] }), true);
  assert.deepEqual([...(await cache.getMany<string>(['text', 'none']))], [['text', 'a']]);
  await cache.evictTags('texts');
  assert.equal(await cache.has('text'), false);
  assert.equal(await cache.increment('counter'), 1);
  await assert.rejects(cache.get(''), (e) => isCacheError(e) && e instanceof CacheKeyError);
  const token = await app.get(LockProvider).withLock('lock', async (lock) => lock.fencingToken);
  assert.equal(typeof token, 'bigint');
}

async function useDecorators(app: App): Promise<void> {
  const cats = app.get(Cats);
  const first = await cats.find(1);
  assert.deepEqual(await cats.find(1), first);
  await cats.rename(1);
  assert.notDeepEqual(await cats.find(1), first);
  const { port } = app.getHttpServer().address() as AddressInfo;
  for (const verdict of ['MISS', 'HIT']) {
    const response = await fetch(`http://127.0.0.1:${port}/cats/1`, {
      headers: { connection: 'close' },
    });
    assert.equal(response.headers.get('x-cache'), verdict, await response.text());
  }
}

/** Another application hears of an evict. */
async function useMessages(one: App, other: App): Promise<void> {
  await until(() => [one, other].every((app) => app.get(InvalidationListener).live));
  const [mine, theirs] = [one.get(CacheService), other.get(CacheService)];
  await mine.set('shared', 1);
  await until(async () => (await theirs.get('shared')) === 1 && theirs.peek('shared') === 1);
  await mine.evict('shared');
  await until(() => theirs.peek('shared') === undefined);
}

async function main(): Promise<void> {
  const url = process.env['TEST_REDIS_URL']!;
  const nodes = JSON.parse(process.env['TEST_CLUSTER_NODES']!) as string[];
  const client = new Redis(url);
  const TOPOLOGIES: Record<string, Partial<RedisCacheOptions>> = {
    memory: {},
    single: { topology: { type: 'single', url } },
    tracking: { topology: { type: 'single', url }, invalidation: { mode: 'tracking' } },
    client: { topology: { type: 'single', client } },
    cluster: { topology: { type: 'cluster', nodes } },
  };
  for (const [name, given] of Object.entries(TOPOLOGIES)) {
    const options = { ...given, namespace: `consumer-${name}-${process.pid}` };
    const app = await start(options);
    await useService(app);
    await useDecorators(app);
    if (name !== 'memory') {
      const other = await start(options);
      await useMessages(app, other);
      await other.close();
    }
    await app.close();
  }
  await client.quit();
  // Nothing is left open, so the process ends.
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
