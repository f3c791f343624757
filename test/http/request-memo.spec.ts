import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, UseGuards, type CanActivate } from '@nestjs/common';
import { APP_INTERCEPTOR, ExternalContextCreator } from '@nestjs/core';
import { of } from 'rxjs';
import { CacheService } from '../../lib/cache/cache.service.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { requestMemo, RequestMemoInterceptor } from '../../lib/http/request-memo.js';
import { PLATFORMS, startApp, type TestApp } from './http-app.js';

@Injectable()
class SessionGuard implements CanActivate {
  constructor(private readonly cache: CacheService) {}

  async canActivate(): Promise<boolean> {
    await this.cache.get('session');
    return true;
  }
}

@Controller()
class MemoController {
  constructor(private readonly cache: CacheService) {}

  @Get('twice')
  @UseGuards(SessionGuard)
  async twice() {
    const first = await this.cache.get('session');
    return [first, await this.cache.getOrSet('session', () => 'loaded')];
  }

  @Get('cached')
  @Cacheable({ key: 'cached', ttl: '1m' })
  cached() {
    return { run: ++runs };
  }
}

let runs = 0;

const memoHits = ({ cache }: TestApp): number => cache.stats().hits.memo;

describe.each(PLATFORMS)('a memo for each request, on %s', (platform) => {
  const controllers = [MemoController];

  it('C8 the middleware → guard and handler read a key once; the next request reads again', async () => {
    const app = await startApp(
      platform,
      { controllers, providers: [SessionGuard] },
      { configure: (own) => own.use(requestMemo(own.get(CacheService))) },
    );
    await app.cache.set('session', 'Kim');
    expect((await app.send('/twice')).json()).toEqual(['Kim', 'Kim']);
    expect(memoHits(app)).toBe(2);
    await app.cache.set('session', 'Lee');
    expect((await app.send('/twice')).json()).toEqual(['Lee', 'Lee']);
    expect(memoHits(app)).toBe(4);
  });

  it('C8 the interceptor → the handler reads a key once, guards are outside', async () => {
    const app = await startApp(platform, {
      controllers,
      providers: [SessionGuard, { provide: APP_INTERCEPTOR, useClass: RequestMemoInterceptor }],
    });
    await app.cache.set('session', 'Kim');
    expect((await app.send('/twice')).json()).toEqual(['Kim', 'Kim']);
    expect(memoHits(app)).toBe(1);
  });

  it.each(['graphql', 'rpc', 'ws'])(
    'C8 the interceptor in a context of %s → likewise',
    async (type) => {
      const app = await startApp(platform, {
        controllers,
        providers: [SessionGuard, { provide: APP_INTERCEPTOR, useClass: RequestMemoInterceptor }],
      });
      await app.cache.set('session', 'Kim');
      const controller = app.app.get(MemoController);
      const creator = app.app.get(ExternalContextCreator);
      const twice = creator.create(
        controller,
        controller.twice,
        'twice',
        undefined,
        undefined,
        undefined,
        undefined,
        undefined,
        type,
      );
      expect(await twice({}, {})).toEqual(['Kim', 'Kim']);
      expect(memoHits(app)).toBe(1);
    },
  );

  it('C8 a stand-in for the cache → everything passes through', async () => {
    const standIn = Object.create(CacheService.prototype) as CacheService;
    const answer = new RequestMemoInterceptor(standIn).intercept({} as never, {
      handle: () => of('answer'),
    });
    expect(await new Promise((resolve) => answer.subscribe(resolve))).toBe('answer');
    let passed = 0;
    requestMemo(standIn)({}, { once: () => expect(true).toBe(false) }, () => passed++);
    expect(passed).toBe(1);
  });

  it('R9 D8 setMode → handlers are cached or not, as it says', async () => {
    runs = 0;
    const { cache, send } = await startApp(platform, { controllers, providers: [SessionGuard] });
    const run = async (): Promise<number> =>
      ((await send('/cached')).json() as { run: number }).run;
    expect([await run(), await run()]).toEqual([1, 1]);
    cache.setMode('bypass');
    expect([await run(), await run()]).toEqual([2, 3]);
    cache.setMode('readonly');
    expect(await run()).toBe(1);
    cache.setMode('refresh');
    expect(await run()).toBe(4);
    cache.setMode('normal');
    expect(await run()).toBe(4);
    const { hits, misses, bypassed, loads } = cache.stats();
    expect([hits.l1 + hits.redis, misses, bypassed, loads]).toEqual([3, 1, 3, 4]);
  });
});
