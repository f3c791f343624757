import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Param,
  Put,
  UseInterceptors,
  type INestApplication,
} from '@nestjs/common';
import { retry } from 'rxjs';
import { CacheKeyError } from '../../../lib/common/errors.js';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { PLATFORMS, startApp } from '../../http/http-app.js';

let runs = 0;
let failures = 0;
let evicts: string[] = [];

function note(key: string): string {
  evicts.push(key);
  return key;
}

@Injectable()
class Cats {
  @Cacheable({ key: 'service:{0}' })
  async find(id: string) {
    return { id, run: ++runs };
  }
}

const retrying = { intercept: (_: unknown, next: any) => next.handle().pipe(retry(1)) };

@Controller('cats')
class CatsController {
  constructor(private readonly cats: Cats) {}

  @Get('self/:id')
  @Cacheable({ key: 'self:{params.id}' })
  async self(@Param('id') id: string) {
    return { first: await this.direct(id), second: await this.direct(id) };
  }

  @Get('service/:id')
  @Cacheable()
  async service(@Param('id') id: string) {
    return { first: await this.cats.find(id), second: await this.cats.find(id) };
  }

  @Get('direct/:id')
  @Cacheable()
  async direct(@Param('id') id: string) {
    return { id, run: ++runs };
  }

  @Get('retried/:id')
  @UseInterceptors(retrying)
  @Cacheable({ key: 'retried:{params.id}' })
  async retried(@Param('id') id: string) {
    if (failures-- > 0) throw new Error('try again');
    return { id, run: ++runs };
  }

  @Get('of-arguments/:id')
  @Cacheable({ key: 'of-arguments:{0}' })
  async ofArguments(@Param('id') id: string) {
    return { id, run: ++runs };
  }

  @Get('both/:id')
  @Cacheable({ key: 'both:{params.id}' })
  @CacheEvict({ key: () => note('inside') })
  async upper(@Param('id') id: string) {
    return { id, run: ++runs };
  }

  @Get('evicting/:id')
  @CacheEvict({ key: () => note('outside') })
  @Cacheable({ key: 'evicting:{params.id}' })
  async lower(@Param('id') id: string) {
    return { id, run: ++runs };
  }

  @Put(':id')
  @CacheEvict({ key: () => note('once') })
  async save(@Param('id') id: string) {
    return { id, run: ++runs };
  }
}

beforeEach(() => {
  runs = failures = 0;
  evicts = [];
});

describe.each(PLATFORMS)('decorated handlers, %s', (platform) => {
  const start = (configure?: (app: INestApplication) => void) =>
    startApp(platform, { controllers: [CatsController], providers: [Cats] }, { configure });

  it('D1 a request → the interceptor acts and the wrap stands aside: one entry, of a response', async () => {
    const { send, cache, log } = await start();
    await send('/cats/direct/1');
    expect((await send('/cats/direct/1')).headers['x-cache']).toBe('HIT');
    const keys: unknown[] = ['direct', '["1"]'];
    expect(await cache.has(['CatsController', ...keys] as string[])).toBe(false);
    expect([runs, log]).toEqual([1, []]);
  });

  it('D1 the handler called by other code → the wrap acts; its entry and that of the request are two', async () => {
    const { app, send } = await start();
    const controller = app.get(CatsController);
    for (const _ of [1, 2]) expect(await controller.direct('1')).toEqual({ id: '1', run: 1 });
    for (const _ of [1, 2])
      expect((await send('/cats/direct/1')).json()).toEqual({ id: '1', run: 2 });
    expect(await controller.direct('1')).toEqual({ id: '1', run: 1 });
  });

  it('D1 what a handler calls in a request, a handler of its own or a service → is cached by its wrap', async () => {
    const { send } = await start();
    expect((await send('/cats/self/1')).json()).toEqual({ first: { id: '1', run: 1 }, second: { id: '1', run: 1 } }); // prettier-ignore
    expect((await send('/cats/service/1')).json()).toEqual({ first: { id: '1', run: 2 }, second: { id: '1', run: 2 } }); // prettier-ignore
  });

  it('D1 an interceptor further in runs the handler again → the wrap stands aside again', async () => {
    const { send } = await start();
    failures = 1;
    expect((await send('/cats/retried/1')).json()).toEqual({ id: '1', run: 1 });
    expect((await send('/cats/retried/1')).headers['x-cache']).toBe('HIT');
  });

  it('D2 a request of a handler with @CacheEvict → evicts once; a call of it → once as well', async () => {
    const { app, send } = await start();
    await send('/cats/1', { method: 'PUT' });
    expect(evicts).toEqual(['once']);
    await app.get(CatsController).save('1');
    expect(evicts).toEqual(['once', 'once']);
  });

  it('D10 @Cacheable and @CacheEvict → the upper one is outside, as for methods', async () => {
    const { send } = await start();
    for (const _ of [1, 2]) await send('/cats/both/1');
    expect(evicts).toEqual(['inside']);
    for (const _ of [1, 2]) await send('/cats/evicting/1');
    expect(evicts).toEqual(['inside', 'outside', 'outside']);
    expect(runs).toBe(2);
  });

  it('D4 a key of a request without one → CacheKeyError; a key of arguments in a request → bypassed, one warning', async () => {
    const { app, send, log } = await start();
    await expect(app.get(CatsController).self('1')).rejects.toThrow(CacheKeyError);
    for (const run of [1, 2])
      expect((await send('/cats/of-arguments/1')).json()).toMatchObject({ run });
    expect(log).toEqual([
      expect.stringMatching(/CatsController\.ofArguments: a request bypasses the cache/),
    ]);
    for (const _ of [1, 2])
      expect(await app.get(CatsController).ofArguments('1')).toMatchObject({ run: 3 });
  });
});
