import { describe, expect, it } from '@jest/globals';
import { Encoder, ExtData } from '@msgpack/msgpack';
import * as fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import { JsonSerializer } from '../../../lib/codec/json.serializer.js';
import { MsgpackSerializer } from '../../../lib/codec/msgpack.serializer.js';
import { CacheSerializationError } from '../../../lib/common/errors.js';
import { anyRichValue, nested, refused, SPECIAL } from './rich-values.js';

const msgpack = new MsgpackSerializer();
const json = new JsonSerializer();
const back = (value: unknown): any => msgpack.deserialize(msgpack.serialize(value));
const backFromJson = (value: unknown): unknown => json.deserialize(json.serialize(value));

/** What a writer that has no scruples stores. */
const hostile = (value: unknown): Buffer => Buffer.from(new Encoder().encode(value));

describe('MsgpackSerializer', () => {
  it.each(SPECIAL)('S7 %s → the same again, at the top and deep inside', (_, value) => {
    const deep = { list: [1, { value }], map: new Map([[value, [value]]]) };
    expect(back(deep)).toStrictEqual(deep);
    expect(back([value])).toStrictEqual([value]);
  });

  it.each<[string, unknown, string]>([
    ['plain value', { a: [1, 'x', null, true, -1.5] }, '81a16195 01 a178 c0 c3 cbbff8000000000000'],
    ['Date', new Date(5), 'd503 91 05'],
    ['bigint', 5n, 'c70302 91 a1 35'],
    ['Buffer', Buffer.from([7]), 'd606 91 c40107'],
    ['undefined in an array', [undefined], '91 d400 90'],
    ['Map', new Map([['a', 1]]), 'c70504 91 92 a161 01'],
    ['half of a surrogate pair', '\ud800', 'd540 00d8'],
  ])('S3 %s → exactly these bytes, and back', (_, value, hex) => {
    expect(msgpack.serialize(value).toString('hex')).toBe(hex.replace(/ /g, ''));
    expect(back(value)).toStrictEqual(value);
  });

  it('S7 any rich value → as the JSON serializer gives it back', () => {
    fc.assert(
      fc.property(anyRichValue, (value) => {
        expect(isDeepStrictEqual(back(value), backFromJson(value))).toBe(true);
      }),
      { numRuns: 700 },
    );
  });

  it('S1 any JSON → as the JSON serializer gives it back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(isDeepStrictEqual(back(value), backFromJson(value))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, unknown]>([
    ['-0', [-0, { a: -0 }]],
    ['hole in an array', Array.from({ length: 3 })],
    ['toJSON', { url: new URL('http://a/b'), price: { toJSON: () => ({ at: new Date(0) }) } }],
    ['boxed primitives', { a: Object(1), b: Object(2n) }],
    ['names with half of a surrogate pair', { '\udc00': 1, a: { '\ud800x': new Date(0) } }],
    ['long text with half of a surrogate pair', `${'x'.repeat(500)}\ud800`],
    ['text', ['$Date', '$', '', '東京 😀', 'x'.repeat(70_000)]],
    ['numbers', [2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 32, 1e21, 5e-324, 255, 256, -33]],
    ['innocent constructor', { constructor: { name: 'Mercedes', years: [1999] } }],
    ['other realm', runInNewContext('({ at: new Date(5), map: new Map([["a", new Set([1])]]) })')],
    ['view of part of its memory', new Uint16Array(new Uint8Array(8).buffer, 2, 2)],
  ])('S7 %s → as the JSON serializer gives it back', (_, value) => {
    expect(isDeepStrictEqual(back(value), backFromJson(value))).toBe(true);
  });

  it('S7 invalid Date → an invalid Date', () => {
    expect(back([new Date(NaN)])[0].getTime()).toBeNaN();
  });

  it('S2 Buffer → its bytes and a few more, and memory of its own', () => {
    const bytes = Buffer.alloc(10_000, 1);
    const payload = msgpack.serialize({ bytes });
    expect(payload.length).toBeLessThan(bytes.length + 30);
    const { bytes: read } = msgpack.deserialize(payload) as { bytes: Buffer };
    payload.fill(0);
    expect(read).toStrictEqual(bytes);
  });

  it.each(refused())('row 15 %s → CacheSerializationError that says so', (what, value) => {
    expect(() => msgpack.serialize(value)).toThrow(CacheSerializationError);
    expect(() => msgpack.serialize(value)).toThrow(what);
  });

  it('1000 levels → the same again', () => {
    expect(back(nested(1000))).toEqual(nested(1000));
    let maps: unknown = 1;
    for (let i = 0; i < 1000; i++) maps = new Map([[1, maps]]);
    expect(json.serialize(back(maps))).toEqual(json.serialize(maps));
  });

  it.each<[string, unknown]>([
    ['a Map', new Map([[nested(999), nested(999)]])],
    ['a Set', new Set([nested(999)])],
    ['an object with half of a surrogate pair in a name', { '\ud800': nested(999) }],
  ])('S7 1000 levels, of which the outermost is %s → the same again', (_, value) => {
    expect(back(value)).toEqual(value);
  });
});

