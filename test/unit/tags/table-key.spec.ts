import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Key, KeyPart } from '../../../lib/keys/encode-key.js';
import { KeySpace, lockKeyOf, refreshKeyOf } from '../../../lib/keys/key-space.js';
import { copyOf, pathOf, tableKeyOf } from '../../../lib/tags/table-key.js';

const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/);
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const part: fc.Arbitrary<KeyPart> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
);
const key: fc.Arbitrary<Key> = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }),
  fc.constantFrom('{t0}:g', ':{t0}:g', '{t0}', 'x:{t15}:g'),
  fc.array(part, { minLength: 1 }),
);

describe('the key of a tag table', () => {
  it('any key of any namespace, its refresh lease, its lock → none is a table', () => {
    const tableKeys = /^[^:]*:\{t\d+\}:g$/;
    expect(tableKeyOf('cache/users', 15)).toMatch(tableKeys);
    fc.assert(
      fc.property(path, key, (space, given) => {
        const entry = new KeySpace(space).entry(given);
        const keys = [entry.redisKey, refreshKeyOf(entry), lockKeyOf(entry)];
        for (const redisKey of keys) {
          expect(redisKey).not.toMatch(tableKeys);
          expect(redisKey.slice(space.length)).toMatch(/^:[khrl]/);
          expect(pathOf(redisKey)).toBe(space);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('two namespaces, two copies → tables of their own', () => {
    const keys = ['a', 'a/b', 'b', 'a.b'].flatMap((p) => [0, 1, 11].map((i) => tableKeyOf(p, i)));
    expect(new Set(keys).size).toBe(12);
    expect(tableKeyOf('cache/users', 3)).toBe('cache/users:{t3}:g');
  });

  it('the copy of an entry → fixed for ever', () => {
    const keys = ['cache:ka', 'cache:kb', 'cache/users:kuser:7', 'cache:kZürich 東京 🙂'];
    expect(keys.map((k) => copyOf(k, 16))).toEqual([11, 2, 9, 11]);
    expect(keys.map((k) => copyOf(k, 1))).toEqual([0, 0, 0, 0]);
  });

  it('many entries → each copy has about as many', () => {
    const counts = Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) counts[copyOf(`cache:kuser:${i}`, 16)]!++;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });
});
