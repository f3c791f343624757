import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Module, type DynamicModule, type Type } from '@nestjs/common';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { InvalidationListener } from '../../../lib/bus/invalidation-listener.js';
import { CacheService } from '../../../lib/cache/cache.service.js';
import {
  CacheConnectionError,
  CacheEvictError,
  CacheOptionsError,
  CacheTimeoutError,
} from '../../../lib/common/errors.js';
import {
  getCacheToken,
  getInvalidationListenerToken,
  getLockToken,
} from '../../../lib/common/tokens.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { LockProvider } from '../../../lib/locks/lock.provider.js';
import { RedisCacheModule } from '../../../lib/redis-cache.module.js';
import {
  CacheTesting,
  createTestCache,
  getCacheTestingToken,
  expectLoads,
  loadsOf,
  RedisCacheTestingModule,
  type TestCache,
} from '../../../lib/testing/index.js';
import { collect } from '../methods/app.js';
import { waitFor } from '../../support/wait-for.js';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function start(builder: TestingModuleBuilder): Promise<TestingModule> {
  const module = await builder.setLogger(collect([])).compile();
  open.push(() => module.close());
  return module.init();
}

function testCache(options?: Parameters<typeof createTestCache>[0]): TestCache {
  const made = createTestCache(options);
  open.push(() => made.close());
  return made;
}

@Injectable()
class CatsService {
  @Cacheable({ key: 'cat:{0}', ttl: '5m' })
  async find(id: string): Promise<{ id: string }> {
    return { id };
  }
}

/** Nothing listens there. */
const NOWHERE = { type: 'single', url: 'redis://127.0.0.1:1' } as const;

describe('RedisCacheTestingModule', () => {
  it('K7 register — the tokens of the real module → all there, and one and the same', async () => {
    const imports = [
      RedisCacheTestingModule.register(),
      RedisCacheTestingModule.register({ name: 'reports', ttl: '1h' }),
    ];
    const module = await start(Test.createTestingModule({ imports }));
    const get = (token: Type | symbol): unknown => module.get(token, { strict: false });
    expect(get(CacheService)).toBe(get(getCacheToken()));
    expect(get(LockProvider)).toBe(get(getLockToken()));
    expect(get(InvalidationListener)).toBe(get(getInvalidationListenerToken()));
    expect(get(CacheTesting)).toBe(get(getCacheTestingToken()));
    expect(get(getCacheToken('reports'))).toBeInstanceOf(CacheService);
    expect(get(getCacheToken('reports'))).not.toBe(get(CacheService));
    expect(get(getLockToken('reports'))).toBeInstanceOf(LockProvider);
    expect(get(getInvalidationListenerToken('reports'))).toBeInstanceOf(InvalidationListener);
    expect(get(getCacheTestingToken('reports'))).not.toBe(get(CacheTesting));
  });

  it('K7 register — a wrong option → CacheOptionsError, as in the application', async () => {
    const imports = [RedisCacheTestingModule.register({ ttl: 'soon' })];
    await expect(Test.createTestingModule({ imports }).compile()).rejects.toThrow(
      CacheOptionsError,
    );
  });

  it('K7 overrideModule — a module that registers the cache → replaced; decorators use it', async () => {
    @Module({ imports: [RedisCacheModule.forRoot({ topology: NOWHERE })] })
    class AppCacheModule {}
    @Module({ imports: [AppCacheModule], providers: [CatsService] })
    class AppModule {}
    const module = await start(
      Test.createTestingModule({ imports: [AppModule] })
        .overrideModule(AppCacheModule)
        .useModule(RedisCacheTestingModule.register()),
    );
    const cats = module.get(CatsService);
    const { clock } = module.get(CacheTesting);
    const cache = module.get(CacheService);
    await cats.find('1');
    await cats.find('1');
    expect(loadsOf(cache, 'cat:1')).toBe(1);
    await clock.advance('5m');
    await cats.find('1');
    expect(loadsOf(cache, 'cat:1')).toBe(2);
    expect(loadsOf(cache, 'cat:2')).toBe(0);
  });

  it.each<[string, DynamicModule[]]>([
    ['forRoot', [RedisCacheModule.forRoot({ topology: NOWHERE }), RedisCacheModule.forRoot({ name: 'b', topology: NOWHERE })]], // prettier-ignore
    ['forRootAsync', [RedisCacheModule.forRootAsync({ useFactory: () => ({ topology: NOWHERE }) }), RedisCacheModule.forRootAsync({ name: 'b', useFactory: () => ({ topology: NOWHERE }) })]], // prettier-ignore
  ])(
    'K7 replaceIn — an application with %s → its caches work without a server, on one clock',
    async (_, imports) => {
      const builder = Test.createTestingModule({ imports });
      const testing = RedisCacheTestingModule.replaceIn(builder);
      const module = await start(builder);
      const [a, b] = [undefined, 'b'].map((name) =>
        module.get<CacheService>(getCacheToken(name), { strict: false }),
      ) as [CacheService, CacheService];
      await a.set('key', 'a');
      expect(await b.get('key')).toBeUndefined();
      await b.set('key', 'b', { ttl: '1h' });
      await testing.clock.advance('30m');
      expect([await a.get('key'), await b.get('key')]).toEqual([undefined, 'b']);
      expect(await a.nodes()).toMatchObject([{ name: 'memory' }]);
    },
  );

  it('K7 overrideProvider — a stand-in for the service → is what others get, and decorated methods run undecorated', async () => {
    const builder = Test.createTestingModule({
      imports: [RedisCacheTestingModule.register()],
      providers: [CatsService],
    });
    const get = jest.fn();
    const module = await start(builder.overrideProvider(CacheService).useValue({ get }));
    expect(module.get(getCacheToken())).toEqual({ get });
    expect(await module.get(CatsService).find('1')).toEqual({ id: '1' });
  });

  it('K7 register — an application without it → nothing of the tests in its tokens', async () => {
    const module = await start(Test.createTestingModule({ imports: [RedisCacheModule.forRoot()] }));
    expect(() => module.get(CacheTesting, { strict: false })).toThrow(/CacheTesting/);
    expect(() => loadsOf(module.get(CacheService))).toThrow(CacheOptionsError);
  });
});

