import { afterAll, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Redis } from 'ioredis';

import { CacheService } from '../../../lib/cache/cache.service.js';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import { getCacheToken } from '../../../lib/common/tokens.js';
import { InjectCache } from '../../../lib/decorators/inject-cache.decorator.js';
import type {
  RedisCacheAsyncOptions,
  RedisCacheOptionsFactory,
} from '../../../lib/module/module-definition.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';

type Imports = NonNullable<ModuleMetadata['imports']>;

async function start(...imports: Imports): Promise<TestingModule> {
  return (await Test.createTestingModule({ imports }).compile()).init();
}

async function ttlOf(cache: CacheService): Promise<number> {
  await cache.set('k', 1);
  return (await cache.ttl('k'))!;
}

/** A feature module of an application: it imports nothing of the cache itself. */
@Injectable()
class Reader {
  constructor(readonly cache: CacheService) {}
}
@Module({ providers: [Reader], exports: [Reader] })
class ReaderModule {}

@Injectable()
class ReportsReader {
  @InjectCache('reports') readonly byProperty!: CacheService;
  constructor(
    @InjectCache('reports') readonly reports: CacheService,
    @InjectCache() readonly unnamed: CacheService,
  ) {}
}
@Module({ providers: [ReportsReader] })
class ReportsModule {}

