import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Param, Put } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import request from 'supertest';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { CacheService } from '../../../lib/cache/cache.service.js';
import { CacheKeyError, CacheOptionsError } from '../../../lib/common/errors.js';
import type { TransactionAdapter } from '../../../lib/common/transaction.js';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { createTestCache, RedisCacheTestingModule } from '../../../lib/testing/index.js';
import { TypeOrmTransactions, typeOrmTransactions } from '../../../lib/typeorm/index.js';
import { topologyOptions } from '../../support/caches.js';
import { Gate } from '../../support/gate.js';
import { collect } from '../methods/app.js';

@Entity()
class Cat {
  @PrimaryColumn('text')
  id!: string;
  @Column('text')
  name!: string;
}

@Injectable()
class CatsService {
  constructor(private readonly dataSource: DataSource) {}

  @Cacheable({ key: 'cat:{0}' })
  async find(id: string): Promise<string | undefined> {
    return (await this.dataSource.manager.findOneBy(Cat, { id }))?.name;
  }

  @CacheEvict({ key: 'cat:{0}' })
  async evicted(_id: string): Promise<void> {}

  @CacheEvict({ key: (key: (string | number)[]) => key })
  async evictedBy(_key: (string | number)[]): Promise<void> {}

  @CacheEvict({ tags: (tag: string) => [tag] })
  async evictedByTag(_tag: string): Promise<void> {}

  @CacheEvict({ pattern: (glob: string) => glob })
  async evictedByPattern(_glob: string): Promise<void> {}

  @CacheEvict({ key: 'cat:{0}', afterCommit: false })
  async evictedAtOnce(_id: string): Promise<void> {}

  @CacheEvict({ key: 'cat:{0}', afterCommit: true })
  async evictedAfterCommit(_id: string): Promise<void> {}

  @CacheEvict({ key: 'cat:{0}', when: 'before' })
  async evictedBefore(_id: string): Promise<void> {}

  /** The transaction is its own: over when the evict is due. */
  @CacheEvict({ key: 'cat:{0}' })
  async rename(id: string, name: string): Promise<void> {
    await this.dataSource.transaction((manager) => manager.update(Cat, { id }, { name }));
  }
}

@Controller('cats')
class CatsController {
  constructor(private readonly dataSource: DataSource) {}

  @Put(':id')
  @CacheEvict({ key: 'cat:{params.id}' })
  async put(@Param('id') id: string): Promise<void> {
    await this.dataSource.transaction((manager) => manager.update(Cat, { id }, { name: 'put' }));
  }
}

/** No instance of the class, so that it can be spread. */
type ModuleOptions = Pick<RedisCacheOptions, 'transaction'>;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(topology: 'memory' | 'single' = 'memory', given: Partial<ModuleOptions> = {}) {
  const namespace = `t${Math.random().toString(36).slice(2)}`;
  const log: string[] = [];
  const where = { topology: await topologyOptions(topology), namespace };
  const imports = [
    TypeOrmModule.forRoot({ type: 'sqljs', entities: [Cat], synchronize: true }),
    RedisCacheModule.forRootAsync({
      inject: [getDataSourceToken()],
      useFactory: (dataSource: DataSource) => ({
        ...where,
        transaction: typeOrmTransactions(dataSource),
        ...given,
      }),
    }),
  ];
  const module = await Test.createTestingModule({
    imports,
    providers: [CatsService],
    controllers: [CatsController],
  })
    .setLogger(collect(log))
    .compile();
  const app = await module.createNestApplication().init();
  closing.push(() => app.close());
  const [dataSource, cats, cache] = [app.get(DataSource), app.get(CatsService), app.get(CacheService)]; // prettier-ignore
  await dataSource.manager.insert(Cat, { id: '1', name: 'Tom' });
  await dataSource.manager.insert(Cat, { id: '2', name: 'Tim' });
  const isStored = (id = '1'): Promise<boolean> => cache.has(`cat:${id}`);
  const fill = async (): Promise<void> => {
    for (const id of ['1', '2']) await cats.find(id);
    expect(await isStored()).toBe(true);
  };
  await fill();
  return { app, dataSource, cats, cache, isStored, fill, log };
}

