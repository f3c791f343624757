import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Header,
  HttpException,
  Next,
  Query,
  Res,
  Sse,
  StreamableFile,
  UseInterceptors,
  ClassSerializerInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Exclude } from 'class-transformer';
import { Readable } from 'node:stream';
import { concat, from, of, timer } from 'rxjs';
import { map } from 'rxjs/operators';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { announce, PLATFORMS, startApp } from './http-app.js';

let runs = 0;
let door: Gate | undefined;

class User {
  name = 'Ada';
  @Exclude() password = 'secret';
}

const header = (response: any, name: string, value: string): object => {
  response.header(name, value);
  return { run: ++runs };
};

function* numbers() {
  yield 1;
}

@Controller('never')
class NeverController {
  @Get('error')
  @Cacheable()
  error() {
    throw new HttpException({ run: ++runs }, 404);
  }

  @Sse('sse')
  @Cacheable()
  sse() {
    return of({ data: ++runs });
  }

  @Get('streamable-file')
  @Cacheable()
  file() {
    return new StreamableFile(Buffer.from(`file ${++runs}`));
  }

  @Get('buffer')
  @Cacheable()
  buffer() {
    return Buffer.from(`buffer ${++runs}`);
  }

  @Get('stream')
  @Cacheable()
  stream() {
    return new StreamableFile(Readable.from([`stream ${++runs}`]));
  }

  @Get('iterable')
  @Cacheable()
  async *iterable() {
    yield { run: ++runs };
  }

  @Get('error-value')
  @Cacheable()
  errorValue() {
    runs += 1;
    return new Error('not thrown');
  }

  @Get('dated')
  @Cacheable()
  @UseInterceptors(ClassSerializerInterceptor)
  dated() {
    return { run: ++runs, at: new Date(0) };
  }

  @Get('array-buffer')
  @Cacheable()
  arrayBuffer() {
    runs += 1;
    return new ArrayBuffer(8);
  }

  @Get('generator')
  @Cacheable()
  generator() {
    runs += 1;
    return numbers();
  }

  @Get('blob')
  @Cacheable()
  blob() {
    runs += 1;
    return new Blob(['x']);
  }

  @Get('res')
  @Cacheable()
  res(@Res() response: any) {
    response.send({ run: ++runs });
  }

  @Get('next')
  @Cacheable()
  next(@Res() response: any, @Next() _next: unknown) {
    response.send({ run: ++runs });
  }

  @Get('emissions')
  @Cacheable()
  emissions() {
    return concat(from([{ run: 0 }, { run: 0 }]), timer(1).pipe(map(() => ({ run: ++runs }))));
  }

  @Get('set-cookie')
  @Cacheable()
  cookie(@Res({ passthrough: true }) response: any) {
    return header(response, 'set-cookie', `run=${runs}`);
  }

  @Get('no-store')
  @Header('Cache-Control', 'public, no-store')
  @Cacheable()
  noStore() {
    return { run: ++runs };
  }

  @Get('private')
  @Cacheable()
  private(@Res({ passthrough: true }) response: any) {
    return header(response, 'Cache-Control', 'max-age=60, Private="x-a, x-b"');
  }

  @Get('no-cache')
  @Cacheable()
  noCache(@Res({ passthrough: true }) response: any) {
    return header(response, 'Cache-Control', 'no-cache');
  }

  @Get('s-maxage')
  @Cacheable()
  sMaxAge(@Res({ passthrough: true }) response: any) {
    return header(response, 'Cache-Control', 'max-age=60, s-maxage=0');
  }

  @Get('vary-all')
  @Cacheable()
  varyAll(@Res({ passthrough: true }) response: any) {
    return header(response, 'Vary', '*');
  }

  @Get('vary-all-by')
  @Cacheable({ http: { varyBy: () => 'everybody' } })
  varyAllBy(@Res({ passthrough: true }) response: any) {
    return header(response, 'Vary', 'Accept, *');
  }

  @Get('vary')
  @Cacheable()
  vary(@Res({ passthrough: true }) response: any) {
    return header(response, 'Vary', 'Accept-Encoding, Accept-Language');
  }

  @Get('vary-origin')
  @Cacheable()
  varyOrigin(@Res({ passthrough: true }) response: any) {
    return header(response, 'Vary', 'Origin');
  }

  @Get('sent')
  @Cacheable()
  sent(@Res({ passthrough: true }) response: any) {
    response.send({ run: ++runs });
    return { run: runs };
  }

