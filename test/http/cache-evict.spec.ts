import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  Param,
  Post,
  Put,
  Res,
  Sse,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { concat, defer, from, retry, take, tap, timer } from 'rxjs';
import { engineOf } from '../../lib/cache/cache.service.js';
import { CacheEvictError } from '../../lib/common/errors.js';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { PLATFORMS, startApp, type TestApp } from './http-app.js';

const names = new Map<string, string>();
let steps: string[] = [];
let door: Gate | undefined;

@Controller('cats')
class CatsController {
  @Get(':id')
  @Cacheable({ key: 'cat:{params.id}' })
  async find(@Param('id') id: string) {
    const name = names.get(id) ?? 'nobody';
    await door?.pass();
    return { id, name };
  }

  @Put(':id')
  @CacheEvict({ key: 'cat:{params.id}' })
  rename(@Param('id') id: string, @Body('name') name: string) {
    if (name === '') throw new ConflictException();
    names.set(id, name);
    return { id };
  }

  @Post('async')
  @CacheEvict({ key: 'cat:1' })
  async later() {
    return {};
  }

  @Post()
  @CacheEvict({ keys: ['cat:{result.id}', ['cats', 'list']] })
  create(@Body() cat: { id: string; name: string }) {
    names.set(cat.id, cat.name);
    return { ...cat };
  }

  @Post('computed')
  @CacheEvict({ keys: (_: ExecutionContext, result: { ids: string[] }) => result.ids })
  @CacheEvict({ key: (_: ExecutionContext, result: { ids: string[] }) => ['cats', result.ids[0]!] })
  computed(@Body() body: { ids: string[] }) {
    return body;
  }

  @Delete(':id')
  @CacheEvict({ key: 'cat:{params.id}', when: 'before' })
  remove(@Param('id') id: string) {
    throw new ConflictException(id);
  }

  @Post('condition')
  @CacheEvict({ key: 'cat:1', condition: (_, result) => result.changed })
  condition(@Body() body: { changed: boolean }) {
    return body;
  }

  @Post('nobody')
  @CacheEvict({ key: 'cat:{result.cat.id}' })
  nobody() {
    return {};
  }

  @Post('broken')
  @CacheEvict({
    key: () => {
      throw new Error('the key function is broken');
    },
  })
  broken() {
    return { done: true };
  }

  @Post('observable')
  @CacheEvict({ key: 'cat:1' })
  observable() {
    const last = defer(() => [void steps.push('last value')]);
    return concat(from([{ n: 1 }]), timer(5), last).pipe(
      tap({ complete: () => steps.push('completed') }),
    );
  }

  @Post('own-response')
  @CacheEvict({ key: 'cat:1' })
  ownResponse(@Res() response: any) {
    response.send('done');
  }

  @Sse('all/events')
  @CacheEvict({ key: 'cat:1' })
  events() {
    const second = defer(() => [{ data: 2 }]).pipe(tap(() => steps.push('second is made')));
    return concat(from([{ data: 1 }]), second);
  }
}

@Controller('cats-lost')
class LostController {
  @Post()
  @CacheEvict({ key: 'cat:1', cache: 'reports' })
  change() {
    steps.push('changed');
  }
}

/** Notes when an evict begins, and fails it if told to. */
function watch({ cache }: TestApp, fail?: () => Error): void {
  const engine = engineOf(cache)!;
  const evict = engine.evict.bind(engine);
  engine.evict = async (keys, failure) => {
    steps.push(`evict ${keys.map(({ given }) => String(given)).join(' ')}`);
    if (fail && failure === 'throw') throw fail();
    return fail ? 0 : evict(keys, failure);
  };
}

beforeEach(() => {
  names.clear();
  names.set('1', 'Tom');
  steps = [];
  door = undefined;
});

