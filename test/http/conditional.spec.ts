import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Header, HttpCode, Post, Redirect, Res } from '@nestjs/common';
import { map } from 'rxjs';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { waitFor } from '../support/wait-for.js';
import { PLATFORMS, startApp } from './http-app.js';

let runs = 0;

@Controller('etag')
class EtagController {
  @Get()
  @Cacheable({ key: 'etag', ttl: '60s', http: { cacheControl: 'public, max-age=60' } })
  find() {
    runs += 1;
    return { answer: 42, text: 'ü' };
  }

  @Get('own')
  @Header('ETag', 'W/"own"')
  @Header('Cache-Control', 'public, max-age=5')
  @Header('Vary', 'Accept-Encoding')
  @Cacheable({ http: { cacheControl: 'public, max-age=60' } })
  own() {
    return { run: ++runs };
  }

  @Get('off')
  @Cacheable({ http: { etag: false } })
  off() {
    return { run: ++runs };
  }

  @Get('s-maxage')
  @Header('Cache-Control', 's-maxage=10')
  @Cacheable({ key: 's-maxage', ttl: '5m' })
  sMaxAge() {
    return { run: ++runs };
  }

  @Get('for-ever')
  @Cacheable({ ttl: Infinity })
  forEver() {
    return { run: ++runs };
  }

  @Post('search')
  @HttpCode(200)
  @Cacheable({ key: 'search' })
  search() {
    return { run: ++runs };
  }

  @Get('elsewhere')
  @Redirect('/here', 302)
  @Cacheable()
  elsewhere() {
    runs += 1;
    return { url: '/there', statusCode: 301 };
  }

  @Get('mapped')
  @Cacheable({ http: { etag: true } })
  mapped() {
    return { answer: 42 };
  }

  @Get('described')
  @Cacheable({ http: { headers: ['x-total'] } })
  described(@Res({ passthrough: true }) response: any) {
    response.header('x-total', '17');
    response.header('content-language', 'en');
    return { run: ++runs };
  }

  @Get('upstream')
  @Cacheable()
  upstream(@Res({ passthrough: true }) response: any) {
    response.header('cache-status', 'upstream; hit');
    return { run: ++runs };
  }
}

beforeEach(() => {
  runs = 0;
});

