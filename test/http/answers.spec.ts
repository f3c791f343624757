import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  ForbiddenException,
  Get,
  Header,
  Headers,
  Param,
  Query,
  Res,
  UseGuards,
  UseInterceptors,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { PLATFORMS, startApp } from './http-app.js';

let runs = 0;
/** What has run behind the cache, beside handlers. */
let steps: string[] = [];

const DESCRIBING: Record<string, string> = {
  'cache-control': 'public, max-age=7',
  'content-language': 'en',
  'content-location': '/answers/there',
  'content-type': 'application/vnd.answer+json; charset=utf-8',
  etag: '"own"',
  expires: 'Thu, 01 Jan 2099 00:00:00 GMT',
  'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT',
  link: '</next>; rel="next"',
  location: '/elsewhere',
  vary: 'accept-encoding',
};

/** Lets in whoever says so, in a header that has nothing to do with the key. */
const doorman: CanActivate = {
  canActivate(context: ExecutionContext) {
    if (context.switchToHttp().getRequest().headers['x-banned']) throw new ForbiddenException();
    return true;
  },
};

const languageOf = (context: ExecutionContext): string =>
  context.switchToHttp().getRequest().headers['accept-language'];

const counting: PipeTransform = {
  transform(value: unknown) {
    steps.push('pipe');
    return value;
  },
};

const noting: NestInterceptor = {
  intercept(_, next) {
    steps.push('inner interceptor');
    return next.handle();
  },
};

@Controller('answers')
class AnswersController {
  @Get('status/:code')
  @Cacheable()
  status(@Param('code') code: string, @Res({ passthrough: true }) response: any) {
    response.status(Number(code));
    return { run: ++runs };
  }

  @Get('described')
  @Cacheable()
  described(@Res({ passthrough: true }) response: any) {
    for (const [name, value] of Object.entries(DESCRIBING)) response.header(name, value);
    return { run: ++runs };
  }

  @Get('guarded')
  @UseGuards(doorman)
  @UseInterceptors(noting)
  @Cacheable()
  guarded(@Query('q', counting) q: string) {
    return { q, run: ++runs };
  }

  @Get('varied')
  @Header('Vary', 'Accept-Language')
  @Cacheable({ http: { varyBy: languageOf } })
  varied(@Headers('accept-language') language: string) {
    return { language, run: ++runs };
  }

  @Get('max-age')
  @Header('Cache-Control', 'public, max-age=1')
  @Cacheable({ key: 'max-age', ttl: '5m' })
  maxAge() {
    return { run: ++runs };
  }

  @Get('control')
  @Cacheable({
    http: { cacheControl: 'public, max-age=60' },
    condition: (context) => context.switchToHttp().getRequest().query.fresh === undefined,
    unless: ({ bad }: { bad?: string }) => bad !== undefined,
  })
  control(@Query('bad') bad?: string) {
    return { bad, run: ++runs };
  }
}

beforeEach(() => {
  runs = 0;
  steps = [];
});

describe.each(PLATFORMS)('answers, on %s', (platform) => {
  const start = () => startApp(platform, { controllers: [AnswersController] });

  it.each([200, 201, 202, 203, 301, 308, 404, 410])(
    'P4 a handler sets %i → stored, and replayed with it',
    async (code) => {
      const { send } = await start();
      const path = `/answers/status/${code}`;
      const [miss, hit] = [await send(path), await send(path)];
      expect([miss.status, hit.status, hit.text]).toEqual([code, code, miss.text]);
      expect([hit.headers['x-cache'], runs]).toEqual(['HIT', 1]);
    },
  );

  it.each([206, 302, 303, 307, 400, 429, 500])(
    'P4 a handler sets %i → not stored',
    async (code) => {
      const { send } = await start();
      for (const run of [1, 2]) {
        const { status, headers } = await send(`/answers/status/${code}`);
        expect([status, runs]).toEqual([code, run]);
        expect(headers['cache-status']).toBe('nestjs-redis-cache; fwd=miss; detail=status');
      }
    },
  );

  it('P4 headers that describe the answer → replayed', async () => {
    const { send } = await start();
    for (const verdict of ['MISS', 'HIT']) {
      const { headers } = await send('/answers/described');
      expect(headers).toMatchObject({ ...DESCRIBING, 'x-cache': verdict });
    }
  });

  it('P2 guards → run for a hit as well; inner interceptors, pipes and the handler do not', async () => {
    const { send } = await start();
    await send('/answers/guarded?q=1');
    expect((await send('/answers/guarded?q=1')).headers['x-cache']).toBe('HIT');
    const banned = await send('/answers/guarded?q=1', { headers: { 'x-banned': '1' } });
    expect([banned.status, banned.headers['x-cache']]).toEqual([403, undefined]);
    expect([steps, runs]).toEqual([['inner interceptor', 'pipe'], 1]);
  });

  it('P2 Vary names a header, and varyBy is given → stored, by what that says', async () => {
    const { send } = await start();
    const said = [];
    for (const language of ['de', 'fr', 'de'])
      said.push(
        (await send('/answers/varied', { headers: { 'accept-language': language } })).json(),
      );
    const [de, fr] = [
      { language: 'de', run: 1 },
      { language: 'fr', run: 2 },
    ];
    expect(said).toEqual([de, fr, de]);
  });

  it('P2 Vary of a handler with varyBy → sent on a miss, a hit and a 304', async () => {
    const { send } = await start();
    const headers = { 'accept-language': 'de' };
    const { headers: miss } = await send('/answers/varied', { headers });
    const { headers: hit } = await send('/answers/varied', { headers });
    const conditional = { headers: { ...headers, 'if-none-match': miss.etag } };
    const { status, headers: known } = await send('/answers/varied', conditional);
    expect([miss['x-cache'], hit['x-cache'], status]).toEqual(['MISS', 'HIT', 304]);
    for (const { vary } of [miss, hit, known]) expect(vary?.toLowerCase()).toBe('accept-language');
  });

  it('P5 max-age of the handler → does not shorten the ttl', async () => {
    const { send, cache } = await start();
    await send('/answers/max-age');
    expect(await cache.ttl('max-age')).toBeGreaterThan(290_000);
  });

  it('P5 why it was not answered from the cache, or not stored → Cache-Status; cacheControl only where it was', async () => {
    const { send } = await start();
    const said = async (query: string, headers = {}) => {
      const reply = await send(`/answers/control?${query}`, { headers });
      return [reply.headers['cache-status'], reply.headers['cache-control']];
    };
    const ours = 'nestjs-redis-cache';
    const control = 'public, max-age=60';
    expect(await said('')).toEqual([`${ours}; fwd=miss; stored`, control]);
    expect((await said(''))[1]).toBe(control);
    expect(await said('fresh')).toEqual([`${ours}; fwd=bypass; detail=condition`, undefined]);
    expect(await said('bad=1')).toEqual([`${ours}; fwd=miss; detail=unless`, undefined]);
    expect(await said('', { 'cache-control': 'no-store' })).toEqual([
      `${ours}; fwd=request; detail=no-store`,
      undefined,
    ]);
  });
});
