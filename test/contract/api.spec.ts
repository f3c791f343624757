import { Controller, Get, Injectable, Module, Param } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as root from '../../lib/index.js';
import {
  Cacheable,
  CacheEvict,
  CachePut,
  CacheService,
  getCacheToken,
  getLockToken,
  getInvalidationListenerToken,
  InvalidationListener,
  LockProvider,
  OnInvalidation,
  RedisCacheModule,
  type InvalidationEvent,
} from '../../lib/index.js';

let loads = 0;

@Injectable()
class Users {
  readonly heard: InvalidationEvent[] = [];

  @Cacheable({ key: 'user:{0}', ttl: '1m', tags: ['users'] })
  async find(id: string): Promise<{ id: string; load: number }> {
    return { id, load: ++loads };
  }

  @CachePut({ key: 'user:{result.id}' })
  async save(user: { id: string; load: number }): Promise<{ id: string; load: number }> {
    return user;
  }

  @CacheEvict({ key: 'user:{0}' })
  async remove(_id: string): Promise<void> {}

  @OnInvalidation()
  hear(event: InvalidationEvent): void {
    this.heard.push(event);
  }
}

@Controller()
class Handlers {
  @Get(':id')
  @Cacheable({ key: 'page:{params.id}', http: { shared: true } })
  find(@Param('id') id: string) {
    return { id };
  }
}

@Module({
  imports: [RedisCacheModule.forRoot(), RedisCacheModule.forRoot({ name: 'reports' })],
  providers: [Users],
  controllers: [Handlers],
})
class App {}

