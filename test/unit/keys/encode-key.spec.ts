import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { CacheKeyError } from '../../../lib/common/errors.js';
import { decodeKey, encodeKey, type Key } from '../../../lib/keys/encode-key.js';

const text = (key: Key): string => encodeKey(key).text;

/** Characters that have, or could have, a meaning in the encoding: as likely as possible to make two keys meet. */
const CHARACTERS = [...Array.from('%{}sniv25BDu0:a,"[]\\ \0\x7fü😀'), ...['\ud800', '\udc00']];
const texts = fc
  .array(fc.constantFrom(...CHARACTERS), { maxLength: 6 })
  .map((list) => list.join(''));
const parts = fc.oneof(
  texts,
  fc.constantFrom<(number | bigint | boolean | null)[]>(0, 1, 10, 0.1, 1e21, 1n, 0n, -1n),
  fc.constantFrom('1', '0', 'true', 'null', true, false, null),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const keys: fc.Arbitrary<Key> = fc.oneof(
  texts.filter((key) => key !== ''),
  fc.array(parts as fc.Arbitrary<string>, { minLength: 1, maxLength: 4 }),
);

/** -0 is 0, in keys. */
const plain = (key: Key): unknown =>
  typeof key === 'string' ? key : key.map((part) => (part === 0 ? 0 : part));

describe('encodeKey', () => {
  it.each<[Key, string]>([
    ['user:7', 'kuser:7'],
    ['a b%c\r\n\0', 'ka%20b%25c%0D%0A%00'],
    ['*?[a-z]\\', 'k*?[a-z]\\'],
    ['Zürich 東京 😀', 'kZürich%20東京%20😀'],
    ['\ud800x\udc00', 'k%uD800x%uDC00'],
    ['\x7f', 'k%7F'],
    [['user', 7], 'k%suser%n7'],
    [['', -0, 1n, true, false, null], 'k%s%n0%i1%vtrue%vfalse%vnull'],
  ])('B8 %p → %p', (key, expected) => {
    expect(encodeKey(key)).toEqual({ text: expected });
  });

  it.each<[Key, string]>([
    ['{acme}:users', 'k{acme}:users'],
    ['a{b}c{d}', 'ka{b}c%7Bd%7D'],
    ['{{a}}', 'k{%7Ba}%7D'],
    ['}{a}', 'k%7D{a}'],
    ['{a b}', 'k{a%20b}'],
    ['{}{a}', 'k%7B%7D%7Ba%7D'],
    ['a{', 'ka%7B'],
    ['a}b{', 'ka%7Db%7B'],
    [['x', '{acme}', '{b}'], 'k%sx%s{acme}%s%7Bb%7D'],
    [['{', 'a}'], 'k%s%7B%sa%7D'],
    [['{}', '{a}'], 'k%s%7B%7D%s{a}'],
  ])('T4 hash tag in %p → %p', (key, expected) => {
    expect(text(key)).toBe(expected);
  });

  it('T4 any key → no brace but those of one tag that is not empty, so that every client finds the slot', () => {
    const braces = /^[^{}]*(\{[^{}]+\}[^{}]*)?$/;
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 30 }), (key, maxBytes) => {
        expect(encodeKey(key, maxBytes).text).toMatch(braces);
      }),
      { numRuns: 5000 },
    );
  });

  it.each<[Key, Key]>([
    ['a', ['a']],
    [['a:b'], ['a', 'b']],
    [['a', 'b'], 'a,b'],
    [[1], ['1']],
    [[1n], [1]],
    [[true], ['true']],
    [[null], ['null']],
    [[''], ['', '']],
    [
      ['a', 'b%sc'],
      ['a', 'b', 'c'],
    ],
    ['%sa', ['a']],
    ['a%20b', 'a b'],
    ['%uD800', '\ud800'],
    ['\ud800', '\ufffd'],
    ['é', 'e\u0301'],
  ])('B8 %p and %p → two texts', (one, other) => {
    expect(text(one)).not.toBe(text(other));
  });

  it('B8 100 000 random keys → no two share a text, and each comes back from its own', () => {
    const seen = new Map<string, unknown>();
    for (const key of fc.sample(keys, 100_000)) {
      const { text: encoded, digestOf } = encodeKey(key);
      const known = seen.get(encoded);
      const given = plain(key);
      if (known !== undefined && !isDeepStrictEqual(known, given))
        throw new Error(`${JSON.stringify([known, given])} meet at ${encoded}`);
      if (!isDeepStrictEqual(decodeKey(encoded, digestOf), given))
        throw new Error(`${JSON.stringify(key)} does not come back from ${encoded}`);
      seen.set(encoded, given);
    }
    expect(seen.size).toBeGreaterThan(30_000);
  });

  it.each([
    ['', 'an empty string'],
    [[], 'an empty array'],
    [NaN, 'NaN'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [{ toString: () => 'hunter2' }, 'an object'],
    [Symbol('hunter2'), 'a symbol'],
    [() => 'hunter2', 'a function'],
  ])('%p → CacheKeyError that says %s, and what is accepted', (key, given) => {
    expect(() => encodeKey(key as never)).toThrow(CacheKeyError);
    expect(() => encodeKey(key as never)).toThrow(
      `The key is ${given}; accepted are a non-empty string, or a non-empty array`,
    );
  });

  it.each([
    [undefined, 'undefined'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [['x'], 'an array'],
    [new Date(0), 'an object'],
    [Symbol('hunter2'), 'a symbol'],
  ])('part %p → CacheKeyError that says which one', (part, given) => {
    expect(() => encodeKey(['a', part as never])).toThrow(`Part 1 of the key is ${given};`);
  });

  it('array with a hole → CacheKeyError', () => {
    // eslint-disable-next-line no-sparse-arrays
    expect(() => encodeKey(['a', , 'b'] as never)).toThrow(CacheKeyError);
  });
});