describe('K1 forRoot', () => {
  it('no options → a cache in memory, for every module', async () => {
    const app = await start(RedisCacheModule.forRoot(), ReaderModule);
    const { cache } = app.get(Reader);
    expect(cache).toBeInstanceOf(CacheService);
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await cache.get('k')).toBe('loaded');
    await app.close();
  });

  describe('two registrations', () => {
    const url = process.env.TEST_REDIS_URL!;
    const topology = { type: 'single', url } as const;

    it.each<[string, Imports, unknown[]]>([
      [
        'of one name',
        [RedisCacheModule.forRoot(), RedisCacheModule.forRoot()],
        [expect.stringMatching(/more than once/)],
      ],
      [
        'of one name, on one server',
        [RedisCacheModule.forRoot({ topology }), RedisCacheModule.forRoot({ topology })],
        [expect.stringMatching(/more than once/)],
      ],
      [
        'of two names, on one server',
        [RedisCacheModule.forRoot({ topology }), RedisCacheModule.forRoot({ name: 'b', topology })],
        [expect.stringMatching(/'b': has the server and the namespace of another cache/)],
      ],
      [
        'of two names and namespaces, on one server',
        [
          RedisCacheModule.forRoot({ topology }),
          RedisCacheModule.forRoot({ name: 'b', namespace: 'b', topology }),
        ],
        [],
      ],
      [
        'of one name, each for its module',
        [
          RedisCacheModule.forRoot({ isGlobal: false }),
          RedisCacheModule.forRoot({ isGlobal: false }),
        ],
        [],
      ],
      [
        'of two names, in memory',
        [RedisCacheModule.forRoot(), RedisCacheModule.forRoot({ name: 'b' })],
        [],
      ],
    ])('K1 %s → told once, where it will not be meant', async (_, imports, expected) => {
      expect(await toldBy(imports)).toEqual(expected);
    });

    async function toldBy(imports: Imports): Promise<string[]> {
      const log: string[] = [];
      const warn = (message: string): unknown => log.push(message);
      const nothing = (): void => undefined;
      const testing = Test.createTestingModule({ imports });
      testing.setLogger({ warn, log: nothing, error: nothing });
      const app = await (await testing.compile()).init();
      await app.close();
      return log;
    }

    const { hostname: host, port } = new URL(url);
    const at = (redis: object) => ({ type: 'single', redis: { host, port, ...redis } });
    const ofUrl = (more: string, redis?: object) => {
      const named = new URL(url);
      named.pathname = more;
      return { type: 'single', url: named.href, redis };
    };
    const ownClients: Redis[] = [];
    const given = (): Redis => {
      const client = new Redis(url);
      ownClients.push(client);
      return client;
    };
    afterAll(() => Promise.all(ownClients.map((client) => client.quit())));

    it.each<[outcome: 'told' | 'not told', string, object, object]>([
      ['not told', 'databases by options', ofUrl('', { db: 1 }), ofUrl('', { db: 2 })],
      [
        'not told',
        'databases by URL, before the same by options',
        ofUrl('/1', { db: 3 }),
        ofUrl('/2', { db: 3 }),
      ],
      ['told', 'database 0, said or not', ofUrl(''), ofUrl('/0')],
      ['told', 'a URL and the same by options', ofUrl('/1'), at({ db: 1 })],
      [
        'told',
        'a server and shards that it is one of',
        ofUrl(''),
        { type: 'sharded', shards: [url, 'redis://127.0.0.1:1'] },
      ],
      [
        'told',
        'shards and a server that is one of them',
        { type: 'sharded', shards: ['redis://127.0.0.1:1', url] },
        ofUrl(''),
      ],
      ['not told', 'servers', ofUrl(''), { type: 'single', url: 'redis://127.0.0.1:1' }],
      [
        'told',
        'clusters with one node in common',
        { type: 'cluster', nodes: ['127.0.0.1:1', 'LOCALHOST:2'] },
        { type: 'cluster', nodes: ['redis://localhost:2', { host: '127.0.0.1', port: 3 }] },
      ],
      [
        'not told',
        'clusters',
        { type: 'cluster', nodes: ['127.0.0.1:1'] },
        { type: 'cluster', nodes: ['127.0.0.1:2'] },
      ],
      [
        'not told',
        'clients of the application, of which it knows',
        { type: 'single', client: given },
        { type: 'single', client: given },
      ],
    ])('K1 %s: two %s', async (outcome, _, one, other) => {
      const timeouts = { connect: 100 }; // some are not there
      const log = await toldBy([
        RedisCacheModule.forRoot({ topology: one, timeouts } as RedisCacheOptions),
        RedisCacheModule.forRoot({ name: 'b', topology: other, timeouts } as RedisCacheOptions),
      ]);
      const told = log.filter((line) => line.includes('the server and the namespace of another'));
      expect(told).toHaveLength(outcome === 'told' ? 1 : 0);
    });
  });

  it.each([['redis://:secret@host'], [null], [[]], [7], [new Map()], [Promise.resolve({})]])(
    'no object, %p → CacheOptionsError at once, without a secret',
    (given) => {
      for (const method of ['forRoot', 'forRootAsync'] as const) {
        const call = (): unknown => RedisCacheModule[method](given as never);
        expect(call).toThrow(CacheOptionsError);
        expect(call).toThrow(/^(?!.*secret).*options: given .*accepted an object/s);
      }
    },
  );

  it('options → are those of the cache', async () => {
    const app = await start(RedisCacheModule.forRoot({ ttl: '1h' }));
    expect(await ttlOf(app.get(CacheService))).toBeGreaterThan(3_590_000);
    await app.close();
  });

  it('K1 an instance with getters → its options, its name, its scope', async () => {
    class Config {
      get ttl(): string {
        return '1h';
      }
      get name(): string {
        return 'reports';
      }
    }
    const app = await start(RedisCacheModule.forRoot(new Config()));
    expect(await ttlOf(app.get(getCacheToken('reports')))).toBeGreaterThan(3_590_000);
    await app.close();
    class Typo {
      readonly tll = '1h';
    }
    await expect(start(RedisCacheModule.forRoot(new Typo() as object))).rejects.toThrow(
      /did you mean ttl/,
    );
  });

  it('unnamed → the class and getCacheToken() are one', async () => {
    const app = await start(RedisCacheModule.forRoot());
    expect(app.get(getCacheToken())).toBe(app.get(CacheService));
    await app.close();
  });

  it('overridden in a test → for the class and for @InjectCache()', async () => {
    const builder = Test.createTestingModule({ imports: [RedisCacheModule.forRoot()] });
    const fake = {};
    const app = await builder.overrideProvider(CacheService).useValue(fake).compile();
    expect(app.get(getCacheToken())).toBe(fake);
    await app.close();
  });

  it('isGlobal false → only for modules that import it', async () => {
    const cache = RedisCacheModule.forRoot({ isGlobal: false });
    @Module({ imports: [cache], providers: [Reader] })
    class Importer {}
    const app = await start(Importer);
    expect(await app.get(Reader).cache.set('k', 1)).toBe(true);
    await app.close();
    await expect(start(cache, ReaderModule)).rejects.toThrow(/can't resolve dependencies/);
  });

  it('wrong options → the start fails, and lists them all', async () => {
    const wrong = { ttl: 0, failure: 'closed', nonsense: 1 } as unknown as RedisCacheOptions;
    const error = await start(RedisCacheModule.forRoot(wrong)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CacheOptionsError);
    expect((error as CacheOptionsError).problems.map(({ path }) => path).sort()).toEqual([
      'failure',
      'nonsense',
      'ttl',
    ]);
  });

  it.each([
    ['name', ''],
    ['name', 5],
    ['name', null],
    ['isGlobal', 'yes'],
    ['isGlobal', null],
  ])('%s %p → CacheOptionsError', (field, value) => {
    expect(() => RedisCacheModule.forRoot({ [field]: value })).toThrow(CacheOptionsError);
    const options = { [field]: value, useFactory: () => ({}) };
    expect(() => RedisCacheModule.forRootAsync(options)).toThrow(CacheOptionsError);
  });
});

