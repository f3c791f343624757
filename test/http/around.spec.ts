/** What others do around a handler and its cache: interceptors, hooks, middleware, and clients that hang up. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  All,
  Catch,
  Controller,
  Get,
  HttpException,
  Injectable,
  NotFoundException,
  Param,
  Post,
  Put,
  Res,
  Sse,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { concat, defer, from, map, mergeMap, NEVER, of, tap, timeout } from 'rxjs';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { CachePut } from '../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { PLATFORMS, startApp, type Reply, type TestApp } from './http-app.js';

let value: string;
let runs: number;
let log: string[];
let gate: Gate;

class Impatient implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(timeout(30));
  }
}

class Transaction implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(tap(() => log.push('commit')));
  }
}

class Private implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const response = context.switchToHttp().getResponse();
    return next.handle().pipe(tap(() => response.header('cache-control', 'private')));
  }
}

/** Makes an error of the answer where the request says so. */
class Failing implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const { params, headers } = context.switchToHttp().getRequest();
    const fail = (value: unknown) => {
      if (headers['x-fail']) throw new NotFoundException();
      return value;
    };
    return next.handle().pipe(params.how === 'later' ? mergeMap(async (v) => fail(v)) : map(fail));
  }
}

/** Has errors be kept for a second. */
@Catch()
class Brief implements ExceptionFilter {
  catch(error: HttpException, host: ArgumentsHost) {
    const response = host.switchToHttp().getResponse();
    response.header('cache-control', 'max-age=1').status(error.getStatus()).send({});
  }
}

async function write(): Promise<object> {
  await gate.pass();
  value = 'new';
  return {};
}

@Injectable()
class Cats {
  @Cacheable({ key: 'cat:{0}' })
  async find(id: string): Promise<object> {
    runs += 1;
    return { id };
  }
}

abstract class Base {
  @Get(':id')
  @Cacheable({ key: 'base:{params.id}' })
  find(@Param('id') id: string): unknown {
    return { id, run: ++runs };
  }

  @Put(':id')
  @CacheEvict({ key: 'base:{params.id}' })
  save(@Param('id') id: string): unknown {
    return { id };
  }
}

@Controller('derived')
class DerivedController extends Base {
  @Get(':id')
  @Cacheable({ key: 'base:{params.id}' })
  override find(@Param('id') id: string) {
    return super.find(id);
  }

  @Put(':id')
  @CacheEvict({ key: 'base:{params.id}' })
  override save(@Param('id') id: string) {
    return super.save(id);
  }
}

/** Any decorator that puts another function in the place of a method. */
const Traced =
  (noted: 'noted' | 'lost'): MethodDecorator =>
  (_, __, descriptor: PropertyDescriptor) => {
    const method = descriptor.value;
    const traced = function (this: unknown, ...given: unknown[]): unknown {
      return method.apply(this, given);
    };
    if (noted === 'noted')
      for (const key of Reflect.getMetadataKeys(method))
        Reflect.defineMetadata(key, Reflect.getMetadata(key, method), traced);
    descriptor.value = traced;
  };

@Controller('lost')
class LostController {
  @Get()
  @Traced('lost')
  @Cacheable()
  find() {
    return {};
  }
}

@Controller('noted')
class NotedController {
  @Get()
  @Traced('noted')
  @Cacheable()
  find() {
    return { run: ++runs };
  }

  /** No handler: nothing has to be noted for an interceptor. */
  @Traced('lost')
  @Cacheable()
  async method() {
    return {};
  }
}

@Controller('cats')
class CatsController {
  constructor(private readonly cats: Cats) {}

  @Get(':id')
  @Cacheable({ key: 'cat:{params.id}' })
  find(@Param('id') id: string) {
    return this.cats.find(id);
  }
}

@Controller('around')
class AroundController {
  @Get()
  @Cacheable({ key: 'r' })
  get() {
    return { value };
  }

  @Put('impatient')
  @CacheEvict({ key: 'r' })
  @UseInterceptors(Impatient)
  impatient() {
    return write();
  }

  @Put('sync')
  @CacheEvict({ key: '{result.of}' })
  @UseInterceptors(Failing)
  sync() {
    return { of: 'r' };
  }

  @Put('async')
  @CacheEvict({ key: '{result.of}' })
  @UseInterceptors(Failing)
  async async() {
    return { of: 'r' };
  }

