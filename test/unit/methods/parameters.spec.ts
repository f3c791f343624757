import { describe, expect, it } from '@jest/globals';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { methodParameters, parametersOf } from '../../../lib/methods/parameters.js';

type Fn = (...args: any[]) => unknown;
// As it stands, whatever compiles the tests.
// oxlint-disable-next-line no-implied-eval
const written = (text: string): Fn => new Function(`return ${text}`)() as Fn;
const method = (text: string): Fn => Object.values(written(`{ ${text} }`) as object)[0] as Fn;

describe('parametersOf', () => {
  it.each<[number, string]>([
    [0, '() => 1'],
    [1, 'x => x'],
    [1, 'async x => x(1, 2)'],
    [2, '(a, b) => 1'],
    [2, '(a, b = 1) => 1'],
    [3, "(a, b = 'main', c) => 1"],
    [3, '(a = 1, b = 2, c = 3,) => 1'],
    [1, '(a, ...all) => 1'],
    [0, '(...all) => 1'],
    [2, 'async (a, b = (x, y) => [x, y]) => 1'],
    [2, "function (a, { b, c: [d, e] } = { b: 1, c: [')', `,${1}`] }) {}"],
    [2, '(a /* , x */, b = "\\"," // , y)\n) => 1'],
    [2, '(a = /[,)/]\\/,/, b) => 1'],
    [3, '(a, b = a / 2, c = b / 3) => 1'],
    [2, 'async function* name(a, b = 1) { f(1, 2, 3) }'],
  ])('D4 → %i: %s', (count, text) => {
    expect(parametersOf(written(text))).toBe(count);
  });

  it.each<[number, string]>([
    [2, "remove(id, tenant = 'main') { return f(1, 2, 3); }"],
    [1, "async ['remove'.concat('d', 'e')](id) {}"],
    [1, "async *'a(b, c'(id) {}"],
    [1, 'remove(id, ...others) {}'],
  ])('D4 method → %i: %s', (count, text) => {
    expect(parametersOf(method(text))).toBe(count);
  });

  it('D4 a function without a text of its own → its length', () => {
    expect(parametersOf(((_a: number, _b: number) => 1).bind(undefined))).toBe(2);
  });
});

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
