import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, SetMetadata } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { of } from 'rxjs';
import { CacheService } from '../../../lib/cache/cache.service.js';
import { CacheKeyError, CacheOptionsError } from '../../../lib/common/errors.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { NoCache } from '../../../lib/decorators/no-cache.decorator.js';
import { Gate } from '../../support/gate.js';
import { PLACES, start } from './app.js';

let runs = 0;
let gate: Gate | undefined;
const names = new Map<string, string | null | undefined>();
const run = async <T extends object>(result: T) => ({ ...result, run: ++runs });

class User {
  constructor(readonly id: string) {}
}

@Injectable()
class UsersService {
  private readonly prefix = 'user';

  @Cacheable()
  async find(id: unknown, _options?: object) {
    await gate?.pass();
    return run({ name: `${this.prefix} ${String(id)}` });
  }

  @Cacheable({ key: 'user:{0.id}:{1}' })
  async template(user: { id?: unknown }, language: string) {
    return run({ user, language });
  }

  @Cacheable({ key: ['user', '{0}', 7] })
  async parts(id: string) {
    return run({ id });
  }

  @Cacheable({
    key(this: UsersService, id: string) {
      return [this.prefix, id];
    },
  })
  async computed(id: string) {
    return run({ id });
  }

  @Cacheable({ key: 'name:{0}', negativeTtl: '1h', ttl: '1m' })
  async name(id: string) {
    runs++;
    return names.get(id);
  }

  @Cacheable({ key: 'never:{0}', cacheNull: false })
  async neverNull(_id: string) {
    runs++;
    return null;
  }

  @Cacheable({ args: [0, 2] })
  async some(_a: number, _signal: () => void, _b: number) {
    return run({});
  }

  @Cacheable({ args: (user: User, _ask: () => void) => [user.id] })
  async chosen(_user: User, _ask: () => void) {
    return run({});
  }

  @Cacheable({
    args(this: UsersService, id: string) {
      return [`${this.prefix}:${id}`];
    },
  })
  async chosenBySelf(_id: string, _run: number) {
    return run({});
  }

  @Cacheable({ args: ((user: User) => user.id) as never })
  async chosenWrongly(_user: User) {
    return run({});
  }

  @Cacheable({ key: 'c:{0}', condition: (id: string) => id !== 'no' })
  async condition(_id: string) {
    return run({});
  }

  @Cacheable({ key: 'u:{0}', unless: async (result: { id: string }, id: string) => result.id === id && id === 'no' }) // prettier-ignore
  async unless(id: string) {
    return run({ id });
  }

  @Cacheable({ key: 'fails:{0}' })
  async fails(id: string): Promise<never> {
    throw new Error(`no ${id} (${++runs})`);
  }

  @Cacheable({ key: 'sync' })
  sync() {
    return { run: ++runs };
  }

  @Cacheable({ key: 'stream' })
  stream() {
    return of(1);
  }

  @Cacheable({ key: 'iterator' })
  async iterator() {
    return (async function* () {
      yield 1;
    })();
  }

  @Cacheable({ key: 'sequence' })
  async sequence() {
    return (function* () {
      yield 1;
    })();
  }

  @Cacheable({ key: 'generator' })
  *generator() {
    yield 1;
  }

  @Cacheable({ key: () => null as never })
  async keyless() {
    return run({});
  }

  @Cacheable({ key: 'of-a-request:{params.id}' })
  async ofRequest(id: string) {
    return id;
  }

  @Cacheable({ key: 'tagged:{0}', tags: ['users', 'team:{result.team}'] })
  async tagged(id: string, team: string) {
    return run({ id, team });
  }

  @Cacheable({ key: 'team-of:{0}', tags: 'team:{result.team}' })
  async teamOf(_id: string, result: object | null) {
    runs++;
    return result;
  }

  @Cacheable({
    key: 'tag-fn:{0}', tags: (id: string, _page: number | undefined, result: { run: number }) => [`${id}:${result.run}`] }) // prettier-ignore
  async tagFunction(id: string, _page?: number) {
    return run({ id });
  }

  @Cacheable({ key: 'tag-default:{0}', tags: (_id: string, locale = 'en', result: { id: string }) => [`${locale}:${result.id}`] }) // prettier-ignore
  async tagDefault(id: string, _locale = 'en') {
    return run({ id });
  }

  @Cacheable({ key: 'short', ttl: 30 })
  async short() {
    return run({});
  }

  @Cacheable({ key: 'forced', force: true })
  async forced() {
    return run({});
  }

  @Cacheable({ key: 'versioned', version: 1 })
  async first() {
    return run({});
  }

  @Cacheable({ key: 'versioned', version: 2, serializer: 'msgpack' })
  async second() {
    return run({});
  }

  @Cacheable({ namespace: 'users', key: 'apart' })
  async apart() {
    return run({});
  }

  @NoCache()
  @Cacheable({ key: 'not' })
  async not() {
    return run({});
  }