  /** Ours stand on both sides of the one that fails. */
  @Put('between')
  @CachePut({ key: 'made' })
  @UseInterceptors(Failing)
  @CacheEvict({ key: '{result.of}' })
  between() {
    return { of: 'r' };
  }

  @Put('observable')
  @CacheEvict({ key: 'r' })
  observable() {
    return defer(() => from(write()));
  }

  @Sse('events')
  @CacheEvict({ key: 'r' })
  events() {
    value = 'new';
    return concat(of({ data: 'first' }), NEVER);
  }

  @Put('above')
  @CacheEvict({ key: 'r', condition: () => log.push('evict') > 0 })
  @UseInterceptors(Transaction)
  above() {
    return {};
  }

  @Put('below')
  @UseInterceptors(Transaction)
  @CacheEvict({ key: 'r', condition: () => log.push('evict') > 0 })
  below() {
    return {};
  }

  @Get('late')
  @Cacheable({ key: 'late' })
  async late() {
    runs += 1;
    await gate.pass();
    return { run: runs };
  }

  @Get('private')
  @Cacheable({ key: 'private' })
  @UseInterceptors(Private)
  private() {
    return { run: ++runs };
  }

  @Get('failing/:how')
  @Cacheable({ http: { cacheControl: 'public, max-age=60', etag: true } })
  @UseInterceptors(Failing)
  failing(@Res({ passthrough: true }) response: any) {
    response.header('expires', 'Thu, 01 Jan 2099 00:00:00 GMT');
    return { run: ++runs };
  }

  @Get('gone')
  @Cacheable({ http: { cacheControl: 'public, max-age=60' } })
  @UseInterceptors(Failing)
  gone(@Res({ passthrough: true }) response: any) {
    response.status(410);
    return { run: ++runs };
  }

  @Get('revalidated')
  @Cacheable({ http: { cacheControl: 'no-cache' } })
  revalidated() {
    return { run: ++runs };
  }

  @All('all')
  @Cacheable({ key: 'all' })
  all() {
    return { run: ++runs };
  }

  @Post('made')
  @CachePut({ key: 'made' })
  make() {
    return { id: 1 };
  }

  @Get('made')
  @Cacheable({ key: 'made' })
  made() {
    return { id: 2 };
  }

  @Get('text')
  @Cacheable()
  text() {
    return { secret: 'x'.repeat(5_000) };
  }
}

/** Hangs up once its handler is at work. */
async function hangUp(app: INestApplication, path: string, method = 'GET'): Promise<void> {
  const { port } = app.getHttpServer().address();
  const outgoing = request({ port, host: '127.0.0.1', path, method });
  outgoing.on('error', () => undefined).end();
  await gate.arrived();
  const gone = new Promise((resolve) => outgoing.once('close', resolve));
  outgoing.destroy();
  await gone;
}

/** A hit whose `Date` is not that of now. */
const aged = (send: TestApp['send'], path: string): Promise<Reply> =>
  waitFor(async () => {
    const reply = await send(path);
    return Number(reply.headers.age) >= 1 && reply;
  }) as Promise<Reply>;

