import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { timeout } from 'rxjs';
import { CachePut } from '../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { announce, PLATFORMS, startApp } from './http-app.js';

interface Cat {
  id: string;
  name: string;
}

const cats = new Map<string, Cat>();
let runs = 0;
let door: Gate | undefined;
let saving: Gate | undefined;

async function save(cat: Cat): Promise<Cat> {
  await saving?.pass();
  if (cat.name === 'bad') throw new Error('bad name');
  cats.set(cat.id, cat);
  runs++;
  return cat;
}

@Controller('cats')
class CatsController {
  @Get(':id')
  @Cacheable({ key: 'cat:{params.id}' })
  async find(@Param('id') id: string) {
    const found = cats.get(id);
    await door?.pass();
    return found;
  }

  @Put(':id')
  @CachePut({ key: 'cat:{params.id}' })
  save(@Param('id') id: string, @Body() { name }: Cat) {
    return save({ id, name });
  }

  @Post()
  @HttpCode(200)
  @CachePut({ key: 'cat:{result.id}', tags: 'cats', ttl: '1m' })
  create(@Body() cat: Cat) {
    return save(cat);
  }

  @Post('computed')
  @CachePut({ key: (_: ExecutionContext, cat: Cat) => `cat:${cat.id}`, unless: (cat: Cat) => cat.name === 'Eve' }) // prettier-ignore
  computed(@Body() cat: Cat) {
    return save(cat);
  }

  @Post('defaulted')
  @CachePut({ key: (_: ExecutionContext, cat: Partial<Cat> = {}) => `cat:${cat.id}` })
  defaulted(@Body() cat: Cat) {
    return save(cat);
  }

  @Put(':id/silent')
  @HttpCode(204)
  @CachePut({ key: 'cat:{params.id}' })
  saveSilently(@Param('id') id: string, @Body() { name }: Cat) {
    return save({ id, name });
  }

  @Put(':id/private')
  @Header('Cache-Control', 'private')
  @CachePut({ key: 'cat:{params.id}', condition: (context: ExecutionContext) => context.switchToHttp().getRequest().body.name !== 'no' }) // prettier-ignore
  saveForOne(@Param('id') id: string, @Body() { name }: Cat) {
    return save({ id, name });
  }
}

beforeEach(() => {
  cats.clear();
  cats.set('1', { id: '1', name: 'Tom' });
  runs = 0;
  door = saving = undefined;
});

describe.each(PLATFORMS)('@CachePut on a handler, %s', (platform) => {
  const start = (received?: Gate) =>
    startApp(platform, { controllers: [CatsController] }, { configure: received && announce(received) }); // prettier-ignore
  type App = Awaited<ReturnType<typeof start>>;
  const put = ({ send }: App, name: string, path = '/cats/1', headers = {}) =>
    send(path, { method: 'PUT', body: { name }, headers });
  const name = async ({ send }: App) => (await send('/cats/1')).json().name as string;

  it('D2 always runs, and its response is what the next GET gets', async () => {
    const app = await start();
    await app.send('/cats/1');
    for (const given of ['Kit', 'Max']) {
      const { headers } = await put(app, given);
      expect(headers['cache-status']).toBe('nestjs-redis-cache; fwd=method; stored');
      const { json, headers: got } = await app.send('/cats/1');
      expect([json().name, got['x-cache']]).toEqual([given, 'HIT']);
    }
    expect(runs).toBe(2);
  });

  it('D2 a GET that has read before it → cannot overwrite what it has stored', async () => {
    const app = await start();
    door = new Gate();
    const early = app.send('/cats/1');
    await door.arrived();
    await put(app, 'Kit');
    door.open();
    await early;
    expect(await name(app)).toBe('Kit');
  });

  it('D2 two at once → both run, and the older one is not what remains', async () => {
    const app = await start();
    saving = new Gate();
    const both = [put(app, 'Kit'), put(app, 'Max')];
    await saving.arrived(2);
    saving.open();
    await Promise.all(both);
    expect(runs).toBe(2);
    expect(await name(app)).toBe(cats.get('1')!.name);
  });

  it('D2 the handler throws → its error; what was stored is gone', async () => {
    const app = await start();
    await app.send('/cats/1');
    expect((await put(app, 'bad')).status).toBe(500);
    expect(await app.verdict('/cats/1')).toBe('MISS');
  });

  it('D2 a key made of the result, tags and ttl → as for @Cacheable', async () => {
    const app = await start();
    const body = { id: '7', name: 'Ann' };
    for (const path of ['/cats', '/cats/computed', '/cats/defaulted']) {
      await app.send(path, { method: 'POST', body: { ...body, name: path } });
      const { json, headers } = await app.send('/cats/7');
      expect([json().name, headers['x-cache']]).toEqual([path, 'HIT']);
    }
    await app.send('/cats', { method: 'POST', body });
    expect(await app.cache.ttl('cat:7')).toBeLessThanOrEqual(60_000);
    await app.cache.evictTags('cats');
    expect(await app.verdict('/cats/7')).toBe('MISS');
  });

  it('D2 unless, private, a request with a user → not stored, and nothing older remains', async () => {
    const app = await start();
    await app.send('/cats/1');
    await app.send('/cats/computed', { method: 'POST', body: { id: '1', name: 'Eve' } });
    expect(await name(app)).toBe('Eve');
    await put(app, 'Sue', '/cats/1/private');
    expect(await name(app)).toBe('Sue');
    await put(app, 'Liz', '/cats/1', { authorization: 'x' });
    expect(await name(app)).toBe('Liz');
    expect(app.log.join()).toMatch(/Authorization header bypasses the cache/);
  });

  it('D2 a 204, which has no content to be read → not stored, and nothing older remains', async () => {
    const app = await start();
    await app.send('/cats/1');
    const { status, headers } = await put(app, 'Kit', '/cats/1/silent');
    expect([status, headers['cache-status']]).toEqual([
      204,
      'nestjs-redis-cache; fwd=method; detail=status',
    ]);
    const { json, headers: got } = await app.send('/cats/1');
    expect([json().name, got['x-cache']]).toEqual(['Kit', 'MISS']);
  });

  it('D2 an interceptor further out loses patience → the handler ends, and then its key can be cached again', async () => {
    const configure = (app: INestApplication) =>
      app.useGlobalInterceptors({ intercept: (_, next) => next.handle().pipe(timeout(20)) });
    const app = await startApp(platform, { controllers: [CatsController] }, { configure });
    saving = new Gate();
    expect((await put(app, 'Kit')).status).toBe(500);
    saving.open();
    await waitFor(async () => (await app.verdict('/cats/1')) === 'HIT');
    expect(await name(app)).toBe('Kit');
  });

  it('D2 condition is false → as if it were not there', async () => {
    const app = await start();
    await app.send('/cats/1');
    await put(app, 'no', '/cats/1/private');
    expect(await name(app)).toBe('Tom');
  });
});
