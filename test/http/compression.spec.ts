import { request, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import fastifyCompress from '@fastify/compress';
import compression from 'compression';
import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BodiesController, runs } from './bodies.js';
import { PLATFORMS, startApp, type Platform } from './http-app.js';

/** What applications put in front of their handlers. */
const COMPRESSION: Record<Platform, (app: INestApplication) => unknown> = {
  express: (app) => (app as NestExpressApplication).use(compression()),
  fastify: (app) => (app as NestFastifyApplication).register(fastifyCompress as never),
};

interface Raw {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

describe.each(PLATFORMS)('compression of responses, on %s', (platform) => {
  async function start() {
    const { app } = await startApp(
      platform,
      { controllers: [BodiesController] },
      { configure: COMPRESSION[platform] },
    );
    const { port } = app.getHttpServer().address() as AddressInfo;
    return (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      new Promise<Raw>((resolve, reject) => {
        const sent = request({ port, path, headers, method, agent: false }, (incoming) => {
          const { statusCode: status = 0, headers: received } = incoming;
          incoming.toArray().then((chunks) => {
            resolve({ status, headers: received, body: Buffer.concat(chunks as Buffer[]) });
          }, reject);
        });
        sent.on('error', reject).end();
      });
  }
  const GZIP = { 'accept-encoding': 'gzip' };

  it.each(['/bodies/large', '/bodies/text'])(
    'P6 %s → a hit is compressed as a miss is, for those who take it, and plain for others',
    async (path) => {
      const get = await start();
      const [miss, hit, plain] = [await get(path, GZIP), await get(path, GZIP), await get(path)];
      expect([miss, hit, plain].map(({ headers }) => headers['x-cache'])).toEqual([
        'MISS',
        'HIT',
        'HIT',
      ]);
      for (const { headers, body } of [miss, hit]) {
        expect(headers['content-encoding']).toBe('gzip');
        expect(headers.vary?.toLowerCase()).toBe('accept-encoding');
        expect(gunzipSync(body)).toEqual(plain.body);
        expect(headers['content-length'] ?? String(body.length)).toBe(String(body.length));
      }
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.headers['content-length']).toBe(String(plain.body.length));
      expect(runs).toBe(1);
    },
  );

  it('P5 the tag of a compressed response → 304, compressed or not, on a hit and on a miss', async () => {
    const get = await start();
    const { headers } = await get('/bodies/large', GZIP);
    const known = { 'if-none-match': headers.etag! };
    for (const further of [GZIP, {}]) {
      const reply = await get('/bodies/large', { ...known, ...further });
      expect([reply.status, reply.body.length, reply.headers.etag]).toEqual([304, 0, headers.etag]);
      expect(reply.headers['content-encoding']).toBeUndefined();
      expect(reply.headers['x-cache']).toBe('HIT');
    }
    const small = await get('/bodies/small', { ...GZIP, 'if-none-match': '*' });
    expect([small.status, small.body.length, small.headers['x-cache']]).toEqual([304, 0, 'MISS']);
  });

  it('P6 HEAD, a short body → not compressed; HEAD has no body', async () => {
    const get = await start();
    for (const verdict of ['MISS', 'HIT']) {
      const { headers, body } = await get('/bodies/small', GZIP);
      expect([body.toString(), headers['x-cache']]).toEqual(['[1,"ü"]', verdict]);
      expect(headers['content-encoding']).toBeUndefined();
    }
    await get('/bodies/large');
    const head = await get('/bodies/large', GZIP, 'HEAD');
    expect([head.status, head.body.length, head.headers['x-cache']]).toEqual([200, 0, 'HIT']);
    expect(head.headers.etag).toBe((await get('/bodies/large')).headers.etag);
  });
});