describe('TestClock', () => {
  it('K7 advance — ttl and grace → follow', async () => {
    const { cache, clock } = testCache({ grace: '1h' });
    await cache.getOrSet('key', () => 1, { ttl: '5m' });
    await clock.advance('4m');
    expect(await cache.ttl('key')).toBeLessThanOrEqual(60_000);
    expect(await cache.get('key')).toBe(1);
    await clock.advance('1m');
    expect(await cache.get('key')).toBeUndefined();
    const fail = (): never => {
      throw new Error('source');
    };
    expect(await cache.getOrSet('key', fail)).toBe(1);
    await clock.advance('1h');
    await expect(cache.getOrSet('key', fail)).rejects.toThrow('source');
  });

  it('K7 advance — refreshAhead → the background load is done', async () => {
    const { cache, clock, loadsOf } = testCache({ ttl: '10m', refreshAhead: { after: 0.5 } });
    let version = 0;
    const load = (): Promise<number> => cache.getOrSet('key', async () => ++version);
    await load();
    await clock.advance('6m');
    expect(await load()).toBe(1);
    await clock.advance('1s');
    expect(await load()).toBe(2);
    expect(loadsOf('key')).toBe(2);
  });

  it('K7 advance — loaderTimeout, and renewals of a lock → in time', async () => {
    const { cache, clock, locks } = testCache({ loaderTimeout: '30s' });
    clock.freeze();
    const loading = cache.getOrSet('key', () => new Promise(() => undefined));
    loading.catch(() => undefined);
    await clock.advance('29s');
    const lock = await locks.acquire('job', { ttl: '10s' });
    await clock.advance('1s');
    await expect(loading).rejects.toThrow(CacheTimeoutError);
    await clock.advance('1m');
    expect(await locks.isLocked('job')).toBe(true); // renewed
    expect(await lock.release()).toBe(true);
    clock.unfreeze();
  });

  it('K7 advance — two at the same time, or one within another → that much passes, and then the time goes on', async () => {
    const { cache, clock } = testCache();
    const begin = clock.monotonic();
    await Promise.all([clock.advance('1m'), clock.advance('1m')]);
    clock.setTimer(1_000, () => void clock.advance('1m'));
    await clock.advance('5s');
    await waitFor(() => clock.monotonic() - begin >= 121_000);
    await cache.set('key', 1, { ttl: 20 });
    await waitFor(async () => (await cache.get('key')) === undefined);
  });

  it('K7 freeze — the time stands still, and goes on where it stood', async () => {
    const { clock } = testCache();
    clock.freeze();
    const [now, monotonic] = [clock.now(), clock.monotonic()];
    let fired = 0;
    clock.setTimer(5, () => fired++);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([clock.now(), clock.monotonic(), fired]).toEqual([now, monotonic, 0]);
    await clock.advance(4);
    expect([clock.now() - now, fired]).toEqual([4, 0]);
    await clock.advance(1);
    expect(fired).toBe(1);
    const going = new Promise<void>((resolve) => clock.setTimer(5, resolve));
    clock.unfreeze();
    await going;
    expect(clock.monotonic() - monotonic).toBeLessThan(1000);
  });

  it('K7 advance — under fake timers of jest → the same', async () => {
    jest.useFakeTimers();
    try {
      const { cache, clock } = testCache();
      await cache.set('key', 1, { ttl: '5m' });
      await clock.advance('5m');
      expect(await cache.get('key')).toBeUndefined();
    } finally {
      jest.useRealTimers();
    }
  });

  it.each([0, -1, 'soon', NaN])('K7 advance — %p → CacheOptionsError', async (duration) => {
    await expect(testCache().clock.advance(duration)).rejects.toThrow(CacheOptionsError);
  });
});

