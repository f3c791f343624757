import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Param, Redirect, Render, type INestApplication } from '@nestjs/common';
import { inspect } from 'node:util';
import { map } from 'rxjs';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
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

/** Of what JSON does not keep as it is. */
@Controller('rich')
class RichController {
  @Get('cached/:what')
  @Cacheable()
  cached(@Param('what') what: string) {
    return RICH[what]!();
  }

  @Get('excluded/:what')
  @Cacheable({ unless: () => true })
  excluded(@Param('what') what: string) {
    return RICH[what]!();
  }

  @Get('cached-view/:what')
  @Render('view')
  @Cacheable()
  cachedView(@Param('what') what: string) {
    return (RICH[what] ?? MODELS[what])!();
  }

  @Get('redirect')
  @Redirect('/here')
  @Cacheable()
  redirect() {
    return { url: '/there', statusCode: undefined };
  }

  @Get('uncached-view/:what')
  @Render('view')
  uncachedView(@Param('what') what: string) {
    return RICH[what]!();
  }

  @Get('uncached/:what')
  uncached(@Param('what') what: string) {
    return RICH[what]!();
  }
}

const RICH: Record<string, () => unknown> = {
  plain: () => ({ text: 'ü', list: [1, null, { deep: true }] }),
  date: () => ({ at: new Date(0) }),
  undefined: () => ({ none: undefined, list: [undefined] }),
  map: () => ({ map: new Map([['a', 1]]), set: new Set([1]) }),
  class: () => ({ url: new URL('http://a.test/'), error: new Error('hidden') }),
  bigint: () => ({ id: 12n }),
  numbers: () => ({ list: [NaN, Infinity, -0] }),
  'date-alone': () => new Date(0),
  'map-alone': () => new Map([['a', 1]]),
};

class Cat {
  name = 'Tom';
}
class Kitten extends Cat {
  age = 1;
}
class Named extends Cat {
  get title() {
    return `Mr ${this.name}`;
  }
}
class Cats extends Array<Cat> {}

/** Models of views, with what is of their classes. */
const MODELS: Record<string, () => unknown> = {
  'no prototype': () => ({ query: Object.assign(Object.create(null), { page: '1' }) }),
  'an empty prototype': () => ({ query: Object.create(Object.create(null)) }),
  'instances with fields alone': () => ({ cats: [new Cat(), new Kitten()] }),
  'an instance with a getter': () => ({ cats: [new Named()] }),
  'an instance with a function': () => ({ cat: Object.assign(new Cat(), { call: () => 'Tom!' }) }),
  'an array of a class': () => ({ cats: Cats.of(new Cat()) }),
};

function replacer(this: any, key: string, value: unknown): unknown {
  if (this[key] instanceof Date) return { $date: +this[key] };
  if (value instanceof Map) return [...value];
  if (typeof value === 'bigint') return String(value);
  return value === undefined ? null : value;
}

describe.each(PLATFORMS)('what JSON does not keep, on %s', (platform) => {
  const start = (configure?: (own: any) => unknown) =>
    startApp(
      platform,
      { controllers: [RichController] },
      { configure: (app) => configure?.(app.getHttpAdapter().getInstance()) },
    );
  const sent = async ({ send }: Awaited<ReturnType<typeof startApp>>, path: string) => {
    const { status, headers, text } = await send(`/rich/${path}`);
    return { status, type: headers['content-type'], text, said: headers['cache-status'] };
  };
  const replacing = (own: any) =>
    platform === 'express'
      ? own.set('json replacer', replacer)
      : own.setReplySerializer((body: unknown) => JSON.stringify(body, replacer));

  it.each(Object.keys(RICH))(
    'P6 %s → sent as without a cache, on a miss and on a hit',
    async (what) => {
      for (const configure of [undefined, replacing]) {
        const app = await start(configure);
        const { said: _, ...plain } = await sent(app, `uncached/${what}`);
        for (const request of ['miss', 'hit'])
          expect({ request, ...(await sent(app, `cached/${what}`)) }).toMatchObject(plain);
      }
    },
  );

  /** A view that tells what it sees. */
  const viewing = (own: any) => {
    if (platform === 'fastify')
      return own.decorateReply('view', function (this: any, _: string, model: object) {
        return this.type('text/html').send(inspect(model));
      });
    class View {
      path = 'view';
      render({ settings: _settings, _locals, ...model }: any, done: (...given: any[]) => void) {
        done(null, inspect(model));
      }
    }
    return own.set('view', View);
  };

  it.each(['plain', 'date', 'undefined', 'map'])(
    'P6 a view of %s → as without a cache',
    async (what) => {
      const app = await start(viewing);
      const { text } = await sent(app, `uncached-view/${what}`);
      const [miss, hit] = [
        await sent(app, `cached-view/${what}`),
        await sent(app, `cached-view/${what}`),
      ];
      expect([miss.text, hit.text]).toEqual([text, text]);
      expect(hit.said).toMatch(what === 'plain' ? /; hit/ : /; fwd=miss; detail=no-json/);
    },
  );

  it.each(Object.keys(MODELS))(
    'P6 a view of %s → stored where JSON keeps what it sees',
    async (what) => {
      const app = await start(viewing);
      const path = `cached-view/${encodeURIComponent(what)}`;
      await sent(app, path);
      const { status, said } = await sent(app, path);
      const isKept = /prototype|alone/.test(what);
      expect(status).toBe(200);
      expect(said).toMatch(isKept ? /; hit/ : /; fwd=miss; detail=no-json/);
    },
  );

  it('P6 a redirect with a member that is undefined → stored', async () => {
    const { send } = await start();
    const replies = [await send('/rich/redirect'), await send('/rich/redirect')];
    expect(replies.map(({ headers }) => headers['x-cache'])).toEqual(['MISS', 'HIT']);
    for (const { status, headers } of replies)
      expect([status, headers.location]).toEqual([302, '/there']);
  });

  it('P6 a replacer that would see more than JSON keeps → not stored, with one warning; else stored', async () => {
    const app = await start(replacing);
    for (const _ of [1, 2])
      expect((await sent(app, 'cached/map')).said).toBe(
        'nestjs-redis-cache; fwd=miss; detail=no-json',
      );
    expect(app.log).toEqual([expect.stringMatching(/not stored: .* replacer or serializer/)]);
    await sent(app, 'cached/plain');
    expect((await sent(app, 'cached/plain')).said).toMatch(/; hit/);
  });

  it('P6 unless excludes what a replacer would see more of → that is the reason, and no warning', async () => {
    const app = await start(replacing);
    const { said } = await sent(app, 'excluded/map');
    expect([said, app.log]).toEqual(['nestjs-redis-cache; fwd=miss; detail=unless', []]);
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

  it('P6 Express, a middleware that looks at what is given to json → a miss parses it once, and writes it to store and to send it', async () => {
    const { send } = await onExpress((own) =>
      own.use((_: unknown, response: any, next: () => void) => {
        const json = response.json;
        response.json = (body: object) => json.call(response, body);
        next();
      }),
    );
    const { parse, stringify } = watched();
    await send('/bodies/large');
    expect(ofBodies(parse.mock.calls)).toHaveLength(1);
    expect(ofBodies(stringify.mock.calls)).toHaveLength(2);
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
