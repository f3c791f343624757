import { describe, expect, it } from '@jest/globals';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import type { Fn } from '../../../lib/keys/parameters.js';
import { methodParameters, takesMore } from '../../../lib/methods/parameters.js';

/** Calls the method with whatever it is given. */
function Other() {
  return (_target: object, _name: string, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as Fn;
    descriptor.value = function (this: unknown, ...args: unknown[]) {
      return inner.apply(this, args);
    };
  };
}

class Service {
  @CacheEvict({ key: 'a' })
  async own(_id: number, _tenant = 'main') {}

  @Other()
  @CacheEvict({ key: 'a' })
  async other(_tenant = 'main') {}

  @CacheEvict({ key: 'a' })
  async rest(_id: number, ..._others: number[]) {}

  @Other()
  async unnoted(_id: number, _tenant = 'main') {}
}

describe('methodParameters', () => {
  const of = (name: keyof Service) =>
    methodParameters(Service.prototype, name, Service.prototype[name] as Fn);

  it('D4 D10 under wraps of ours and of others, a rest parameter → those that are declared', () => {
    expect((['own', 'other', 'rest', 'unnoted'] as const).map(of)).toEqual([2, 1, 1, 2]);
  });

  it('D4 a rest parameter, a function of others, `arguments` → may take more than those', () => {
    class Plain {
      async byName() {
        return Array.from(arguments);
      }
    }
    const { own, other, rest, unnoted } = Service.prototype;
    expect([own, other, rest, unnoted].map((method) => takesMore(method as Fn))).toEqual([false, true, true, true]); // prettier-ignore
    expect(takesMore(Plain.prototype.byName)).toBe(true);
  });

  it('D4 nothing noted → what the text says, under wraps of ours as well', () => {
    class Plain {
      async remove(_id: number, _tenant = 'main') {}
    }
    const { prototype } = Plain;
    const descriptor = Object.getOwnPropertyDescriptor(prototype, 'remove')!;
    const count = (): number => methodParameters(prototype, 'remove', descriptor.value as Fn);
    expect(count()).toBe(2);
    CacheEvict({ key: 'a' })(prototype, 'remove', descriptor);
    expect(count()).toBe(2);
  });
});
