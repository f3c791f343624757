import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { map } from 'rxjs';
import { BodiesController, runs } from './bodies.js';
import { PLATFORMS, startApp } from './http-app.js';

/** What `JSON` does with bodies. */
const watched = () => ({
  parse: jest.spyOn(JSON, 'parse'),
  stringify: jest.spyOn(JSON, 'stringify'),
});
/** Those of a large body, as text or as the value. */
const ofBodies = (calls: readonly (readonly unknown[])[]) =>
  calls.filter(([given]) =>
    typeof given === 'string'
      ? given.length > 999
      : typeof given === 'object' && given !== null && 'ITEMS' in given,
  );

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(PLATFORMS)('bodies as they are stored, on %s', (platform) => {
  const start = (configure?: (app: INestApplication) => unknown) =>
    startApp(platform, { controllers: [BodiesController] }, { configure });

  it('P6 a hit → the bytes, type and length of the uncached answer; nothing is parsed, nothing serialised', async () => {
    const { send } = await start();
    const plain = await send('/bodies/uncached');
    const miss = await send('/bodies/large');
    const { parse, stringify } = watched();
    const hit = await send('/bodies/large');
    expect(ofBodies(parse.mock.calls)).toEqual([]);
    expect(ofBodies(stringify.mock.calls)).toEqual([]);
    for (const reply of [miss, hit]) {
      expect(reply.text).toBe(plain.text);
      expect(reply.headers).toMatchObject({
        'content-type': plain.headers['content-type'],
        'content-length': plain.headers['content-length'],
      });
    }
    expect([hit.headers['x-cache'], runs]).toEqual(['HIT', 1]);
  });

  it.each(['small', 'problem', 'untagged'])('P6 %s → a hit is as the miss', async (path) => {
    const { send } = await start();
    const [miss, hit] = [await send(`/bodies/${path}`), await send(`/bodies/${path}`)];
    expect([hit.text, hit.status, hit.headers['x-cache']]).toEqual([miss.text, 200, 'HIT']);
    for (const name of ['content-type', 'content-length', 'etag'])
      expect(hit.headers[name]).toBe(miss.headers[name]);
    expect(hit.headers['content-type']).toMatch(/json; charset=utf-8$/);
  });

  it('P6 HEAD → length and no body; a tag that is known → 304 without one', async () => {
    const { send } = await start();
    const { headers } = await send('/bodies/large');
    const head = await send('/bodies/large', { method: 'HEAD' });
    expect([head.text, head.headers['content-length']]).toEqual(['', headers['content-length']]);
    const known = await send('/bodies/large', { headers: { 'if-none-match': headers.etag } });
    expect([known.status, known.text, known.headers['content-length']]).toEqual([
      304,
      '',
      undefined,
    ]);
  });

  it('P6 an interceptor further out → it sees the value, on a miss and on a hit', async () => {
    const { send } = await start((app) =>
      app.useGlobalInterceptors({
        intercept: (_, next) => next.handle().pipe(map(({ run }) => ({ wrapped: run }))),
      }),
    );
    for (const verdict of ['MISS', 'HIT']) {
      const { text, headers } = await send('/bodies/large');
      expect([text, headers['x-cache']]).toEqual(['{"wrapped":1}', verdict]);
    }
  });
});

describe('what an application does with JSON is done on a hit, too', () => {
  const onExpress = (configure: (app: any) => unknown) =>
    startApp('express', { controllers: [BodiesController] }, { configure });
  const onFastify = (configure: (fastify: any) => unknown) =>
    startApp(
      'fastify',
      { controllers: [BodiesController] },
      {
        configure: (app) => configure(app.getHttpAdapter().getInstance()),
      },
    );
  const texts = async ({ send }: Awaited<ReturnType<typeof startApp>>) => [
    (await send('/bodies/untagged')).text,
    (await send('/bodies/untagged')).text,
  ];

  it('P6 Express, spaces → the same text', async () => {
    const app = await onExpress((own) => own.set('json spaces', 1));
    expect(await texts(app)).toEqual(['{\n "run": 1\n}', '{\n "run": 1\n}']);
  });

  it('P6 Express, a middleware that replaces json → it is called', async () => {
    const app = await onExpress((own) =>
      own.use((_: unknown, response: any, next: () => void) => {
        const json = response.json;
        response.json = (body: object) => json.call(response, { data: body });
        next();
      }),
    );
    expect(await texts(app)).toEqual(['{"data":{"run":1}}', '{"data":{"run":1}}']);
  });

  it('P6 Fastify, a hook before serialisation → it is called', async () => {
    const app = await onFastify((fastify) =>
      fastify.addHook('preSerialization', async (_: unknown, __: unknown, data: object) => ({
        data,
      })),
    );
    expect(await texts(app)).toEqual(['{"data":{"run":1}}', '{"data":{"run":1}}']);
  });

  it('P6 Fastify, a serializer of its own → it is called', async () => {
    const app = await onFastify((fastify) =>
      fastify.setReplySerializer((body: object) => `${JSON.stringify(body)}\n`),
    );
    expect(await texts(app)).toEqual(['{"run":1}\n', '{"run":1}\n']);
  });
});
