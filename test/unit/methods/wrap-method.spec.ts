import { describe, expect, it } from '@jest/globals';
import { SetMetadata } from '@nestjs/common';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { CachePut } from '../../../lib/decorators/cache-put.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { Locked } from '../../../lib/decorators/locked.decorator.js';

type Decorator = (...of: any[]) => unknown;

/** A decorator that puts a function of its own around the method, and notes that it has been called. */
const noting =
  (notes: string[], name: string) =>
  (_target: object, _key: string, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as (...args: unknown[]) => unknown;
    descriptor.value = function (this: unknown, ...args: unknown[]) {
      notes.push(name);
      return inner.apply(this, args);
    };
  };

const DECORATORS: [string, () => Decorator][] = [
  ['@Cacheable', () => Cacheable()],
  ['@CachePut', () => CachePut({ key: 'a' })],
  ['@CacheEvict', () => CacheEvict({ key: 'a' })],
  ['@Locked', () => Locked()],
];

/** What decorating says, as `path: given`. */
function problemsOf(decorate: () => unknown): string[] {
  try {
    decorate();
    return [];
  } catch (error) {
    if (!(error instanceof CacheOptionsError)) throw error;
    return error.problems.map(({ path, given }) => `${path}: ${given}`);
  }
}

describe.each(DECORATORS)('%s', (name, decorator) => {
  const apply = (target: object, key: string, descriptor?: PropertyDescriptor) =>
    decorator()(target, key, descriptor);

  it('D1 name, length, own properties and metadata from above and below → kept', () => {
    class Service {
      @SetMetadata('above', 1)
      @(decorator() as MethodDecorator)
      @SetMetadata('below', 2)
      async find(_id: string, _page: number) {}
    }
    const { find } = Service.prototype;
    expect([find.name, find.length]).toEqual(['find', 2]);
    expect(Reflect.getMetadata('above', find)).toBe(1);
    expect(Reflect.getMetadata('below', find)).toBe(2);
    const { enumerable, writable } = Object.getOwnPropertyDescriptor(Service.prototype, 'find')!;
    expect([enumerable, writable]).toEqual([false, true]);
  });

  it('D4 a property, an accessor, a static method → CacheOptionsError at decoration', () => {
    class Service {
      static find() {}
      get found() {
        return 1;
      }
    }
    const of = (target: object, key: string) => Object.getOwnPropertyDescriptor(target, key);
    const { prototype } = Service;
    expect(problemsOf(() => apply(prototype, 'arrow'))).toEqual(['the method: a property or an accessor']); // prettier-ignore
    expect(problemsOf(() => apply(prototype, 'found', of(prototype, 'found')))).toHaveLength(1);
    expect(problemsOf(() => apply(Service, 'find', of(Service, 'find')))).toEqual(['the method: static']); // prettier-ignore
    expect(() => apply(Service, 'find', of(Service, 'find'))).toThrow(`${name} on Service.find`);
  });
});

describe('decorators of others', () => {
  it('D10 above and below → run in their order, with the arguments and `this` of the call', async () => {
    const notes: string[] = [];
    class Service {
      readonly id = 'x';

      @noting(notes, 'above')
      @Locked({ key: 'a' })
      @Cacheable()
      @noting(notes, 'below')
      async find(name: string) {
        notes.push(`${this.id} ${name}`);
      }
    }
    // Without Nest there is no lock; the order shows before and, for the cache, all through.
    await expect(new Service().find('y')).rejects.toThrow(CacheOptionsError);
    expect(notes).toEqual(['above']);
    class Cached {
      readonly id = 'x';

      @noting(notes, 'above')
      @Cacheable()
      @noting(notes, 'below')
      async find(name: string) {
        notes.push(`${this.id} ${name}`);
      }
    }
    await new Cached().find('y');
    expect(notes).toEqual(['above', 'above', 'below', 'x y']);
  });
});

describe('wrong options', () => {
  const decorate = (decorator: unknown) => () => {
    class Service {
      async find() {}
    }
    const { prototype } = Service;
    return (decorator as Decorator)(
      prototype,
      'find',
      Object.getOwnPropertyDescriptor(prototype, 'find'),
    );
  };

  it.each<[any, string[]]>([
    [{ ttl: 0, onBusy: 'wait', key: [], cache: '', every: 1 }, ['ttl: 0', 'onBusy: "wait"', 'key: []', 'cache: ""', 'every: an unknown option']], // prettier-ignore
    [{ key: 'a:{params.id}', signal: 5 }, ['signal: 5', "key: the placeholder {params.id} in 'a:{params.id}'"]], // prettier-ignore
    [{ key: ['a', 'b:{result}'] }, ["key[1]: the placeholder {result} in 'b:{result}'"]],
  ])('D12 @Locked(%j) → %j', (options, problems) => {
    const found = problemsOf(() => decorate(Locked(options))());
    expect(found.toSorted()).toEqual(problems.toSorted());
  });

  it('D5 @Cacheable, wrong args and what no decorator takes → CacheOptionsError with all of them', () => {
    const options: any = { args: [0, -1], signal: new AbortController().signal, expiresAt: 1 };
    expect(problemsOf(decorate(Cacheable(options)))).toEqual([
      'args: [0,-1]',
      'signal: an unknown option',
      'expiresAt: an unknown option',
    ]);
  });

  it('D2 @CachePut without a key, with @Cacheable → CacheOptionsError', () => {
    expect(problemsOf(decorate(CachePut({} as never)))).toEqual(['key: none']);
    const twice: Decorator = (...place) => {
      Cacheable()(...(place as Parameters<MethodDecorator>));
      CachePut({ key: 'a' })(...(place as Parameters<MethodDecorator>));
    };
    expect(problemsOf(decorate(twice))).toEqual(['@CachePut: a second time']);
  });
});
