import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  Post,
  Query,
  Scope,
  type DynamicModule,
} from '@nestjs/common';
import { APP_INTERCEPTOR, ExternalContextCreator, RouterModule } from '@nestjs/core';
import { CacheService } from '../../lib/cache/cache.service.js';
import { getCacheToken } from '../../lib/common/tokens.js';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { NoCache } from '../../lib/decorators/no-cache.decorator.js';
import { CacheEvictInterceptor } from '../../lib/http/cache-evict.interceptor.js';
import { CacheableInterceptor } from '../../lib/http/cacheable.interceptor.js';
import { RedisCacheModule } from '../../lib/redis-cache.module.js';
import { PLATFORMS, startApp } from './http-app.js';

let runs = 0;

const OURS = [CacheableInterceptor, CacheEvictInterceptor];

@Controller('plain')
class PlainController {
  @Get()
  find() {
    return { run: ++runs };
  }

  @Get('decorated')
  @Cacheable({ key: 'decorated' })
  decorated() {
    return { run: ++runs };
  }

  @Get('excluded')
  @NoCache()
  excluded() {
    return { run: ++runs };
  }

  @Post()
  @CacheEvict({ key: 'decorated' })
  change() {
    return { run: ++runs };
  }
}

@NoCache()
@Controller('excluded')
class ExcludedController {
  @Get()
  @Cacheable()
  find() {
    return { run: ++runs };
  }
}

@NoCache()
@Controller('inherited')
class InheritedController extends PlainController {}

/** What an application adds to it, it still is one of ours. */
class OwnInterceptor extends CacheableInterceptor {}

@Injectable()
class Search {
  @Cacheable()
  async find(path: object, query: object) {
    return { ...path, ...query, run: ++runs };
  }
}

/** Handlers that ask the cache while they are loaded by it. */
@Controller('within')
class WithinController {
  constructor(private readonly cache: CacheService) {}

  @Get('own')
  @Cacheable({ key: 'own' })
  async own() {
    return { own: await this.cache.getOrSet('own', () => 'a value') };
  }

  @Get('another')
  @Cacheable({ key: 'one' })
  async another() {
    return { another: await this.cache.getOrSet('another', () => 'a value') };
  }
}

@Controller('search')
class SearchController {
  constructor(private readonly search: Search) {}

  @Get(':kind')
  find(@Param() path: object, @Query() query: object) {
    return this.search.find(path, query);
  }
}

beforeEach(() => {
  runs = 0;
});