/** Each method as it is documented; what it does in detail is tested elsewhere. */
describe('the public interface, in memory', () => {
  let app: TestingModule;
  let cache: CacheService;

  beforeEach(async () => {
    app = await Test.createTestingModule({ imports: [App] }).compile();
    await app.init();
    cache = app.get(CacheService);
  });
  afterEach(() => app.close());

  it('exports — everything that is documented', () => {
    expect(Object.keys(root)).toEqual(
      expect.arrayContaining([
        ...['RedisCacheModule', 'CacheService', 'LockProvider', 'InvalidationListener'],
        ...['Cacheable', 'CacheEvict', 'CachePut', 'NoCache', 'InjectCache', 'OnInvalidation'],
        ...['CacheableInterceptor', 'CacheEvictInterceptor', 'escapeGlob'],
        ...['getCacheToken', 'getLockToken', 'getInvalidationListenerToken'],
        ...['CacheError', 'CacheOptionsError', 'CacheKeyError', 'CacheSerializationError'],
        ...['CacheConnectionError', 'CacheTimeoutError', 'CacheEvictError'],
        ...['LockTimeoutError', 'LockLostError'],
      ]),
    );
  });

  it('B1 get, peek, has, set — as documented', async () => {
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.set<string | null>('k', null, { ttl: '1m', tags: ['t'], version: 1 })).toBe(
      true,
    );
    expect(await cache.get('k')).toBeNull();
    expect(cache.peek('k')).toBeNull();
    expect(await cache.has('k')).toBe(true);
    expect(await cache.set('k', 2, { if: 'absent' })).toBe(false);
    expect(await cache.set(['k', 1, 2n, true, null], 2, { if: 'present' })).toBe(false);
  });

  it('A1 getOrSet, evict, evictTags, clear — as documented', async () => {
    const load = () => cache.getOrSet('k', () => ++loads, { tags: ['t'] });
    const first = await load();
    expect(await load()).toBe(first);
    expect(await cache.evict('k')).toBe(1);
    expect(await load()).toBe(first + 1);
    await cache.evictTags('t');
    expect(await load()).toBe(first + 2);
    await cache.evictTags(['t', 'u']);
    expect(await load()).toBe(first + 3);
    await cache.clear();
    expect(await cache.get('k')).toBeUndefined();
  });

  it('A8 getOrSet — the context of its loader → as documented', async () => {
    await cache.set('k', 'old');
    const value = await cache.getOrSet(
      'k',
      ({ key, signal, stale, setTtl, setTags, skip }) => {
        setTtl('1m');
        setTags(['t']);
        skip();
        return [key, signal.aborted, stale];
      },
      { force: true },
    );
    expect(value).toEqual(['k', false, 'old']);
    expect(await cache.get('k')).toBe('old');
  });

  it('M1 getMany, setMany, getOrSetMany — as documented', async () => {
    const key = ['b', 1] as const;
    await cache.setMany(
      new Map<root.Key, number>([
        ['a', 1],
        [key, 2],
      ]),
      { ttl: '1m' },
    );
    expect([...(await cache.getMany(['c', key, 'a']))]).toEqual([
      [key, 2],
      ['a', 1],
    ]);
    const all = await cache.getOrSetMany<number>(
      ['a', 'c'],
      async (missing, { keys, setTtl, setTags }) => {
        // prettier-ignore
        expect([missing, keys]).toEqual([['c'], ['c']]);
        setTtl('c', '1m');
        setTags('c', ['t']);
        return [['c', 3]];
      },
    );
    expect([...all]).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
    expect(await cache.evict(['a', 'c', ['b', 1]])).toBe(3);
  });

  it('W1 writeThrough, withWrite — as documented', async () => {
    expect(await cache.writeThrough('k', async () => 1, { ttl: '1m' })).toBe(1);
    expect(await cache.get('k')).toBe(1);
    expect(await cache.withWrite(['k', 'l'], async () => 2)).toBe(2);
    expect(await cache.get('k')).toBeUndefined();
  });

  it('N1 X7 increment, decrement, ttl, touch, take — as documented', async () => {
    expect(await cache.increment('n')).toBe(1);
    expect(await cache.ttl('n')).toBe(Infinity);
    expect(await cache.increment('n', 4, { ttl: '1m' })).toBe(5);
    expect(await cache.decrement('n', 2)).toBe(3);
    expect(await cache.ttl('n')).toBeGreaterThan(59_000);
    expect(await cache.touch('n', '2m')).toBe(true);
    expect(await cache.ttl('n')).toBeGreaterThan(119_000);
    expect(await cache.take('n')).toBe(3);
    expect(await cache.ttl('n')).toBeUndefined();
    expect(await cache.touch('n', '2m')).toBe(false);
  });

  it('B11 keys, evictPattern, namespace, run, stats — as documented', async () => {
    const nested = cache.namespace('a').namespace('b');
    await nested.set('user:1', 1);
    await cache.set('user:2', 2);
    const keys: string[] = [];
    for await (const key of cache.keys('user:*')) keys.push(key);
    expect(keys).toEqual(['user:2']);
    expect(await cache.run('bypass', () => cache.get('user:2'))).toBeUndefined();
    expect(await cache.run('refresh', () => cache.get('user:2'))).toBeUndefined();
    expect(await cache.run('readonly', () => cache.set('user:2', 3))).toBe(false);
    expect(await cache.run('normal', () => cache.get('user:2'))).toBe(2);
    expect(await cache.evictPattern(`${root.escapeGlob('user:')}?`)).toBe(1);
    expect(await nested.get('user:1')).toBe(1);
    expect(cache.stats()).toMatchObject({ sets: 2, refusedSets: 1, hits: { redis: 2 }, loads: 0 });
  });

  it('L9 LockProvider — as documented', async () => {
    const locks = app.get(LockProvider);
    const lock = await locks.acquire('l', { ttl: '5s', wait: '1s' });
    expect(lock.name).toBe('l');
    expect(lock.fencingToken).toEqual(expect.any(BigInt));
    expect(lock.signal.aborted).toBe(false);
    expect(await locks.tryAcquire('l')).toBeUndefined();
    expect(await locks.isLocked('l')).toBe(true);
    await expect(locks.acquire('l', { wait: 10 })).rejects.toThrow(root.LockTimeoutError);
    expect(await lock.extend('10s')).toBe(true);
    expect(await lock.release()).toBe(true);
    expect(await locks.withLock('l', async ({ name }) => name)).toBe('l');
    await (await locks.acquire(['b', 'a']))[Symbol.asyncDispose]();
    expect(await locks.isLocked('a')).toBe(false);
  });

  it('D1 D2 decorators, listeners, tokens — as documented', async () => {
    const users = app.get(Users);
    const listener = app.get(InvalidationListener);
    expect(listener.live).toBe(true);
    const heard: InvalidationEvent[] = [];
    const stop = listener.on((event) => heard.push(event));
    const found = await users.find('7');
    expect(await users.find('7')).toEqual(found);
    await users.save({ id: '7', load: -1 });
    expect(await users.find('7')).toEqual({ id: '7', load: -1 });
    await users.remove('7');
    expect(await users.find('7')).toEqual({ id: '7', load: found.load + 1 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toContainEqual({ keys: ['user:7'], namespace: 'cache', local: true, reason: 'evict' }); // prettier-ignore
    expect(users.heard).toEqual(heard);
    stop();

    const reports = app.get<CacheService>(getCacheToken('reports'));
    expect(reports).not.toBe(cache);
    expect(app.get(getLockToken('reports'))).toBeInstanceOf(LockProvider);
    expect(app.get(getInvalidationListenerToken('reports'))).toBeInstanceOf(InvalidationListener);
    await cache.set('k', 1);
    expect(await reports.get('k')).toBeUndefined();
  });
});
