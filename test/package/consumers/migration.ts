/** The entry point for code written for `@nestjs/cache-manager`, as `app.ts`. */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Controller, Get, Inject, Module, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedisCacheModule } from 'nestjs-redis-cache';
import {
  Cache,
  CACHE_MANAGER,
  CacheInterceptor,
  CacheKey,
  CacheManagerModule,
  CacheTTL,
  type WrapOptions,
} from 'nestjs-redis-cache/migration';

let runs = 0;

@Controller('dogs')
@UseInterceptors(CacheInterceptor)
class DogsController {
  constructor(@Inject(CACHE_MANAGER) readonly cache: Cache) {}

  @Get()
  @CacheKey('dogs')
  @CacheTTL(30_000)
  all() {
    return { run: ++runs };
  }
}

@Module({
  imports: [RedisCacheModule.forRoot({ ttl: '1m' }), CacheManagerModule.register()],
  controllers: [DogsController],
})
class DogsModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(DogsModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  await app.listen(0, '127.0.0.1');
  const all = async (): Promise<unknown> => {
    const headers = { connection: 'close' };
    return (await fetch(`${await app.getUrl()}/dogs`, { headers })).json();
  };
  assert.deepEqual([await all(), await all()], [{ run: 1 }, { run: 1 }]);
  const { cache } = app.get(DogsController);
  const options: WrapOptions<string> = { ttl: (value) => value.length * 1_000 };
  assert.equal(await cache.wrap('dog', () => 'Rex', options), 'Rex');
  assert.equal(await cache.get<string>('dog'), 'Rex');
  assert.equal(await cache.del('dog'), true);
  assert.equal(await cache.get('dog'), undefined);
  await app.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
