import { describe, expect, it } from '@jest/globals';
import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CacheService, RedisCacheModule, WriteBehind } from '../../../lib/index.js';

/** As the modules of ORMs close theirs. */
@Injectable()
class Database implements OnApplicationShutdown {
  readonly rows = new Map<string, number>();
  private open = true;

  async write(batch: readonly { key: string; value: number }[]): Promise<void> {
    if (!this.open) throw new Error('closed');
    for (const { key, value } of batch) this.rows.set(key, value);
  }

  onApplicationShutdown(): void {
    this.open = false;
  }
}

@Global()
@Module({ providers: [Database], exports: [Database] })
class DatabaseModule {}

@Injectable()
class Visits {
  readonly queue: WriteBehind<string, number>;

  constructor(cache: CacheService, database: Database) {
    this.queue = new WriteBehind<string, number>(cache, {
      write: (batch) => database.write(batch),
      flushInterval: '1h',
    });
  }
}

describe('WriteBehind in an application', () => {
  it.each([
    ['before', [DatabaseModule, RedisCacheModule.forRoot()]],
    ['after', [RedisCacheModule.forRoot(), DatabaseModule]],
  ])('W6 close — the module of the database %s that of the cache → written', async (_, imports) => {
    const root = { module: class App {}, imports, providers: [Visits] };
    const app = await NestFactory.createApplicationContext(root, { logger: false });
    const { rows } = app.get(Database);
    await app.get(Visits).queue.put('/home', 1);
    await app.close();
    expect([...rows]).toEqual([['/home', 1]]);
  });
});
