import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  Header,
  Headers,
  Head,
  HttpCode,
  Param,
  Post,
  Query,
  Res,
  VersioningType,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { engineOf } from '../../lib/cache/cache.service.js';
import type { Duration } from '../../lib/common/duration.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { announce, PLATFORMS, startApp, type TestApp } from './http-app.js';

let runs = 0;
let door: Gate | undefined;
const count = async <T>(value: T): Promise<T & { run: number }> => {
  const run = ++runs;
  await door?.pass();
  return { ...value, run };
};

@Controller('cats')
class CatsController {
  @Get('list')
  @Cacheable()
  list(@Query() query: object) {
    return count({ query });
  }

  @Get('by-template/:id')
  @Cacheable({ key: 'cat:{params.id}' })
  byTemplate(@Param('id') id: string) {
    return count({ id });
  }

  @Get('by-page')
  @Cacheable({ key: ['cats', '{query.page}', 1] })
  byPage() {
    return count({});
  }

  @Get('by-language')
  @Cacheable({ key: 'cats:in:{headers.accept-language}' })
  byLanguage(@Headers('accept-language') language: string) {
    return count({ language });
  }

  @Get('by-function')
  @Cacheable({
    key: (context: ExecutionContext) => context.switchToHttp().getRequest().query.key,
  })
  byFunction() {
    return count({});
  }

  @Post('search')
  @Cacheable({ key: 'search:{body.text}' })
  search(@Body('text') text: string) {
    return count({ text });
  }

  @Post('no-key')
  @Cacheable()
  noKey() {
    return count({});
  }

  @Get('status')
  @HttpCode(201)
  @Header('Content-Language', 'en')
  @Cacheable({ http: { headers: ['X-Total'] } })
  status(@Res({ passthrough: true }) response: any) {
    response.status(203);
    response.header('x-total', '17');
    response.header('x-own', 'mine');
    response.header('location', '/elsewhere');
    return count({});
  }

  @Get('nothing')
  @HttpCode(204)
  @Cacheable()
  nothing() {
    runs += 1;
  }

  @Get('null')
  @Cacheable()
  null() {
    runs += 1;
    return null;
  }

  @Get('text')
  @Cacheable()
  text() {
    return `text ${++runs}`;
  }

  @Get('ttl')
  @Cacheable({ ttl: 20 })
  ttl() {
    return count({});
  }

  @Get('conditional')
  @Cacheable({
    condition: (context) => context.switchToHttp().getRequest().query.fresh === undefined,
    unless: (result) => result.query.bad === 'yes',
  })
  conditional(@Query() query: object) {
    return count({ query });
  }

  @Head('headed')
  @Cacheable()
  head() {
    runs += 1;
    return 'of HEAD';
  }

  @Get('headed')
  @Cacheable()
  headed() {
    return count({});
  }

  @Get('rewritten/:variant')
  @Cacheable()
  rewritten(@Param('variant') variant: string) {
    return count({ variant });
  }

  @Get('slow')
  @Cacheable({ key: 'slow' })
  async slow() {
    return count({});
  }

  @Get('cors')
  @Cacheable({ key: 'cors:{headers.accept-language}' })
  cors() {
    return count({});
  }

  @Get('forced')
  @Cacheable({ force: true })
  forced() {
    return count({});
  }
}

@Controller({ path: 'cats', version: '1' })
class CatsV1 {
  @Get('same')
  @Cacheable()
  find() {
    return count({ version: 1 });
  }
}

const CatsV2 = (() => {
  @Controller({ path: 'cats', version: '2' })
  class CatsV1 {
    @Get('same')
    @Cacheable()
    find() {
      return count({ version: 2 });
    }
  }
  return CatsV1;
})();

@Controller({ host: ':tenant.test', path: 'tenant' })
class TenantController {
  @Get()
  @Cacheable()
  find(@Headers('host') host: string) {
    return count({ host });
  }
}

beforeEach(() => {
  runs = 0;
  door = undefined;
});

