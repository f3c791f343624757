import { describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import { JsonSerializer } from '../../../lib/codec/json.serializer.js';
import { CacheSerializationError } from '../../../lib/common/errors.js';
import { anyRichValue, nested, refused, SPECIAL } from './rich-values.js';

const json = new JsonSerializer();
const text = (value: unknown): string => json.serialize(value).toString();
const back = (value: unknown): unknown => json.deserialize(json.serialize(value));

/** An own `__proto__` is dropped on purpose. */
const withoutProto = (value: unknown): boolean => !JSON.stringify(value).includes('__proto__');

describe('JsonSerializer — plain values', () => {
  it.each([
    ...['text', '', '2026-01-02T03:04:05.000Z', '~', '$Date', '["$Date",0]', '\ud800', '東京 😀'],
    ...[0, -1.5, 1e21, true, false, [], {}, [1, 'a', null, [true]], { a: { b: [{ c: null }] } }],
    { '': 1, $Date: [1], '~': { toString: 'own' } },
  ])('S1 %j → the text of JSON.stringify, and back', (value) => {
    expect(text(value)).toBe(JSON.stringify(value));
    expect(back(value)).toStrictEqual(value);
  });

  it('plain value → the engine reads it, without a walk', () => {
    const parse = jest.spyOn(JSON, 'parse');
    try {
      json.deserialize(Buffer.from('{"a":["$","x"]}'));
      expect(parse.mock.calls).toEqual([['{"a":["$","x"]}']]);
    } finally {
      parse.mockRestore();
    }
  });

  it('value → not changed by writing it', () => {
    const value = { list: [1, undefined, new Date(0)], map: new Map([['a', { b: NaN }]]) };
    const copy = structuredClone(value);
    back(value);
    expect(value).toStrictEqual(copy);
  });

  it('any JSON → as JSON.parse of JSON.stringify', () => {
    fc.assert(
      fc.property(fc.jsonValue().filter(withoutProto), (value) => {
        expect(isDeepStrictEqual(back(value), JSON.parse(JSON.stringify(value)))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('JsonSerializer — what JSON has no words for', () => {
  it.each(SPECIAL)('S7 %s → the same again, at the top and deep inside', (_, value) => {
    expect(back(value)).toStrictEqual(value);
    const deep = { list: [1, { value }], plain: 'x' };
    expect(back(deep)).toStrictEqual(deep);
  });

  it('S7 invalid Date → an invalid Date', () => {
    const date = back(new Date(NaN)) as Date;
    expect(date).toBeInstanceOf(Date);
    expect(date.getTime()).toBeNaN();
  });

  it('S7 a view of part of its memory → that part, in memory of its own', () => {
    const whole = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    const part = back(new Uint16Array(whole.buffer, 2, 2)) as Uint16Array;
    expect(part).toStrictEqual(new Uint16Array([0x0403, 0x0605]));
    expect(part.buffer.byteLength).toBe(4);
  });

  it('-0 → 0', () => {
    expect(back([-0, { a: -0 }])).toStrictEqual([0, { a: 0 }]);
  });

  it('hole in an array → undefined', () => {
    // eslint-disable-next-line no-sparse-arrays
    expect(back([1, , 3])).toStrictEqual([1, undefined, 3]);
  });

  it('S7 array whose first item turns into text like a tag → itself', () => {
    const value = [{ toJSON: () => '$Date' }, 0];
    expect(back([value, new Date(0)])).toStrictEqual([['$Date', 0], new Date(0)]);
  });

  it.each<[string, unknown]>([
    ['array like a tag', ['$Date', 0]],
    ['array like an escaped tag', ['$', '$Date', 0]],
    ['array like a tag, around a real one', ['$Date', new Date(0), [new Set([1n])]]],
    ['array of one such string', ['$undefined']],
    ['object like the tags of others', { $date: 5, $$: ['$'] }],
  ])('%s, beside a real one → itself', (_, value) => {
    const both = [value, new Date(0), [value]];
    expect(back(both)).toStrictEqual(both);
    expect(back(value)).toStrictEqual(value);
  });

  it('any rich value → the same, and the same once more', () => {
    fc.assert(
      fc.property(anyRichValue, (value) => {
        const once = back(value);
        expect(isDeepStrictEqual(once, value)).toBe(true);
        expect(text(once)).toBe(text(value));
      }),
      { numRuns: 3000 },
    );
  });

  it('objects of another realm → as ours', () => {
    const value = runInNewContext(
      '({ at: new Date(5), map: new Map([["a", new Set([1])]]), view: new Uint8Array([7]), list: [{ a: 1 }] })',
    );
    expect(back(value)).toStrictEqual({
      at: new Date(5),
      map: new Map([['a', new Set([1])]]),
      view: new Uint8Array([7]),
      list: [{ a: 1 }],
    });
  });
});

describe('JsonSerializer — objects of classes', () => {
  class User {
    #secret = 1;
    constructor(readonly name: string) {}
    get upper(): string {
      return this.name.toUpperCase() + this.#secret;
    }
  }
  class Money {
    constructor(private readonly cents: number) {}
    toJSON(): unknown {
      return { cents: this.cents, at: new Date(0) };
    }
  }

  it('instance → its own enumerable properties', () => {
    expect(back([new User('a'), { at: new Date(0), by: new User('b') }])).toStrictEqual([
      { name: 'a' },
      { at: new Date(0), by: { name: 'b' } },
    ]);
  });

  it('toJSON → what it gives, dates in it kept', () => {
    expect(back({ price: new Money(5) })).toStrictEqual({ price: { cents: 5, at: new Date(0) } });
    expect(back({ url: new URL('http://a/b') })).toStrictEqual({ url: 'http://a/b' });
  });

  it('toJSON that gives the object itself → its properties', () => {
    const self = Object.create(
      { toJSON: (): unknown => self },
      { a: { value: 1, enumerable: true } },
    );
    expect(back(self)).toStrictEqual({ a: 1 });
  });

  it('S7 toJSON → called with a name, as JSON.stringify does; one that gives undefined within a value → undefined', () => {
    const named = { toJSON: (name: string) => [name] };
    expect(back(named)).toStrictEqual(['']);
    expect(back({ nothing: { toJSON: () => undefined } })).toStrictEqual({ nothing: undefined });
  });

  it('S7 a method called next makes no iterator, and an iterator with toJSON is what that gives', () => {
    class Step {
      constructor(readonly number: number) {}
      next(): Step {
        return new Step(this.number + 1);
      }
    }
    const cursor = Object.assign(['a', 'b'].values(), { toJSON: () => 'at a' });
    expect(back([new Step(1), cursor])).toStrictEqual([{ number: 1 }, 'at a']);
  });

  it('boxed primitives and objects without prototype → as in JSON', () => {
    const bare = Object.assign(Object.create(null), {
      a: Object(1),
      b: Object('x'),
      c: Object(2n),
    });
    expect(back(bare)).toStrictEqual({ a: 1, b: 'x', c: 2n });
  });

  it('one object in two places → two objects', () => {
    const shared = { a: 1 };
    expect(back({ x: shared, y: [shared, shared] })).toStrictEqual({
      x: { a: 1 },
      y: [{ a: 1 }, { a: 1 }],
    });
  });
});

describe('JsonSerializer — what cannot be stored', () => {
  it.each(refused())('row 15 %s → CacheSerializationError that says so', (what, value) => {
    expect(() => json.serialize(value)).toThrow(CacheSerializationError);
    expect(() => json.serialize(value)).toThrow(what);
  });

  it('1000 levels → the same again', () => {
    expect(back(nested(1000))).toEqual(nested(1000));
    let maps: unknown = 1;
    for (let i = 0; i < 1000; i++) maps = new Map([[1, maps]]);
    expect(text(back(maps))).toBe(text(maps));
  });
});

describe('JsonSerializer — hostile bytes', () => {
  const read = (stored: string): any => json.deserialize(Buffer.from(stored));
  const GADGET = '{"polluted":true}';

  it.each([
    `{"__proto__":${GADGET},"a":1}`,
    `{"\\u005f_proto__":${GADGET},"a":1}`,
    `{"a":1,"constructor":{"prototype":${GADGET}}}`,
    `{"a":1,"\\u0063onstructor":{"prototype":${GADGET}}}`,
    `~{"a":1,"__proto__":${GADGET}}`,
  ])('row 19 %s → the rest, and nothing that reaches a prototype', (stored) => {
    const value = read(stored);
    expect(value).toStrictEqual({ a: 1 });
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it.each([
    `{"a":[{"__proto__":${GADGET}}]}`,
    `~{"a":["$Map",[1,{"__proto__":${GADGET}}]]}`,
    `~["$Set",{"b":{"constructor":{"prototype":${GADGET}}}}]`,
  ])('row 19 %s, merged by hand → nothing is polluted', (stored) => {
    const merge = (into: any, from: any): void => {
      const pairs = from instanceof Map || from instanceof Set ? [...from.entries()] : [];
      for (const key of Object.keys(from)) pairs.push([key, from[key]]);
      for (const [key, value] of pairs)
        if (typeof value === 'object') merge((into[key] ??= {}), value);
        else into[key] = value;
    };
    merge({}, read(stored));
    expect(({} as any).polluted).toBeUndefined();
  });

  it('row 19 own __proto__ in a value → gone on a miss as on a hit', () => {
    const value = { ...JSON.parse(`{"__proto__":${GADGET},"a":1}`), at: new Date(0) };
    expect(Object.hasOwn(value, '__proto__')).toBe(true);
    expect(back(value)).toStrictEqual({ a: 1, at: new Date(0) });
  });

  it.each<object>([
    { constructor: 'Bob the Builder' },
    { constructor: { name: 'Mercedes', years: [1999] } },
    { constructor: null, prototype: { a: 1 } },
    { text: '__proto__', more: '"constructor": \\u005f' },
    { constructor: new Date(0) },
  ])('row 19 innocent %j → kept', (value) => {
    expect(isDeepStrictEqual(back(value), value)).toBe(true);
  });

  it.each([
    '',
    '{',
    'undefined',
    '~',
    '~["$Date"',
    '~["$Nope",1]',
    '~["$constructor"]',
    '~["$View","Map","AAAA"]',
  ])('S5 %p → throws', (stored) => {
    expect(() => read(stored)).toThrow(Error);
  });

  it('S5 tags nested 100 000 deep → throws, and the process lives', () => {
    const deep = `~${'["$Set",'.repeat(100_000)}1${']'.repeat(100_000)}`;
    expect(() => read(deep)).toThrow(RangeError);
  });
});