describe.each(PLATFORMS)('other contexts, on %s', (platform) => {
  it.each(['graphql', 'rpc', 'ws'])(
    'P8 %s → the interceptors pass through and touch nothing, the methods are cached by themselves',
    async (type) => {
      const { app, log } = await startApp(platform, { controllers: [PlainController] });
      const controller = app.get(PlainController);
      const creator = app.get(ExternalContextCreator);
      const call = (handler: 'decorated' | 'change') =>
        creator.create(
          controller,
          controller[handler],
          handler,
          undefined,
          undefined,
          undefined,
          undefined,
          undefined,
          type,
        );
      // What a resolver or a message handler gets, at its worst: things that look like a request and a response.
      const touched = (): never => {
        throw new Error('touched');
      };
      const payload = { method: 'GET', originalUrl: '/plain', url: '/plain', headers: {} };
      const other = { statusCode: 200, getHeader: touched, setHeader: touched };
      for (const _ of [1, 2]) expect(await call('decorated')(payload, other)).toEqual({ run: 1 });
      expect(await call('change')(payload, other)).toEqual({ run: 2 });
      expect(await call('decorated')(payload, other)).toEqual({ run: 3 });
      expect(log).toEqual([]);
    },
  );

  it('D3 P8 a handler hands path and query to a method → its key is that of equal plain objects', async () => {
    const { app, send } = await startApp(platform, {
      controllers: [SearchController],
      providers: [Search],
    });
    for (const path of ['/search/cats?a=1&b=2', '/search/cats?b=2&a=1'])
      expect((await send(path)).json()).toEqual({ kind: 'cats', a: '1', b: '2', run: 1 });
    const plain = app.get(Search).find({ kind: 'cats' }, { a: '1', b: '2' });
    expect(await plain).toMatchObject({ run: 1 });
    expect((await send('/search/cats?a=2')).json()).toMatchObject({ run: 2 });
  });

  it('P8 an HTTP request of neither Express nor Fastify → passes through', async () => {
    const { app } = await startApp(platform, { controllers: [PlainController] });
    const controller = app.get(PlainController);
    const handler = app
      .get(ExternalContextCreator)
      .create(controller, controller.decorated, 'decorated');
    expect(await handler({ method: 'GET', url: '/' }, {})).toEqual({ run: 1 });
  });

  it('P8 L13 handlers ask for their own key, and for another, one load at a time → none waits for itself', async () => {
    const { send } = await startApp(
      platform,
      { controllers: [WithinController] },
      { options: { loaderConcurrency: 1 } },
    );
    for (const name of ['own', 'another'])
      expect((await send(`/within/${name}`)).json()).toEqual({ [name]: 'a value' });
  });

  it('P10 bound globally → GET handlers are cached, others and @NoCache are not', async () => {
    const { verdict, send } = await startApp(platform, {
      controllers: [PlainController, ExcludedController, InheritedController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheableInterceptor }],
    });
    for (const [path, second] of [
      ['/plain', 'HIT'],
      ['/plain/decorated', 'HIT'],
      ['/plain/excluded', undefined],
      ['/excluded', undefined],
      ['/inherited', undefined],
    ] as const) {
      await send(path);
      expect([path, await verdict(path)]).toEqual([path, second]);
    }
    expect((await send('/plain', { method: 'POST' })).headers['x-cache']).toBe('BYPASS');
    expect(await verdict('/plain/decorated')).toBe('MISS');
  });

  it.each([CacheableInterceptor, OwnInterceptor])(
    'P10 %p bound globally, and to the handler → acts once, by the options of the handler',
    async (useClass) => {
      const { send, cache } = await startApp(platform, {
        controllers: [PlainController],
        providers: [{ provide: APP_INTERCEPTOR, useClass }],
      });
      const { headers } = await send('/plain/decorated');
      expect(headers['cache-status']).toBe('nestjs-redis-cache; fwd=miss; stored');
      expect(await cache.ttl('decorated')).toBeGreaterThan(0);
      expect(cache.stats().loads).toBe(1);
    },
  );

  it.each([
    { which: 'the unnamed ones', name: undefined, global: [] },
    { which: 'of one name', name: 'own', global: [] },
    { which: 'the unnamed ones, interceptors bound globally', name: undefined, global: OURS },
    { which: 'of one name, interceptors bound globally', name: 'own', global: OURS },
    { which: 'of one name, for each request', name: 'own', global: OURS, scope: Scope.REQUEST },
  ])(
    'D9 K1 modules with caches of their own beside the global one, $which → each handler has that of its module',
    async ({ name, global, scope }) => {
      const moduleWith = (path: string) => {
        @Controller({ path, scope })
        class OwnController {
          @Get()
          @Cacheable({ key: 'key', cache: name })
          find() {
            return { path };
          }

          @Post()
          @CacheEvict({ key: 'key', cache: name })
          change() {}
        }
        Object.defineProperty(OwnController, 'name', { value: `Controller of ${path}` });
        @Module({
          imports: [RedisCacheModule.forRoot({ isGlobal: false, name })],
          controllers: [OwnController],
        })
        class OwnModule {
          constructor(@Inject(getCacheToken(name)) readonly cache: CacheService) {}
        }
        return OwnModule;
      };
      const imports = ['a', 'b'].map(moduleWith);
      const { app, send, verdict, log } = await startApp(platform, {
        imports,
        providers: global.map((useClass) => ({ provide: APP_INTERCEPTOR, useClass })),
      });
      for (const path of ['a', 'b']) expect((await send(`/${path}`)).json()).toEqual({ path });
      for (const module of imports)
        expect(await app.get(module).cache.ttl('key')).toBeGreaterThan(0);
      await send('/a', { method: 'POST' });
      expect([await verdict('/a'), await verdict('/b')]).toEqual(['MISS', 'HIT']);
      expect(log).toEqual([]); // two caches, and so not one key of two handlers
    },
  );

  it('D9 one controller in two modules with caches of their own, the interceptor bound globally → each has that of its module', async () => {
    class OwnController {
      constructor(@Inject('path') private readonly path: string) {}

      @Get()
      @Cacheable({ key: 'key' })
      find() {
        return { path: this.path };
      }
    }
    Controller()(OwnController);
    const moduleWith = (path: string): DynamicModule => ({
      module: class {},
      imports: [RedisCacheModule.forRoot({ isGlobal: false })],
      controllers: [OwnController],
      providers: [{ provide: 'path', useValue: path }],
    });
    const modules = ['a', 'b'].map(moduleWith);
    const { send } = await startApp(platform, {
      imports: [
        ...modules,
        RouterModule.register(['a', 'b'].map((path, i) => ({ path, module: modules[i]!.module }))),
      ],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheableInterceptor }],
    });
    for (const verdict of ['MISS', 'HIT'])
      for (const path of ['a', 'b']) {
        const { headers, json } = await send(`/${path}`);
        expect([headers['x-cache'], json()]).toEqual([verdict, { path }]);
      }
  });
});
