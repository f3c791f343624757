import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Headers,
  Req,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { PLATFORMS, startApp } from './http-app.js';

const who = (request: any): string =>
  request.user?.id ?? request.headers.authorization ?? request.headers.cookie ?? 'nobody';

const tenant = (context: ExecutionContext): string | undefined =>
  context.switchToHttp().getRequest().headers['x-tenant'];

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

  it('P2 shared: true — different users → one entry', async () => {
    const { send, verdict, log } = await start();
    await send('/me/shared', { headers: { authorization: 'a' } });
    expect(await verdict('/me/shared', { cookie: 'b=1' })).toBe('HIT');
    expect(log).toEqual([]);
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
