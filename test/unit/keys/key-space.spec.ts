import { describe, expect, it } from '@jest/globals';
import { CacheKeyError } from '../../../lib/common/errors.js';
import { KeySpace } from '../../../lib/keys/key-space.js';

const NAME_64 = 'n'.repeat(64);

describe('KeySpace', () => {
  it('entry — a key → path, colon, encoded key, and the key as given', () => {
    const key = ['user', 7] as const;
    expect(new KeySpace('cache').entry(key)).toEqual({ given: key, redisKey: 'cache:k%suser%n7' });
    expect(new KeySpace('cache').entry(key).given).toBe(key);
  });

  it('B9 entry — a long key → its digest, and the whole key for the header', () => {
    const entry = new KeySpace('cache').entry('x'.repeat(300));
    expect(entry.redisKey).toMatch(/^cache:h[\w-]{43}$/);
    expect(entry.digestOf).toBe(JSON.stringify('x'.repeat(300)));
  });

  it('entry — a string again → what it was; an array, or thousands of keys later → equal to it', () => {
    const space = new KeySpace('cache');
    const first = space.entry('a');
    expect(space.entry('a')).toBe(first);
    expect(space.child('b').entry('a').redisKey).toBe('cache/b:ka');
    for (let i = 0; i < 15_000; i++) expect(space.entry(`${i}`).redisKey).toBe(`cache:k${i}`);
    expect(space.entry('a')).not.toBe(first);
    expect(space.entry('a')).toMatchObject({ given: 'a', redisKey: first.redisKey });
    const parts = ['a', 1];
    space.entry(parts);
    parts[1] = 2;
    expect(space.entry(parts).redisKey).toBe('cache:k%sa%n2');
  });

  it('entry — keys that are hardly asked for again → none is remembered for a while, and then they are', () => {
    let space = new KeySpace('cache');
    const isRemembered = (key: string): boolean => space.entry(key) === space.entry(key);
    let next = 0;
    const ask = (keys: number): void => {
      for (let i = 0; i < keys; i++) space.entry(`once ${next++}`);
    };
    ask(10_000);
    expect(isRemembered('once 0')).toBe(true);
    ask(1);
    expect(isRemembered('again')).toBe(false);
    expect(space.entry('again')).toMatchObject({ given: 'again', redisKey: 'cache:kagain' });
    ask(100_000);
    expect(isRemembered('again')).toBe(true);

    space = new KeySpace('cache');
    for (let round = 0; round < 2; round++)
      for (let i = 0; i < 10_000; i++) space.entry(`often ${i}`);
    ask(1);
    expect(isRemembered('often 0')).toBe(true);
  });

  it('M1 entries — a list with a hole → CacheKeyError', () => {
    const holes: string[] = Object.assign([], { 1: 'x' });
    const entries = (): unknown => new KeySpace('cache').entries(holes);
    expect(entries).toThrow(CacheKeyError);
    expect(entries).toThrow('The key is undefined');
  });

  it('child — nested → the path joined by slashes, the root kept', () => {
    const space = new KeySpace('cache').child('users').child('v2.1_a-b');
    expect(space.path).toBe('cache/users/v2.1_a-b');
    expect(space.root).toBe('cache');
    expect(space.entry('a').redisKey).toBe('cache/users/v2.1_a-b:ka');
    expect(new KeySpace(space.path).root).toBe('cache');
  });

  it('keys that imitate another namespace → stay in their own', () => {
    const cache = new KeySpace('cache');
    expect(cache.entry('/users:ka').redisKey).not.toBe(cache.child('users').entry('a').redisKey);
  });

  it.each([
    '',
    ' ',
    'a b',
    'a:b',
    'a/b',
    '{a}',
    'a*',
    'ü',
    'a\n',
    'n'.repeat(65),
    7,
    undefined,
    null,
  ])('child — %p → CacheKeyError that says what is accepted', (name) => {
    expect(() => new KeySpace('cache').child(name as string)).toThrow(CacheKeyError);
    expect(() => new KeySpace('cache').child(name as string)).toThrow('accepted are 1 to 64');
  });

  it.each(['', '/', 'a/', '/a', 'a//b', 'a:b'])('constructor — path %p → CacheKeyError', (path) => {
    expect(() => new KeySpace(path)).toThrow(CacheKeyError);
  });

  it.each([
    new KeySpace('cache'),
    new KeySpace(NAME_64),
    new KeySpace(NAME_64).child(NAME_64),
    new KeySpace(`${NAME_64}/${NAME_64}/${'n'.repeat(20)}`),
  ])(
    '$path, any key → a Redis key of at most 300 bytes, room for a kind letter included',
    (space) => {
      const lengths = [...Array.from({ length: 210 }, (_, i) => i + 1), 300, 5000];
      for (const length of lengths)
        for (const key of ['x', '{x', 'ü', ' '].map((unit) => unit.repeat(length)))
          for (const tagged of [key, `{${key}}`, `{${key}}${key}`])
            expect(Buffer.byteLength(space.entry(tagged).redisKey)).toBeLessThanOrEqual(299);
    },
  );

  it('child — a path that leaves no room for a key → CacheKeyError with its length', () => {
    const space = new KeySpace(NAME_64).child(NAME_64);
    expect(() => space.child(NAME_64)).toThrow(/has 194 characters; at most 152 /);
    expect(space.child('a'.repeat(22)).path).toHaveLength(152);
    expect(() => space.child('a'.repeat(23))).toThrow('has 153 characters');
  });
});
