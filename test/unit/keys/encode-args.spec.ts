import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { CacheKeyError } from '../../../lib/common/errors.js';
import { encodeArgs } from '../../../lib/keys/encode-args.js';

class Filter {
  constructor(
    readonly name: string,
    readonly other?: unknown,
  ) {}
}
class Sub extends Filter {}
class Secret {
  #value = 1;
  get doubled() {
    return this.#value * 2;
  }
}
class HeirOfSecret extends Secret {
  readonly name = 'x';
}
class Colour {
  // '#fff' in a text is no private member.
  readonly value = '#fff';
}
class Id {
  #hex: string;
  constructor(hex: string) {
    this.#hex = hex;
  }
  toJSON() {
    return this.#hex;
  }
}

/** As parsers of queries and of paths make them. */
function NullObject() {}
NullObject.prototype = Object.create(null);
const parsed = (fields: object): object =>
  Object.assign(new (NullObject as unknown as new () => object)(), fields);

const HOLE: unknown[] = Object.assign([], { length: 1 });

const circle: unknown[] = [];
circle.push([circle]);

describe('encodeArgs', () => {
  it.each<[string, unknown[], unknown[]]>([
    ['number, text', [1], ['1']],
    ['number, boolean', [1], [true]],
    ['text, boolean', ['true'], [true]],
    ['number, bigint', [1], [1n]],
    ['zeros', [0], [-0]],
    ['NaN, null', [NaN], [null]],
    ['NaN, its name', [NaN], ['NaN']],
    ['infinities', [Infinity], [-Infinity]],
    ['null, undefined', [null], [undefined]],
    ['undefined, no argument', [undefined], []],
    ['undefined, no field', [{ a: undefined }], [{}]],
    ['undefined, a hole', [[undefined]], [HOLE]],
    ['a hole, nothing', [HOLE], [[]]],
    ['arrays apart', [['a'], 'b'], [['a', 'b']]],
    ['texts with separators', ['a","b'], ['a', 'b']],
    ['an object, its text', [{ a: 1 }], ['{"a":1}']],
    ['fields apart', [{ a: { b: 1 } }], [{ a: {}, b: 1 }]],
    ['dates', [new Date(1)], [new Date(2)]],
    ['a date, its text', [new Date(0)], [new Date(0).toISOString()]],
    ['a date, its time', [new Date(5)], [5]],
    ['maps', [new Map([[1, 'a']])], [new Map([['1', 'a']])]],
    ['a map, an object', [new Map([['a', 1]])], [{ a: 1 }]],
    ['sets', [new Set([1])], [new Set(['1'])]],
    ['a set, an array', [new Set([1])], [[1]]],
    ['bytes', [Buffer.from('a')], [Buffer.from('b')]],
    ['kinds of bytes', [Buffer.from('a')], [new Uint8Array([97])]],
    ['widths of numbers', [new Uint8Array(2)], [new Uint16Array(1)]],
    ['lone surrogates', ['\ud800'], ['\ud801']],
    ['a class, its fields', [new Filter('a')], [{ name: 'a', other: undefined }]],
    ['classes', [new Filter('a')], [new Sub('a')]],
    ['texts of toJSON', [new Id('a')], [new Id('b')]],
  ])('D3 %s → different', (_, one, other) => {
    expect(encodeArgs(one)).not.toBe(encodeArgs(other));
  });

  it.each<[string, unknown[], unknown[]]>([
    ['keys', [{ a: 1, b: { c: 2, d: 3 } }], [{ b: { d: 3, c: 2 }, a: 1 }]],
    ['members', [new Set(['a', { x: 1 }])], [new Set([{ x: 1 }, 'a'])]],
    ['entries', [new Map([[1, 'a'], [2, 'b']] as const)], [new Map([[2, 'b'], [1, 'a']] as const)]], // prettier-ignore
    ['no prototype', [Object.assign(Object.create(null), { a: 1 })], [{ a: 1 }]],
    ['an empty prototype', [parsed({ a: 1 })], [{ a: 1 }]],
    ['an empty prototype within', [{ q: parsed({ a: '1' }) }], [{ q: { a: '1' } }]],
    ['another realm', [runInContext('({ a: new Date(1) })', createContext())], [{ a: new Date(1) }]], // prettier-ignore
    ['a view of other bytes', [Buffer.from('xay').subarray(1, 2)], [Buffer.from('a')]],
    ['one object twice', [circle.slice(0, 0), circle.slice(0, 0)], [[], []]],
    ['instances', [new Filter('a', new Colour())], [new Filter('a', new Colour())]],
    ['toJSON', [new Id('a')], [new Id('a')]],
    ['NaN', [NaN], [0 / 0]],
  ])('D3 %s in any order, or of the same value → the same', (_, one, other) => {
    expect(encodeArgs(one)).toBe(encodeArgs(other));
  });

  it.each<[string, unknown[], string]>([
    ['a function', [1, { filter: { by: () => 1 } }], 'Argument 1.filter.by is a function'],
    ['a symbol', [Symbol('x')], 'Argument 0 is a symbol'],
    ['a symbol as a key', [{ [Symbol('x')]: 1 }], 'Argument 0 is an object with a symbol as a key'],
    ['a circle', [circle], 'Argument 0.0.0 is a circle'],
    ['a private member', [new Secret()], 'Argument 0 is an instance of Secret'],
    ['an inherited one', [[new HeirOfSecret()]], 'Argument 0.0 is an instance of HeirOfSecret'],
    ['no constructor', [Object.create(Object.assign(Object.create(null), { a: 1 }))], 'Argument 0 is an instance of Object'], // prettier-ignore
    ['a built-in class', [/x/], 'Argument 0 is an instance of RegExp'],
    ['a promise', [Promise.resolve()], 'Argument 0 is an instance of Promise'],
    ['a class of Node', [new AbortController()], 'Argument 0 is an instance of AbortController'],
    ['a boxed text', [Object('x')], 'Argument 0 is an instance of String'],
    ['a match', ['ab'.match(/a(b)/)], 'Argument 0 is an array with properties of its own'],
  ])('D5 %s → CacheKeyError that says where', (_, args, text) => {
    const encode = (): string => encodeArgs(args);
    expect(encode).toThrow(CacheKeyError);
    expect(encode).toThrow(text);
  });

  it('D3 any two lists → the same text exactly if they are equal', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: false,
      maxDepth: 2,
      key: fc.constantFrom('a', 'b', 'toString'),
    });
    const list = fc.array(anything, { maxLength: 3 });
    fc.assert(
      fc.property(list, list, (one, other) => {
        expect(encodeArgs(one) === encodeArgs(other)).toBe(isDeepStrictEqual(one, other));
        expect(encodeArgs(one)).toBe(encodeArgs([...one]));
      }),
      { numRuns: 500 },
    );
  });
});
