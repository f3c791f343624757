import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Headers,
  Ip,
  Param,
  Req,
  Scope,
  Session,
  type ExecutionContext,
  UseInterceptors,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import { CachePut } from '../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { CacheableInterceptor } from '../../lib/http/cacheable.interceptor.js';
import { PLATFORMS, startApp } from './http-app.js';

const who = (request: any): string =>
  (request.user ?? request.raw?.user)?.id ??
  request.headers.authorization ??
  request.headers.cookie ??
  'nobody';

const tenant = (context: ExecutionContext): string | undefined =>
  context.switchToHttp().getRequest().headers['x-tenant'];

const logInLate: NestInterceptor = {
  intercept(context, next) {
    const request = context.switchToHttp().getRequest();
    const id: unknown = request.headers['x-late-user'];
    if (id) request.user = { id };
    return next.handle();
  },
};

@Controller('clients')
class ClientsController {
  @Get('language')
  @Cacheable()
  language(@Headers('accept-language') language: string) {
    return { language };
  }

  @Get('address')
  @Cacheable()
  address(@Ip() address: string) {
    return { address };
  }

  @Get('session')
  @Cacheable()
  session(@Session() session: object) {
    return { session };
  }

  @Get('varied')
  @Cacheable({ http: { varyBy: (context) => tenant(context) } })
  varied(@Headers('x-tenant') of: string) {
    return { of };
  }

  @Get('keyed')
  @Cacheable({ key: ['language', '{headers.accept-language}'] })
  keyed(@Headers('accept-language') language: string) {
    return { language };
  }

  @Get('shared')
  @Cacheable({ http: { shared: true } })
  shared(@Headers('accept-language') language: string) {
    return { isAsked: language !== undefined };
  }
}

@Controller('same')
class SameKeyController {
  @Get('one')
  @Cacheable({ key: 'list' })
  one() {
    return {};
  }

  @Get('other')
  @Cacheable({ key: 'list' })
  other() {
    return {};
  }

  @Get('put')
  @CachePut({ key: 'list' })
  put() {
    return {};
  }

  @Get('of-its-own')
  @Cacheable({ key: 'list', namespace: 'others' })
  own() {
    return {};
  }

  @Get('varied')
  @Cacheable({ key: 'list', http: { varyBy: (context) => tenant(context) } })
  varied() {
    return {};
  }

  @Get('template')
  @Cacheable({ key: ['list', '{query.page}'] })
  pages() {
    return {};
  }
}

@Controller({ path: 'made', scope: Scope.REQUEST })
class MadeAnewController {
  @Get()
  @Cacheable()
  find() {
    return {};
  }

  /** No handler. */
  @Cacheable()
  async mine() {
    return {};
  }
}

@Controller('me')
class MeController {
  @Get('plain')
  @Cacheable()
  plain(@Req() request: any) {
    return { who: who(request) };
  }

  @Get('explicit')
  @Cacheable({ key: 'me' })
  explicit(@Req() request: any) {
    return { who: who(request) };
  }

  @Get('shared')
  @Cacheable({ http: { shared: true } })
  shared() {
    return { everybody: true };
  }

  @Get('varied')
  @Cacheable({ key: 'of-tenant', http: { varyBy: tenant } })
  varied(@Headers('x-tenant') of: string) {
    return { of };
  }

  /** It is an interceptor behind the cache's that knows the user. */
  @Get('late')
  @UseInterceptors(logInLate)
  @Cacheable()
  late(@Req() request: any) {
    return { who: who(request) };
  }

  @Get('undecorated')
  @UseInterceptors(logInLate)
  undecorated(@Req() request: any) {
    return { who: who(request) };
  }

  @Get('by-user')
  @Cacheable({ key: 'mine:{user.id}' })
  byUser(@Req() request: any) {
    return { who: who(request) };
  }