  @Get('status')
  @Cacheable()
  status(@Res({ passthrough: true }) response: any) {
    response.status(503);
    return { run: ++runs };
  }

  @Get('part')
  @Cacheable()
  part(@Res({ passthrough: true }) response: any) {
    response.status(206);
    return { run: ++runs };
  }

  @Get('undefined')
  @Cacheable()
  undefined() {
    runs += 1;
  }

  @Get('json-text')
  @Cacheable()
  jsonText() {
    const run = ++runs;
    return { toJSON: () => `run ${run}` };
  }

  @Get('unless')
  @Cacheable({
    unless: () => {
      throw new Error(`unless is broken, run ${runs}`);
    },
  })
  unless() {
    return { run: ++runs };
  }

  @Get('user')
  @UseInterceptors(ClassSerializerInterceptor)
  @Cacheable()
  innerSerializer() {
    runs += 1;
    return new User();
  }

  @Get('user-outside')
  @Cacheable()
  @UseInterceptors(ClassSerializerInterceptor)
  outerSerializer() {
    runs += 1;
    return { users: [new User()] };
  }

  @Get('joined')
  @Cacheable()
  async joined(@Query() query: object, @Res({ passthrough: true }) response: any) {
    const run = ++runs;
    await door?.pass();
    response.header('set-cookie', `run=${run}`);
    return { run };
  }

  @Get('failing')
  @Cacheable()
  async failing() {
    const run = ++runs;
    await door?.pass();
    if (run === 1) throw new HttpException({ run }, 500);
    return { run };
  }

  @Get('late')
  @Cacheable({ key: 'late' })
  late() {
    return { run: ++runs };
  }
}

@Controller('plain-user')
class PlainUserController {
  @Get()
  @Cacheable()
  find() {
    runs += 1;
    return new User();
  }
}

beforeEach(() => {
  runs = 0;
  door = undefined;
});

