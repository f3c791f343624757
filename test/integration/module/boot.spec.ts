import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Module,
  type INestApplication,
  type LoggerService,
  type Type,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Redis } from 'ioredis';

import { CacheService } from '../../../lib/cache/cache.service.js';
import { deferred } from '../../../lib/common/async.js';
import { CacheConnectionError, CacheTimeoutError } from '../../../lib/common/errors.js';

import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import { Gate } from '../../support/gate.js';
import { freePort } from '../../support/ports.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

type Options = Partial<RedisCacheOptions>;

const URL = process.env.TEST_REDIS_URL!;
const NAMESPACE = `boot-${process.pid}`;

/** Beyond `timeouts.connect`, for Nest itself and a machine that is busy. */
const SLACK_MS = 500;

const silent = (): void => undefined;
const nothing: LoggerService = { log: silent, warn: silent, error: silent };

const apps: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

async function start(
  options: Options,
  { feature = class {}, log = nothing }: { feature?: Type; log?: LoggerService } = {},
): Promise<{ app: TestingModule; cache: CacheService; tookMs: number }> {
  @Module({ providers: [feature] })
  class Feature {}
  const imports = [RedisCacheModule.forRoot({ namespace: NAMESPACE, ...options }), Feature];
  const app = await Test.createTestingModule({ imports }).setLogger(log).compile();
  apps.push(app);
  const begin = performance.now();
  await app.init();
  return { app, cache: app.get(CacheService), tookMs: performance.now() - begin };
}

function single(url: string): Options {
  return { topology: { type: 'single', url } };
}

describe('T10 start — Redis is there', () => {
  it('onModuleInit of another provider → the cache is connected', async () => {
    @Injectable()
    class Warmer {
      static stored?: boolean;
      constructor(private readonly cache: CacheService) {}
      async onModuleInit(): Promise<void> {
        Warmer.stored = await this.cache.set('warm', 1);
      }
    }
    await start(single(URL), { feature: Warmer });
    expect(Warmer.stored).toBe(true);
  });

  it('two applications → share the entries of one namespace', async () => {
    const first = await start(single(URL));
    const second = await start(single(URL));
    const other = await start({ ...single(URL), namespace: `${NAMESPACE}-other` });
    await first.cache.set('shared', 1);
    expect(await second.cache.get('shared')).toBe(1);
    expect(await other.cache.get('shared')).toBeUndefined();
  });

  it('T6 a client of the application → is used, and left open', async () => {
    const client = new Redis(URL, { lazyConnect: true });
    await client.connect();
    apps.push({ close: () => client.quit() });
    const { app, cache } = await start({ topology: { type: 'single', client } });
    expect(await cache.set('k', 1)).toBe(true);
    await app.close();
    expect(await client.ping()).toBe('PONG');
  });
});