describe.each(PLATFORMS)('@CacheEvict on %s', (platform) => {
  const controllers = [CatsController];
  const start = () => startApp(platform, { controllers });
  const put = ({ send }: TestApp, name: string) =>
    send('/cats/1', { method: 'PUT', body: { name } });
  const post = ({ send }: TestApp, path: string, body: object = {}) =>
    send(`/cats${path}`, { method: 'POST', body });

  it('P7 GET, then PUT that evicts, then GET → never stale', async () => {
    const app = await start();
    for (const name of ['Kit', 'Max', 'Leo']) {
      await app.send('/cats/1');
      await put(app, name);
      expect((await app.send('/cats/1')).json()).toEqual({ id: '1', name });
      expect((await app.send('/cats/1')).headers['x-cache']).toBe('HIT');
    }
  });

  it('P7 a GET that has read before the PUT and answers after it → is not stored', async () => {
    const app = await start();
    door = new Gate();
    const early = app.send('/cats/1');
    await door.arrived();
    await put(app, 'Kit');
    door.open();
    const { json, headers } = await early;
    expect(json().name).toBe('Tom');
    expect(headers['cache-status']).toBe('nestjs-redis-cache; fwd=miss');
    expect((await app.send('/cats/1')).json().name).toBe('Kit');
    expect((await app.send('/cats/1')).json().name).toBe('Kit');
  });

  it('P9 handler throws → nothing is evicted', async () => {
    const app = await start();
    await app.send('/cats/1');
    expect((await put(app, '')).status).toBe(409);
    expect(await app.verdict('/cats/1')).toBe('HIT');
  });

  it("P9 when: 'before' → evicted although the handler throws", async () => {
    const app = await start();
    await app.send('/cats/1');
    expect((await app.send('/cats/1', { method: 'DELETE' })).status).toBe(409);
    expect(await app.verdict('/cats/1')).toBe('MISS');
  });

  it('P9 {result.id}, an array and functions of the result → all their keys', async () => {
    const app = await start();
    watch(app);
    await post(app, '', { id: '7', name: 'Ann' });
    expect(steps).toEqual(['evict cat:7 cats,list']);
    steps = [];
    await post(app, '/computed', { ids: ['cat:1', 'cat:2'] });
    expect(steps.sort()).toEqual(['evict cat:1 cat:2 cat:1,cat:2', 'evict cats cat:1 cats,cat:1']);
  });

  it('P9 condition, by the result → decides', async () => {
    const app = await start();
    await app.send('/cats/1');
    await post(app, '/condition', { changed: false });
    expect(await app.verdict('/cats/1')).toBe('HIT');
    await post(app, '/condition', { changed: true });
    expect(await app.verdict('/cats/1')).toBe('MISS');
  });

  it('P9 an observable → evicts once it has completed, before the response', async () => {
    const app = await start();
    watch(app);
    await post(app, '/observable');
    expect(steps).toEqual(['last value', 'completed', 'evict cat:1']);
  });

  it('P9 an interceptor further out takes the first value → evicted all the same, before the response', async () => {
    const configure = (app: INestApplication) =>
      app.useGlobalInterceptors({ intercept: (_, next) => next.handle().pipe(take(1)) });
    const app = await startApp(platform, { controllers }, { configure });
    await app.send('/cats/1');
    await put(app, 'Kit');
    expect((await app.send('/cats/1')).json().name).toBe('Kit');
  });

  it('P9 no cache of that name → 500 before the handler runs', async () => {
    const app = await startApp(platform, { controllers: [LostController] });
    expect((await post(app, '-lost')).status).toBe(500);
    expect(app.log.join()).toMatch(/@CacheEvict on LostController\.change[\s\S]*'reports'/);
    expect(steps).toEqual([]);
  });

  it('P9 events → are not held back', async () => {
    const configure = (app: INestApplication) =>
      app.useGlobalInterceptors({
        intercept: (_, next) => next.handle().pipe(tap(({ data }) => steps.push(`sent ${data}`))),
      });
    const app = await startApp(platform, { controllers }, { configure });
    watch(app);
    const { text } = await app.send('/cats/all/events');
    expect(text.match(/data: \d/g)).toEqual(['data: 1', 'data: 2']);
    expect(steps).toEqual(['sent 1', 'second is made', 'sent 2', 'evict cat:1']);
  });

  it('P9 the handler writes the response itself → evicted, and one warning that it may be too late', async () => {
    const app = await start();
    await app.send('/cats/1');
    for (const _ of [1, 2]) expect((await post(app, '/own-response')).text).toBe('done');
    await waitFor(async () => !(await app.cache.has('cat:1')));
    expect(app.log).toEqual([
      expect.stringMatching(/before anything is evicted.*passthrough: true/),
    ]);
  });

  it('P9 a value of the key is missing → one warning, the response stands', async () => {
    const app = await start();
    expect((await post(app, '/nobody')).status).toBe(201);
    await post(app, '/nobody');
    expect(app.log).toEqual([
      expect.stringMatching(
        /CatsController\.nobody: a request has no usable value for one of the keys/,
      ),
    ]);
  });

  it('P9 a key function fails after the commit → reported, the response stands', async () => {
    const app = await start();
    const { status, text } = await post(app, '/broken');
    expect([status, text]).toEqual([201, '{"done":true}']);
    expect(app.log.join()).toMatch(/@CacheEvict on CatsController\.broken: nothing was evicted/);
  });

  it("P9 Redis out of reach → queued, never a 500; evictFailure: 'throw' → 500", async () => {
    const fail = () => new CacheEvictError(['cat:1']);
    const queueing = await start();
    watch(queueing, fail);
    expect((await put(queueing, 'Kit')).status).toBe(200);
    const throwing = await startApp(
      platform,
      { controllers },
      { options: { evictFailure: 'throw' } },
    );
    watch(throwing, fail);
    expect((await put(throwing, 'Max')).status).toBe(500);
    expect(names.get('1')).toBe('Max');
  });

  it("P9 the evict of an async handler fails, evictFailure: 'throw' → not evicted a second time; of one that is run again → again", async () => {
    const app = await startApp(
      platform,
      { controllers },
      {
        options: { evictFailure: 'throw' },
        configure: (nest) =>
          nest.useGlobalInterceptors({ intercept: (_, next) => next.handle().pipe(retry(1)) }),
      },
    );
    watch(app, () => new CacheEvictError(['cat:1']));
    expect((await post(app, '/async')).status).toBe(500);
    expect(steps).toEqual(['evict cat:1', 'evict cat:1']);
  });
});
