import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Logger,
  Module,
  Scope,
  type DynamicModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  CacheOptionsError,
  CacheService,
  getCacheToken,
  getInvalidationListenerToken,
  InvalidationListener,
  OnInvalidation,
  RedisCacheModule,
  type InvalidationEvent,
} from '../../../lib/index.js';

const apps: TestingModule[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function start(
  providers: Provider[],
  { caches = [RedisCacheModule.forRoot()], controllers = [] as Type[] } = {},
): Promise<TestingModule> {
  @Module({ providers, controllers })
  class FeatureModule {}
  const imports: (DynamicModule | Type)[] = [...caches, FeatureModule];
  const app = await Test.createTestingModule({ imports }).compile();
  apps.push(app);
  return app.init();
}

const keysOf = (events: readonly InvalidationEvent[]): unknown[] =>
  events.flatMap(({ keys }) => keys ?? []);

@Injectable()
class Prices {
  readonly events: InvalidationEvent[] = [];

  @OnInvalidation()
  hear(event: InvalidationEvent): void {
    this.events.push(event);
  }
}

describe('I2 @OnInvalidation', () => {
  it('on a method of a provider → hears each event, with its own this', async () => {
    const app = await start([Prices]);
    await app.get(CacheService).evict('k');
    await app.get(CacheService).namespace('eu').set('k', 1);
    expect(app.get(Prices, { strict: false }).events).toEqual([
      { keys: ['k'], namespace: 'cache', local: true, reason: 'evict' },
      { keys: ['k'], namespace: 'cache/eu', local: true, reason: 'set' },
    ]);
  });

  it('on a controller, on what a factory makes, inherited, and for an alias → once each', async () => {
    @Controller()
    class PricesController extends Prices {}
    @Injectable()
    class Special extends Prices {}
    @Injectable()
    class Deaf extends Prices {
      override hear(): void {
        this.events.length = 99;
      }
    }
    const app = await start(
      [
        Special,
        Deaf,
        { provide: 'made', useFactory: () => new Prices() },
        { provide: 'given', useValue: new Prices() },
        { provide: 'alias', useExisting: Special },
        { provide: 'bare', useValue: Object.create(null) },
        { provide: 'nothing', useValue: null },
      ],
      { controllers: [PricesController] },
    );
    await app.get(CacheService).evict('k');
    for (const token of [PricesController, Special, 'made', 'given'])
      expect(keysOf(app.get<Prices>(token, { strict: false }).events)).toEqual(['k']);
    expect(app.get(Deaf, { strict: false }).events).toEqual([]);
  });

  it('several caches → each method hears its own, and one may hear several', async () => {
    @Injectable()
    class Reports extends Prices {
      readonly named: InvalidationEvent[] = [];
      readonly both: InvalidationEvent[] = [];

      @OnInvalidation({ cache: 'reports' })
      hearNamed(event: InvalidationEvent): void {
        this.named.push(event);
      }

      @OnInvalidation()
      @OnInvalidation({ cache: 'reports' })
      hearBoth(event: InvalidationEvent): void {
        this.both.push(event);
      }
    }
    const caches = [RedisCacheModule.forRoot(), RedisCacheModule.forRoot({ name: 'reports' })];
    const app = await start([Reports], { caches });
    await app.get(CacheService).evict('a');
    await app.get<CacheService>(getCacheToken('reports')).evict('b');
    const { events, named, both } = app.get(Reports, { strict: false });
    expect([keysOf(events), keysOf(named), keysOf(both)]).toEqual([['a'], ['b'], ['a', 'b']]);
  });

  it('two modules with an unnamed cache each → each hears its own', async () => {
    @Injectable()
    class Stock extends Prices {
      constructor(readonly cache: CacheService) {
        super();
      }
    }
    @Injectable()
    class Offers extends Stock {}
    const own = (provider: Type): Type => {
      @Module({ imports: [RedisCacheModule.forRoot({ isGlobal: false })], providers: [provider] })
      class OwnCacheModule {}
      return OwnCacheModule;
    };
    const imports = [own(Stock), own(Offers)];
    const app = await Test.createTestingModule({ imports }).compile();
    apps.push(app);
    await app.init();
    const [stock, offers] = [Stock, Offers].map((type) => app.get(type, { strict: false }));
    await stock!.cache.evict('stock');
    await offers!.cache.evict('offer');
    expect(keysOf(stock!.events)).toEqual(['stock']);
    expect(keysOf(offers!.events)).toEqual(['offer']);
  });

  it('one throws → reported, the others and the evict go on', async () => {
    @Injectable()
    class Broken {
      @OnInvalidation()
      hear(): void {
        throw new Error('broken');
      }

      @OnInvalidation()
      async hearLater(): Promise<void> {
        throw new Error('broken later');
      }
    }
    const onError = jest.fn();
    const app = await start([Broken, Prices], { caches: [RedisCacheModule.forRoot({ onError })] });
    expect(await app.get(CacheService).evict('k')).toBe(0);
    expect(keysOf(app.get(Prices, { strict: false }).events)).toEqual(['k']);
    expect(onError.mock.calls).toMatchObject([
      [{ operation: 'onInvalidation', error: { message: 'broken' } }],
      [{ operation: 'onInvalidation', error: { message: 'broken later' } }],
    ]);
  });

  it.each([
    ['of each request', Scope.REQUEST],
    ['transient', Scope.TRANSIENT],
  ])('a provider that is %s → left out, with one warning', async (_, scope) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    try {
      @Injectable({ scope })
      class Fleeting extends Prices {}
      @Injectable()
      class Holder {
        constructor(@Inject(Fleeting) readonly fleeting: Fleeting) {}
      }
      const app = await start([Fleeting, Holder]);
      await app.get(CacheService).evict('k');
      expect(warn.mock.calls).toEqual([
        [expect.stringMatching(/^@OnInvalidation on Fleeting\.hear is never called/)],
      ]);
    } finally {
      warn.mockRestore();
    }
  });

  it('two applications in one process → each hears its own cache, until it is closed', async () => {
    const [one, two] = [await start([Prices]), await start([Prices])];
    await one.get(CacheService).evict('one');
    await two.get(CacheService).evict('two');
    const heard = (app: TestingModule): unknown[] =>
      keysOf(app.get(Prices, { strict: false }).events);
    expect([heard(one), heard(two)]).toEqual([['one'], ['two']]);
    await one.close();
    await two.get(CacheService).evict('more');
    expect([heard(one), heard(two)]).toEqual([['one'], ['two', 'more']]);
    expect(one.get(InvalidationListener).live).toBe(false);
  });

  it('an evict in onModuleInit of another module → heard', async () => {
    @Injectable()
    class Warmer {
      constructor(private readonly cache: CacheService) {}
      async onModuleInit(): Promise<void> {
        await this.cache.evict('warm');
      }
    }
    const app = await start([Warmer, Prices]);
    expect(keysOf(app.get(Prices, { strict: false }).events)).toEqual(['warm']);
  });

  it('the name of a cache that nobody has registered → the start fails, and says where', async () => {
    @Injectable()
    class Lost {
      @OnInvalidation({ cache: 'nowhere' })
      hear(): void {}
    }
    await expect(start([Lost])).rejects.toThrow(
      /@OnInvalidation on Lost\.hear[^]*cache: given 'nowhere'/,
    );
  });

  it.each([{ cache: '' }, { cache: 5 }, { cahce: 'x' }, null, 'reports'])(
    'options %p → CacheOptionsError at decoration',
    (options) => {
      const decorate = OnInvalidation(options as object);
      const descriptor = { value: () => undefined };
      expect(() => decorate({}, 'hear', descriptor)).toThrow(CacheOptionsError);
    },
  );

  it('D4 on a static method, which nobody would call → CacheOptionsError at decoration', () => {
    const decorate = () =>
      OnInvalidation()(Prices, 'hear', { value: () => undefined } as PropertyDescriptor);
    expect(decorate).toThrow(/@OnInvalidation on Prices\.hear[^]*given static/);
  });
});