  @Get('by-authorization')
  @Cacheable({ key: 'mine:{headers.authorization}' })
  byAuthorization(@Req() request: any) {
    return { who: who(request) };
  }

  @Get('by-cookie')
  @Cacheable({ key: 'mine:{headers.Cookie}' })
  byCookie(@Req() request: any) {
    return { who: who(request) };
  }
}

/** Who asks, for those who are not given the request. */
const asking = new AsyncLocalStorage<string>();

class BaseController {
  @Get('me')
  @Cacheable()
  async me() {
    return { who: asking.getStore() };
  }

  @Get('keyed/:id')
  @Cacheable({ key: 'base:{params.id}' })
  async keyed(@Param('id') id: string): Promise<object> {
    return { id, who: asking.getStore() };
  }
}

@Controller('overriding')
class OverridingController extends BaseController {
  @Get('me')
  override async me() {
    return super.me();
  }

  @Get('keyed/:id')
  override async keyed(@Param('id') id: string) {
    return super.keyed(id);
  }
}

/** What a guard of passport does. */
const logIn = (app: INestApplication): void => {
  app.useGlobalGuards({
    canActivate(context) {
      const request = context.switchToHttp().getRequest();
      const id: unknown = request.headers['x-user'];
      if (id) request.user = { id };
      return true;
    },
  });
};

const logInEarly = (request: any, _: unknown, next: () => void): void => {
  const id: unknown = request.headers['x-user'];
  if (id) request.user = { id };
  next();
};