describe.each(['memory', 'single'] as const)('afterCommit, TypeORM, %s', (topology) => {
  it('K4 W8 commit — evicted only then, and by the time that the transaction is over; readers see what was committed', async () => {
    const { dataSource, cats, isStored } = await start(topology);
    await dataSource.transaction(async (manager) => {
      await manager.update(Cat, { id: '1' }, { name: 'Tiger' });
      await cats.evicted('1');
      expect(await isStored()).toBe(true);
    });
    expect(await isStored()).toBe(false);
    expect(await cats.find('1')).toBe('Tiger');
    expect(await isStored('2')).toBe(true);
  });

  it('K4 W8 rollback by an error — nothing is evicted, the error is that of the transaction', async () => {
    const { dataSource, cats, isStored } = await start(topology);
    const failing = dataSource.transaction(async (manager) => {
      await manager.update(Cat, { id: '1' }, { name: 'Tiger' });
      await cats.evicted('1');
      throw new Error('no cats');
    });
    await expect(failing).rejects.toThrow('no cats');
    expect(await isStored()).toBe(true);
    expect(await cats.find('1')).toBe('Tom');
  });
});

describe('afterCommit, TypeORM', () => {
  it('K4 nested — an inner rollback takes its evicts along, an inner commit waits for the outer one', async () => {
    const { dataSource, cats, isStored } = await start();
    await dataSource.transaction(async (manager) => {
      await cats.evicted('1');
      await manager
        .transaction(async () => {
          await cats.evicted('2');
          throw new Error('back to the savepoint');
        })
        .catch(() => undefined);
      expect([await isStored('1'), await isStored('2')]).toEqual([true, true]);
    });
    expect([await isStored('1'), await isStored('2')]).toEqual([false, true]);

    await dataSource.transaction(async (manager) => {
      await manager.transaction(async () => cats.evicted('2'));
      expect(await isStored('2')).toBe(true);
    });
    expect(await isStored('2')).toBe(false);
  });

  it('K4 nested — the outer one rolls back after an inner commit → nothing is evicted', async () => {
    const { dataSource, cats, isStored } = await start();
    const failing = dataSource.transaction(async (manager) => {
      await manager.transaction(async () => cats.evicted('2'));
      throw new Error('all of it');
    });
    await expect(failing).rejects.toThrow('all of it');
    expect(await isStored('2')).toBe(true);
  });

  it('K4 isolation level, manager of a repository — followed as well', async () => {
    const { dataSource, cats, isStored, fill } = await start();
    await dataSource.transaction('SERIALIZABLE', async () => {
      await cats.evicted('1');
      expect(await isStored()).toBe(true);
    });
    expect(await isStored()).toBe(false);
    await fill();
    await dataSource.getRepository(Cat).manager.transaction(async () => {
      await cats.evicted('1');
      expect(await isStored()).toBe(true);
    });
    expect(await isStored()).toBe(false);
  });

  it('K4 a query runner by hand, within — commit evicts, rollback does not', async () => {
    const { dataSource, cats, isStored, fill } = await start('memory', {});
    const transactions = typeOrmTransactions(dataSource);
    const { cache, close } = createTestCache({ transaction: transactions });
    closing.push(close);
    const runner = dataSource.createQueryRunner();
    for (const [end, stays] of [
      ['rollbackTransaction', true],
      ['commitTransaction', false],
    ] as const) {
      // prettier-ignore
      await cache.set('cat:1', 'Tom');
      await runner.startTransaction();
      await transactions.within(runner, () => cache.afterCommit(() => cache.evict('cat:1')));
      expect(await cache.has('cat:1')).toBe(true);
      await runner[end]();
      expect(await cache.has('cat:1')).toBe(stays);
    }
    await fill();
    await cats.evicted('1'); // outside of any
    expect(await isStored()).toBe(false);
  });

  it('K4 outside, before, afterCommit: false → at once', async () => {
    const { dataSource, cats, isStored, fill } = await start();
    await cats.evicted('1');
    expect(await isStored()).toBe(false);
    for (const evict of ['evictedAtOnce', 'evictedBefore'] as const) {
      await fill();
      await dataSource.transaction(async () => {
        await cats[evict]('1');
        expect(await isStored()).toBe(false);
      });
    }
  });

  it('K4 the transaction within the method, within a handler → evicted when they are over', async () => {
    const { app, cats, isStored, fill } = await start();
    await cats.rename('1', 'Tiger');
    expect(await isStored()).toBe(false);
    await fill();
    await request(app.getHttpServer()).put('/cats/1').expect(200);
    expect(await isStored()).toBe(false);
    expect(await cats.find('1')).toBe('put');
  });

  it('K4 what a transaction has begun and that goes on after the commit → at once', async () => {
    const { dataSource, cats, isStored } = await start();
    let later!: Promise<void>;
    const committed = new Gate();
    await dataSource.transaction(async () => {
      later = committed.pass().then(() => cats.evicted('1'));
    });
    expect(await isStored()).toBe(true);
    committed.open();
    await later;
    expect(await isStored()).toBe(false);
  });

  it('K4 what the key is made of changes before the commit → the key as it was; no key → an error of the call', async () => {
    const { dataSource, cats, cache } = await start();
    await cache.set(['cat', 1], 'Tom');
    await dataSource.transaction(async () => {
      const key = ['cat', 1];
      await cats.evictedBy(key);
      key[1] = 2;
    });
    expect(await cache.has(['cat', 1])).toBe(false);
    const failing = dataSource.transaction(() => cats.evictedBy(['cat', NaN]));
    await expect(failing).rejects.toThrow(CacheKeyError);
  });

  it.each(['evictedByTag', 'evictedByPattern'] as const)(
    'K4 %s, of what is none → an error of the call, and not told of after the commit',
    async (method) => {
      const { dataSource, cats } = await start();
      const failing = dataSource.transaction(() => cats[method](''));
      await expect(failing).rejects.toThrow(CacheOptionsError);
    },
  );

  it('K4 COMMIT and ROLLBACK both fail → nobody knows, so it is evicted', async () => {
    const { dataSource, cats, isStored } = await start();
    const runner = dataSource.createQueryRunner();
    const { query } = runner;
    const failing = dataSource.transaction(async () => {
      await cats.evicted('1');
      runner.query = async () => {
        throw new Error('connection lost');
      };
    });
    try {
      await expect(failing).rejects.toThrow('connection lost');
    } finally {
      runner.query = query;
      await runner.rollbackTransaction();
    }
    expect(await isStored()).toBe(false);
  });

  it('K4 the store is gone at the commit → the transaction resolves, the evict is done later', async () => {
    const dataSource = await new DataSource({ type: 'sqljs' }).initialize();
    closing.push(() => dataSource.destroy());
    const heard: string[] = [];
    const { cache, faults, clock, close } = createTestCache({
      transaction: typeOrmTransactions(dataSource),
      onError: ({ operation }) => heard.push(operation),
    });
    closing.push(close);
    await cache.set('key', 1);
    faults.drop('evicts');
    await dataSource.transaction(() => cache.afterCommit(() => cache.evict('key')));
    expect(await cache.get('key')).toBeUndefined();
    expect(heard).toEqual(['evict']);
    faults.restore();
    await clock.advance('2s');
    expect(cache.stats().journal).toBe(0);
  });

  it('K4 what afterCommit was given throws → reported, and the others run', async () => {
    const dataSource = await new DataSource({ type: 'sqljs' }).initialize();
    closing.push(() => dataSource.destroy());
    const heard: string[] = [];
    const { cache, close } = createTestCache({
      transaction: typeOrmTransactions(dataSource),
      onError: ({ operation, error }) => heard.push(`${operation}: ${error.message}`),
    });
    closing.push(close);
    await cache.set('key', 1);
    await dataSource.transaction(async () => {
      await cache.afterCommit(() => {
        throw new Error('mistake');
      });
      await cache.afterCommit(() => cache.evict('key'));
    });
    expect(heard).toEqual(['afterCommit: mistake']);
    expect(await cache.has('key')).toBe(false);
    const now = cache.afterCommit(() => Promise.reject(new Error('now')));
    await expect(now).rejects.toThrow('now');
  });

  it('K4 a data source is destroyed and initialized again → evicted at the commit, as before', async () => {
    const dataSource = await new DataSource({ type: 'sqljs' }).initialize();
    const { cache, close } = createTestCache({ transaction: typeOrmTransactions(dataSource) });
    closing.push(close, () => dataSource.destroy());
    await dataSource.destroy();
    await dataSource.initialize();
    await cache.set('key', 1);
    await dataSource.transaction(async () => {
      await cache.afterCommit(() => cache.evict('key'));
      expect(await cache.has('key')).toBe(true);
    });
    expect(await cache.has('key')).toBe(false);
  });

  it('K4 follow — a data source that is not initialized → CacheOptionsError', () => {
    const dataSource = new DataSource({ type: 'sqljs' });
    expect(() => typeOrmTransactions(dataSource)).toThrow(CacheOptionsError);
    expect(new TypeOrmTransactions().isActive()).toBe(false);
  });
});

