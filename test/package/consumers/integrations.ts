/** The entry points for other libraries, with the real ones, as `app.ts`. */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Controller, Get, Injectable, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Cacheable, CacheEvict, CacheService, RedisCacheModule } from 'nestjs-redis-cache';
import { RedisCacheHealth, type HealthCheckOptions } from 'nestjs-redis-cache/health';
import { typeOrmTransactions } from 'nestjs-redis-cache/typeorm';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';

const url = process.env['TEST_REDIS_URL']!;
const namespace = `integrations-${process.pid}`;

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly cache: RedisCacheHealth,
  ) {}

  @Get(':whenUnreachable')
  @HealthCheck()
  check(@Param() options: HealthCheckOptions) {
    return this.health.check([() => this.cache.check('cache', options)]);
  }
}

interface Health {
  http: number;
  status: string;
  cache: {
    status: string;
    nodes: Record<string, { connected: boolean; circuit: string; pingMs?: number; error?: string }>;
    invalidations: { live: boolean };
    pendingEvicts: number;
    message?: string;
  };
}

/** What the endpoint says of a cache on this server, once it says what is waited for. */
async function healthOf(
  redis: string,
  whenUnreachable: HealthCheckOptions['whenUnreachable'],
  isAwaited: (health: Health) => boolean = () => true,
): Promise<Health> {
  @Module({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      RedisCacheModule.forRoot({ namespace, topology: { type: 'single', url: redis } }),
    ],
    controllers: [HealthController],
    providers: [RedisCacheHealth],
  })
  class HealthModule {}

  const app = await NestFactory.create(HealthModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  await app.listen(0, '127.0.0.1');
  const end = performance.now() + 10_000;
  for (;;) {
    const response = await fetch(`${await app.getUrl()}/health/${whenUnreachable}`, {
      headers: { connection: 'close' },
    });
    const { status, details } = (await response.json()) as { status: string; details: Health };
    const health: Health = { http: response.status, status, cache: details.cache };
    if (!isAwaited(health)) {
      assert(performance.now() < end, `not within 10 s: ${JSON.stringify(health)}`);
      continue;
    }
    await app.close();
    return health;
  }
}

async function useHealth(): Promise<void> {
  const name = new URL(url).host;
  const up = await healthOf(url, 'down', ({ cache }) => cache.invalidations.live); // prettier-ignore
  assert.deepEqual([up.http, up.status, up.cache.status], [200, 'ok', 'up']);
  assert.deepEqual([up.cache.nodes[name]!.connected, up.cache.nodes[name]!.circuit], [true, 'closed']); // prettier-ignore
  assert.equal(typeof up.cache.nodes[name]!.pingMs, 'number');
  assert.equal(up.cache.pendingEvicts, 0);

  // Nobody listens on port 1.
  const nowhere = 'redis://127.0.0.1:1';
  const down = await healthOf(nowhere, 'down');
  assert.deepEqual([down.http, down.status, down.cache.status], [503, 'error', 'down']);
  assert.equal(down.cache.nodes['127.0.0.1:1']!.connected, false);
  assert.equal(typeof down.cache.nodes['127.0.0.1:1']!.error, 'string');

  const { version } = JSON.parse(await readFile('node_modules/@nestjs/terminus/package.json', 'utf8')) as { version: string }; // prettier-ignore
  const degraded = await healthOf(nowhere, 'degraded');
  assert.deepEqual(
    [degraded.http, degraded.status, degraded.cache.status, degraded.cache.message],
    version.startsWith('11.') ? [200, 'ok', 'up', 'degraded'] : [200, 'degraded', 'degraded', undefined], // prettier-ignore
  );
}

@Entity()
class Cat {
  @PrimaryColumn('text')
  id!: string;
  @Column('text')
  name!: string;
}

@Injectable()
class Cats {
  constructor(private readonly dataSource: DataSource) {}

  @Cacheable({ key: 'cat:{0}' })
  async nameOf(id: string): Promise<string | undefined> {
    return (await this.dataSource.manager.findOneBy(Cat, { id }))?.name;
  }

  @CacheEvict({ key: 'cat:{0}' })
  async changed(_id: string): Promise<void> {}
}

async function useTransactions(): Promise<void> {
  const database = await new DataSource({ type: 'sqljs', entities: [Cat], synchronize: true }).initialize(); // prettier-ignore

  @Module({
    imports: [
      RedisCacheModule.forRoot({
        topology: { type: 'single', url },
        namespace,
        transaction: typeOrmTransactions(database),
      }),
    ],
    providers: [Cats, { provide: DataSource, useValue: database }],
  })
  class CatsModule {}

  const app = await NestFactory.createApplicationContext(CatsModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  const [cats, cache] = [app.get(Cats), app.get(CacheService)];
  await database.manager.insert(Cat, { id: '7', name: 'Tom' });
  const rename = (name: string, end?: Error): Promise<void> =>
    database.transaction(async (manager) => {
      await manager.update(Cat, { id: '7' }, { name });
      await cats.changed('7');
      await cache.afterCommit(() => cache.evict('other'));
      assert.deepEqual(await stored(), ['Tom', 'kept']);
      if (end) throw end;
    });
  const stored = async () => [await cache.get('cat:7'), await cache.get('other')];

  assert.equal(await cats.nameOf('7'), 'Tom');
  await cache.set('other', 'kept');
  await assert.rejects(rename('Tim', new Error('rolled back')), { message: 'rolled back' });
  assert.deepEqual(await stored(), ['Tom', 'kept']);
  await rename('Tiger');
  assert.deepEqual(await stored(), [undefined, undefined]);
  assert.equal(await cats.nameOf('7'), 'Tiger');

  await app.close();
  await database.destroy();
}

async function main(): Promise<void> {
  await Promise.all([useHealth(), useTransactions()]);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