describe('Faults', () => {
  it('K7 drop — everything → reads load, evicts say so, copies are not used; restore → as before', async () => {
    const heard: string[] = [];
    const { cache, faults, invalidations, clock, locks } = testCache({
      onError: ({ operation }) => heard.push(operation),
    });
    await cache.set('key', 'stored');
    faults.drop();
    expect(invalidations.live).toBe(false);
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded');
    expect(await cache.set('other', 1)).toBe(false);
    await expect(cache.evict('key')).rejects.toThrow(CacheEvictError);
    await expect(cache.evictTags('tag')).rejects.toThrow(CacheEvictError);
    await expect(cache.increment('n')).rejects.toThrow(CacheConnectionError);
    await expect(locks.tryAcquire('lock')).rejects.toThrow(CacheConnectionError);
    await expect(cache.ping()).rejects.toThrow(CacheConnectionError);
    expect(await cache.nodes()).toMatchObject([{ connected: false, circuit: 'open' }]);
    expect(heard).toEqual(expect.arrayContaining(['get', 'evict']));
    faults.restore();
    await clock.advance('2s'); // the evicts are tried again
    expect(cache.stats().journal).toBe(0);
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.set('key', 'again')).toBe(true);
    expect(invalidations.live).toBe(true);
  });

  it('K7 drop — before the application has started → as with a Redis that is down by then', async () => {
    const builder = Test.createTestingModule({ imports: [RedisCacheModule.forRoot()] });
    const { faults } = RedisCacheTestingModule.replaceIn(builder);
    faults.drop();
    const module = await start(builder);
    const invalidations = module.get(InvalidationListener);
    expect(invalidations.live).toBe(false);
    faults.restore();
    expect(invalidations.live).toBe(true);
  });

  it('K7 drop — evicts alone → reads and writes work, and what was to be evicted is bypassed', async () => {
    const { cache, faults, invalidations } = testCache();
    await cache.set('key', 'old');
    await cache.set('other', 'kept');
    faults.drop('evicts');
    await expect(cache.evict(['key'])).rejects.toThrow(CacheEvictError);
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.get('other')).toBe('kept');
    expect(invalidations.live).toBe(true);
    faults.restore('evicts');
  });

  it('K7 drop — with strict → the errors of a real outage', async () => {
    const { cache, faults } = testCache({ failure: 'strict' });
    faults.drop('reads');
    await expect(cache.get('key')).rejects.toThrow(CacheConnectionError);
    await expect(cache.getOrSet('key', () => 1)).rejects.toThrow(CacheConnectionError);
  });

  it('K7 drop, fail, delay, restore — a kind that there is not → CacheOptionsError, and nothing changes', async () => {
    const { cache, faults } = testCache({ failure: 'strict' });
    const typo = 'evict' as 'evicts';
    for (const call of [
      () => faults.drop('reads', typo),
      () => faults.fail(new Error('x'), 'reads', typo),
      () => faults.delay('1m', 'reads', typo),
      () => faults.restore(typo),
      () => faults.drop(['reads'] as never),
    ])
      expect(call).toThrow(CacheOptionsError);
    expect(() => faults.drop(typo)).toThrow(/kind: given "evict", accepted .*"evicts"/);
    expect(await cache.get('key')).toBeUndefined();
  });

  it('K7 fail — what Redis says → the cause of what is heard', async () => {
    const errors: Error[] = [];
    const { cache, faults } = testCache({ onError: ({ error }) => errors.push(error) });
    const refusal = new Error("OOM command not allowed when used memory > 'maxmemory'.");
    faults.fail(refusal, 'writes');
    expect(await cache.set('key', 1)).toBe(false);
    expect(errors[0]).toBeInstanceOf(CacheConnectionError);
    expect(errors[0]!.cause).toBe(refusal);
  });

  it('K7 delay — within the timeout → slow; beyond → CacheTimeoutError after it', async () => {
    const { cache, faults, clock } = testCache({ failure: 'strict', l1: false });
    await cache.set('key', 1);
    clock.freeze();
    faults.delay('200ms', 'reads');
    let value: unknown = 'none yet';
    const reading = cache.get('key').then((read) => (value = read));
    await clock.advance(199);
    expect(value).toBe('none yet');
    await clock.advance(250);
    await reading;
    expect(value).toBe(1);
    faults.delay('1m', 'reads');
    const late = cache.get('key');
    late.catch(() => undefined);
    await clock.advance(600);
    await expect(late).rejects.toThrow(CacheTimeoutError);
    clock.unfreeze();
  });

  it('K7 drop — keys are walked over, with strict → rejects', async () => {
    const { cache, faults } = testCache({ failure: 'strict' });
    await cache.set('key', 1);
    faults.drop('reads');
    await expect(cache.keys()[Symbol.asyncIterator]().next()).rejects.toThrow(CacheConnectionError);
  });
});