describe.each(PLATFORMS)('around a handler on %s', (platform) => {
  const start = (configure?: (app: INestApplication) => unknown) =>
    startApp(platform, { controllers: [AroundController] }, { configure });

  /** Of Fastify. */
  const onSend = (hook: (request: any, reply: any, payload: string) => Promise<unknown>) => {
    return (app: INestApplication): void =>
      app.getHttpAdapter().getInstance().addHook('onSend', hook);
  };

  beforeEach(() => {
    [value, runs, log] = ['old', 0, []];
    gate = new Gate();
  });

  describe('@CacheEvict', () => {
    it.each<[string, (app: INestApplication, send: any) => unknown]>([
      [
        'an interceptor loses patience',
        (_, send) => send('/around/impatient', { method: 'PUT' }).then(() => gate.open()),
      ],
      [
        'the client of an Observable hangs up',
        (app) => hangUp(app, '/around/observable', 'PUT').then(() => gate.open()),
      ],
    ])('K6 %s while the handler works → evicted once it is done', async (_, call) => {
      const { send, app, cache } = await start();
      expect((await send('/around')).json()).toEqual({ value: 'old' });
      await call(app, send);
      await waitFor(async () => (await cache.ttl('r')) === undefined);
      expect((await send('/around')).json()).toEqual({ value: 'new' });
    });

    it.each(['sync', 'async', 'between'])(
      'K6 %s, an interceptor makes an error of the answer → what the handler has changed is evicted',
      async (how) => {
        const { send, cache } = await start();
        await send('/around');
        const failing = { method: 'PUT', headers: { 'x-fail': '1' } };
        expect((await send(`/around/${how}`, failing)).status).toBe(404);
        await waitFor(async () => (await cache.ttl('r')) === undefined);
      },
    );

    it('K6 the client of events leaves → evicted', async () => {
      const { send, app, cache } = await start();
      await send('/around');
      const { port } = app.getHttpServer().address();
      const outgoing = request({ port, host: '127.0.0.1', path: '/around/events' });
      outgoing.on('error', () => undefined).end();
      await new Promise((resolve) => outgoing.once('response', (r) => r.once('data', resolve)));
      expect(await cache.ttl('r')).toBeDefined();
      outgoing.destroy();
      await waitFor(async () => (await cache.ttl('r')) === undefined);
    });

    it.each(['above', 'below'])(
      'K6 %s an interceptor that commits → evicts after it',
      async (place) => {
        const { send } = await start();
        await send(`/around/${place}`, { method: 'PUT' });
        expect(log).toEqual(['commit', 'evict']);
      },
    );
  });

  describe('headers that come when the response is stored', () => {
    /** As a session does that the handler has begun. */
    const lateCookie = (app: INestApplication): void => {
      if (platform === 'fastify')
        onSend(async (_, reply) => void reply.header('set-cookie', 's=1'))(app);
      else
        app.use((_: any, response: any, next: any) => {
          const { writeHead } = response;
          response.writeHead = (...given: any[]) => {
            response.setHeader('set-cookie', 's=1');
            return writeHead.apply(response, given);
          };
          next();
        });
    };

    it('P3 a cookie that nobody has seen, since the client has hung up → removed again', async () => {
      const { send, app, cache } = await start(lateCookie);
      await hangUp(app, '/around/late');
      gate.open();
      await waitFor(() => cache.stats().loads === 1 && cache.stats().evicts === 1);
      expect((await send('/around/late')).json()).toEqual({ run: 2 });
    });

    it.each(['at-once', 'later'])(
      'P5 an interceptor outside makes an error of the answer, %s → that has nothing by which the answer may be kept',
      async (how) => {
        const { send } = await start();
        const path = `/around/failing/${how}`;
        const failing = { headers: { 'x-fail': '1' } };
        const missed = await send(path, failing);
        const { headers, json } = await aged(send, path);
        const failed = [missed, await send(path, failing)];
        expect(failed.map((reply) => reply.headers['x-cache'])).toEqual(['MISS', 'HIT']);
        for (const reply of failed) {
          expect([reply.status, reply.json().message]).toEqual([404, 'Not Found']);
          expect(reply.headers.etag).not.toBe(headers.etag);
          for (const name of ['cache-control', 'expires', 'age'])
            expect(reply.headers).not.toHaveProperty(name);
        }
        expect(Date.parse(failed[1]!.headers.date!)).toBeGreaterThan(Date.parse(headers.date!));
        expect(headers).toMatchObject({
          'cache-control': 'public, max-age=60',
          age: expect.stringMatching(/^\d+$/),
        });
        expect([headers['expires'], json()]).toEqual(['Thu, 01 Jan 2099 00:00:00 GMT', { run: 1 }]);
      },
    );

    it('P5 a filter has its own Cache-Control for the error → kept', async () => {
      const { send } = await start((app) => app.useGlobalFilters(new Brief()));
      const reply = await send('/around/failing/later', { headers: { 'x-fail': '1' } });
      expect([reply.status, reply.headers['cache-control']]).toEqual([404, 'max-age=1']);
    });

    it('P5 a middleware says of this request what the answer does not → kept', async () => {
      const own = 'Thu, 01 Jan 2015 00:00:00 GMT';
      const { send } = await start((app) =>
        app.use(({ headers }: any, response: any, next: () => void) => {
          if (headers['x-fail']) response.setHeader('last-modified', own);
          next();
        }),
      );
      await send('/around/failing/later');
      const { status, headers } = await send('/around/failing/later', {
        headers: { 'x-fail': '1' },
      });
      expect([status, headers['x-cache'], headers['last-modified']]).toEqual([404, 'HIT', own]);
    });

    it('P5 the answer itself is a 410 → has its Cache-Control, on a miss and on a hit', async () => {
      const { send } = await start();
      for (const verdict of ['MISS', 'HIT']) {
        const { status, headers } = await send('/around/gone');
        expect([status, headers['x-cache']]).toEqual([410, verdict]);
        expect(headers['cache-control']).toBe('public, max-age=60');
      }
    });

    it('P3 Cache-Control: no-cache of the decorator → not one of those', async () => {
      const { send } = await start();
      expect((await send('/around/revalidated')).headers['cache-control']).toBe('no-cache');
      await sleep(50);
      expect((await send('/around/revalidated')).json()).toEqual({ run: 1 });
    });

    it('P3 Cache-Control: private → removed again, with one warning', async () => {
      const { send, cache, log: lines } = await start();
      expect((await send('/around/private')).headers['cache-control']).toBe('private');
      await waitFor(async () => (await cache.ttl('private')) === undefined);
      expect((await send('/around/private')).json()).toEqual({ run: 2 });
      expect(lines).toEqual([expect.stringMatching(/private: Cache-Control: private was set/)]);
    });
  });

  describe('methods', () => {
    it('K2 another decorator above has replaced the handler, and lost what was noted → the start fails', async () => {
      await expect(startApp(platform, { controllers: [LostController] })).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
        message: expect.stringMatching(/@Cacheable on LostController.find.*replaced by another/s),
      });
      const { verdict } = await startApp(platform, { controllers: [NotedController] });
      expect([await verdict('/noted'), await verdict('/noted')]).toEqual(['MISS', 'HIT']);
    });

    it('K2 a handler calls super, both decorated → one of them acts', async () => {
      const { send, verdict } = await startApp(platform, { controllers: [DerivedController] });
      expect((await send('/derived/7')).json()).toEqual({ id: '7', run: 1 });
      expect(await verdict('/derived/7')).toBe('HIT');
      expect((await send('/derived/7', { method: 'PUT' })).status).toBe(200);
      expect((await send('/derived/7')).json()).toEqual({ id: '7', run: 2 });
    });

    it('K2 a handler has the key of the method that it calls → its answer, as if that were not cached', async () => {
      const { send } = await startApp(platform, {
        controllers: [CatsController],
        providers: [Cats],
      });
      for (const path of ['/cats/7', '/cats/7'])
        expect((await send(path)).json()).toEqual({ id: '7' });
      expect(runs).toBe(1);
    });
  });

  it.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'P3 %s with a key → reaches the handler',
    async (method) => {
      const { send } = await start();
      await send('/around/all');
      const reply = await send('/around/all', { method });
      expect([reply.json(), runs]).toEqual([{ run: 2 }, 2]);
      expect((await send('/around/all')).json()).toEqual({ run: 1 });
    },
  );

  it('P9 @CachePut of a POST → a 200 to whoever reads it', async () => {
    const { send } = await start();
    expect((await send('/around/made', { method: 'POST' })).status).toBe(201);
    const reply = await send('/around/made');
    expect([reply.status, reply.json()]).toEqual([200, { id: 1 }]);
  });

  if (platform === 'fastify')
    it('P5 a hook makes a stream of the error that was made of an answer → that has nothing by which the answer may be kept', async () => {
      const { send } = await start(
        onSend(async (_, reply, payload) => {
          reply.removeHeader('content-length');
          return Readable.from([Buffer.from(payload)]);
        }),
      );
      const path = '/around/failing/later';
      const { headers: hit } = await aged(send, path);
      const { status, headers } = await send(path, { headers: { 'x-fail': '1' } });
      expect([status, headers['x-cache']]).toEqual([404, 'HIT']);
      for (const name of ['cache-control', 'etag', 'expires', 'age'])
        expect(headers).not.toHaveProperty(name);
      expect(Date.parse(headers.date!)).toBeGreaterThan(Date.parse(hit.date!));
    });

  if (platform === 'fastify')
    it('P6 a hook that takes the text → gets it on a hit as on a miss', async () => {
      const { send } = await start(onSend(async (_, __, payload) => payload.replaceAll('x', '*')));
      const replies = [await send('/around/text'), await send('/around/text')];
      expect(replies.map(({ headers }) => headers['x-cache'])).toEqual(['MISS', 'HIT']);
      for (const reply of replies) expect(reply.json()).toEqual({ secret: '*'.repeat(5_000) });
    });
});
