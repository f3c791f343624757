import { createContext, runInContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import ts from 'typescript';
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

const kept = new WeakMap<object, unknown>();
class Kept {
  constructor(
    value: unknown,
    readonly name = 'x',
  ) {
    kept.set(this, value);
  }
  get value() {
    return kept.get(this);
  }
}
const keep = (owner: object, value: unknown): unknown => kept.set(owner, value);
class KeptByHelper {
  constructor(value: unknown) {
    keep(this, value);
  }
}
class Unseen {
  readonly name = 'x';
  constructor(value: unknown) {
    Object.defineProperty(this, 'value', { value });
  }
}
class Options {
  declare readonly page?: number;
  constructor(init?: { page: number }) {
    Object.assign(this, init);
  }
}
class Zoned extends Date {
  constructor(
    ms: number,
    readonly zone: string,
  ) {
    super(ms);
  }
}
class SecretDate extends Date {
  #zone = 'x';
  get zone() {
    return this.#zone;
  }
}
class Day extends Date {
  #zone = 'UTC';
  override toJSON() {
    return `${this.toISOString().slice(0, 10)} ${this.#zone}`;
  }
}
class Tenants extends Map<unknown, unknown> {
  tenant?: string;
  override *entries(): MapIterator<[unknown, unknown]> {}
}
class Names extends Set<unknown> {
  tenant?: string;
}
class Ids extends Array<unknown> {}
class Bytes extends Uint8Array {}
const argumentsOf = function (..._args: unknown[]) {
  return arguments;
};

/** As parsers of queries and of paths make them. */
function NullObject() {}
NullObject.prototype = Object.create(null);
const parsed = (fields: object): object =>
  Object.assign(new (NullObject as unknown as new () => object)(), fields);

/** A class with a private member, compiled for an engine that has none. */
function compiled(target: ts.ScriptTarget, imports: boolean): new (hex: string) => object {
  const source = `export class Id {
    readonly kind = 'id';
    #hex: string;
    constructor(hex: string) { this.#hex = hex; }
    get hex() { return this.#hex; }
  }`;
  const compilerOptions = { target, module: ts.ModuleKind.CommonJS, importHelpers: imports };
  const { outputText } = ts.transpileModule(source, { compilerOptions });
  const exports: { Id?: new (hex: string) => object } = {};
  const helpers = {
    __classPrivateFieldSet: (owner: object, map: typeof kept, hex: unknown) => map.set(owner, hex),
    __classPrivateFieldGet: (owner: object, map: typeof kept) => map.get(owner),
  };
  // oxlint-disable-next-line no-implied-eval
  new Function('exports', 'require', outputText)(exports, () => helpers);
  return exports.Id!;
}

/** An instance of a class that reads a private member in this way. */
const reading = (text: string): object =>
  // oxlint-disable-next-line no-implied-eval
  new (new Function(`return class Id { kind = 'id'; get hex() { return ${text}; } }`)())();

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
    ['fields of a date', [new Zoned(0, 'a')], [new Zoned(0, 'b')]],
    ['a class of dates, a date', [new Zoned(0, 'a')], [new Date(0)]],
    ['a date with a field', [Object.assign(new Date(0), { zone: 'a' })], [new Date(0)]],
    ['texts of a date', [new Day(0)], [new Day(86_400_000)]],
    ['fields of a map', [Object.assign(new Tenants(), { tenant: 'a' })], [Object.assign(new Tenants(), { tenant: 'b' })]], // prettier-ignore
    ['entries of a class', [new Tenants([[1, 'a']])], [new Tenants([[1, 'b']])]],
    ['fields of a set', [Object.assign(new Names(), { tenant: 'a' })], [Object.assign(new Names(), { tenant: 'b' })]], // prettier-ignore
    ['a class of lists, a list', [Ids.of('a')], [['a']]],
    ['members of its lists', [Ids.of('a')], [Ids.of('b')]],
    ['a class of bytes', [new Bytes(1)], [new Uint8Array(1)]],
    ['arguments, an object', [argumentsOf('a')], [{ 0: 'a' }]],
    ['arguments, a list', [argumentsOf('a')], [['a']]],
    ['arguments', [argumentsOf('a')], [argumentsOf('b')]],
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
    ['no fields', [new Options()], [new Options()]],
    ['a class of dates', [new Zoned(0, 'a')], [new Zoned(0, 'a')]],
    ['another realm', [runInContext('({ a: new Date(1) })', createContext())], [{ a: new Date(1) }]], // prettier-ignore
    ['a view of other bytes', [Buffer.from('xay').subarray(1, 2)], [Buffer.from('a')]],
    ['one object twice', Array<unknown>(2).fill({ a: [] }), [{ a: [] }, { a: [] }]],
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
    [
      'a private member',
      [new Secret()],
      'Argument 0 is an instance of Secret (its class has private members), of which no key',
    ],
    ['an inherited one', [[new HeirOfSecret()]], 'Argument 0.0 is an instance of HeirOfSecret'],
    [
      'one that was compiled',
      [new (compiled(ts.ScriptTarget.ES2021, false))('a')],
      'Argument 0 is an instance of Id',
    ],
    [
      'one compiled for ES5',
      [new (compiled(ts.ScriptTarget.ES5, false))('a')],
      'Argument 0 is an instance of Id',
    ],
    [
      'one with shared helpers',
      [new (compiled(ts.ScriptTarget.ES2021, true))('a')],
      'Argument 0 is an instance of Id',
    ],
    [
      'one by Babel',
      [reading('_classPrivateFieldGet(_hex, this)')],
      'Argument 0 is an instance of Id',
    ],
    [
      'one by Babel, loosely',
      [reading('_classPrivateFieldLooseBase(this, _hex)[_hex]')],
      'Argument 0 is an instance of Id',
    ],
    [
      'one by SWC',
      [reading('_class_private_field_get(this, _hex)')],
      'Argument 0 is an instance of Id',
    ],
    ['one by esbuild', [reading('__privateGet(this, _hex)')], 'Argument 0 is an instance of Id'],
    [
      'a method by esbuild',
      [reading('__privateMethod(this, _Id_instances, f_fn).call(this)')],
      'Argument 0 is an instance of Id',
    ],
    ['state in a WeakMap', [new Kept(1)], 'Argument 0 is an instance of Kept'],
    [
      'state that nothing shows',
      [new KeptByHelper(1)],
      'Argument 0 is an instance of KeptByHelper',
    ],
    [
      'a field that is not enumerable',
      [new Unseen(1)],
      'Argument 0 is an instance of Unseen (its property value is not enumerable)',
    ],
    ['a private member of a date', [new SecretDate(0)], 'Argument 0 is an instance of SecretDate'],
    [
      'no constructor',
      [Object.create(Object.assign(Object.create(null), { a: 1 }))],
      'Argument 0 is an instance of Object',
    ],
    [
      'bytes with a field',
      [Object.assign(Buffer.from('a'), { tenant: 'a' })],
      'Argument 0 is bytes with properties of their own',
    ],
    [
      'a class of bytes with one',
      [Object.assign(new Bytes(2), { tenant: 'a' })],
      'Argument 0 is bytes with properties',
    ],
    [
      'a class of lists with one',
      [Object.assign(Ids.of('a'), { tenant: 'a' })],
      'Argument 0 is an array with properties',
    ],
    [
      'a list with a symbol',
      [Object.assign(['a'], { [Symbol('x')]: 1 })],
      'Argument 0 is an array with properties',
    ],
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

  it.each([
    'seen.has(this)',
    'bus.set(this, 1)',
    'lodash_1.default.set(this, "a.b", 1)',
    'this.classBrand(1)',
    'this._private_method(1)',
    'this._privateGet(1)',
    '"__privateGet"',
  ])('D3 a class with %s in a method → its fields, as of any', (text) => {
    expect(encodeArgs([reading(text)])).toBe('[Id("kind":"id")]');
  });

  it('D3 what is computed, and a method that was bound → no part of it', () => {
    const filter = new Filter('a');
    // As an entity has its lazy relations.
    Object.defineProperty(filter, 'friends', { get: () => Promise.resolve([]) });
    Object.defineProperty(filter, 'match', { value: () => true });
    expect(encodeArgs([filter])).toBe(encodeArgs([new Filter('a')]));
  });

  it('D3 a date of fake timers → that of a real one', () => {
    const real = encodeArgs([new Date(5)]);
    jest.useFakeTimers();
    try {
      expect(encodeArgs([new Date(5)])).toBe(real);
    } finally {
      jest.useRealTimers();
    }
  });

  it.each<[string, unknown, string]>([
    ['date', new Date(0), '@Date(0)'],
    ['map', new Map([['a', 1]]), '@Map("a":1)'],
    ['set', new Set([1]), '@Set(1)'],
    ['bytes', Buffer.from('a'), '@Buffer(YQ==)'],
    ['typed array', new Uint16Array([1]), '@Uint16Array(AQA=)'],
    ['view', new DataView(new ArrayBuffer(1)), '@DataView(AA==)'],
    ['buffer', new ArrayBuffer(1), '@ArrayBuffer(AA==)'],
    ['instance', new Filter('a'), 'Filter("name":"a","other":undefined)'],
    ['no field', new Options(), 'Options()'],
    ['toJSON', new Id('a'), 'Id="a"'],
  ])('D3 %s → this text, in every release', (_, value, text) => {
    expect(encodeArgs([value])).toBe(`[${text}]`);
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