describe('T16 named caches', () => {
  it('several names → each its own, beside the unnamed', async () => {
    const app = await start(
      RedisCacheModule.forRoot(),
      RedisCacheModule.forRoot({ name: 'reports', ttl: '1h' }),
      RedisCacheModule.forRootAsync({ name: 'sessions', useFactory: () => ({ ttl: '2h' }) }),
      ReportsModule,
    );
    const { reports, byProperty, unnamed } = app.get(ReportsReader, { strict: false });
    const sessions = app.get<CacheService>(getCacheToken('sessions'));
    expect(byProperty).toBe(reports);
    expect(unnamed).toBe(app.get(CacheService));
    expect(new Set([reports, unnamed, sessions]).size).toBe(3);

    await reports.set('key', 'of reports');
    expect(await unnamed.get('key')).toBeUndefined();
    expect(await sessions.get('key')).toBeUndefined();
    expect(await ttlOf(reports)).toBeLessThanOrEqual(3_600_000);
    expect(await ttlOf(sessions)).toBeGreaterThan(3_600_000);
    await app.close();
  });

  it('named only → no class token', async () => {
    const app = await start(RedisCacheModule.forRoot({ name: 'reports' }));
    expect(app.get(getCacheToken('reports'))).toBeInstanceOf(CacheService);
    expect(() => app.get(CacheService)).toThrow(/CacheService/);
    expect(() => app.get(getCacheToken())).toThrow(/cache:default/);
    await app.close();
  });

  it('a name that nobody registered → the start fails and names the token', async () => {
    await expect(start(RedisCacheModule.forRoot(), ReportsModule)).rejects.toThrow(
      /nestjs-redis-cache\.cache:reports/,
    );
  });

  it('wrong options → the error says which cache', async () => {
    const reports = RedisCacheModule.forRoot({ name: 'reports', ttl: -1 });
    await expect(start(RedisCacheModule.forRoot(), reports)).rejects.toThrow(
      /RedisCacheModule 'reports'/,
    );
  });

  it.each(['reference', 'deep-hash'] as const)(
    'equal registrations, modules told apart by %s → two caches',
    async (moduleIdGeneratorAlgorithm) => {
      const register = (): ReturnType<typeof RedisCacheModule.forRootAsync> =>
        RedisCacheModule.forRootAsync({ isGlobal: false, useFactory: () => ({ ttl: '1h' }) });
      const feature = (): Type => {
        @Module({ imports: [register()], providers: [Reader] })
        class Feature {}
        return Feature;
      };
      const [A, B] = [feature(), feature()];
      const metadata = { imports: [A, B] };
      const app = await Test.createTestingModule(metadata, {
        moduleIdGeneratorAlgorithm,
      }).compile();
      await app.init();
      const [a, b] = [A, B].map((it) => app.select(it).get(Reader, { strict: true }).cache);
      await a!.set('k', 1);
      expect(await b!.get('k')).toBeUndefined();
      await app.close();
    },
  );

  it('two applications of one module → two caches, closed apart', async () => {
    const cache = RedisCacheModule.forRoot();
    const first = await start(cache, ReaderModule);
    const second = await start(cache, ReaderModule);
    await first.get(Reader).cache.set('k', 'of the first');
    expect(await second.get(Reader).cache.get('k')).toBeUndefined();
    await first.close();
    expect(await second.get(Reader).cache.set('k', 'of the second')).toBe(true);
    expect(await second.get(Reader).cache.get('k')).toBe('of the second');
    await second.close();
  });
});