describe.each(PLATFORMS)('never stored, on %s', (platform) => {
  const start = () => startApp(platform, { controllers: [NeverController] });

  it.each([
    ['error', undefined],
    ['sse', undefined],
    ['res', undefined],
    ['next', undefined],
    ['streamable-file', 'stream'],
    ['buffer', 'stream'],
    ['stream', 'stream'],
    ['iterable', 'stream'],
    ['emissions', 'emissions'],
    ['set-cookie', 'set-cookie'],
    ['no-store', 'no-store'],
    ['private', 'private'],
    ['no-cache', 'no-cache'],
    ['s-maxage', 's-maxage'],
    ['vary-all', 'vary'],
    ['vary-all-by', 'vary'],
    ['vary', 'vary'],
    ['vary-origin', 'vary'],
    ['sent', undefined],
    ['status', 'status'],
    ['part', 'status'],
    ['undefined', 'no-json'],
    ['json-text', 'no-json'],
    ['unless', 'error'],
  ])('P3 %s → each request runs the handler, and says why', async (path, detail) => {
    const { send } = await start();
    const first = await send(`/never/${path}`);
    const second = await send(`/never/${path}`);
    expect(runs).toBe(2);
    expect(second.text === first.text).toBe(first.text === '');
    expect(second.headers['x-cache']).toBe(detail && 'MISS');
    expect(second.headers['cache-status']).toBe(
      detail && `nestjs-redis-cache; fwd=miss; detail=${detail}`,
    );
  });

  it.each([
    ['array-buffer', 'stream'],
    ['generator', 'stream'],
    ['blob', 'stream'],
    ['error-value', 'no-json'],
  ])(
    'P3 %s, of which JSON makes {} → not stored, for whoever further out makes something else of it',
    async (path, detail) => {
      const { send } = await start();
      for (const _ of [1, 2]) {
        const { headers } = await send(`/never/${path}`);
        expect(headers['cache-status']).toBe(`nestjs-redis-cache; fwd=miss; detail=${detail}`);
      }
      expect(runs).toBe(2);
    },
  );

  it.each([
    ['sse', /has no effect on a handler of server-sent events/],
    ['res', /passthrough: true/],
    ['vary', /varies by accept-language.*\{headers\.accept-language\}/],
    ['unless', /unless is broken/],
    ['user-outside', /ClassSerializerInterceptor/],
  ])('%s → one warning for its author', async (path, warning) => {
    const { send, log } = await start();
    await send(`/never/${path}`);
    await send(`/never/${path}`);
    expect(log).toEqual([expect.stringMatching(warning)]);
  });

  it.each(['user', 'user-outside'])(
    '%s, ClassSerializerInterceptor further in or further out → @Exclude holds on every request',
    async (path) => {
      const { send } = await start();
      for (const reply of [await send(`/never/${path}`), await send(`/never/${path}`)]) {
        expect(reply.text).toContain('Ada');
        expect(reply.text).not.toContain('secret');
        const detail = reply.headers['cache-status']?.includes('detail=serializer');
        expect(detail).toBe(path === 'user-outside');
      }
      expect(runs).toBe(path === 'user' ? 1 : 2);
    },
  );

  it('P3 a plain object with a date, ClassSerializerInterceptor further out → stored', async () => {
    const { send } = await start();
    for (const _ of [1, 2])
      expect((await send('/never/dated')).json()).toEqual({ run: 1, at: new Date(0).toJSON() });
  });

  it('user, a global ClassSerializerInterceptor → @Exclude holds on every request', async () => {
    const { send } = await startApp(
      platform,
      { controllers: [PlainUserController] },
      {
        configure: (app) =>
          app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector))),
      },
    );
    for (const reply of [await send('/plain-user'), await send('/plain-user')])
      expect(reply.text).toBe('{"name":"Ada"}');
    expect(runs).toBe(2);
  });

  it.each([
    ['joined', 200],
    ['failing', 500],
  ])('P3 %s → those who waited for it run the handler themselves', async (path, firstStatus) => {
    const received = new Gate();
    const { send } = await startApp(
      platform,
      { controllers: [NeverController] },
      { configure: announce(received) },
    );
    door = new Gate();
    const first = send(`/never/${path}`);
    await door.arrived();
    const others = [send(`/never/${path}`), send(`/never/${path}`)];
    await received.arrived(3);
    door.open();
    const replies = await Promise.all([first, ...others]);
    expect(replies[0]!.status).toBe(firstStatus);
    expect(runs).toBe(3);
    const statuses = replies.map(({ headers }) => headers['cache-status']);
    expect(statuses).not.toContain('nestjs-redis-cache; fwd=miss; collapsed');
    const bodies = replies.map(({ text }) => text);
    expect(new Set(bodies).size).toBe(3);
    const cookies = replies.flatMap(({ headers }) => headers['set-cookie'] ?? []);
    expect(new Set(cookies).size).toBe(cookies.length);
  });

  it('P3 request says no-store → bypass; no-cache and max-age=0 → advisory, answered from the cache', async () => {
    const { verdict } = await start();
    await verdict('/never/late');
    expect(await verdict('/never/late', { 'cache-control': 'no-store' })).toBe('BYPASS');
    expect(await verdict('/never/late', { 'cache-control': 'no-cache, max-age=0' })).toBe('HIT');
  });

  it('P3 a cookie is added while the response is sent → the entry is removed again, with one warning', async () => {
    const { send, log, cache } = await startApp(
      platform,
      { controllers: [NeverController] },
      {
        configure: (app) =>
          platform === 'fastify'
            ? app
                .getHttpAdapter()
                .getInstance()
                .addHook('onSend', async (_: unknown, reply: any) => {
                  reply.header('set-cookie', 'late=1');
                })
            : app.use((_: unknown, response: any, next: () => void) => {
                const writeHead = response.writeHead;
                response.writeHead = (...args: unknown[]) => {
                  response.setHeader('set-cookie', 'late=1');
                  return writeHead.apply(response, args);
                };
                next();
              }),
      },
    );
    await send('/never/late');
    await waitFor(async () => (await cache.ttl('late')) === undefined);
    expect(log).toEqual([expect.stringMatching(/late: a cookie was set when .* stored already/)]);
  });
});

describe('never stored, on fastify', () => {
  it('P3 a cookie that @fastify/cookie keeps until the reply is sent → not stored', async () => {
    const pending = Symbol('fastify.reply.setCookies');
    const { send } = await startApp(
      'fastify',
      { controllers: [NeverController] },
      {
        configure: (app) => {
          const fastify = app.getHttpAdapter().getInstance();
          fastify.addHook('onRequest', async (_: unknown, reply: any) => {
            reply[pending] = new Map([['sid', '1']]);
          });
        },
      },
    );
    const reply = await send('/never/late');
    expect(reply.headers['cache-status']).toBe('nestjs-redis-cache; fwd=miss; detail=set-cookie');
  });
});