describe('MsgpackSerializer — hostile bytes', () => {
  const GADGET = { polluted: true };

  it('row 19 own __proto__ in a value → gone on a miss as on a hit', () => {
    const value = { ...JSON.parse('{"__proto__":{"polluted":true},"a":1}'), at: new Date(0) };
    expect(back(value)).toStrictEqual({ a: 1, at: new Date(0) });
  });

  it('row 19 __proto__ in the bytes → throws', () => {
    const bytes = hostile({ __pr0to__: GADGET });
    bytes.write('__proto__', bytes.indexOf('__pr0to__'));
    expect(() => msgpack.deserialize(bytes)).toThrow('__proto__');
  });

  it('row 19 constructor with a prototype → taken out, at any depth', () => {
    const trap = { a: 1, constructor: { prototype: GADGET } };
    expect(msgpack.deserialize(hostile([trap, { b: trap }]))).toStrictEqual([
      { a: 1 },
      { b: { a: 1 } },
    ]);
    expect(back(new Map([['x', trap]]))).toStrictEqual(new Map([['x', { a: 1 }]]));
    const names = new ExtData(
      65,
      new Encoder().encode([
        ['__proto__', GADGET],
        ['a', 1],
      ]),
    );
    expect(msgpack.deserialize(hostile(names))).toStrictEqual({ a: 1 });
    expect(({} as any).polluted).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['unknown extension', new ExtData(99, new Uint8Array(1))],
    ['extension of the library', new ExtData(-1, new Uint8Array(4))],
    ['extension without parts', new ExtData(3, new Uint8Array([1]))],
    ['View of no view', new ExtData(7, new Encoder().encode(['Map', Buffer.alloc(1)]))],
  ])('S5 %s → throws', (_, value) => {
    expect(() => msgpack.deserialize(hostile(value))).toThrow(Error);
  });

  it.each(['', 'c1', '91', '0102', 'dfffffffff', 'ddffffffff', 'c9ffffffff'])(
    'S5 bytes %p → throws',
    (hex) => {
      expect(() => msgpack.deserialize(Buffer.from(hex, 'hex'))).toThrow(Error);
    },
  );

  it('S5 Sets nested 20 000 deep → throws, and the process lives', () => {
    const heads: Buffer[] = [];
    for (let length = 1; heads.length < 20_000; length += 7) {
      const head = Buffer.from('c9000000000591', 'hex'); // ext 32, its length, Set, an array of one item
      head.writeUInt32BE(length + 1, 1);
      heads.unshift(head);
    }
    expect(() => msgpack.deserialize(Buffer.concat([...heads, Buffer.from([7])]))).toThrow(
      RangeError,
    );
    const three = msgpack.deserialize(Buffer.concat([...heads.slice(-3), Buffer.from([7])]));
    expect(three).toEqual(new Set([new Set([new Set([7])])]));
  });
});
