import { Agent, request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from '@jest/globals';
import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { CacheService } from '../../lib/cache/cache.service.js';
import type { RedisCacheOptions } from '../../lib/module/redis-cache.options.js';
import { RedisCacheModule } from '../../lib/redis-cache.module.js';
import type { Gate } from '../support/gate.js';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json(): any;
}

export interface TestApp {
  readonly app: INestApplication;
  readonly cache: CacheService;
  /** Lines of Nest's logger, warnings and errors only. */
  readonly log: string[];
  send(
    path: string,
    init?: { method?: string; headers?: OutgoingHttpHeaders; body?: unknown },
  ): Promise<Reply>;
  /** `X-Cache` of that request. */
  verdict(path: string, headers?: OutgoingHttpHeaders): Promise<unknown>;
}

const open: INestApplication[] = [];
const agents: Agent[] = [];

/** An application on a real socket, closed after the test. */
export async function startApp(
  platform: Platform,
  metadata: ModuleMetadata,
  {
    options = {},
    configure,
    behindProxy = false,
  }: {
    options?: Partial<RedisCacheOptions>;
    configure?(app: INestApplication): unknown;
    /** What `X-Forwarded-…` says counts. */
    behindProxy?: boolean;
  } = {},
): Promise<TestApp> {
  class AppModule {}
  const log: string[] = [];
  const app = await NestFactory.create(
    {
      module: AppModule,
      ...metadata,
      imports: [RedisCacheModule.forRoot(options), ...(metadata.imports ?? [])],
    },
    ...((platform === 'express' ? [] : [new FastifyAdapter({ trustProxy: behindProxy })]) as []),
    { logger: collect(log), abortOnError: false },
  );
  open.push(app);
  if (behindProxy && platform === 'express')
    app.getHttpAdapter().getInstance().set('trust proxy', true);
  await configure?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const agent = new Agent({ keepAlive: true });
  agents.push(agent);
  const send: TestApp['send'] = (path, init = {}) => call({ port, agent }, path, init);
  return {
    app,
    cache: app.get(CacheService),
    log,
    send,
    verdict: async (path, headers) => (await send(path, { headers })).headers['x-cache'],
  };
}

afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await Promise.all(open.splice(0).map((app) => app.close()));
});

function call(
  { port, agent }: { port: number; agent: Agent },
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: OutgoingHttpHeaders; body?: unknown },
): Promise<Reply> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const content = json === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, method, headers: { ...content, ...headers }, agent },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('error', reject);
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const status = incoming.statusCode!;
          resolve({ status, headers: incoming.headers, text, json: () => JSON.parse(text) });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(json);
  });
}

function collect(log: string[]): LoggerService {
  const ignore = (): void => undefined;
  const keep = (message: unknown): void => void log.push(String(message));
  return { log: ignore, debug: ignore, verbose: ignore, warn: keep, error: keep, fatal: keep };
}

/** Every request that comes to the application comes to this gate, and goes on at once. */
export const announce =
  (received: Gate) =>
  (app: INestApplication): unknown =>
    app.use((_request: unknown, _response: unknown, next: () => void) => {
      void received.pass();
      next();
    });