describe('K1 InvalidationListener in Nest', () => {
  it('unnamed and named → by class and by token, live while the application is up', async () => {
    const caches = [RedisCacheModule.forRoot(), RedisCacheModule.forRoot({ name: 'reports' })];
    @Injectable()
    class Consumer {
      constructor(
        readonly listener: InvalidationListener,
        @Inject(getInvalidationListenerToken()) readonly same: InvalidationListener,
        @Inject(getInvalidationListenerToken('reports')) readonly named: InvalidationListener,
      ) {}
    }
    const app = await start([Consumer], { caches });
    const { listener, same, named } = app.get(Consumer, { strict: false });
    expect(same).toBe(listener);
    expect(named).toBeInstanceOf(InvalidationListener);
    expect(named).not.toBe(listener);
    expect([listener.live, named.live]).toEqual([true, true]);
    await app.close();
    expect([listener.live, named.live]).toEqual([false, false]);
  });

  it('the class is replaced in a test → methods are registered with what is there instead', async () => {
    const handlers: ((event: unknown) => void)[] = [];
    const fake = { on: (handler: (event: unknown) => void) => handlers.push(handler) };
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot()],
      providers: [Prices],
    })
      .overrideProvider(InvalidationListener)
      .useValue(fake)
      .compile();
    apps.push(app);
    await app.init();
    handlers.forEach((handler) => handler({ keys: ['k'] }));
    expect(app.get(getInvalidationListenerToken())).toBe(fake);
    expect(keysOf(app.get(Prices).events)).toEqual(['k']);
  });
});
