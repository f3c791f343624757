/**
 * Compiled, never run: what must compile, and below each `@ts-expect-error` what must not.
 */
import { applyDecorators, type ExecutionContext } from '@nestjs/common';
import { CacheEvict, CachePut, Cacheable, Locked, NoCache } from '../../lib/index.js';

interface User {
  id: string;
  team: number;
}

export class Fits {
  @Cacheable()
  @Locked()
  @NoCache()
  async plain(id: string) {
    return id;
  }

  @Cacheable({ key: (id: string) => ['user', id], unless: (user: User) => user.team === 0, tags: (id: string, page: number | undefined, user: User) => [user.id, id, `${page}`] }) // prettier-ignore
  async find(id: string, _page?: number): Promise<User> {
    return { id, team: 1 };
  }

  @Cacheable({ condition: (id: string) => id !== '', args: (id: string) => [id] })
  @CacheEvict({ key: (_id: string) => 'a' })
  async fewer(id: string, page: number) {
    return `${id}${page}`;
  }

  @CachePut({ key: (_id: string, user: User) => user.id })
  @CacheEvict({ keys: [(id: string) => id, 'b', (_id: string, user: User) => ['user', user.id]] })
  @Locked({ key: (id: string) => [id], signal: () => undefined })
  async save(id: string): Promise<User> {
    return { id, team: 1 };
  }

  @CacheEvict({ keys: (event: { ids: string[] }) => event.ids })
  onEvent(_event: { ids: string[] }): void {}

  // A handler of HTTP requests: functions of the context, and any result.
  @Cacheable({ key: (context: ExecutionContext) => context.getClass().name })
  @CacheEvict({ key: (_context: ExecutionContext, user: User) => user.id })
  @CachePut({ key: (context) => context.getClass().name })
  handler(id: string): User {
    return { id, team: 1 };
  }
}

export const composed = applyDecorators(
  Cacheable({ key: 'user:{0}', ttl: '5m' }),
  CacheEvict({ all: true }),
  CachePut({ key: 'a' }),
  Locked({ key: ['a', '{0}'], ttl: '5s', onBusy: 'skip' }),
);

export const composedOfFunctions = applyDecorators(
  Cacheable({ key: (id: number) => ['user', id], tags: (id: number) => [`${id}`] }),
  CacheEvict({ keys: (user: User) => [user.id] }),
  CachePut({ key: (user: User) => user.id }),
  Locked({ key: (id: number) => `${id}` }),
);

export class DoesNotFit {
  // @ts-expect-error the parameter of `key`
  @Cacheable({ key: (id: number) => ['user', id] })
  async find(id: string) {
    return id;
  }

  // @ts-expect-error more parameters than the method has
  @Cacheable({ key: (id: string, page: number) => [id, page] })
  async more(id: string) {
    return id;
  }

  // @ts-expect-error an optional parameter that is taken for certain
  @Cacheable({ key: (id: string, page: number) => [id, page] })
  async optional(id: string, _page?: number) {
    return id;
  }

  // @ts-expect-error what the function gives is no key
  @Cacheable({ key: (id: string) => ({ id }) })
  async noKey(id: string) {
    return id;
  }

  // @ts-expect-error the result in `unless`, beside a function of the arguments
  @Cacheable({ key: (id: string) => id, unless: (user: User) => user.team === 0 })
  async result(id: string) {
    return id;
  }

  // @ts-expect-error the result in `tags`
  @Cacheable({ tags: (_id: string, user: User) => [user.id] })
  async tags(id: string) {
    return id;
  }

  // @ts-expect-error no promise
  @Cacheable({ key: (id: string) => id })
  sync(id: string) {
    return id;
  }

  // @ts-expect-error the result in a key of `@CacheEvict`
  @CacheEvict({ keys: ['a', (_id: string, user: User) => user.id] })
  async evict(id: string) {
    return id;
  }

  // @ts-expect-error neither a promise nor nothing
  @CacheEvict({ key: (id: string) => id })
  evictSync(id: string) {
    return id;
  }

  // @ts-expect-error the result in the key of `@CachePut`
  @CachePut({ key: (_id: string, user: User) => user.id })
  async put(id: string) {
    return id;
  }

  // @ts-expect-error no key
  @CachePut({ ttl: '5m' })
  async unkeyed(id: string) {
    return id;
  }

  // @ts-expect-error the parameter of the lock's name
  @Locked({ key: (id: number) => `${id}` })
  async locked(id: string) {
    return id;
  }

  // @ts-expect-error an unknown option
  @Cacheable({ tll: '5m' })
  async unknown(id: string) {
    return id;
  }
}