@Injectable()
class Settings {
  readonly ttl = '1h';
}
@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class Factory implements RedisCacheOptionsFactory {
  constructor(private readonly settings: Settings) {}
  createCacheOptions(): RedisCacheOptions {
    return { ttl: this.settings.ttl };
  }
}
@Injectable()
class SlowFactory extends Factory {
  override createCacheOptions(): Promise<RedisCacheOptions> & RedisCacheOptions {
    return Promise.resolve(super.createCacheOptions()) as never;
  }
}
@Module({ imports: [SettingsModule], providers: [Factory], exports: [Factory] })
class FactoryModule {}

const fromSettings = ({ ttl }: Settings): RedisCacheOptions => ({ ttl });

describe('K1 forRootAsync', () => {
  const forms: Record<string, RedisCacheAsyncOptions> = {
    useFactory: { useFactory: () => ({ ttl: '1h' }) },
    'useFactory, async': { useFactory: () => Promise.resolve({ ttl: '1h' }) },
    'useFactory with imports and inject': {
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: fromSettings,
    },
    'useFactory with a dependency that is optional': {
      inject: [{ token: 'nowhere', optional: true }],
      useFactory: (nothing?: unknown) => ({ ttl: nothing === undefined ? '1h' : '1s' }),
    },
    'useFactory with extraProviders': {
      extraProviders: [Settings],
      inject: [Settings],
      useFactory: fromSettings,
    },
    'useClass with imports': { imports: [SettingsModule], useClass: Factory },
    'useClass with extraProviders': { extraProviders: [Settings], useClass: Factory },
    'useClass, async': { extraProviders: [Settings], useClass: SlowFactory },
    useExisting: { imports: [FactoryModule], useExisting: Factory },
    'useFactory that gives an instance with getters': {
      useFactory: () =>
        new (class {
          get ttl(): string {
            return '1h';
          }
        })(),
    },
  };

  describe.each(Object.entries(forms))('%s', (_, form) => {
    it('unnamed → CacheService with these options', async () => {
      const app = await start(RedisCacheModule.forRootAsync(form), ReaderModule);
      expect(await ttlOf(app.get(Reader).cache)).toBeGreaterThan(3_590_000);
      await app.close();
    });

    it('named → its token alone', async () => {
      const app = await start(RedisCacheModule.forRootAsync({ ...form, name: 'reports' }));
      expect(await ttlOf(app.get(getCacheToken('reports')))).toBeGreaterThan(3_590_000);
      expect(() => app.get(CacheService)).toThrow(/CacheService/);
      await app.close();
    });
  });

  it('an instance with a getter for the factory → is that factory', async () => {
    class Source {
      get useFactory(): () => RedisCacheOptions {
        return () => ({ ttl: '1h' });
      }
    }
    const app = await start(RedisCacheModule.forRootAsync(new Source()));
    expect(await ttlOf(app.get(CacheService))).toBeGreaterThan(3_590_000);
    await app.close();
  });

  it('useExisting → the instance of the application, not another', async () => {
    let made = 0;
    @Injectable()
    class Counted implements RedisCacheOptionsFactory {
      constructor() {
        made++;
      }
      createCacheOptions(): RedisCacheOptions {
        return {};
      }
    }
    @Module({ providers: [Counted], exports: [Counted] })
    class CountedModule {}
    const app = await start(
      RedisCacheModule.forRootAsync({ imports: [CountedModule], useExisting: Counted }),
    );
    expect(made).toBe(1);
    await app.close();
  });

  it('isGlobal false → only for modules that import it', async () => {
    const cache = RedisCacheModule.forRootAsync({ isGlobal: false, useFactory: () => ({}) });
    await expect(start(cache, ReaderModule)).rejects.toThrow(/can't resolve dependencies/);
  });

  describe('a class whose method is none', () => {
    @Injectable()
    class Without {}
    @Module({ providers: [Without], exports: [Without] })
    class WithoutModule {}

    it.each([
      ['useClass', { useClass: Without }],
      ['useExisting', { imports: [WithoutModule], useExisting: Without }],
    ])('%s → the start fails with CacheOptionsError', async (path, form) => {
      const register = { ...form, name: 'reports' } as unknown as RedisCacheAsyncOptions;
      const error = await start(RedisCacheModule.forRootAsync(register)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(CacheOptionsError);
      expect((error as CacheOptionsError).message).toContain("RedisCacheModule 'reports'");
      expect((error as CacheOptionsError).problems).toEqual([
        {
          path,
          given: 'Without, which has no such method',
          accepted: 'a class with the method createCacheOptions()',
        },
      ]);
    });
  });

  it('useClass with a field that is a function → its options', async () => {
    @Injectable()
    class Field implements RedisCacheOptionsFactory {
      createCacheOptions = (): RedisCacheOptions => ({ ttl: '1h' });
    }
    const app = await start(RedisCacheModule.forRootAsync({ useClass: Field }));
    expect(await ttlOf(app.get(CacheService))).toBeGreaterThan(3_590_000);
    await app.close();
  });

  it('extraProviders → not visible outside', async () => {
    @Injectable()
    class Nosy {
      constructor(@Inject(Settings) readonly settings: Settings) {}
    }
    @Module({ providers: [Nosy] })
    class NosyModule {}
    const cache = RedisCacheModule.forRootAsync({
      extraProviders: [Settings],
      inject: [Settings],
      useFactory: fromSettings,
    });
    await expect(start(cache, NosyModule)).rejects.toThrow(/can't resolve dependencies/);
  });

  it.each([
    ['none', {}, 'none of useFactory, useClass and useExisting'],
    ['two', { useClass: Factory, useFactory: () => ({}) }, 'useFactory and useClass'],
    ['all', { useClass: Factory, useExisting: Factory, useFactory: () => ({}) }, 'useExisting'],
    ['no function', { useFactory: { ttl: '1h' } }, 'an object'],
    [
      'options beside it',
      { useFactory: () => ({}), ttl: '1h' },
      'options are what the factory returns',
    ],
  ])('%s → CacheOptionsError at once', (_, options, text) => {
    const register = (): unknown =>
      RedisCacheModule.forRootAsync(options as RedisCacheAsyncOptions);
    expect(register).toThrow(CacheOptionsError);
    expect(register).toThrow(text);
  });

  it.each([
    ['wrong options', () => ({ ttl: 0 }), 'ttl'],
    ['nothing', () => undefined as never, 'options'],
    ['name', () => ({ name: 'reports' }) as RedisCacheOptions, 'name'],
  ])(
    'the factory gives %s → the start fails with CacheOptionsError',
    async (_, useFactory, path) => {
      const error = await start(RedisCacheModule.forRootAsync({ useFactory })).catch(
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(CacheOptionsError);
      expect((error as CacheOptionsError).problems).toEqual([expect.objectContaining({ path })]);
    },
  );

  it('the factory throws → the start fails with its error', async () => {
    const useFactory = (): never => {
      throw new Error('no configuration');
    };
    await expect(start(RedisCacheModule.forRootAsync({ useFactory }))).rejects.toThrow(
      'no configuration',
    );
  });
});