describe.each(PLATFORMS)('whose response it is, on %s', (platform) => {
  const start = () => startApp(platform, { controllers: [MeController] }, { configure: logIn });

  it.each([
    ['authorization', { authorization: 'Bearer a' }, { authorization: 'Bearer b' }],
    ['cookie', { cookie: 'sid=a' }, { cookie: 'sid=b' }],
    ['user', { 'x-user': 'a' }, { 'x-user': 'b' }],
  ])('P2 %s — plain route → each gets its own body, with one warning', async (detail, a, b) => {
    const { send, log } = await start();
    for (const path of ['/me/plain', '/me/explicit']) {
      const [first, second] = [await send(path, { headers: a }), await send(path, { headers: b })];
      expect(first.json().who).not.toBe(second.json().who);
      expect(second.headers).toMatchObject({
        'x-cache': 'BYPASS',
        'cache-status': `nestjs-redis-cache; fwd=bypass; detail=${detail}`,
      });
      expect((await send(path)).json()).toEqual({ who: 'nobody' });
      expect((await send(path, { headers: a })).json()).toEqual(first.json());
    }
    expect(log).toHaveLength(2);
    expect(log[0]).toMatch(/@Cacheable on MeController\.plain: .*shared: true.*varyBy/);
  });

  it('P2 a user of a middleware → each gets its own body; a key may name it', async () => {
    const { send, verdict } = await startApp(
      platform,
      { controllers: [MeController] },
      { configure: (app) => app.use(logInEarly) },
    );
    const as = (id: string) => ({ headers: { 'x-user': id } });
    for (const path of ['/me/plain', '/me/by-user'])
      for (const id of ['a', 'b']) expect((await send(path, as(id))).json()).toEqual({ who: id });
    expect((await send('/me/plain')).json()).toEqual({ who: 'nobody' });
    expect(await verdict('/me/by-user', { 'x-user': 'a' })).toBe('HIT');
  });

  it.each([
    ['/me/late', []],
    ['/me/undecorated', [{ provide: APP_INTERCEPTOR, useClass: CacheableInterceptor }]],
  ])(
    'P2 %s, where the user is known late → not stored, with one warning',
    async (path, providers) => {
      const metadata = { controllers: [MeController], providers };
      const { send, log } = await startApp(platform, metadata);
      for (const id of ['a', 'b']) {
        const { headers, json } = await send(path, { headers: { 'x-late-user': id } });
        expect(json()).toEqual({ who: id });
        expect(headers['cache-status']).toBe('nestjs-redis-cache; fwd=miss; detail=user');
      }
      expect((await send(path)).json()).toEqual({ who: 'nobody' });
      expect(log).toEqual([expect.stringMatching(/not stored: .* in a guard or a middleware/)]);
    },
  );

  it('P2 shared: true — different users → one entry', async () => {
    const { send, verdict, log } = await start();
    await send('/me/shared', { headers: { authorization: 'a' } });
    expect(await verdict('/me/shared', { cookie: 'b=1' })).toBe('HIT');
    expect(log).toEqual([]);
  });

  it('P2 a handler that is not decorated calls one that is, by super → not cached', async () => {
    const { send } = await startApp(
      platform,
      { controllers: [OverridingController] },
      {
        configure: (app) =>
          app.use(({ headers }: any, _: unknown, next: () => void) =>
            asking.run(headers.authorization, next),
          ),
      },
    );
    for (const authorization of ['ann', 'bob']) {
      const [me, keyed] = [
        await send('/overriding/me', { headers: { authorization } }),
        await send('/overriding/keyed/7', { headers: { authorization } }),
      ];
      expect([me.json(), keyed.json()]).toEqual([
        { who: authorization },
        { id: '7', who: authorization },
      ]);
    }
  });

  it('P2 varyBy — one entry for each value; none → bypass with one warning', async () => {
    const { send, verdict, cache, log } = await start();
    const as = (of: string) => ({ 'x-tenant': of, cookie: `of=${of}` });
    expect((await send('/me/varied', { headers: as('a') })).json()).toEqual({ of: 'a' });
    expect((await send('/me/varied', { headers: as('b') })).json()).toEqual({ of: 'b' });
    expect(await verdict('/me/varied', as('a'))).toBe('HIT');
    expect(
      await cache.evict([
        ['of-tenant', 'a'],
        ['of-tenant', 'c'],
      ]),
    ).toBe(1);
    expect(await verdict('/me/varied', as('b'))).toBe('HIT');
    expect(await verdict('/me/varied')).toBe('BYPASS');
    expect(await verdict('/me/varied')).toBe('BYPASS');
    expect(log).toEqual([expect.stringMatching(/varyBy gives nothing/)]);
  });

  it('P2 a handler is given more of its client than its default key knows → one warning at the start', async () => {
    const { log } = await startApp(platform, {
      controllers: [ClientsController, MadeAnewController],
    });
    expect(log.filter((line) => line.includes('of which the default key knows nothing'))).toEqual([
      expect.stringMatching(/ClientsController.language: it takes @Headers\(\)/),
      expect.stringMatching(/ClientsController.address: it takes @Ip\(\)/),
      expect.stringMatching(/ClientsController.session: it takes @Session\(\)/),
      expect.stringMatching(/MadeAnewController.find: its controller is made anew/),
      expect.stringMatching(/MadeAnewController.mine: its provider is made anew/),
    ]);
  });

  it('P2 two handlers with one key → one warning at the start, for the second', async () => {
    const { log } = await startApp(platform, { controllers: [SameKeyController] });
    expect(log.filter((line) => line.includes('has stored'))).toEqual([
      expect.stringMatching(
        /SameKeyController\.other: its key "list" is that of SameKeyController\.one as well/,
      ),
    ]);
  });

  it.each([
    ['/me/by-user', 'x-user'],
    ['/me/by-authorization', 'authorization'],
    ['/me/by-cookie', 'cookie'],
  ])(
    'P2 a key that names the user, %s → one entry for each; nobody → bypass',
    async (path, header) => {
      const { send, verdict } = await start();
      for (const id of ['a', 'b'])
        expect((await send(path, { headers: { [header]: id } })).json()).toEqual({ who: id });
      expect(await verdict(path, { [header]: 'a' })).toBe('HIT');
      expect(await verdict(path)).toBe('BYPASS');
    },
  );
});