describe.each(PLATFORMS)('@Cacheable on %s', (platform) => {
  const controllers = [CatsController];
  const start = () => startApp(platform, { controllers });

  it('P1 handler — second request → answered from the cache, body and headers alike', async () => {
    const { send } = await start();
    const miss = await send('/cats/list?a=1');
    const hit = await send('/cats/list?a=1');
    expect(miss.json()).toEqual({ query: { a: '1' }, run: 1 });
    expect(hit.text).toBe(miss.text);
    expect(hit.status).toBe(200);
    expect(hit.headers['content-type']).toBe(miss.headers['content-type']);
    expect([miss.headers['x-cache'], hit.headers['x-cache']]).toEqual(['MISS', 'HIT']);
  });

  it('P1 default key — query in another order → one entry; another value or repeated order → another', async () => {
    const { verdict } = await start();
    expect(await verdict('/cats/list?a=1&b=2')).toBe('MISS');
    expect(await verdict('/cats/list?b=2&a=1')).toBe('HIT');
    expect(await verdict('/cats/list?a=1&b=3')).toBe('MISS');
    expect(await verdict('/cats/list?a=1&a=2')).toBe('MISS');
    expect(await verdict('/cats/list?a=2&a=1')).toBe('MISS');
    expect(await verdict('/cats/list')).toBe('MISS');
  });

  it('P1 HEAD and GET — either first → the handler runs once', async () => {
    const { send } = await start();
    const head = await send('/cats/list?h=1', { method: 'HEAD' });
    const get = await send('/cats/list?h=1');
    expect(head.status).toBe(200);
    expect(head.text).toBe('');
    expect(get.headers['x-cache']).toBe('HIT');
    expect(get.headers.etag).toBe(head.headers.etag);
    expect(get.json().run).toBe(1);
    expect((await send('/cats/list?h=1', { method: 'HEAD' })).headers['x-cache']).toBe('HIT');
    expect(runs).toBe(1);
  });

  it('P1 concurrent misses of one URL → the handler runs once', async () => {
    const received = new Gate();
    const { send } = await startApp(platform, { controllers }, { configure: announce(received) });
    door = new Gate();
    const replies = Array.from({ length: 20 }, () => send('/cats/list?c=1'));
    await Promise.all([received.arrived(20), door.arrived()]);
    door.open();
    const all = await Promise.all(replies);
    expect(new Set(all.map(({ text }) => text)).size).toBe(1);
    expect(runs).toBe(1);
    const statuses = all.map(({ headers }) => String(headers['cache-status']));
    expect(new Set(statuses)).toEqual(
      new Set(['nestjs-redis-cache; fwd=miss; stored', 'nestjs-redis-cache; fwd=miss; collapsed']),
    );
  });

  it('P1 global prefix, version and host — same path below them → an entry each', async () => {
    const { verdict, send } = await startApp(
      platform,
      { controllers: [CatsV1, CatsV2, TenantController] },
      {
        configure: (app) =>
          app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.HEADER, header: 'v' }),
      },
    );
    expect((await send('/api/cats/same', { headers: { v: '1' } })).json().version).toBe(1);
    expect((await send('/api/cats/same', { headers: { v: '2' } })).json().version).toBe(2);
    expect(await verdict('/api/cats/same', { v: '2' })).toBe('HIT');
    expect(await verdict('/api/tenant', { host: 'a.test' })).toBe('MISS');
    expect(await verdict('/api/tenant', { host: 'b.test' })).toBe('MISS');
    expect(await verdict('/api/tenant', { host: 'b.test' })).toBe('HIT');
  });

  it('P1 another host → an entry of its own; another port is the same host', async () => {
    const { verdict } = await start();
    const verdicts = [];
    for (const host of ['a.test', 'b.test', 'a.test:81'])
      verdicts.push(await verdict('/cats/list', { host }));
    expect(verdicts).toEqual(['MISS', 'MISS', 'HIT']);
  });

  it('P1 another scheme, by a proxy → an entry of its own if that is trusted; that of the connection is none of its own', async () => {
    const verdicts = async ({ verdict }: TestApp): Promise<unknown[]> => {
      const seen = [await verdict('/cats/list')];
      for (const scheme of ['http', 'https', 'https', ',', ','])
        seen.push(await verdict('/cats/list', { 'x-forwarded-proto': scheme }));
      return seen;
    };
    const behind = await startApp(platform, { controllers }, { behindProxy: true });
    expect(await verdicts(behind)).toEqual(['MISS', 'HIT', 'MISS', 'HIT', 'MISS', 'HIT']);
    expect(await verdicts(await start())).toEqual(['MISS', 'HIT', 'HIT', 'HIT', 'HIT', 'HIT']);
  });

  it('P1 a HEAD handler of its own → an entry of its own', async () => {
    const { send } = await start();
    await send('/cats/headed', { method: 'HEAD' });
    expect((await send('/cats/headed')).json()).toEqual({ run: 2 });
  });

  it('P1 CORS says Vary: Origin → stored, and Vary says both on a hit', async () => {
    const { send } = await startApp(
      platform,
      { controllers },
      { configure: (app) => app.enableCors({ origin: ['http://a.test', 'http://b.test'] }) },
    );
    const from = (origin: string) =>
      send('/cats/cors', { headers: { origin, 'accept-language': 'de' } });
    await from('http://a.test');
    const { headers } = await from('http://b.test');
    expect(headers).toMatchObject({
      'x-cache': 'HIT',
      'access-control-allow-origin': 'http://b.test',
    });
    expect(headers.vary?.toLowerCase().split(', ').sort()).toEqual(['accept-language', 'origin']);
  });

  it('P4 Vary of a middleware on the hit alone → kept beside the stored one', async () => {
    const configure = (app: INestApplication) =>
      app.use((request: any, response: any, next: () => void) => {
        if (request.headers['x-compress']) response.setHeader('Vary', 'Accept-Encoding');
        next();
      });
    const { send } = await startApp(platform, { controllers }, { configure });
    const headers = { 'accept-language': 'de' };
    await send('/cats/cors', { headers });
    const hit = await send('/cats/cors', { headers: { ...headers, 'x-compress': '1' } });
    expect(hit.headers['x-cache']).toBe('HIT');
    expect(hit.headers.vary).toBe('Accept-Encoding, accept-language');
  });

  it('loaderTimeout passes → the request gets its answer, which is not stored', async () => {
    const { send } = await startApp(
      platform,
      { controllers },
      { options: { loaderTimeout: 20, lease: { waitTimeout: '10s' } } },
    );
    door = new Gate();
    const slow = send('/cats/slow');
    await door.arrived();
    // Comes while the first one is at work; it is told that the load has failed, and runs the handler itself.
    const other = send('/cats/slow');
    await door.arrived(2);
    door.open();
    expect((await slow).json()).toEqual({ run: 1 });
    expect((await other).json()).toEqual({ run: 2 });
    expect((await slow).headers['cache-status']).toBe('nestjs-redis-cache; fwd=miss');
  });

  it('the stored bytes are no response → a miss, replaced', async () => {
    const { send, verdict, cache } = await start();
    const engine = engineOf(cache)!;
    const key = engine.keySpace().entry('cat:7');
    await engine.loadHttp(key, async () => Buffer.from('garbage'), {});
    expect((await send('/cats/by-template/7')).json().run).toBe(1);
    expect(await verdict('/cats/by-template/7')).toBe('HIT');
  });

  it('P1 URL version — two versions of one handler → an entry each', async () => {
    const { send } = await startApp(
      platform,
      { controllers: [CatsV1, CatsV2] },
      { configure: (app) => app.enableVersioning({ type: VersioningType.URI }) },
    );
    expect((await send('/v1/cats/same')).json().version).toBe(1);
    expect((await send('/v2/cats/same')).json().version).toBe(2);
  });

  it('key — template, array and function → one entry for each value', async () => {
    const { send, verdict, cache } = await start();
    await send('/cats/by-template/7');
    expect(await verdict('/cats/by-template/7?other=1')).toBe('HIT');
    expect(await verdict('/cats/by-template/8')).toBe('MISS');
    expect(await cache.evict('cat:7')).toBe(1);
    expect(await verdict('/cats/by-template/7')).toBe('MISS');
    await send('/cats/by-page?page=2');
    expect(await cache.evict([['cats', '2', 1]])).toBe(1);
    expect(await verdict('/cats/by-function?key=k')).toBe('MISS');
    expect(await verdict('/cats/by-function?key=k')).toBe('HIT');
  });

  it('key — an HTTP entry → a miss for get, an entry for ttl', async () => {
    const { send, cache } = await start();
    await send('/cats/by-template/7');
    expect(await cache.get('cat:7')).toBeUndefined();
    expect(await cache.has('cat:7')).toBe(false);
    expect(await cache.ttl('cat:7')).toBeGreaterThan(290_000);
  });

  it.each([
    '/cats/by-page',
    '/cats/by-page?page=1&page=2',
    '/cats/by-function',
    '/cats/by-function?key=',
  ])(
    'key — a value is missing in %s → bypass with one warning, never a shared key',
    async (path) => {
      const { send, log } = await start();
      const first = await send(path);
      const second = await send(path);
      expect([first.json().run, second.json().run]).toEqual([1, 2]);
      expect(second.headers['cache-status']).toBe('nestjs-redis-cache; fwd=bypass; detail=key');
      expect(log).toEqual([
        expect.stringMatching(/^@Cacheable on CatsController\.by\w+: .*no value/),
      ]);
    },
  );

  it('key — names a request header → Vary names it on hit and miss', async () => {
    const { send } = await start();
    const headers = { 'accept-language': 'de' };
    const miss = await send('/cats/by-language', { headers });
    const hit = await send('/cats/by-language', { headers });
    expect(hit.headers['x-cache']).toBe('HIT');
    for (const reply of [miss, hit]) expect(reply.headers.vary).toBe('accept-language');
    expect(
      (await send('/cats/by-language', { headers: { 'accept-language': 'fr' } })).json(),
    ).toMatchObject({ language: 'fr' });
  });

  it('P3 POST — explicit key → cached; without one → fwd=method', async () => {
    const { send } = await start();
    const post = (path: string, text: string) => send(path, { method: 'POST', body: { text } });
    expect((await post('/cats/search', 'x')).json()).toEqual({ text: 'x', run: 1 });
    const hit = await post('/cats/search', 'x');
    expect(hit.json()).toEqual({ text: 'x', run: 1 });
    expect(hit.status).toBe(201);
    expect((await post('/cats/search', 'y')).json().run).toBe(2);
    await post('/cats/no-key', 'x');
    const again = await post('/cats/no-key', 'x');
    expect(again.headers['cache-status']).toBe('nestjs-redis-cache; fwd=method');
    expect(again.json().run).toBe(4);
  });

  it('P4 status and chosen headers — hit → replayed; others are not', async () => {
    const { send } = await start();
    const miss = await send('/cats/status');
    const hit = await send('/cats/status');
    expect(hit.headers['x-cache']).toBe('HIT');
    for (const reply of [miss, hit]) {
      expect(reply.status).toBe(203);
      expect(reply.headers).toMatchObject({
        'content-language': 'en',
        'x-total': '17',
        location: '/elsewhere',
      });
    }
    expect([miss.headers['x-own'], hit.headers['x-own']]).toEqual(['mine', undefined]);
  });

  it('P4 204 — hit → 204 without a body', async () => {
    const { send } = await start();
    await send('/cats/nothing');
    const hit = await send('/cats/nothing');
    expect([hit.status, hit.text, hit.headers['x-cache']]).toEqual([204, '', 'HIT']);
    expect(runs).toBe(1);
  });

  it('null — hit → what a miss sends; cacheNull: false → not stored', async () => {
    const { send } = await start();
    const miss = await send('/cats/null');
    const hit = await send('/cats/null');
    expect(hit.text).toBe(miss.text);
    expect(hit.headers['x-cache']).toBe('HIT');
    const strict = await startApp(platform, { controllers }, { options: { cacheNull: false } });
    await strict.send('/cats/null');
    expect((await strict.send('/cats/null')).headers['cache-status']).toBe(
      'nestjs-redis-cache; fwd=miss; detail=null',
    );
  });

  it('negativeTtl — null → kept for so long', async () => {
    const { send, cache } = await startApp(
      platform,
      { controllers: [NullController] },
      { options: { negativeTtl: '10s' } },
    );
    await send('/null/module');
    await send('/null/own');
    expect(await cache.ttl('null:module')).toBeLessThanOrEqual(10_000);
    expect(await cache.ttl('null:own')).toBeLessThanOrEqual(2000);
  });

  it.each<[string, Duration | (() => Duration), number]>([
    ['a shorter ttl → that', '5s', 5_000],
    ['a function → the module’s', () => '5s', 10_000],
  ])('A3 null with a negativeTtl of the module, and of the handler %s', async (_, ttl, ms) => {
    @Controller('null')
    class NullController {
      @Get()
      @Cacheable({ key: 'null:ttl', ttl })
      all() {
        return null;
      }
    }
    const { send, cache } = await startApp(
      platform,
      { controllers: [NullController] },
      { options: { negativeTtl: '10s' } },
    );
    await send('/null');
    const left = await cache.ttl('null:ttl');
    expect(left).toBeLessThanOrEqual(ms);
    expect(left).toBeGreaterThan(ms - 5_000);
  });

  it('text — hit → the same bytes and type', async () => {
    const { send } = await start();
    const miss = await send('/cats/text');
    const hit = await send('/cats/text');
    expect(hit.text).toBe('text 1');
    expect(hit.headers['content-type']).toBe(miss.headers['content-type']);
    expect(hit.headers['x-cache']).toBe('HIT');
  });

  it('ttl — passed → the handler runs again', async () => {
    const { send, verdict } = await start();
    await send('/cats/ttl');
    await waitFor(async () => (await verdict('/cats/ttl')) === 'MISS');
    expect(runs).toBeGreaterThan(1);
  });

  it('A6 condition and unless — refuse → not asked, not stored', async () => {
    const { verdict } = await start();
    expect(await verdict('/cats/conditional?fresh=1')).toBe('BYPASS');
    expect(await verdict('/cats/conditional?fresh=1')).toBe('BYPASS');
    expect(await verdict('/cats/conditional?bad=yes')).toBe('MISS');
    expect(await verdict('/cats/conditional?bad=yes')).toBe('MISS');
    expect(await verdict('/cats/conditional?bad=no')).toBe('MISS');
    expect(await verdict('/cats/conditional?bad=no')).toBe('HIT');
  });

  it('force — every request → the handler runs', async () => {
    const { send } = await start();
    await send('/cats/forced');
    expect((await send('/cats/forced')).json().run).toBe(2);
  });

  it('no cache of that name — request → 500 and an error that names it', async () => {
    const { send, log } = await startApp(platform, { controllers: [LostController] });
    expect((await send('/lost')).status).toBe(500);
    expect(log.join()).toMatch(/@Cacheable on LostController\.find[\s\S]*cache: given 'reports'/);
    expect(runs).toBe(0);
  });
});

@Controller('null')
class NullController {
  @Get('module')
  @Cacheable({ key: 'null:module' })
  module() {
    return null;
  }

  @Get('own')
  @Cacheable({ key: 'null:own', negativeTtl: '2s' })
  own() {
    return null;
  }
}

@Controller('lost')
class LostController {
  @Get()
  @Cacheable({ cache: 'reports' })
  find() {
    return count({});
  }
}

describe('rewritten URLs, on express', () => {
  it('P1 middleware rewrites one URL to two → an entry each', async () => {
    const { send } = await startApp(
      'express',
      { controllers: [CatsController] },
      {
        configure: (app) =>
          app.use((request: any, _: unknown, next: () => void) => {
            request.url = `/cats/rewritten/${request.headers['x-variant']}`;
            next();
          }),
      },
    );
    for (const variant of ['a', 'b'])
      expect((await send('/cats/any', { headers: { 'x-variant': variant } })).json()).toMatchObject(
        {
          variant,
        },
      );
  });
});