describe('afterCommit', () => {
  it('K4 without an adapter → at once, and one warning', async () => {
    const { cats, isStored, log, fill } = await start('memory', { transaction: undefined });
    await cats.evicted('1');
    expect(log).toEqual([]);
    for (let i = 0; i < 2; i++) {
      await fill();
      await cats.evictedAfterCommit('1');
      expect(await isStored()).toBe(false);
    }
    expect(log).toEqual([expect.stringContaining("the module's option 'transaction' is needed")]);
  });

  it('K4 an adapter of one’s own → asked, and given what is due', async () => {
    const due: (() => Promise<void>)[] = [];
    const transaction: TransactionAdapter = {
      isActive: () => true,
      afterCommit: (act) => void due.push(act),
    };
    const imports = [RedisCacheTestingModule.register({ transaction })];
    const module = await Test.createTestingModule({ imports }).compile();
    closing.push(() => module.close());
    const cache = module.get(CacheService);
    await cache.set('key', 1);
    await cache.afterCommit(() => cache.evict('key'));
    expect(await cache.has('key')).toBe(true);
    await Promise.all(due.map((act) => act()));
    expect(await cache.has('key')).toBe(false);
  });

  it.each([{}, { isActive: () => true }, 'typeorm', () => true])(
    'K4 options — transaction: %p → CacheOptionsError',
    (transaction) => {
      // prettier-ignore
      expect(() => resolveOptions({ transaction }, 'test')).toThrow(/transaction: given .* isActive/);
    },
  );

  it("K4 @CacheEvict — afterCommit with when: 'before', or no boolean → CacheOptionsError", () => {
    const decorate = (options: object) => () => CacheEvict({ key: 'k', ...options } as { key: 'k' })(CatsService.prototype, 'find', Object.getOwnPropertyDescriptor(CatsService.prototype, 'find')!); // prettier-ignore
    expect(decorate({ afterCommit: true, when: 'before' })).toThrow(/afterCommit: given true/);
    expect(decorate({ afterCommit: 'yes' })).toThrow(/afterCommit: given "yes"/);
  });
});
