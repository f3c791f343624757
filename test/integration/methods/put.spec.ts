import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { CachePut } from '../../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { Gate } from '../../support/gate.js';
import { PLACES, start } from './app.js';

interface User {
  id: string;
  name: string;
}

const users = new Map<string, User>();
let reading: Gate | undefined;
const saving = new Map<string, Gate>();

async function save(user: User): Promise<User> {
  users.set(user.id, user);
  await saving.get(user.name)?.pass();
  // As an evict that did not get through has one, of which the caller gets that.
  if (user.name === 'bad') throw Object.assign(new Error('bad name'), { result: user });
  return user;
}

@Injectable()
class UsersService {
  @Cacheable({ key: 'user:{0}' })
  async find(id: string) {
    const user = users.get(id) ?? null;
    await reading?.pass();
    return user;
  }

  @CachePut({ key: 'user:{0.id}', ttl: '1m', tags: 'name:{result.name}' })
  async save(user: User) {
    return save(user);
  }

  @CachePut({ key: 'user:{result.id}' })
  async create(user: User) {
    return save(user);
  }

  @CachePut({ key: (user: User) => `user:${user.id}`, unless: (user: User) => user.name === 'Eve', condition: (user: User) => user.name !== 'Zoe' }) // prettier-ignore
  async computed(user: User) {
    return save(user);
  }

  @CachePut({ key: (_id: string, user: User) => `user:${user.id}` })
  async byResult(id: string) {
    return save({ id, name: 'late' });
  }

  @CachePut({ key: (id: string, tenant = 'main', user: User) => [tenant, id, user.name] })
  async byDefault(id: string, _tenant = 'main') {
    return save({ id, name: 'late' });
  }

  @CachePut({ key: 'user:{0}', negativeTtl: '7s' })
  async remove(id: string) {
    users.delete(id);
    return null;
  }

  @CachePut({ key: 'user:{0}', ttl: '1h' })
  async removeSome(id: string) {
    users.delete(id);
    return null;
  }

  @CachePut({ key: 'user:{0}', cacheNull: false })
  async removeQuietly(id: string) {
    users.delete(id);
    return null;
  }
}

beforeEach(() => {
  users.clear();
  users.set('1', { id: '1', name: 'Tom' });
  reading = undefined;
  saving.clear();
});

describe.each(PLACES)('@CachePut on a method, %s', (topology) => {
  const open = async (options?: Parameters<typeof start>[2]) => {
    const app = await start(topology, { providers: [UsersService] }, options);
    return { ...app, service: app.module.get(UsersService) };
  };

  it.each(['save', 'create', 'computed'] as const)(
    'D2 %s → always runs, and what it returns is in the cache',
    async (method) => {
      const { service, cache } = await open();
      await service.find('1');
      for (const name of ['Kit', 'Max']) {
        expect(await service[method]({ id: '1', name })).toEqual({ id: '1', name });
        users.clear();
        expect(await cache.get('user:1')).toEqual({ id: '1', name });
        expect(await service.find('1')).toEqual({ id: '1', name });
      }
    },
  );

  it('D2 a key of the result by a function → stored', async () => {
    const { service, cache } = await open();
    await service.byResult('9');
    expect(await cache.get('user:9')).toEqual({ id: '9', name: 'late' });
    await service.byDefault('9');
    expect(await cache.has(['main', '9', 'late'])).toBe(true);
  });

  it('D2 D4 a key of the result, more arguments than the method takes → under that key', async () => {
    const { service, cache } = await open();
    await Promise.all(['9'].map(service.byResult, service));
    expect(await cache.get('user:9')).toEqual({ id: '9', name: 'late' });
  });

  it.each(['save', 'create'] as const)(
    'D2 %s while a load runs that has read before → the load does not overwrite it',
    async (method) => {
      const { service } = await open();
      reading = new Gate();
      const early = service.find('1');
      await reading.arrived();
      await service[method]({ id: '1', name: 'Kit' });
      reading.open();
      expect(await early).toMatchObject({ name: 'Tom' });
      expect(await service.find('1')).toMatchObject({ name: 'Kit' });
    },
  );

  it('D2 two that overlap, the first to write is the last to end → the older one does not remain', async () => {
    const { service } = await open();
    const gate = new Gate();
    saving.set('older', gate);
    const older = service.save({ id: '1', name: 'older' });
    await gate.arrived();
    await service.save({ id: '1', name: 'newer' });
    gate.open();
    await older;
    expect(await service.find('1')).toMatchObject({ name: 'newer' });
  });

  it('D2 it throws → its error, and the key is absent', async () => {
    const { service, cache } = await open();
    await service.find('1');
    await expect(service.save({ id: '1', name: 'bad' })).rejects.toThrow('bad name');
    expect(await cache.has('user:1')).toBe(false);
  });

  it('D7 ttl and tags, unless, condition → stored with them; not stored, nothing old left; not touched', async () => {
    const { service, cache } = await open();
    await service.save({ id: '1', name: 'Kit' });
    expect(await cache.ttl('user:1')).toBeLessThanOrEqual(60_000);
    await cache.evictTags('name:Kit');
    expect(await cache.has('user:1')).toBe(false);
    await service.find('1');
    await service.computed({ id: '1', name: 'Zoe' });
    expect(await cache.get('user:1')).toMatchObject({ name: 'Kit' });
    await service.computed({ id: '1', name: 'Eve' });
    expect(await cache.has('user:1')).toBe(false);
  });

  it('D7 null → kept for negativeTtl, or with cacheNull: false not at all', async () => {
    const { service, cache } = await open();
    await service.remove('1');
    expect(await cache.get('user:1')).toBeNull();
    expect(await cache.ttl('user:1')).toBeLessThanOrEqual(7_000);
    await service.removeQuietly('1');
    expect(await cache.has('user:1')).toBe(false);
  });

  it('A3 null, negativeTtl of the module, and a longer ttl → negativeTtl', async () => {
    const { service, cache } = await open({ negativeTtl: '10s' });
    await service.removeSome('1');
    expect(await cache.ttl('user:1')).toBeLessThanOrEqual(10_000);
  });

  it('I7 run bypass, readonly → runs, stores nothing, and nothing older remains', async () => {
    const { service, cache } = await open();
    for (const mode of ['bypass', 'readonly'] as const) {
      await service.find('1');
      await cache.run(mode, () => service.save({ id: '1', name: mode }));
      expect(await cache.has('user:1')).toBe(false);
    }
  });
});
