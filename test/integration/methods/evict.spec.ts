import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { CacheEvictError, CacheKeyError } from '../../../lib/common/errors.js';
import { engineOf, type CacheService } from '../../../lib/cache/cache.service.js';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { Gate } from '../../support/gate.js';
import { PLACES, start } from './app.js';

interface User {
  id: string;
  team?: string;
}

let steps: string[] = [];
let gate: Gate | undefined;
const users = new Map<string, number>();

@Injectable()
class UsersService {
  private readonly prefix = 'user';

  @Cacheable({ key: 'user:{0}', tags: 'users' })
  async find(id: string) {
    const version = users.get(id) ?? 0;
    await gate?.pass();
    return { id, version };
  }

  @CacheEvict({ key: 'user:{0.id}' })
  async save(user: User) {
    steps.push('saved');
    if (user.team === 'bad') throw new Error('bad team');
    users.set(user.id, (users.get(user.id) ?? 0) + 1);
    return user;
  }

  @CacheEvict({ keys: ['user:{result.id}', ['team', '{result.team}']] })
  async create(team: string, id: string): Promise<User> {
    return { id, team };
  }

  @CacheEvict({ key: (_id: string, _page: number | undefined, made: User) => [`user:${made.id}`, ['team', made.team!]] }) // prettier-ignore
  async computed(id: string, _page?: number): Promise<User> {
    return { id, team: 'red' };
  }

  @CacheEvict({
    key(this: UsersService, id: string, made: User) {
      return [`${this.prefix}:${id}`, ['team', made.team!]];
    },
  })
  async computedBySelf(id: string): Promise<User> {
    return { id, team: 'red' };
  }

  @CacheEvict({ tags: () => [null] as never })
  async tagless() {}

  @CacheEvict({ key: (id: string, tenant = 'main') => `user:${tenant}:${id}` })
  async removeOf(_id: string, _tenant?: string) {
    return 'removed';
  }

  @CacheEvict({ key: (id: string, force?: string) => `user:${force ?? 'main'}:${id}` })
  async removeBy(_id: string, _force = 'no') {
    return 'removed';
  }

  @CacheEvict({
    key: (id: string, tenant = 'main', row: User) => `user:${tenant}:${row.id}`,
    condition: (_id: string, tenant = 'main', row: User) => row.id !== tenant,
  })
  async removeAs(id: string, _tenant = 'main'): Promise<User> {
    return { id };
  }

  @CacheEvict({ key: (...idsAndCount: (string | number)[]) => `rest:${idsAndCount.join(':')}` })
  async removeAll(...ids: string[]): Promise<number> {
    return ids.length;
  }

  @CacheEvict({ key: 'user:{0}', when: 'before' })
  async remove(id: string): Promise<void> {
    steps.push(`removing ${id}`);
    throw new Error('not removed');
  }

  @CacheEvict({ tags: 'users', condition: (_id: string, changed: boolean) => changed })
  async touch(_id: string) {
    return steps.push('touched') > 1;
  }

  @CacheEvict({ key: 'user:{0.id}', condition: ({ id }: Partial<User>) => id !== undefined })
  async draft(user: Partial<User>) {
    return user;
  }

  @CacheEvict({ pattern: 'user:{0}:*' })
  async forget(id: string) {
    return id;
  }

  @CacheEvict({ all: true, namespace: 'users' })
  async forgetAll() {}

  @CacheEvict({ key: 'a:{0}' })
  @CacheEvict({ key: 'b:{0}' })
  @CacheEvict({ key: 'first', when: 'before' })
  async several(_id: string) {
    steps.push('ran');
    return 'done';
  }

  @Cacheable({ key: 'outer' })
  @CacheEvict({ key: 'inner' })
  async evictingWhenItRuns() {
    steps.push('ran');
  }

  @CacheEvict({ key: 'inner' })
  @Cacheable({ key: 'outer' })
  async evictingAlways() {
    return steps.push('ran');
  }
}

/** Notes each evict when it begins and when it has ended, and fails it if told to. */
function watch(cache: CacheService, fails?: (key: string) => boolean): void {
  const engine = engineOf(cache)!;
  const evict = engine.evict.bind(engine);
  engine.evict = async (keys, failure) => {
    const names = keys.map(({ given }) => String(given));
    steps.push(`evict ${names.join(' ')}`);
    if (failure === 'throw' && names.some((name) => fails?.(name)))
      throw new CacheEvictError(names, { cause: new Error('no Redis') });
    const existed = await evict(keys, failure);
    steps.push('evicted');
    return existed;
  };
}