describe('loadsOf', () => {
  it('K7 loadsOf — joined, hit, another key, a namespace, an array → those runs alone', async () => {
    const { cache, loadsOf: own } = testCache();
    const load = (key: string | string[]): Promise<unknown> => cache.getOrSet(key, async () => key);
    await Promise.all([load('a'), load('a'), load('b'), load(['a'])]);
    await load('a');
    await cache.namespace('n').getOrSet('a', () => 1);
    expect([own('a'), own('b'), own(['a']), own('c'), own()]).toEqual([1, 1, 1, 0, 4]);
    expect(loadsOf(cache.namespace('n'), 'a')).toBe(1);
  });

  it('K7 expectLoads — as often, more often → passes; an AssertionError that says how often', async () => {
    const { cache, expectLoads: own } = testCache();
    await cache.getOrSet(['a', 1], () => 1);
    own(1);
    own(0, 'b');
    expectLoads(cache, 1, ['a', 1]);
    expect(() => expectLoads(cache, 2, ['a', 1])).toThrow(
      expect.objectContaining({
        code: 'ERR_ASSERTION',
        actual: 1,
        expected: 2,
        message: "expected 2 loads of [ 'a', 1 ], and there were 1",
      }),
    );
    expect(() => own(0)).toThrow('expected 0 loads of the cache, and there were 1');
  });
});
