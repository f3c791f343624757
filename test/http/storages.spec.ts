import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { CachePut } from '../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { CacheableInterceptor } from '../../lib/http/cacheable.interceptor.js';
import { waitFor } from '../support/wait-for.js';
import { PLATFORMS, startApp } from './http-app.js';

/** Until Node 24 each of them costs every promise of the process a little. */
const inUse = new Set<AsyncLocalStorage<unknown>>();
const { prototype } = AsyncLocalStorage;
const { run, disable } = prototype;

beforeAll(() => {
  // No mock of the runner: that keeps what it is called with.
  prototype.run = function (this: AsyncLocalStorage<unknown>, ...given: any): any {
    inUse.add(this);
    return Reflect.apply(run, this, given);
  };
  prototype.disable = function (this: AsyncLocalStorage<unknown>) {
    inUse.delete(this);
    disable.call(this);
  };
});

afterAll(() => void Object.assign(prototype, { run, disable }));

/** While a handler ran. */
let inUseWithin: number[];

/** Might as well run the handler again, or give it up. */
class PassingOn implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle();
  }
}

@Controller('plain')
class PlainController {
  @Get()
  @Cacheable({ key: 'plain' })
  async find() {
    inUseWithin.push(inUse.size);
    return {};
  }

  @Get('failing')
  @Cacheable({ key: 'failing' })
  async failing() {
    throw new NotFoundException();
  }

  @Get('refused/:id')
  @Cacheable({ key: 'refused' })
  refused(@Param('id', ParseIntPipe) id: number) {
    return { id };
  }

  @Get('passed-on')
  @UseInterceptors(PassingOn)
  @Cacheable({ key: 'passed on' })
  passedOn() {
    inUseWithin.push(inUse.size);
    return {};
  }

  @Post('put')
  @CachePut({ key: 'put' })
  @CacheEvict({ key: 'plain' })
  put() {
    inUseWithin.push(inUse.size);
    return {};
  }

  @Post()
  @CacheEvict({ key: 'plain' })
  change() {
    inUseWithin.push(inUse.size);
    return {};
  }
}

beforeEach(() => {
  inUseWithin = [];
});

describe.each(PLATFORMS)('handlers on %s', (platform) => {
  it('P8 all have been answered → no storage of async context is in use', async () => {
    const { send } = await startApp(platform, { controllers: [PlainController] });
    inUse.clear(); // the runner has one of its own
    for (const _ of [1, 2]) await send('/plain');
    await send('/plain', { headers: { authorization: 'Bearer x' } });
    for (const path of ['/plain', '/plain/put']) await send(path, { method: 'POST' });
    expect(inUseWithin).toHaveLength(4);
    expect(Math.min(...inUseWithin)).toBeGreaterThan(0);
    expect(inUse.size).toBe(0);
  });

  it.each([
    ['has failed', '/plain/failing', 404],
    ['was not reached, for a pipe has refused', '/plain/refused/x', 400],
  ])('P8 a handler %s → none either', async (_, path, status) => {
    const { send } = await startApp(platform, { controllers: [PlainController] });
    inUse.clear();
    expect((await send(path)).status).toBe(status);
    expect(inUse.size).toBe(0);
  });

  it('P8 answered by way of two interceptors of ours → none either', async () => {
    const providers = [{ provide: APP_INTERCEPTOR, useClass: CacheableInterceptor }];
    const { send } = await startApp(platform, { controllers: [PlainController], providers });
    inUse.clear();
    await send('/plain');
    await send('/plain', { headers: { authorization: 'Bearer x' } });
    expect(inUseWithin).toHaveLength(2);
    expect(Math.min(...inUseWithin)).toBeGreaterThan(0);
    expect(inUse.size).toBe(0);
  });

  it('P8 others are further in → none once what has led there is collected', async () => {
    const { send } = await startApp(platform, { controllers: [PlainController] });
    inUse.clear();
    await send('/plain/passed-on');
    expect(inUseWithin).toHaveLength(1);
    expect(inUseWithin[0]).toBeGreaterThan(0);
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    await waitFor(() => {
      collect();
      return inUse.size === 0;
    });
  });
});