describe('encodeKey — long keys', () => {
  it('B9 200 bytes → spelled; 201 → a digest, and the whole key beside it', () => {
    expect(encodeKey('x'.repeat(200))).toEqual({ text: `k${'x'.repeat(200)}` });
    const long = encodeKey('x'.repeat(201));
    expect(long.text).toMatch(/^h[\w-]{43}$/);
    expect(decodeKey(long.text, long.digestOf)).toBe('x'.repeat(201));
  });

  it('B9 bytes count, not characters', () => {
    expect(text('ü'.repeat(100))).toMatch(/^k/);
    expect(text('ü'.repeat(101))).toMatch(/^h/);
    expect(text(' '.repeat(67))).toMatch(/^h/);
    expect(text(['x'.repeat(150), 'y'.repeat(50)])).toMatch(/^h/);
  });

  it('B9 equal beginnings or ends, strings and arrays → digests of their own', () => {
    const x = 'x'.repeat(300);
    const long: Key[] = [
      x,
      `${x}a`,
      `a${x}`,
      [x],
      [x, ''],
      [x, 1],
      [x, '1'],
      [x, 1n],
      [x, [1] + ''],
    ];
    expect(new Set(long.map(text)).size).toBe(8); // the last one is [x, '1'] again
  });

  it('B9 random long keys → each comes back from its digest', () => {
    fc.assert(
      fc.property(keys, (key) => {
        const { text: encoded, digestOf } = encodeKey(key, 0);
        expect(encoded[0]).toBe('h');
        expect(decodeKey(encoded, digestOf)).toEqual(plain(key));
      }),
      { numRuns: 2000 },
    );
  });

  it('T4 hash tag of a long key → literal in front of the digest', () => {
    expect(text(`{acme}:${'x'.repeat(300)}`)).toMatch(/^h\{acme\}[\w-]{43}$/);
    expect(text(['a', `${'x'.repeat(300)}{acme}`])).toMatch(/^h\{acme\}[\w-]{43}$/);
  });

  it('T4 hash tag over 100 bytes → its digest, the same one in short and in long keys', () => {
    const tag = 't'.repeat(101);
    const tags = [`{${tag}}`, `a{${tag}}b`, `{${tag}}${'x'.repeat(500)}`].map(
      (key) => /^h(\{[\w-]{43}\})[\w-]{43}$/.exec(text(key))?.[1],
    );
    expect(tags[0]).toBeDefined();
    expect(new Set(tags).size).toBe(1);
    expect(text(`{${'t'.repeat(100)}}`)).toBe(`k{${'t'.repeat(100)}}`);
  });

  it.each<[string, (bytes: number) => Key]>([
    ['ASCII', (bytes) => 'x'.repeat(bytes)],
    ['words', (bytes) => 'hello world '.repeat(bytes / 12)],
    ['percent signs', (bytes) => '%'.repeat(bytes)],
    ['emoji', (bytes) => '😀'.repeat(bytes / 4)],
    ['a hash tag', (bytes) => `{${'x'.repeat(bytes)}}`],
    ['an array', (bytes) => ['x'.repeat(bytes), 1]],
  ])('1 MB of %s → as long as its size says, not the square of it', (_, keyOf) => {
    const shortest = (key: Key): number => {
      const took = Array.from({ length: 10 }, () => {
        const begin = performance.now();
        encodeKey(key);
        return performance.now() - begin;
      });
      return Math.min(...took);
    };
    // 128 times as long, some times that beyond the caches of a processor; in its square it would be 16 384 times.
    expect(shortest(keyOf(2 ** 20)) / shortest(keyOf(2 ** 13))).toBeLessThan(2_048);
  });
});

describe('decodeKey', () => {
  it.each([
    ...[
      '',
      'k',
      'xa',
      'ka b',
      'k%',
      'k%2',
      'k%2d',
      'k%41',
      'k%uD83D%uDE00',
      'k{',
      'k{a}{b}',
      'k%n',
      'k%nx',
    ],
    ...[
      'k%n01',
      'k%i',
      'k%i1.5',
      'k%vx',
      'k%v"x"',
      'k%v[1]',
      'k%x1',
      'k%n1e400',
      'h',
      `h${'A'.repeat(43)}`,
    ],
  ])('%p, which no key has → undefined', (encoded) => {
    expect(decodeKey(encoded)).toBeUndefined();
  });

  it('digest of another key → undefined', () => {
    const one = encodeKey('x'.repeat(300));
    const other = encodeKey('y'.repeat(300));
    expect(decodeKey(one.text, other.digestOf)).toBeUndefined();
    expect(decodeKey(one.text, 'not JSON')).toBeUndefined();
  });
});