describe.each(PLATFORMS)('validators and freshness on %s', (platform) => {
  const start = () => startApp(platform, { controllers: [EtagController] });

  it('P5 ETag → strong, and the same on miss, hit, and after the entry was made anew', async () => {
    const { send, cache } = await start();
    const [miss, hit] = [await send('/etag'), await send('/etag')];
    await cache.evict('etag');
    const anew = await send('/etag');
    expect(miss.headers.etag).toMatch(/^"[\w-]{27}"$/);
    expect([hit.headers.etag, anew.headers.etag]).toEqual([miss.headers.etag, miss.headers.etag]);
    expect(runs).toBe(2);
  });

  it.each([
    ['the tag', (tag: string) => tag],
    ['its weak form, in a list', (tag: string) => `"a,b", W/${tag}, "c"`],
    ['*', () => '*'],
  ])('P5 If-None-Match has %s → 304 without a body', async (_, header) => {
    const { send } = await start();
    const { headers } = await send('/etag');
    const reply = await send('/etag', { headers: { 'if-none-match': header(headers.etag!) } });
    expect([reply.status, reply.text]).toEqual([304, '']);
    expect(reply.headers).toMatchObject({
      etag: headers.etag,
      'cache-control': 'public, max-age=60',
      'x-cache': 'HIT',
    });
    expect((await send('/etag')).status).toBe(200);
  });

  it('P5 If-None-Match on a miss → 304 as well; with another tag → 200', async () => {
    const { send, cache } = await start();
    const etag = (await send('/etag')).headers.etag!;
    await cache.evict('etag');
    const miss = await send('/etag', { headers: { 'if-none-match': etag } });
    expect([miss.status, miss.text, miss.headers['x-cache']]).toEqual([304, '', 'MISS']);
    const other = await send('/etag', { headers: { 'if-none-match': '"other"' } });
    expect([other.status, other.json()]).toEqual([200, { answer: 42, text: 'ü' }]);
    const head = await send('/etag', { method: 'HEAD', headers: { 'if-none-match': etag } });
    expect(head.status).toBe(304);
  });

  it('P5 304 from the cache → validators only, not what describes the body', async () => {
    const { send } = await start();
    const { etag } = (await send('/etag/described')).headers;
    const known = await send('/etag/described', { headers: { 'if-none-match': etag } });
    expect([known.status, known.headers.etag]).toEqual([304, etag]);
    expect(known.headers).not.toHaveProperty('x-total');
    expect(known.headers).not.toHaveProperty('content-language');
    expect((await send('/etag/described')).headers).toMatchObject({
      'x-total': '17',
      'content-language': 'en',
    });
  });

  describe('an interceptor further out maps the value', () => {
    const mapped = () =>
      startApp(
        platform,
        { controllers: [EtagController] },
        {
          configure: (app) =>
            app.useGlobalInterceptors({
              intercept: (context, next) => {
                const { 'x-user': user } = context.switchToHttp().getRequest().headers;
                return next.handle().pipe(map(({ answer }) => ({ data: answer, user })));
              },
            }),
        },
      );

    it('P5 etag: true → a tag of what is stored, and 304', async () => {
      const { send } = await mapped();
      const { headers, text } = await send('/etag/mapped');
      expect(text).toBe('{"data":42}');
      const reply = await send('/etag/mapped', { headers: { 'if-none-match': headers.etag } });
      expect([reply.status, reply.text]).toEqual([304, '']);
      expect((await send('/etag/mapped')).text).toBe(text);
    });

    it('P5 nothing said → no tag of ours, which others would have as well', async () => {
      const { send } = await mapped();
      const ann = await send('/etag/described', { headers: { 'x-user': 'ann' } });
      const known = ann.headers.etag ?? '"any"';
      const bob = await send('/etag/described', {
        headers: { 'x-user': 'bob', 'if-none-match': known },
      });
      expect([bob.status, bob.headers['x-cache'], bob.json().user]).toEqual([200, 'HIT', 'bob']);
    });
  });

  it('P5 POST with If-None-Match → 200', async () => {
    const { send } = await start();
    const { headers } = await send('/etag/search', { method: 'POST' });
    const init = { method: 'POST', headers: { 'if-none-match': headers.etag } };
    expect((await send('/etag/search', init)).status).toBe(200);
  });

  it("P5 the handler's own ETag, Cache-Control and Vary → kept, on hit and miss", async () => {
    const { send } = await start();
    const own = { etag: 'W/"own"', 'cache-control': 'public, max-age=5', vary: 'accept-encoding' };
    for (const reply of [await send('/etag/own'), await send('/etag/own')]) {
      const { etag, 'cache-control': control, vary } = reply.headers;
      expect({ etag, 'cache-control': control, vary: vary?.toLowerCase() }).toEqual(own);
    }
    const known = { headers: { 'if-none-match': '"own"' } };
    expect((await send('/etag/own', known)).status).toBe(304);
  });

  it('P5 etag: false → none of ours', async () => {
    const { send } = await start();
    for (const reply of [await send('/etag/off'), await send('/etag/off')])
      expect(reply.headers.etag ?? 'W/"of Express"').toMatch(/^W\//);
  });

  it('P5 Age → none on a miss, seconds since the miss on a hit', async () => {
    const { send } = await start();
    expect((await send('/etag')).headers.age).toBeUndefined();
    expect((await send('/etag')).headers.age).toBe('0');
    await waitFor(async () => (await send('/etag')).headers.age === '1');
  });

  it('P5 Date → that of the answer: on hits of any age and their 304s the same, and Age before now', async () => {
    const { send } = await start();
    const { headers: miss } = await send('/etag');
    const answeredAtMs = Date.now();
    const first = (await send('/etag')).headers.date!;
    expect(Date.parse(first)).toBeLessThanOrEqual(answeredAtMs);
    await waitFor(async () => Number((await send('/etag')).headers.age) >= 1);
    const known = { headers: { 'if-none-match': miss.etag } };
    for (const { headers } of [await send('/etag'), await send('/etag', known)]) {
      expect(headers.date).toBe(first);
      const madeAtMs = Date.parse(first) + Number(headers.age) * 1_000;
      expect(madeAtMs).toBeLessThanOrEqual(Date.now());
    }
  });

  it('P5 Cache-Status and X-Cache → what the cache did', async () => {
    const { send } = await start();
    const said = async (path: string) => {
      const { headers } = await send(path);
      return [headers['x-cache'], headers['cache-status']].join(': ');
    };
    expect(await said('/etag')).toBe('MISS: nestjs-redis-cache; fwd=miss; stored');
    expect(await said('/etag')).toMatch(/^HIT: nestjs-redis-cache; hit; ttl=(59|60)$/);
    await said('/etag/for-ever');
    expect(await said('/etag/for-ever')).toBe('HIT: nestjs-redis-cache; hit');
    expect(await said('/etag/upstream')).toBe(
      'MISS: upstream; hit, nestjs-redis-cache; fwd=miss; stored',
    );
  });

  it('P5 s-maxage of the handler → shorter than the ttl', async () => {
    const { send, cache } = await start();
    await send('/etag/s-maxage');
    expect(await cache.ttl('s-maxage')).toBeLessThanOrEqual(10_000);
  });

  it('a redirect → replayed, without an ETag', async () => {
    const { send } = await start();
    const replies = [await send('/etag/elsewhere'), await send('/etag/elsewhere')];
    for (const { status, headers } of replies)
      expect([status, headers.location]).toEqual([301, '/there']);
    expect(runs).toBe(1);
  });
});
