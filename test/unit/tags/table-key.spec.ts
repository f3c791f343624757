import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Key, KeyPart } from '../../../lib/keys/encode-key.js';
import { hashSlot, SLOTS } from '../../../lib/keys/hash-slot.js';
import { KeySpace, lockKeyOf, refreshKeyOf } from '../../../lib/keys/key-space.js';
import { copyOf, copyTags, pathOf, tableKeyOf } from '../../../lib/tags/table-key.js';

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
    expect(tableKeyOf('cache/users', copyTags(16)[15]!)).toMatch(tableKeys);
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
    const keys = ['a', 'a/b', 'b', 'a.b'].flatMap((p) =>
      ['t0', 't1', 't11'].map((tag) => tableKeyOf(p, tag)),
    );
    expect(new Set(keys).size).toBe(12);
    expect(tableKeyOf('cache/users', 't3')).toBe('cache/users:{t3}:g');
  });

  it('the copy of an entry → fixed for ever', () => {
    const keys = ['cache:ka', 'cache:kb', 'cache/users:kuser:7', 'cache:kZürich 東京 🙂'];
    expect(keys.map((k) => copyOf(k, 16))).toEqual([2, 14, 8, 12]);
    expect(keys.map((k) => copyOf(k, 1))).toEqual([0, 0, 0, 0]);
  });

  it('many entries → each copy has about as many', () => {
    const counts = Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) counts[copyOf(`cache:kuser:${i}`, 16)]!++;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });

  it('the tags of copies → fixed for ever', () => {
    expect(copyTags(1)).toEqual(['t0']);
    expect(copyTags(16).join(' ')).toBe(
      't7 t144 t58 t61 t6 t145 t59 t60 t5 t146 t102 t63 t4 t147 t103 t62',
    );
  });

  it('a cluster of equal ranges → nearly every entry shares its master with its copy', () => {
    const tags = copyTags(16);
    for (const masters of [3, 4, 5, 6, 8]) {
      const masterOf = (key: string): number => Math.floor((hashSlot(key) * masters) / SLOTS);
      const keys = Array.from({ length: 10_000 }, (_, i) => `cache:kuser:${i}`);
      const together = keys.filter(
        (k) => masterOf(k) === masterOf(tableKeyOf('cache', tags[copyOf(k, 16)]!)),
      );
      expect(together.length).toBeGreaterThan(8_000);
    }
  });
});
