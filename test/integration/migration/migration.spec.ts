import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Delete, Get, Inject, Injectable, Module, Post, UseInterceptors } from '@nestjs/common'; // prettier-ignore
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { CacheService } from '../../../lib/cache/cache.service.js';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import {
  Cache,
  CACHE_MANAGER,
  CacheInterceptor,
  CacheKey,
  CacheManagerModule,
  CacheTTL,
} from '../../../lib/migration/index.js';
import type { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { CacheTesting, RedisCacheTestingModule } from '../../../lib/testing/index.js';

@Injectable()
class CatsService {
  constructor(
    @Inject(CACHE_MANAGER) readonly byToken: Cache,
    readonly byClass: Cache,
  ) {}
}

let runs: string[];
const ran = (name: string): { name: string; run: number } => ({ name, run: runs.push(name) });

class AnimalsController {
  @Get('inherited')
  inherited() {
    return ran('inherited');
  }

  @Get('inherited-keyed')
  @CacheKey('inherited')
  inheritedKeyed() {
    return ran('inheritedKeyed');
  }
}

@Controller('cats')
@UseInterceptors(CacheInterceptor)
@CacheTTL(60_000)
class CatsController extends AnimalsController {
  get kind() {
    return 'cat';
  }

  @Get()
  all() {
    return ran('all');
  }

  @Get('keyed')
  @CacheKey('cats{1}')
  @CacheTTL(1000)
  keyed() {
    return ran('keyed');
  }

  @Get('for-ever')
  @CacheTTL(0)
  @CacheKey(() => 'for-ever')
  forEver() {
    return ran('for-ever');
  }

  @Post()
  @CacheKey('keyed')
  add() {
    return ran('add');
  }

  @Delete()
  @CacheKey('deleted')
  remove() {
    return ran('remove');
  }
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(name?: string, options: Pick<RedisCacheOptions, 'refreshAhead' | 'ttl'> = {}) {
  runs = [];
  const module = await Test.createTestingModule({
    imports: [
      RedisCacheTestingModule.register({ ttl: '5m', ...options }),
      ...(name === undefined ? [] : [RedisCacheTestingModule.register({ name })]),
      CacheManagerModule.register({ cache: name }),
    ],
    providers: [CatsService],
    controllers: [CatsController],
  }).compile();
  const app = await module.createNestApplication({ logger: false }).init();
  closing.push(() => app.close());
  const get = async (path: string, headers = {}): Promise<number> =>
    ((await request(app.getHttpServer()).get(path).set(headers)).body as { run: number }).run;
  const { clock } = app.get(CacheTesting);
  return { app, get, clock, service: app.get(CacheService), cats: app.get(CatsService), cache: app.get(Cache) }; // prettier-ignore
}

describe('Cache', () => {
  it('get, set, del, mget, mset, mdel, clear, reset → as cache-manager has them', async () => {
    const { cache, cats } = await start();
    expect(cats.byToken).toBe(cats.byClass);
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.set('a', { n: 1 })).toEqual({ n: 1 });
    expect(await cache.get('a')).toEqual({ n: 1 });
    await cache.mset([{ key: 'b', value: 2 }, { key: 'c', value: null, ttl: 1000 }]); // prettier-ignore
    expect(await cache.mget(['c', 'x', 'b'])).toEqual([null, undefined, 2]);
    expect(await cache.del('a')).toBe(true);
    expect(await cache.mdel(['b', 'x'])).toBe(true);
    expect(await cache.mget(['a', 'b', 'c'])).toEqual([undefined, undefined, null]);
    expect(await cache.clear()).toBe(true);
    expect(await cache.get('c')).toBeUndefined();
    await cache.set('a', 1);
    await cache.reset();
    expect(await cache.get('a')).toBeUndefined();
    await cache.set('a', 1);
    await cache.set('a', undefined);
    expect(await cache.get('a')).toBeUndefined();
  });

  it('ttl — ms, 0, none → expires, for ever, the module’s', async () => {
    const { cache, clock, service } = await start();
    await cache.set('ms', 1, 1500);
    await cache.set('zero', 1, 0);
    await cache.set('none', 1);
    expect(await cache.ttl('ms')).toBeGreaterThan(Date.now() + 1000);
    expect([await cache.ttl('zero'), await cache.ttl('x')]).toEqual([undefined, undefined]);
    expect(await service.ttl('zero')).toBe(Infinity);
    await clock.advance(1500);
    expect(await cache.mget(['ms', 'zero', 'none'])).toEqual([undefined, 1, 1]);
    await clock.advance('5m');
    expect(await cache.mget(['zero', 'none'])).toEqual([1, undefined]);
  });

  it('X1 mset — a ttl for some → each its own', async () => {
    const { cache, clock } = await start();
    await cache.mset([{ key: 'ms', value: 1, ttl: 1000 }, { key: 'zero', value: 1, ttl: 0 }, { key: 'none', value: 1 }]); // prettier-ignore
    await clock.advance(1000);
    expect(await cache.mget(['ms', 'zero', 'none'])).toEqual([undefined, 1, 1]);
    await clock.advance('5m');
    expect(await cache.mget(['zero', 'none'])).toEqual([1, undefined]);
  });

  it.each(['5m', -1, NaN, { ttl: 5 }])('ttl — %p → CacheOptionsError', async (ttl) => {
    const { cache } = await start();
    await expect(cache.set('a', 1, ttl as number)).rejects.toThrow(CacheOptionsError);
    const text = /cache\.set.*ttl: given .*, accepted a number of ms; 0: it does not expire/s;
    await expect(cache.set('a', 1, ttl as number)).rejects.toThrow(text);
  });

  it('X5 wrap — 0, or a wrong number, from a ttl function → for ever; CacheOptionsError, and nothing is stored', async () => {
    const { cache, service } = await start();
    await cache.wrap('a', () => 1, () => 0); // prettier-ignore
    expect(await service.ttl('a')).toBe(Infinity);
    for (const wrong of [-1, NaN, '5m' as never]) {
      const wrapped = cache.wrap('b', () => 1, () => wrong); // prettier-ignore
      await expect(wrapped).rejects.toThrow(/ttl: given .*, accepted a number of ms; 0/);
      expect(await cache.get('b')).toBeUndefined();
    }
  });

  it('wrap — one load for many, ttl of the value, refreshThreshold → reloaded in the background', async () => {
    const { cache, clock } = await start();
    let loads = 0;
    const load = async (): Promise<number> => ++loads;
    expect(await Promise.all([cache.wrap('a', load), cache.wrap('a', load)])).toEqual([1, 1]);
    await cache.wrap('b', load, (value) => value * 1000); // 2 s
    await clock.advance('2s');
    expect(await cache.get('b')).toBeUndefined();
    const refreshed = (): Promise<number> => cache.wrap('c', load, { ttl: 10_000, refreshThreshold: 4000 }); // prettier-ignore
    expect(await refreshed()).toBe(3);
    await clock.advance('5s');
    expect(await refreshed()).toBe(3);
    await clock.advance('2s');
    expect(await refreshed()).toBe(3);
    await clock.advance(50);
    expect(await refreshed()).toBe(4);
    const raw = { raw: true } as object;
    await expect(cache.wrap('d', load, raw)).rejects.toThrow(CacheOptionsError);
    await expect(cache.wrap('d', load, 1000, -5)).rejects.toThrow(/refreshThreshold: given -5/);
    expect(await cache.wrap('e', load, null as never)).toEqual(expect.any(Number));
  });

  it.each([0, undefined])(
    'wrap — refreshThreshold %p → nothing is refreshed by it',
    async (none) => {
      const { cache, clock } = await start();
      let loads = 0;
      const load = async (): Promise<number> => ++loads;
      const reads = [
        () => cache.wrap('a', load, 60_000, none),
        () => cache.wrap('b', load, { ttl: 60_000, refreshThreshold: none }),
        () =>
          cache.wrap('c', load, { ttl: () => 60_000, ...(none === 0 && { refreshThreshold: 0 }) }),
        () => cache.wrap('d', load, { ttl: 0, refreshThreshold: none }),
      ];
      for (const read of reads) await read();
      await clock.advance('50s');
      for (const [i, read] of reads.entries()) expect(await read()).toBe(i + 1);
      await clock.advance(1);
      expect(loads).toBe(4);
    },
  );

  it('wrap — refreshThreshold 0, the module refreshes ahead → not this entry', async () => {
    const { cache, clock } = await start(undefined, { refreshAhead: { after: 0.5 } });
    let loads = 0;
    const load = async (): Promise<number> => ++loads;
    const reads = [
      () => cache.wrap('a', load, 60_000, 0),
      () => cache.wrap('b', load, { ttl: () => 60_000, refreshThreshold: 0 }),
    ];
    for (const read of reads) await read();
    await clock.advance('50s');
    for (const [i, read] of reads.entries()) expect(await read()).toBe(i + 1);
    await clock.advance(1);
    expect(loads).toBe(2);
  });

  it('E1 wrap — refreshThreshold without a ttl → of what is left of the module’s', async () => {
    const { cache, clock } = await start(undefined, { ttl: '10s' });
    let loads = 0;
    const read = (): Promise<number> => cache.wrap('a', async () => ++loads, undefined, 4000);
    await read();
    await clock.advance('5s');
    await read();
    await clock.advance(50);
    expect(loads).toBe(1);
    await clock.advance('1s');
    await read();
    await clock.advance(50);
    expect(loads).toBe(2);
  });

  it('E1 wrap — refreshThreshold longer than the ttl → each read; without an end → none', async () => {
    const { cache, clock } = await start();
    let loads = 0;
    const load = async (): Promise<number> => ++loads;
    for (const threshold of [5000, Infinity]) {
      loads = 0;
      const read = (): Promise<number> => cache.wrap(`each ${threshold}`, load, 1000, threshold);
      expect(await read()).toBe(1);
      await clock.advance(50);
      expect(await read()).toBe(1);
      await clock.advance(50);
      expect(await read()).toBe(2);
      await clock.advance(50);
      loads = 0;
      const never = (): Promise<number> => cache.wrap(`never ${threshold}`, load, 0, threshold);
      for (let i = 0; i < 2; i++) {
        expect(await never()).toBe(1);
        await clock.advance('6m');
      }
      expect(loads).toBe(1);
    }
  });

  it('wrap — a ttl by value beside refreshThreshold → the compiler refuses it, and so does wrap', async () => {
    const { cache } = await start();
    const load = async (): Promise<number> => 1;
    const text = /ttl: given a function beside refreshThreshold/;
    await expect(
      // @ts-expect-error A read would not know what is left of it.
      cache.wrap('a', load, { ttl: (value) => value, refreshThreshold: 300 }),
    ).rejects.toThrow(text);
    // @ts-expect-error The same.
    await expect(cache.wrap('a', load, (value: number) => value, 300)).rejects.toThrow(text);
  });

  it.each(['300', NaN, null])('wrap — refreshThreshold %p → CacheOptionsError', async (wrong) => {
    const { cache } = await start();
    const options = { ttl: 0, refreshThreshold: wrong as number };
    await expect(cache.wrap('a', () => 1, options)).rejects.toThrow(/refreshThreshold: given/);
  });

  it('mset, mdel — no list → CacheOptionsError', async () => {
    const { cache } = await start();
    for (const call of [cache.mset({} as never), cache.mdel('a' as never)])
      await expect(call).rejects.toThrow(CacheOptionsError);
  });

  it.each<[given: unknown, text: RegExp]>([
    [{ cach: 'reports' }, /cach: given an unknown option, accepted cache, isGlobal/],
    [{ cache: '' }, /cache: given "", accepted a text, not empty/],
    [{ isGlobal: 'yes' }, /isGlobal: given "yes"/],
    [null, /options: given null, accepted an object/],
    ['reports', /options: given "reports"/],
  ])('T12 register — %p → CacheOptionsError', (given, text) => {
    const register = (): unknown => CacheManagerModule.register(given as object);
    expect(register).toThrow(CacheOptionsError);
    expect(register).toThrow(text);
  });

  /** Another module than the one that registers it asks for it. */
  function startApart(options?: { isGlobal: boolean }) {
    @Module({ providers: [CatsService] })
    class CatsModule {}
    const imports = [RedisCacheTestingModule.register(), CacheManagerModule.register(options), CatsModule]; // prettier-ignore
    return Test.createTestingModule({ imports }).compile();
  }

  it.each([undefined, { isGlobal: true }])(
    'register — %p → other modules have it',
    async (given) => {
      const module = await startApart(given);
      closing.push(() => module.close());
      expect(module.get(CatsService).byClass).toBeInstanceOf(Cache);
    },
  );

  it('register — isGlobal false → other modules do not have it', async () => {
    const text = /resolve dependencies of the CatsService/;
    await expect(startApart({ isGlobal: false })).rejects.toThrow(text);
  });

  it('register — a cache of that name → that one', async () => {
    const { cache, service } = await start('reports');
    await cache.set('a', 1);
    expect(await service.get('a')).toBeUndefined();
    expect(await cache.get('a')).toBe(1);
  });
});

describe('CacheInterceptor, CacheKey, CacheTTL', () => {
  it('a controller → GET is cached, for the ttl of the class or of the handler', async () => {
    const { get, clock } = await start();
    expect([await get('/cats'), await get('/cats')]).toEqual([1, 1]);
    expect([await get('/cats/keyed'), await get('/cats/keyed')]).toEqual([2, 2]);
    expect(await get('/cats/for-ever')).toBe(3);
    await clock.advance(1000);
    expect([await get('/cats'), await get('/cats/keyed')]).toEqual([1, 4]);
    await clock.advance('1m');
    expect([await get('/cats'), await get('/cats/for-ever')]).toEqual([5, 3]);
  });

  it('a handler that the controller has inherited → the ttl of the class', async () => {
    const { get, clock } = await start();
    expect([await get('/cats/inherited'), await get('/cats/inherited')]).toEqual([1, 1]);
    await clock.advance('1m');
    expect(await get('/cats/inherited')).toBe(2);
  });

  it('a handler with CacheKey that the controller has inherited → the ttl of the class', async () => {
    const { get, clock } = await start();
    const path = '/cats/inherited-keyed';
    expect([await get(path), await get(path)]).toEqual([1, 1]);
    await clock.advance('1m');
    expect(await get(path)).toBe(2);
  });

  it('CacheKey — del of it → the handler runs again', async () => {
    const { get, cache } = await start();
    expect(await get('/cats/keyed')).toBe(1);
    await cache.del('cats{1}');
    expect(await get('/cats/keyed')).toBe(2);
  });

  it('CacheKey on DELETE, on POST → the handler runs each time', async () => {
    const { app } = await start();
    for (let i = 0; i < 2; i++) await request(app.getHttpServer()).delete('/cats').expect(200);
    for (let i = 0; i < 2; i++) await request(app.getHttpServer()).post('/cats').expect(201);
    expect(runs).toEqual(['remove', 'remove', 'add', 'add']);
  });

  it('CacheKey — HEAD after GET → answered from the cache', async () => {
    const { app, get } = await start();
    await get('/cats/keyed');
    await request(app.getHttpServer()).head('/cats/keyed').expect(200).expect('x-cache', 'HIT');
    expect(runs).toEqual(['keyed']);
  });

  it('a request that says who it is → not answered from the cache', async () => {
    const { get } = await start();
    const ada = { authorization: 'Bearer ada' };
    expect([await get('/cats'), await get('/cats', ada), await get('/cats')]).toEqual([1, 2, 1]);
  });

  it('CacheTTL — a function, a wrong number → CacheOptionsError at decoration', () => {
    expect(() => CacheTTL((() => 1) as never)(CatsController)).toThrow(/a function/);
    expect(() => CacheTTL(-1)(CatsController)).toThrow(CacheOptionsError);
  });
});
