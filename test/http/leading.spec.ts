/** What stands around a handler and has it run: in which context, how often, and as whose call. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Param,
  Post,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import { catchError, of, retry, timeout } from 'rxjs';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { CachePut } from '../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { NoCache } from '../../lib/decorators/no-cache.decorator.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';
import { PLATFORMS, startApp } from './http-app.js';

const tenants = new AsyncLocalStorage<string>();
const tenant = (): string | undefined => tenants.getStore();
const personal = { headers: { authorization: 'Bearer x' } };

let runs: number;
let failures: number;
let evicted: unknown[];
let gate: Gate;

/** Gives what it leads to a context, by the header of the request. */
@Injectable()
class Tenancy implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const { headers } = context.switchToHttp().getRequest();
    return tenants.run(headers['x-tenant'], () => next.handle());
  }
}

class Again implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(retry(2));
  }
}

class Impatient implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(
      timeout(20),
      catchError(() => of({ late: true })),
    );
  }
}

/** Begins what calls the handler as a method, when that has answered. */
@Injectable()
class Ahead implements PipeTransform {
  constructor(private readonly modules: ModuleRef) {}

  transform(value: string) {
    const controller = this.modules.get(AgainController, { strict: false });
    void gate.pass().then(() => controller.ahead('2'));
    return value;
  }
}

/** Calls the handler as a method, and waits for that. */
@Injectable()
class Before implements PipeTransform {
  constructor(private readonly modules: ModuleRef) {}

  async transform(value: string) {
    await this.modules.get(AgainController, { strict: false }).before('default');
    return value;
  }
}

class Slow implements PipeTransform {
  async transform(value: unknown) {
    await gate.pass();
    return value;
  }
}

/** A decorator that has a method run again, and copies what others have noted on it. */
const Retried: MethodDecorator = (_, __, descriptor: PropertyDescriptor) => {
  const method = descriptor.value;
  async function retried(this: unknown, ...given: unknown[]): Promise<unknown> {
    for (let left = 2; ; left--)
      try {
        return await method.apply(this, given);
      } catch (error) {
        if (left === 0) throw error;
      }
  }
  for (const key of Reflect.getMetadataKeys(method))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), retried);
  descriptor.value = retried;
};

/** As often as it is to fail, and a run of its own each time. */
function work(): object {
  runs++;
  if (failures-- > 0) throw new Error('not yet');
  return { run: runs };
}

@Controller('tenant')
@UseInterceptors(Tenancy)
class TenantController {
  @Get('cached')
  @Cacheable({ key: () => `of ${tenant()}` })
  async cached() {
    await Promise.resolve();
    return { tenant: tenant() };
  }

  @Get('conditional')
  @Cacheable({ key: () => `if ${tenant()}`, condition: async () => tenant() !== 'none' })
  conditional() {
    return { tenant: tenant() };
  }

  @Get('excluded')
  @NoCache()
  @Cacheable()
  excluded() {
    return { tenant: tenant() };
  }

  @Post('put')
  @CachePut({ key: () => `of ${tenant()}` })
  put() {
    return { tenant: tenant() };
  }

  @Post('evict')
  @CacheEvict({
    key: () => `of ${tenant()}`,
    condition: () => evicted.push(tenant()) > 0,
  })
  evict() {
    return { tenant: tenant() };
  }
}

/** Of decorators the lower one is further out. */
@Controller('again')
class AgainController {
  @Get('outside')
  @Cacheable({ key: 'outside' })
  @UseInterceptors(Again)
  outside() {
    return work();
  }

  @Get('inside')
  @UseInterceptors(Again)
  @Cacheable({ key: 'inside' })
  inside() {
    return work();
  }

  @Post('outside')
  @CacheEvict({ key: 'outside' })
  @UseInterceptors(Again)
  changeOutside() {
    return work();
  }

  @Get('above/:id')
  @Retried
  @Cacheable({ key: 'above:{params.id}' })
  above() {
    return work();
  }

  @Get('between/:id')
  @CacheEvict({ key: 'between:{params.id}' })
  @Retried
  @Cacheable({ key: 'between:{params.id}' })
  between() {
    return work();
  }

  @Post('above/:id')
  @Retried
  @CacheEvict({ key: 'above:{params.id}' })
  changeAbove() {
    return work();
  }

  @Get('ahead/:id')
  @Cacheable({ key: 'ahead' })
  async ahead(@Param('id', Ahead) id: string) {
    runs++;
    return { id };
  }

  @Get('before/:id')
  @Cacheable({ key: 'before' })
  async before(@Param('id', Before) id: string) {
    runs++;
    return { id };
  }

  @Get('given-up/:id')
  @Cacheable({ key: 'given-up' })
  @UseInterceptors(Impatient)
  givenUp(@Param('id', Slow) id: string) {
    runs++;
    return { id };
  }

  @Get('answered/:id')
  @UseInterceptors(Impatient)
  @Cacheable({ key: 'answered' })
  answered(@Param('id', Slow) id: string) {
    runs++;
    return { id };
  }
}

abstract class Base {
  @Get(':id')
  @Cacheable({ key: 'base' })
  async find(@Param('id') id: string): Promise<unknown> {
    return { id };
  }
}

@Controller('derived')
class DerivedController extends Base {
  @Get(':id')
  @Cacheable({ key: 'derived' })
  @UseInterceptors(Impatient)
  override async find(@Param('id') id: string) {
    await gate.pass();
    const found = await super.find(id);
    runs++;
    return found;
  }
}

@Controller('later')
class LaterController extends Base {
  @Get(':id')
  @Cacheable({ key: 'later' })
  override async find(@Param('id') id: string) {
    void gate
      .pass()
      .then(() => super.find(id))
      .then(() => runs++);
    return { id };
  }
}

