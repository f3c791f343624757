import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, type Type } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import {
  Args,
  Context,
  Field,
  GraphQLModule,
  ID,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import type { MercuriusDriverConfig } from '@nestjs/mercurius';
import { CacheEvict } from '../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../lib/decorators/cacheable.decorator.js';
import { CacheEvictInterceptor } from '../../lib/http/cache-evict.interceptor.js';
import { CacheableInterceptor } from '../../lib/http/cacheable.interceptor.js';
import { startApp } from './http-app.js';

// It serves an editor that nobody opens here, and requires an ES module, which Jest can do from Node 24.9 on alone.
jest.mock('@fastify/static', () => () => undefined);
const { MercuriusDriver } = await import('@nestjs/mercurius');

let runs = 0;

/** What Mercurius hands to resolvers. */
class GraphQLContext {
  declare reply: { sent: boolean };
}

@ObjectType()
class Cat {
  @Field(() => ID)
  id!: string;

  @Field()
  run!: number;

  @Field()
  born!: Date;

  @Field()
  kittens!: number;
}

const cat = (id: string) => ({ id, run: ++runs, born: new Date(0) });

@Resolver(() => Cat)
class CatsResolver {
  @Query(() => Cat, { nullable: true })
  @Cacheable({ key: 'cat:{0}', ttl: '1m', tags: 'cat:{result.id}' })
  async cat(@Args('id') id: string) {
    return id === 'none' ? null : cat(id);
  }

  @Cacheable()
  @Query(() => Cat)
  async decoratedAbove(@Args('id') id: string) {
    return cat(id);
  }

  @Query(() => Cat)
  async plain(@Args('id') id: string) {
    return cat(id);
  }

  @Query(() => Cat)
  @Cacheable({ key: 'of-a-request:{params.id}' })
  async ofRequest(@Args('id') id: string) {
    return cat(id);
  }

  @Query(() => Cat)
  @Cacheable({ key: (_id: string, { reply }: GraphQLContext) => ['sent', reply.sent] })
  async withContext(@Args('id') id: string, @Context() _context: GraphQLContext) {
    return cat(id);
  }

  @ResolveField(() => Number)
  @Cacheable({ key: 'kittens:{0.id}' })
  async kittens(@Parent() _parent: Cat) {
    return ++runs;
  }

  @Mutation(() => Cat)
  @CacheEvict({ keys: ['cat:{0}', 'kittens:{result.id}'] })
  async rename(@Args('id') id: string) {
    return cat(id);
  }

  @Mutation(() => Cat)
  @CacheEvict({ key: 'cat:{0}' })
  async failing(@Args('id') _id: string): Promise<Cat> {
    throw new Error('not renamed');
  }
}

@Controller('cats')
class CatsController {
  @Get()
  @Cacheable({ key: 'list' })
  list() {
    return { run: ++runs };
  }
}

async function start(...interceptors: Type[]) {
  const driver = { driver: MercuriusDriver, autoSchemaFile: true } as const;
  const { app, send, log, ...rest } = await startApp('fastify', {
    imports: [GraphQLModule.forRoot<MercuriusDriverConfig>(driver)],
    controllers: [CatsController],
    providers: [
      CatsResolver,
      ...interceptors.map((useClass) => ({ provide: APP_INTERCEPTOR, useClass })),
    ],
  });
  const post = (query: string) => send('/graphql', { method: 'POST', body: { query } });
  /** The fields of the one thing that is asked for, and that nothing of ours is in the response. */
  const ask = async (query: string): Promise<any> => {
    const { status, headers, json } = await post(query);
    expect([status, headers['x-cache'], headers['cache-status'], headers.etag]).toEqual([200]);
    const { data, errors } = json();
    if (errors) throw new Error(errors[0].message);
    return Object.values(data)[0];
  };
  return { ...rest, app, send, log, ask };
}

beforeEach(() => {
  runs = 0;
});

describe.each([
  ['by itself', []],
  ['with global interceptors', [CacheableInterceptor, CacheEvictInterceptor]],
])('resolvers, %s', (_, interceptors) => {
  it('P8 @Cacheable → the method is cached as any other, by key and by arguments; the response is not touched', async () => {
    const { ask, cache, log } = await start(...interceptors);
    for (const _ of [1, 2])
      expect(await ask('{ cat(id: "a") { id run born } }')).toEqual({ id: 'a', run: 1, born: '1970-01-01T00:00:00.000Z' }); // prettier-ignore
    expect(await ask('{ cat(id: "b") { run } }')).toEqual({ run: 2 });
    for (const _ of [1, 2])
      expect(await ask('{ decoratedAbove(id: "a") { run } }')).toEqual({ run: 3 });
    expect(await cache.get('cat:a')).toMatchObject({ id: 'a', run: 1 });
    expect(log).toEqual([]);
  });

  it('P8 tags → of the result, and evicted by tag; null has none, and is not stored', async () => {
    const { ask, cache } = await start(...interceptors);
    expect(await ask('{ cat(id: "none") { run } }')).toBeNull();
    expect(await cache.has('cat:none')).toBe(false);
    await ask('{ cat(id: "a") { run } }');
    await cache.evictTags('cat:a');
    expect(await ask('{ cat(id: "a") { run } }')).toEqual({ run: 2 });
  });

  it('P8 a resolver without decorator → is not cached, whatever is bound globally', async () => {
    const { ask } = await start(...interceptors);
    for (const run of [1, 2]) expect(await ask('{ plain(id: "a") { run } }')).toEqual({ run });
  });

  it('P8 @ResolveField → cached by what its parent is', async () => {
    const { ask } = await start(...interceptors);
    for (const _ of [1, 2])
      expect(await ask('{ cat(id: "a") { run kittens } }')).toEqual({ run: 1, kittens: 2 });
  });

  it('P8 @CacheEvict on a mutation → evicts once it has succeeded, before the response', async () => {
    const { ask } = await start(...interceptors);
    const read = () => ask('{ cat(id: "a") { run kittens } }');
    expect(await read()).toEqual({ run: 1, kittens: 2 });
    await expect(ask('mutation { failing(id: "a") { run } }')).rejects.toThrow('not renamed');
    expect(await read()).toEqual({ run: 1, kittens: 2 });
    expect(await ask('mutation { rename(id: "a") { run } }')).toEqual({ run: 3 });
    expect(await read()).toEqual({ run: 4, kittens: 5 });
  });

  it('P8 several queries of one request at once → one run', async () => {
    const { ask, send } = await start(...interceptors);
    const query = '{ a: cat(id: "a") { run } b: cat(id: "a") { run } }';
    const { json } = await send('/graphql', { method: 'POST', body: { query } });
    expect(json()).toEqual({ data: { a: { run: 1 }, b: { run: 1 } } });
    const byGet = await send(`/graphql?query=${encodeURIComponent('{ cat(id: "a") { run } }')}`);
    expect([byGet.json(), byGet.headers['x-cache']]).toEqual([{ data: { cat: { run: 1 } } }, undefined]); // prettier-ignore
    expect(await ask('{ cat(id: "a") { run } }')).toEqual({ run: 1 });
  });

  it('D4 a key of an HTTP request → an error of that field alone; a function → gets the arguments', async () => {
    const { ask } = await start(...interceptors);
    await expect(ask('{ ofRequest(id: "a") { run } }')).rejects.toThrow(
      '{params.id} is a part of an HTTP request',
    );
    for (const id of ['a', 'b'])
      expect(await ask(`{ withContext(id: "${id}") { id run } }`)).toEqual({ id: 'a', run: 1 });
  });

  it('P8 a handler of the same application → answered by the interceptor', async () => {
    const { send, ask } = await start(...interceptors);
    await ask('{ cat(id: "a") { run } }');
    for (const verdict of ['MISS', 'HIT'])
      expect((await send('/cats')).headers['x-cache']).toBe(verdict);
  });
});