describe('T10 start — Redis is down', () => {
  it('port closed → starts within the connect timeout, and loads', async () => {
    const { cache, tookMs } = await start(single(`redis://127.0.0.1:${await freePort()}`));
    expect(tookMs).toBeLessThan(2_000 + SLACK_MS);
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await cache.get('k')).toBeUndefined();
  });

  it('failure strict → starts too, and rejects', async () => {
    const options = single(`redis://127.0.0.1:${await freePort()}`);
    const { cache } = await start({ ...options, failure: 'strict' });
    const error = await cache.get('k').catch((e: unknown) => e);
    expect(error instanceof CacheConnectionError || error instanceof CacheTimeoutError).toBe(true);
  });

  it('close → is done in no time', async () => {
    const { app } = await start(single(`redis://127.0.0.1:${await freePort()}`));
    const begin = performance.now();
    await app.close();
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  it('the password is wrong → starts, serves, and says so without the password', async () => {
    const server = await startServer({ password: 'right' });
    apps.push({ close: () => server.stop() });
    const heard: string[] = [];
    const line = (text: unknown): unknown => heard.push(String(text));
    const log = { log: line, warn: line, error: line };
    const { cache } = await start(
      {
        ...single(`redis://:hunter2@127.0.0.1:${server.port}`),
        onError: ({ error }) => heard.push(inspect(error, { depth: 9 })),
      },
      { log },
    );
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded');
    await waitFor(() => heard.some((text) => text.includes('WRONGPASS')));
    expect(heard.join('\n')).not.toContain('hunter2');
  });
});

describe('T8 start — Redis hangs', () => {
  let server: Server;
  const sockets = new Set<Socket>();
  beforeAll(async () => {
    server = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('accepts and never answers → starts after the connect timeout, serves, and closes', async () => {
    const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { app, cache, tookMs } = await start({ ...single(url), timeouts: { connect: 300 } });
    expect(tookMs).toBeLessThan(300 + SLACK_MS);
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded');
    const begin = performance.now();
    await app.close();
    expect(performance.now() - begin).toBeLessThan(1_500);
  });
});

describe('T11 shutdown', () => {
  const arrived = deferred<void>();
  const destroyed = deferred<void>();
  const gate = new Gate();

  @Controller()
  class Handler {
    constructor(private readonly cache: CacheService) {}
    @Get()
    async answer(): Promise<{ stored: boolean }> {
      arrived.resolve();
      await gate.pass();
      return { stored: await this.cache.set('late', 1) };
    }
  }

  @Injectable()
  class Last {
    static stored?: boolean;
    constructor(private readonly cache: CacheService) {}
    beforeApplicationShutdown(): void {
      destroyed.resolve();
    }
    async onApplicationShutdown(): Promise<void> {
      Last.stored = await this.cache.set('last', 1);
    }
  }

  @Module({ controllers: [Handler], providers: [Last] })
  class HttpModule {}

  async function serve(): Promise<{ app: INestApplication; url: string }> {
    const imports = [
      RedisCacheModule.forRoot({ namespace: NAMESPACE, ...single(URL) }),
      HttpModule,
    ];
    const module = await Test.createTestingModule({ imports }).compile();
    const app = module.createNestApplication();
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    return { app, url: await app.getUrl() };
  }

  it('a request in flight, then the hooks of others → still have the cache', async () => {
    const { app, url } = await serve();
    const response = fetch(url, { headers: { connection: 'close' } });
    await arrived.promise;
    const closing = app.close();
    await destroyed.promise;
    gate.open();
    expect(await (await response).json()).toEqual({ stored: true });
    await closing;
    expect(Last.stored).toBe(true);
  });

  it('a load in flight → is waited for, and stored', async () => {
    const { app, cache } = await start(single(URL));
    const load = new Gate();
    const value = cache.getOrSet('drained', () => load.pass().then(() => 'loaded'));
    await load.arrived();
    const closing = app.close();
    load.open();
    expect(await value).toBe('loaded');
    await closing;
    const { cache: next } = await start(single(URL));
    expect(await next.get('drained')).toBe('loaded');
  });

  it('a loader that never ends → is waited for as long as shutdownTimeout', async () => {
    const { app, cache } = await start({ ...single(URL), shutdownTimeout: 200 });
    const load = new Gate();
    const value = cache.getOrSet('endless', () => load.pass());
    await load.arrived();
    const begin = performance.now();
    await app.close();
    expect(performance.now() - begin).toBeLessThan(200 + SLACK_MS + 500);
    load.open();
    await value.catch(() => undefined);
  });

  it('closed → the server sees no connection of ours, also after closing twice', async () => {
    const admin = new Redis(URL);
    apps.push({ close: () => admin.quit() });
    const ours = async (): Promise<number> =>
      String(await admin.client('LIST')).split(`name=${NAMESPACE} `).length - 1;
    const redis = { ...connectionOf(URL), connectionName: NAMESPACE };
    const { app } = await start({ topology: { type: 'single', redis, connections: 3 } });
    expect(await ours()).toBeGreaterThanOrEqual(3);
    await Promise.all([app.close(), app.close()]);
    await app.close();
    await waitFor(async () => (await ours()) === 0);
  });
});

function connectionOf(url: string): { host: string; port: number; password?: string } {
  const { hostname, port, password } = new globalThis.URL(url);
  return { host: hostname, port: Number(port), ...(password && { password }) };
}