beforeEach(() => {
  [runs, failures, evicted] = [0, 0, []];
  gate = new Gate();
});

describe.each(PLATFORMS)('what leads to a handler on %s', (platform) => {
  describe('P8 in the context that an interceptor further out has given', () => {
    const start = () => startApp(platform, { controllers: [TenantController] });
    const of = (name: string) => ({ headers: { 'x-tenant': name } });

    it.each(['cached', 'conditional'])('%s → on a miss and on a hit', async (path) => {
      const { send } = await start();
      for (const verdict of ['MISS', 'HIT'])
        for (const name of ['a', 'b']) {
          const { json, headers } = await send(`/tenant/${path}`, of(name));
          expect([json(), headers['x-cache']]).toEqual([{ tenant: name }, verdict]);
        }
    });

    it('a condition does not hold, or it is not to be cached → all the same', async () => {
      const { send } = await start();
      for (const path of ['conditional', 'excluded'])
        expect((await send(`/tenant/${path}`, of('none'))).json()).toEqual({ tenant: 'none' });
      expect((await send('/tenant/cached', { headers: { ...personal.headers, 'x-tenant': 'c' } })).json()).toEqual({ tenant: 'c' }); // prettier-ignore
    });

    it('a change → its own entry, and what it evicts is that of its tenant', async () => {
      const { send, cache } = await start();
      for (const name of ['a', 'b']) await send('/tenant/put', { ...of(name), method: 'POST' });
      await send('/tenant/evict', { ...of('a'), method: 'POST' });
      expect(evicted).toEqual(['a']);
      expect(await cache.ttl('of a')).toBeUndefined();
      expect((await send('/tenant/cached', of('b'))).json()).toEqual({ tenant: 'b' });
    });
  });

  describe('run again, or given up', () => {
    const start = () =>
      startApp(platform, { controllers: [AgainController, DerivedController, LaterController] });

    it.each([
      ['outside', {}],
      ['inside', {}],
      ['outside', personal],
      ['inside', personal],
    ])(
      'P8 an interceptor %s runs it again, %j → each time it is the handler itself',
      async (place, how) => {
        const { send } = await start();
        const isPersonal = how === personal;
        for (const [run, verdict] of [
          [3, isPersonal ? 'BYPASS' : 'MISS'],
          [isPersonal ? 6 : 3, isPersonal ? 'BYPASS' : 'HIT'],
        ]) {
          failures = 2;
          const { headers, json } = await send(`/again/${place}`, how);
          expect([headers['x-cache'], json()]).toEqual([verdict, { run }]);
        }
        const change = () => send('/again/outside', { method: 'POST' });
        for (const _ of [1, 2]) {
          [runs, failures] = [0, 2];
          expect((await change()).json()).toEqual({ run: 3 });
        }
      },
    );

    it.each([
      ['GET', 'above', {}],
      ['GET', 'above', personal],
      ['GET', 'between', {}],
      ['POST', 'above', {}],
    ])(
      'P8 D10 %s, a decorator %s runs it again, %j → each time it is the method itself',
      async (method, place, how) => {
        const { send, cache } = await start();
        failures = 2;
        const { status, json } = await send(`/again/${place}/1`, { method, ...how });
        expect([status < 300, json()]).toEqual([true, { run: 3 }]);
        expect(cache.stats().loads).toBe(method === 'GET' && how !== personal ? 1 : 0);
      },
    );

    it.each(['given-up', 'answered'])(
      'P3 %s while a pipe is at work, by somebody who is known → nobody else gets what it gives',
      async (path) => {
        const { send, cache } = await start();
        await send(`/again/${path}/1`, personal);
        expect((await send('/again/outside')).status).toBe(200);
        gate.open();
        await waitFor(() => runs >= 2);
        expect(cache.stats().sets + cache.stats().loads).toBe(1);
        expect((await send(`/again/${path}/2`)).json()).toEqual({ id: '2' });
      },
    );

    it('P3 a pipe calls it before, for somebody who is known → nobody else gets what it gives', async () => {
      const { send, cache } = await start();
      for (const id of ['1', '2'])
        expect((await send(`/again/before/${id}`, personal)).json()).toEqual({ id });
      expect(runs).toBe(4);
      expect(await cache.get('before')).toBeUndefined();
    });

    it('P3 given up while it is at work → what it calls by super is still a part of it', async () => {
      const { send, cache } = await start();
      await send('/derived/1', personal);
      expect((await send('/again/outside')).status).toBe(200);
      gate.open();
      await waitFor(() => runs >= 2);
      expect(cache.stats().loads).toBe(1);
    });

    describe('and when it has answered, while another one is at work', () => {
      async function startWithAnother() {
        const app = await start();
        await app.send('/derived/1', personal);
        const another = gate;
        gate = new Gate();
        return { ...app, another };
      }

      it('P3 what a pipe has begun calls it → that is cached as the call of a method', async () => {
        const { send, cache, another } = await startWithAnother();
        expect((await send('/again/ahead/1', personal)).json()).toEqual({ id: '1' });
        gate.open();
        await waitFor(() => runs === 2);
        await waitFor(async () => (await cache.get('ahead')) !== undefined);
        another.open();
        await waitFor(() => runs === 3);
      });

      it('P3 it calls super → that is no part of it any more', async () => {
        const { send, cache, another } = await startWithAnother();
        await send('/later/2');
        gate.open();
        await waitFor(() => runs === 1);
        expect(await cache.get('base')).toEqual({ id: '2' });
        another.open();
        await waitFor(() => runs === 2);
      });
    });
  });
});
