import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, Param, Post, Query } from '@nestjs/common';
import { APP_INTERCEPTOR, ExternalContextCreator } from '@nestjs/core';
import { CacheService } from '../../lib/cache/cache.service.js';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { NoCache } from '../../lib/decorators/no-cache.decorator.js';
import { CacheableInterceptor } from '../../lib/http/cacheable.interceptor.js';
import { RedisCacheModule } from '../../lib/redis-cache.module.js';
import { PLATFORMS, startApp } from './http-app.js';

let runs = 0;

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
      controllers: [PlainController, ExcludedController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheableInterceptor }],
    });
    for (const [path, second] of [
      ['/plain', 'HIT'],
      ['/plain/decorated', 'HIT'],
      ['/plain/excluded', undefined],
      ['/excluded', undefined],
    ] as const) {
      await send(path);
      expect([path, await verdict(path)]).toEqual([path, second]);
    }
    expect((await send('/plain', { method: 'POST' })).headers['x-cache']).toBe('BYPASS');
    expect(await verdict('/plain/decorated')).toBe('MISS');
  });

  it('P10 bound globally and to the handler → acts once, by the options of the handler', async () => {
    const { send, cache } = await startApp(platform, {
      controllers: [PlainController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheableInterceptor }],
    });
    const { headers } = await send('/plain/decorated');
    expect(headers['cache-status']).toBe('nestjs-redis-cache; fwd=miss; stored');
    expect(await cache.ttl('decorated')).toBeGreaterThan(0);
  });

  it('D9 modules with caches of their own beside the global one → each handler has that of its module', async () => {
    const moduleWith = (name: string) => {
      @Controller(name)
      class OwnController {
        @Get()
        @Cacheable({ key: 'name' })
        find() {
          return { name };
        }

        @Post()
        @CacheEvict({ key: 'name' })
        change() {}
      }
      @Module({
        imports: [RedisCacheModule.forRoot({ isGlobal: false })],
        controllers: [OwnController],
      })
      class OwnModule {}
      return OwnModule;
    };
    const imports = [moduleWith('a'), moduleWith('b')];
    const { send, verdict } = await startApp(platform, { imports });
    for (const name of ['a', 'b']) expect((await send(`/${name}`)).json()).toEqual({ name });
    await send('/a', { method: 'POST' });
    expect([await verdict('/a'), await verdict('/b')]).toEqual(['MISS', 'HIT']);
  });
});