beforeEach(() => {
  steps = [];
  gate = undefined;
  users.clear();
});

describe.each(PLACES)('@CacheEvict on a method, %s', (topology) => {
  const open = async (options: Parameters<typeof start>[2] = {}) => {
    const app = await start(topology, { providers: [UsersService] }, options);
    return { ...app, service: app.module.get(UsersService) };
  };

  it('D2 I6 a write → the next read sees it; awaited, after the method', async () => {
    const { service, cache } = await open();
    watch(cache);
    for (const version of [0, 1, 2]) {
      expect(await service.find('1')).toEqual({ id: '1', version });
      steps = [];
      await service.save({ id: '1' });
      expect(steps).toEqual(['saved', 'evict user:1', 'evicted']);
    }
  });

  it('D2 I6 a read that began before the write → is not stored', async () => {
    const { service } = await open();
    gate = new Gate();
    const early = service.find('1');
    await gate.arrived();
    await service.save({ id: '1' });
    gate.open();
    expect(await early).toMatchObject({ version: 0 });
    expect(await service.find('1')).toMatchObject({ version: 1 });
  });

  it("I6 the method throws → nothing is evicted; when: 'before' → it is", async () => {
    const { service, cache } = await open();
    await service.find('1');
    await expect(service.save({ id: '1', team: 'bad' })).rejects.toThrow('bad team');
    expect(await cache.has('user:1')).toBe(true);
    await expect(service.remove('1')).rejects.toThrow('not removed');
    expect(await cache.has('user:1')).toBe(false);
  });

  it('D4 {result.…}, and the result as last argument → all their keys, optional arguments left out', async () => {
    const { service, cache } = await open();
    const fill = () => cache.setMany([['user:7', 1], [['team', 'red'], 2]]); // prettier-ignore
    const calls = [
      () => service.create('red', '7'),
      () => service.computed('7'),
      () => service.computedBySelf('7'),
    ];
    for (const call of calls) {
      await fill();
      expect(await call()).toEqual({ id: '7', team: 'red' });
      expect((await cache.getMany(['user:7', ['team', 'red']])).size).toBe(0);
    }
  });

  it('D4 optional arguments left out, defaults → the result is in the place of none', async () => {
    const { service, cache } = await open();
    watch(cache);
    await service.removeOf('7');
    await service.removeOf('7', 'b');
    await service.removeBy('7');
    await service.removeBy('7', 'yes');
    await service.removeAs('7');
    await service.removeAs('7', 'b');
    expect(steps.filter((step) => step !== 'evicted')).toEqual([
      'evict user:main:7',
      'evict user:b:7',
      'evict user:main:7',
      'evict user:yes:7',
      'evict user:main:7',
      'evict user:b:7',
    ]);
  });

  it('D4 more arguments than the method takes, as of map → the result is in the place of none', async () => {
    const { service, cache } = await open();
    await cache.setMany([['user:7', 1], [['team', 'red'], 2]]); // prettier-ignore
    expect(await Promise.all(['7'].map(service.computed, service))).toHaveLength(1);
    expect((await cache.getMany(['user:7', ['team', 'red']])).size).toBe(0);
  });

  it('D4 a rest parameter → the result is behind all that it takes', async () => {
    const { service, cache } = await open();
    await cache.set('rest:7:8:2', 1);
    await service.removeAll('7', '8');
    expect(await cache.has('rest:7:8:2')).toBe(false);
  });

  it('D4 a value is missing → CacheKeyError: of the arguments before the method runs, of the result after', async () => {
    const { service } = await open();
    await expect(service.save({} as User)).rejects.toThrow(CacheKeyError);
    expect(steps).toEqual([]);
    const call = service.create('red', undefined as never);
    await expect(call).rejects.toThrow('{result.id}, {result.team} has no value in this call');
    await expect(service.tagless()).rejects.toThrow('keys, tags or patterns gives nothing');
  });

  it('I6 D4 a value is missing, and the condition says no → nothing is asked of it', async () => {
    const { service } = await open();
    expect(await service.draft({ team: 'red' })).toEqual({ team: 'red' });
    await expect(service.draft({ id: null as never })).rejects.toThrow(CacheKeyError);
  });

  it('I6 condition of the result, tags, pattern, all of a namespace → evicted, and nothing else', async () => {
    const { service, cache } = await open();
    await service.find('1');
    await service.touch('1');
    expect(await cache.has('user:1')).toBe(true);
    await service.touch('1');
    expect(await cache.has('user:1')).toBe(false);
    await cache.setMany([['user:a:1', 1], ['user:*:1', 2]]); // prettier-ignore
    await service.forget('*');
    expect(await cache.has('user:a:1')).toBe(true);
    expect(await cache.has('user:*:1')).toBe(false);
    await cache.namespace('users').set('a', 1);
    await service.forgetAll();
    expect(await cache.namespace('users').has('a')).toBe(false);
    expect(await cache.has('user:a:1')).toBe(true);
  });

  it('D10 several on one method → each, from the first to the last', async () => {
    const { service, cache } = await open();
    watch(cache);
    expect(await service.several('1')).toBe('done');
    expect(steps.filter((step) => step !== 'evicted')).toEqual([
      'evict first',
      'ran',
      'evict a:1',
      'evict b:1',
    ]);
  });

  it('D10 with @Cacheable → the upper one is outside', async () => {
    const { service, cache } = await open();
    watch(cache);
    for (const _ of [1, 2]) await service.evictingAlways();
    expect(steps.filter((step) => step !== 'evicted')).toEqual([
      'ran',
      'evict inner',
      'evict inner',
    ]);
    await cache.evict('outer');
    steps = [];
    for (const _ of [1, 2]) await service.evictingWhenItRuns();
    // undefined is not stored, so the method runs twice; of a hit nothing inside is left.
    expect(steps.filter((step) => step === 'ran')).toHaveLength(2);
    await cache.set('outer', 'hit');
    steps = [];
    await service.evictingWhenItRuns();
    expect(steps).toEqual([]);
  });

  it('I6 Redis out of reach → queued; evictFailure is throw → CacheEvictError with the result, the others evicted', async () => {
    const queueing = await open();
    watch(queueing.cache, () => true);
    expect(await queueing.service.several('1')).toBe('done');
    const throwing = await open({ evictFailure: 'throw' });
    watch(throwing.cache, (key) => key === 'a:1');
    await throwing.cache.set('b:1', 1);
    await expect(throwing.service.several('1')).rejects.toMatchObject({
      code: 'ERR_CACHE_EVICT',
      failed: ['a:1'],
      result: 'done',
    });
    expect(await throwing.cache.has('b:1')).toBe(false);
  });

  it('I6 tags that do not get through, evictFailure is throw → the error says that they are tags', async () => {
    const { service, cache } = await open({ evictFailure: 'throw' });
    engineOf(cache)!.evictTags = async (_path, tags) => {
      throw new CacheEvictError(tags, { kind: 'tags', cause: new Error('no Redis') });
    };
    steps = ['touched'];
    await expect(service.touch('1')).rejects.toMatchObject({
      kind: 'tags',
      failed: ['users'],
      message: expect.stringMatching(/^One tag is not evicted yet/),
      result: true,
    });
  });

  it.each(['queue', 'throw'] as const)(
    'I6 evictFailure is %s → holds for tags, a pattern and all as for keys',
    async (evictFailure) => {
      const { service, cache } = await open({ evictFailure });
      const engine = engineOf(cache)!;
      const asked: unknown[] = [];
      const noted = async (failure: unknown): Promise<number> => asked.push(failure);
      engine.evictTags = async (_path, _tags, failure) => void (await noted(failure));
      engine.evictPattern = (_space, _glob, options) => noted(options?.failure);
      engine.clear = async (_path, failure) => void (await noted(failure));
      steps = ['touched'];
      await service.touch('1');
      await service.forget('1');
      await service.forgetAll();
      expect(asked).toEqual([evictFailure, evictFailure, evictFailure]);
    },
  );

  it('I7 run bypass, readonly → evicts act all the same', async () => {
    const { service, cache } = await open();
    for (const mode of ['bypass', 'readonly'] as const) {
      await service.find('1');
      await cache.run(mode, () => service.save({ id: '1' }));
      expect(await cache.has('user:1')).toBe(false);
    }
  });
});