  twice(id: string) {
    return Promise.all([this.find(id), this.find(id)]);
  }
}

beforeEach(() => {
  runs = 0;
  gate = undefined;
  names.clear();
});

describe.each(PLACES)('@Cacheable on a method, %s', (topology) => {
  const open = async () => {
    const app = await start(topology, { providers: [UsersService] });
    return { ...app, users: app.module.get(UsersService) };
  };

  it('D1 a second call → the same value, the method has run once, with its own `this`', async () => {
    const { users } = await open();
    const first = await users.find('1');
    expect(first).toEqual({ name: 'user 1', run: 1 });
    expect(await users.find('1')).toEqual(first);
    expect(await users.find('2')).toMatchObject({ run: 2 });
  });

  it('D1 many calls at once, and by itself → the method runs once', async () => {
    const { users } = await open();
    gate = new Gate();
    const calls = Array.from({ length: 20 }, () => users.twice('1'));
    await gate.arrived();
    gate.open();
    for (const results of await Promise.all(calls))
      for (const { run } of results) expect(run).toBe(1);
    expect(runs).toBe(1);
  });

  it('D1 the method rejects → the caller gets its error, nothing is stored', async () => {
    const { users } = await open();
    await expect(users.fails('x')).rejects.toThrow('no x (1)');
    await expect(users.fails('x')).rejects.toThrow('no x (2)');
  });

  it('D1 a method that returns a value → a promise of it, cached', async () => {
    const { users } = await open();
    const results: unknown[] = [users.sync(), users.sync()];
    expect(results[0]).toBeInstanceOf(Promise);
    expect(await Promise.all(results)).toEqual([{ run: 1 }, { run: 1 }]);
  });

  it.each(['stream', 'iterator', 'sequence'] as const)(
    'D1 %s → an error that says so',
    async (method) => {
      const { users } = await open();
      const call = Promise.resolve(users[method]());
      await expect(call).rejects.toThrow(CacheOptionsError);
      await expect(call).rejects.toThrow(/accepted a promise of one value/);
    },
  );

  it('D1 a generator → an error that says so, at once', async () => {
    const { users } = await open();
    expect(() => users.generator()).toThrow(/given a generator/);
  });

  it('D3 no key → class, method and arguments; a list and an object are no text', async () => {
    const { users, cache } = await open();
    const lists = [[], [undefined], [['a']], ['["a"]'], [{ b: 1, a: 2 }], [1], [1n], ['1'], [true]];
    for (const [i, args] of lists.entries())
      expect(await users.find(...(args as [unknown]))).toMatchObject({ run: i + 1 });
    expect(await users.find({ a: 2, b: 1 })).toMatchObject({ run: 5 });
    expect(await cache.get(['UsersService', 'find', '[1]'])).toMatchObject({ run: 6 });
  });

  it('D5 an argument of which no key can be made → CacheKeyError, the method does not run', async () => {
    const { users } = await open();
    const call = users.find('1', { by: () => 1 });
    await expect(call).rejects.toThrow(CacheKeyError);
    await expect(call).rejects.toThrow('Argument 1.by is a function');
    await expect(call).rejects.toThrow('@Cacheable on UsersService.find: Argument 1');
    expect(runs).toBe(0);
  });

  it('D5 args → only those that are chosen count', async () => {
    const { users } = await open();
    const ask = (): void => undefined;
    expect(await users.some(1, ask, 2)).toEqual(await users.some(1, () => runs, 2));
    expect(await users.some(1, ask, 3)).toEqual({ run: 2 });
    expect(await users.chosen(new User('a'), ask)).toEqual(await users.chosen(new User('a'), ask));
    expect(await users.chosen(new User('b'), ask)).toEqual({ run: 4 });
    for (const i of [1, 2]) expect(await users.chosenBySelf('a', i)).toEqual({ run: 5 });
  });

  it('D5 args gives no array → CacheKeyError that says what, the method does not run', async () => {
    const { users } = await open();
    const call = users.chosenWrongly(new User('a'));
    await expect(call).rejects.toThrow(CacheKeyError);
    await expect(call).rejects.toThrow(
      '@Cacheable on UsersService.chosenWrongly: the function for args gives a string; accepted is an array',
    );
    expect(runs).toBe(0);
  });

  it('D4 template, array, function → the key of the cache', async () => {
    const { users, cache } = await open();
    await users.template({ id: 7 }, 'en');
    await users.parts('a');
    await users.computed('b');
    expect(await cache.get('user:7:en')).toMatchObject({ run: 1 });
    expect(await cache.get(['user', 'a', 7])).toMatchObject({ run: 2 });
    expect(await cache.get(['user', 'b'])).toMatchObject({ run: 3 });
  });

  it('D4 a value of the template is missing → CacheKeyError, the method does not run', async () => {
    const { users } = await open();
    const call = users.template({}, 'en');
    await expect(call).rejects.toThrow(CacheKeyError);
    await expect(call).rejects.toThrow(
      '@Cacheable on UsersService.template: {0.id}, {1} has no value',
    );
    await expect(users.ofRequest('1')).rejects.toThrow('{params.id} is a part of an HTTP request');
    await expect(users.keyless()).rejects.toThrow(
      '@Cacheable on UsersService.keyless: the function for key gives nothing',
    );
    expect(runs).toBe(0);
  });

  it('D7 null, undefined → null is kept for negativeTtl, undefined never', async () => {
    const { users, cache } = await open();
    names.set('null', null);
    for (const _ of [1, 2]) expect(await users.name('null')).toBeNull();
    expect(runs).toBe(1);
    expect(await cache.ttl('name:null')).toBeGreaterThan(60_000);
    for (const _ of [1, 2]) expect(await users.name('nobody')).toBeUndefined();
    expect(runs).toBe(3);
    for (const _ of [1, 2]) expect(await users.neverNull('x')).toBeNull();
    expect(runs).toBe(5);
  });

  it('A6 D7 condition → false bypasses the cache; unless → true is returned and not stored', async () => {
    const { users, cache } = await open();
    for (const id of ['no', 'no', 'yes', 'yes']) await users.condition(id);
    expect(runs).toBe(3);
    for (const id of ['no', 'no', 'yes', 'yes']) await users.unless(id);
    expect(runs).toBe(6);
    expect(await cache.has('u:no')).toBe(false);
  });

  it('D7 tags by template and by function of arguments and result → evicted by them', async () => {
    const { users, cache } = await open();
    await users.tagged('1', 'red');
    await users.tagged('2', 'blue');
    await cache.evictTags('team:red');
    expect(await users.tagged('1', 'red')).toMatchObject({ run: 3 });
    expect(await users.tagged('2', 'blue')).toMatchObject({ run: 2 });
    await users.tagFunction('a');
    await cache.evictTags('a:4');
    expect(await users.tagFunction('a')).toMatchObject({ run: 5 });
    await users.tagDefault('a');
    await cache.evictTags('en:a');
    expect(await users.tagDefault('a')).toMatchObject({ run: 7 });
  });

  it('D7 no value for a tag → CacheKeyError; null, of which no tag can be made → returned, not stored', async () => {
    const { users } = await open();
    for (const _ of [1, 2]) expect(await users.teamOf('1', null)).toBeNull();
    expect(runs).toBe(2);
    await expect(users.teamOf('1', {})).rejects.toThrow('{result.team} has no value');
  });

  it('D7 ttl, force, namespace → as for getOrSet', async () => {
    const { users, cache } = await open();
    await users.short();
    await sleep(60);
    expect(await users.short()).toEqual({ run: 2 });
    await users.forced();
    expect(await users.forced()).toEqual({ run: 4 });
    await users.apart();
    expect(await cache.namespace('users').get('apart')).toEqual({ run: 5 });
    expect(await cache.has('apart')).toBe(false);
  });

  it('D6 version, serializer → an entry of another version is a miss, and is replaced', async () => {
    const { users } = await open();
    for (const _ of [1, 2]) expect(await users.first()).toEqual({ run: 1 });
    for (const _ of [1, 2]) expect(await users.second()).toEqual({ run: 2 });
    expect(await users.first()).toEqual({ run: 3 });
  });

  it('D8 I7 run → its mode reaches the methods that are called inside', async () => {
    const { users, cache } = await open();
    await users.find('1');
    expect(await cache.run('bypass', () => users.find('1'))).toMatchObject({ run: 2 });
    expect(await users.find('1')).toMatchObject({ run: 1 });
    expect(await cache.run('refresh', () => users.find('1'))).toMatchObject({ run: 3 });
    expect(await users.find('1')).toMatchObject({ run: 3 });
    expect(await cache.run('readonly', () => users.find('2'))).toMatchObject({ run: 4 });
    expect(await users.find('2')).toMatchObject({ run: 5 });
  });

  it('D2 @NoCache → the method runs each time', async () => {
    const { users } = await open();
    for (const run of [1, 2]) expect(await users.not()).toEqual({ run });
  });
});

@Injectable()
class Sync {
  @Cacheable({ key: 'plain' })
  plain() {
    return 1;
  }

  @SetMetadata('called-by', 'a framework')
  @Cacheable({ key: 'handler' })
  handler() {
    return 2;
  }
}

describe('a method that returns a value', () => {
  it('D1 → one warning, unless something else has noted that it calls the method', async () => {
    const { module, log } = await start('memory', { providers: [Sync] });
    const sync: Record<'plain' | 'handler', () => unknown> = module.get(Sync);
    expect(await sync.handler()).toBe(2);
    expect(await sync.plain()).toBe(1);
    await module.get(CacheService).evict('plain');
    expect(await sync.plain()).toBe(1);
    expect(log).toEqual([
      '@Cacheable on Sync.plain: the method returns a value, and its callers get a promise of it; declare it async',
    ]);
  });
});
