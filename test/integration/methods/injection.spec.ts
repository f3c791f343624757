import { beforeEach, describe, expect, it } from '@jest/globals';
import { Global, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { ContextIdFactory, ModuleRef, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { isDeepStrictEqual } from 'node:util';
import { CacheService } from '../../../lib/cache/cache.service.js';
import { CacheKeyError, CacheOptionsError } from '../../../lib/common/errors.js';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { InjectCache } from '../../../lib/decorators/inject-cache.decorator.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { start, startWithout } from './app.js';

let runs = 0;
beforeEach(() => {
  runs = 0;
});

@Injectable()
class Users {
  @Cacheable({ key: 'user:{0}' })
  async find(id: string) {
    return { id, run: ++runs };
  }
}

@Injectable()
class Reports {
  @InjectCache('reports')
  readonly own!: CacheService;

  @Cacheable({ key: 'report', cache: 'reports', namespace: 'daily' })
  async make() {
    return { run: ++runs };
  }

  @CacheEvict({ key: 'report', cache: 'reports', namespace: 'daily' })
  async forget() {}
}

@Injectable()
class Lost {
  @Cacheable({ cache: 'lost' })
  async make() {
    return ++runs;
  }

  @CacheEvict({ cache: 'lost', key: 'a' })
  async forget() {
    return ++runs;
  }
}

@Injectable({ scope: Scope.REQUEST })
class OfRequest extends Users {}

@Injectable({ scope: Scope.TRANSIENT })
class Transient extends Users {}

describe('how a method comes to its cache', () => {
  it('K2 request-scoped and transient providers → their entries are those of everybody', async () => {
    const { module } = await start('memory', { providers: [OfRequest, Transient, Users] });
    const [one, other] = [1, 2].map(() => ContextIdFactory.create());
    const first = await (await module.resolve(OfRequest, one)).find('1');
    const others = [
      await module.resolve(OfRequest, other),
      await module.resolve(Transient),
      module.get(Users),
      await module.get(ModuleRef).create(Users),
    ];
    for (const users of others) expect(await users.find('1')).toEqual(first);
  });

  it('K2 a provider of a request with a default key → one warning at the start', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Orders {
      constructor(@Inject(REQUEST) readonly request: unknown) {}

      @Cacheable()
      async mine() {
        return this.request;
      }

      @Cacheable({ args: [0] })
      async chosen(_id: string, _by: unknown) {}

      @Cacheable({ key: 'order:{0}' })
      async keyed(_id: string) {}
    }
    @Injectable()
    class DependsOnThem {
      constructor(readonly orders: Orders) {}

      @Cacheable()
      async theirs() {}
    }
    @Injectable()
    class Static {
      @Cacheable()
      async all() {}
    }
    const { log } = await start('memory', {
      providers: [Orders, DependsOnThem, Static],
      imports: [RedisCacheModule.forRoot({ name: 'another' })],
    });
    const others = 'what one user gets, others would get';
    expect(log).toEqual([
      expect.stringMatching(`@Cacheable on Orders.mine: .*${others}`),
      expect.stringMatching(`@Cacheable on DependsOnThem.theirs: .*${others}`),
    ]);
  });

  it('D9 made by a factory of the application, or given as a value → the cache of the application', async () => {
    const { module } = await start('memory', {
      providers: [
        { provide: 'made', useFactory: () => new Users() },
        { provide: 'given', useValue: new Users() },
        { provide: 'frozen', useValue: Object.freeze(new Users()) },
      ],
    });
    for (const name of ['made', 'given']) {
      const users = module.get<Users>(name);
      expect(await users.find('1')).toEqual(await users.find('1'));
    }
    expect(await module.get<Users>('frozen').find('2')).toMatchObject({ id: '2' });
  });

  it('K1 D9 two applications in one process → stay apart', async () => {
    const apps = [];
    for (const _ of [1, 2]) apps.push(await start('memory', { providers: [Users] }));
    for (const [i, { module }] of apps.entries())
      for (const _ of [1, 2])
        expect(await module.get(Users).find('1')).toMatchObject({ run: i + 1 });
  });

  it('D9 a class of two modules, each with a cache of its own → each instance has that of its module', async () => {
    const cache = () => RedisCacheModule.forRoot({ isGlobal: false });
    @Module({ imports: [cache()], providers: [Users] })
    class One {}
    @Module({ imports: [cache()], providers: [Users] })
    class Other {}
    const { module } = await startWithout({ imports: [One, Other] });
    for (const [i, host] of [One, Other].entries())
      for (const _ of [1, 2])
        expect(await module.select(host).get(Users, { strict: true }).find('1')).toMatchObject({
          run: i + 1,
        });
  });

  it('D9 a cache that another module has, and that is not global → found, as by interceptors', async () => {
    @Module({ imports: [RedisCacheModule.forRoot({ isGlobal: false })] })
    class Elsewhere {}
    const { module, log } = await startWithout({ imports: [Elsewhere], providers: [Users] });
    for (const _ of [1, 2]) expect(await module.get(Users).find('1')).toMatchObject({ run: 1 });
    expect(log).toEqual([]);
  });

  it('D7 a named cache and a namespace → its entries; evicted there', async () => {
    const reports = RedisCacheModule.forRoot({ name: 'reports' });
    const { module, cache } = await start('memory', { imports: [reports], providers: [Reports] });
    const service = module.get(Reports);
    for (const _ of [1, 2]) expect(await service.make()).toEqual({ run: 1 });
    expect(await service.own.namespace('daily').get('report')).toEqual({ run: 1 });
    expect(await cache.namespace('daily').has('report')).toBe(false);
    await service.forget();
    expect(await service.make()).toEqual({ run: 2 });
  });

  it('D9 no cache of that name → CacheOptionsError that says how to register it, the method does not run', async () => {
    const { module } = await start('memory', { providers: [Lost] });
    const lost = module.get(Lost);
    for (const [where, run] of [
      ['@Cacheable on Lost.make', () => lost.make()],
      ['@CacheEvict on Lost.forget', () => lost.forget()],
    ] as const) {
      const call = run();
      await expect(call).rejects.toThrow(CacheOptionsError);
      await expect(call).rejects.toThrow(
        new RegExp(`${where}:[^]*RedisCacheModule\\.forRoot\\(\\{ name: 'lost' \\}\\)`),
      );
    }
    expect(runs).toBe(0);
  });

  it('D9 no RedisCacheModule, or built by hand → the method runs each time; one warning for each class', async () => {
    class Cats extends Users {}
    class Dogs extends Users {}
    const { module, log } = await startWithout({ providers: [Cats] });
    const dogs = new Dogs();
    for (const service of [module.get(Cats), dogs, new Dogs()])
      for (const _ of [1, 2]) await service.find('1');
    expect(runs).toBe(6);
    expect(log).toEqual([
      'Cats belongs to an application without RedisCacheModule.forRoot(), or is called before that: its decorated methods run without the cache',
      'Dogs was not built by Nest, or is called before the application has started, so nothing was injected into it: its decorated methods run without the cache',
    ]);
  });

  it('D9 built by hand, a named cache → runs as well', async () => {
    const { log } = await startWithout({});
    class OfNobody extends Reports {}
    for (const run of [1, 2]) expect(await new OfNobody().make()).toEqual({ run });
    expect(log).toEqual([expect.stringMatching(/^OfNobody was not built by Nest/)]);
  });

  it('D9 a value that one application after another is given → the cache of the later one', async () => {
    const users = new Users();
    const providers = [{ provide: 'users', useValue: users }];
    for (const run of [1, 2]) {
      const { module, cache } = await start('memory', { providers });
      for (const _ of [1, 2]) expect(await users.find('1')).toEqual({ id: '1', run });
      expect(await cache.get('user:1')).toEqual({ id: '1', run });
      await module.close();
    }
  });

  it('D9 without its instance → runs, as any method would', async () => {
    const { find } = new Users();
    expect(await find('1')).toMatchObject({ id: '1' });
  });

  it('K7 something else in the place of the cache → the method runs, the stand-in is left alone', async () => {
    for (const standIn of [{ getOrSet: () => 'never' }, 7]) {
      const module = await Test.createTestingModule({
        imports: [RedisCacheModule.forRoot()],
        providers: [Users],
      })
        .overrideProvider(CacheService)
        .useValue(standIn)
        .compile();
      await module.init();
      expect(await module.get(Users).find('1')).toMatchObject({ id: '1' });
      await module.close();
    }
  });

  it('K1 a provider that the options of the cache are made with → is cached once there is a cache', async () => {
    @Injectable()
    class Config {
      @Cacheable({ key: 'region' })
      async region() {
        return `r${++runs}`;
      }
    }
    @Global()
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    const cache = RedisCacheModule.forRootAsync({
      imports: [ConfigModule],
      inject: [Config],
      useFactory: async (config: Config) => ({ namespace: await config.region() }),
    });
    const { module } = await startWithout({ imports: [cache] });
    const config = module.get(Config, { strict: false });
    for (const _ of [1, 2]) expect(await config.region()).toBe('r2');
  });

  it('D9 the instance → looks as if nothing had been injected', async () => {
    const { module } = await start('memory', { providers: [Users] });
    expect(isDeepStrictEqual(module.get(Users), new Users())).toBe(true);
    expect(Object.assign({}, module.get(Users))).toEqual({});
    expect(await new Proxy(module.get(Users), {}).find('1')).toMatchObject({ run: 1 });
    expect(await Object.create(module.get(Users)).find('1')).toMatchObject({ run: 1 });
  });

  it('D3 two classes of one name in a cache → CacheKeyError, rather than the entries of the other', async () => {
    const make = (answer: number, namespace?: string) => {
      @Injectable()
      class Repo {
        @Cacheable({ namespace })
        async find(_id: string) {
          return answer;
        }
      }
      return Repo;
    };
    const [One, Other, Apart] = [make(1), make(2), make(3, 'apart')];
    const { module } = await start('memory', { providers: [One, { provide: 'other', useClass: Other }, { provide: 'apart', useClass: Apart }] }); // prettier-ignore
    expect(await module.get(One).find('1')).toBe(1);
    const call = module.get<InstanceType<typeof Other>>('other').find('1');
    await expect(call).rejects.toThrow(CacheKeyError);
    await expect(call).rejects.toThrow('two classes of the name Repo');
    for (const _ of [1, 2])
      expect(await module.get<InstanceType<typeof Apart>>('apart').find('1')).toBe(3);
  });

  it('D3 two methods whose names are symbols of one description → CacheKeyError, rather than the entries of the other', async () => {
    const one = Symbol('find');
    const other = Symbol('find');
    const third = Symbol('list');
    @Injectable()
    class Finder {
      @Cacheable()
      async [one](_id: string) {
        return 1;
      }

      @Cacheable()
      async [other](_id: string) {
        return 2;
      }

      @Cacheable()
      async [third](_id: string) {
        return 3;
      }
    }
    const { module } = await start('memory', { providers: [Finder] });
    const finder = module.get(Finder);
    for (const _ of [1, 2]) expect(await finder[one]('1')).toBe(1);
    expect(await finder[third]('1')).toBe(3);
    const call = finder[other]('1');
    await expect(call).rejects.toThrow(CacheKeyError);
    await expect(call).rejects.toThrow('two methods of Finder are named Symbol(find)');
  });
});
