import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { Type } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { from, map } from 'rxjs';
import { WebSocket } from 'ws';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { CacheEvictInterceptor } from '../../../lib/http/cache-evict.interceptor.js';
import { CacheableInterceptor } from '../../../lib/http/cacheable.interceptor.js';
import { PLATFORMS, startApp } from '../../http/http-app.js';

let runs = 0;

interface Query {
  id: string;
}

@WebSocketGateway({ path: '/events' })
class CatsGateway {
  @SubscribeMessage('find')
  @Cacheable({ key: 'cat:{0.id}', ttl: '1m' })
  async find(@MessageBody() { id }: Query) {
    return { event: 'found', data: { id, run: ++runs } };
  }

  @Cacheable()
  @SubscribeMessage('by-arguments')
  async byArguments(@MessageBody('id') id: string) {
    return { event: 'found', data: { id, run: ++runs } };
  }

  @SubscribeMessage('plain')
  plain(@MessageBody('id') id: string) {
    return { event: 'found', data: { id, run: ++runs } };
  }

  @SubscribeMessage('stream')
  stream() {
    return from([++runs, ++runs]).pipe(map((data) => ({ event: 'found', data })));
  }

  @SubscribeMessage('save')
  @CacheEvict({ key: 'cat:{0.id}' })
  async save(@MessageBody() { id }: Query) {
    return { event: 'saved', data: { id, run: ++runs } };
  }
}

const sockets: WebSocket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
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
)('a gateway beside $platform, $bound bound globally', ({ platform, interceptors }) => {
  async function start() {
    const { app, cache, log } = await startApp(
      platform,
      {
        providers: [
          CatsGateway,
          ...interceptors.map((useClass) => ({ provide: APP_INTERCEPTOR, useClass })),
        ],
      },
      { configure: (app) => app.useWebSocketAdapter(new WsAdapter(app)) },
    );
    const { port } = app.getHttpServer().address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/events`);
    sockets.push(socket);
    await once(socket, 'open');
    const heard: unknown[] = [];
    socket.on('message', (text: Buffer) => heard.push(JSON.parse(text.toString()).data));
    /** What comes back to one message, in that many messages. */
    const ask = async (event: string, id?: string, answers = 1): Promise<unknown> => {
      heard.length = 0;
      socket.send(JSON.stringify({ event, data: { id } }));
      while (heard.length < answers) await once(socket, 'message');
      return answers === 1 ? heard[0] : [...heard];
    };
    return { cache, log, ask };
  }

  it('P8 @Cacheable on @SubscribeMessage → the method is cached as any other, by key or arguments', async () => {
    const { ask, cache, log } = await start();
    for (const _ of [1, 2]) expect(await ask('find', 'a')).toEqual({ id: 'a', run: 1 });
    expect(await ask('find', 'b')).toEqual({ id: 'b', run: 2 });
    for (const _ of [1, 2]) expect(await ask('by-arguments', 'a')).toEqual({ id: 'a', run: 3 });
    expect(await cache.get('cat:a')).toMatchObject({ data: { run: 1 } });
    expect(log).toEqual([]);
  });

  it('P8 undecorated → not cached, and streams arrive whole', async () => {
    const { ask, log } = await start();
    for (const run of [1, 2]) expect(await ask('plain', 'a')).toEqual({ id: 'a', run });
    for (const values of [
      [3, 4],
      [5, 6],
    ])
      expect(await ask('stream', 'a', 2)).toEqual(values);
    expect(log).toEqual([]);
  });

  it('P8 @CacheEvict on @SubscribeMessage → evicts', async () => {
    const { ask } = await start();
    for (const _ of [1, 2]) expect(await ask('find', 'a')).toEqual({ id: 'a', run: 1 });
    expect(await ask('save', 'a')).toEqual({ id: 'a', run: 2 });
    expect(await ask('find', 'a')).toEqual({ id: 'a', run: 3 });
  });
});
