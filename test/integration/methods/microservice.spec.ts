import type { AddressInfo, Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, type Type } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import {
  ClientProxyFactory,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  TcpContext,
  Transport,
  type ClientProxy,
} from '@nestjs/microservices';
import { firstValueFrom, of, toArray } from 'rxjs';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { CacheEvictInterceptor } from '../../../lib/http/cache-evict.interceptor.js';
import { CacheableInterceptor } from '../../../lib/http/cacheable.interceptor.js';
import { PLATFORMS, startApp } from '../../http/http-app.js';
import { waitFor } from '../../support/wait-for.js';

let runs = 0;

interface Query {
  id: string;
}

@Controller('cats')
class CatsController {
  @MessagePattern('find')
  @Cacheable({ key: 'cat:{0.id}', ttl: '1m' })
  async find(@Payload() { id }: Query) {
    return { id, run: ++runs };
  }

  @Cacheable()
  @MessagePattern({ cmd: 'by-arguments' })
  async byArguments(@Payload() { id }: Query) {
    return { id, run: ++runs };
  }

  @MessagePattern('with-context')
  @Cacheable({ key: ({ id }: Query, context: TcpContext) => [context.getPattern(), id] })
  async withContext(@Payload() { id }: Query, @Ctx() _context: TcpContext) {
    return { id, run: ++runs };
  }

  @MessagePattern('plain')
  plain({ id }: Query) {
    return { id, run: ++runs };
  }

  @MessagePattern('stream')
  stream() {
    return of(++runs, ++runs);
  }

  @MessagePattern('save')
  @CacheEvict({ key: 'cat:{0.id}' })
  async save({ id }: Query) {
    return { id, run: ++runs };
  }

  @EventPattern('saved')
  @CacheEvict({ key: 'cat:{0.id}' })
  async saved(_event: Query) {}

  @Get()
  @MessagePattern('both')
  @Cacheable({ key: 'both' })
  async both() {
    return { run: ++runs };
  }

  @Get('plain')
  list() {
    return { run: ++runs };
  }
}

const clients: ClientProxy[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

beforeEach(() => {
  runs = 0;
});

const GLOBAL = [CacheableInterceptor, CacheEvictInterceptor];

describe.each(
  PLATFORMS.flatMap((platform) => [
    { platform, bound: 'nothing', interceptors: [] as Type[] },
    { platform, bound: 'interceptors', interceptors: GLOBAL as Type[] },
  ]),
)('HTTP on $platform and TCP in one application, $bound bound globally', (variant) => {
  async function start() {
    const hybrid = await startApp(
      variant.platform,
      {
        controllers: [CatsController],
        providers: variant.interceptors.map((useClass) => ({ provide: APP_INTERCEPTOR, useClass })),
      },
      {
        configure: async (app) => {
          const options = { host: '127.0.0.1', port: 0 };
          app.connectMicroservice(
            { transport: Transport.TCP, options },
            { inheritAppConfig: true },
          );
          await app.startAllMicroservices();
        },
      },
    );
    const server = hybrid.app.getMicroservices()[0]!.unwrap<Server>();
    const { port } = server.address() as AddressInfo;
    const options = { host: '127.0.0.1', port };
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
    clients.push(client);
    const ask = (pattern: unknown, data: unknown = {}) =>
      firstValueFrom(client.send(pattern, data));
    return { ...hybrid, client, ask };
  }

  it('P8 @Cacheable on @MessagePattern → the method is cached as any other, by key, arguments or function', async () => {
    const { ask, cache, log } = await start();
    for (const _ of [1, 2]) expect(await ask('find', { id: 'a' })).toEqual({ id: 'a', run: 1 });
    expect(await ask('find', { id: 'b' })).toEqual({ id: 'b', run: 2 });
    for (const pattern of [{ cmd: 'by-arguments' }, 'with-context']) {
      const first = await ask(pattern, { id: 'a' });
      expect(await ask(pattern, { id: 'a' })).toEqual(first);
      expect(await ask(pattern, { id: 'b' })).not.toEqual(first);
    }
    expect(await cache.get('cat:a')).toEqual({ id: 'a', run: 1 });
    expect(await cache.has(['with-context', 'b'])).toBe(true);
    expect(log).toEqual([]);
  });

  it('P8 undecorated → not cached, and streams arrive whole', async () => {
    const { ask, client, log } = await start();
    for (const run of [1, 2]) expect(await ask('plain', { id: 'a' })).toEqual({ id: 'a', run });
    for (const values of [
      [3, 4],
      [5, 6],
    ])
      // prettier-ignore
      expect(await firstValueFrom(client.send('stream', {}).pipe(toArray()))).toEqual(values);
    expect(log).toEqual([]);
  });

  it('P8 @CacheEvict on @MessagePattern and @EventPattern → evicts', async () => {
    const { ask, client, cache } = await start();
    await ask('find', { id: 'a' });
    await ask('save', { id: 'a' });
    expect(await ask('find', { id: 'a' })).toEqual({ id: 'a', run: 3 });
    client.emit('saved', { id: 'a' });
    await waitFor(async () => !(await cache.has('cat:a')));
    expect(await ask('find', { id: 'a' })).toEqual({ id: 'a', run: 4 });
  });

  it('P8 a method with a route and a pattern → a response and a value, which are two entries', async () => {
    const { ask, send, verdict, log } = await start();
    for (const _ of [1, 2]) expect((await send('/cats')).json()).toEqual({ run: 1 });
    expect(await verdict('/cats')).toBe('HIT');
    for (const _ of [1, 2]) expect(await ask('both')).toEqual({ run: 2 });
    expect(log).toEqual([]);
  });

  it('P10 a route without decorator → cached where the interceptor is bound globally', async () => {
    const { send, verdict } = await start();
    await send('/cats/plain');
    expect(await verdict('/cats/plain')).toBe(variant.interceptors.length ? 'HIT' : undefined);
  });
});
