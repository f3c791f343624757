import { describe, expect, it } from '@jest/globals';
import { isCacheError } from '../../../lib/common/errors.js';
import { assertTags, memberOf, tagProblems } from '../../../lib/tags/tag-names.js';
import { isValid, knows, type TagVersions } from '../../../lib/tags/tag-table.js';

const versions: TagVersions = {
  clock: 30,
  floor: 10,
  tags: new Map([
    ['x', 20],
    ['never', 0],
  ]),
};

describe('isValid', () => {
  it.each([
    ['at the floor, no tags', 10, undefined, true],
    ['at the floor, none given', 10, [], true],
    ['below the floor', 9, [], false],
    ['below the floor, a tag never bumped', 9, ['never'], false],
    ['at the version of its tag', 20, ['x'], true],
    ['below the version of its tag', 19, ['x'], false],
    ['one tag of several is newer', 19, ['never', 'x'], false],
    ['a tag that was not asked for', 29, ['other'], false],
    ['a tag that was not asked for, loaded at the clock', 30, ['other'], true],
    ['a tag of a prototype', 29, ['constructor'], false],
    ['no number', NaN, [], false],
  ])('%s → %p, %p: %p', (_, c0, tags, expected) => {
    expect(isValid(c0, tags, versions)).toBe(expected);
  });

  it('the table was lost → false', () => {
    expect(isValid(Infinity, [], undefined)).toBe(false);
  });
});

it('knows — all asked for, or not', () => {
  expect(
    [undefined, [], ['x', 'never'], ['x', 'other']].map((tags) => knows(versions, 20, tags)),
  ).toEqual([true, true, true, false]);
  // At the clock everything is valid, below the floor nothing.
  expect([30, 29, 10, 9].map((c0) => knows(versions, c0, ['other']))).toEqual([
    true,
    false,
    false,
    true,
  ]);
});

describe('tag names', () => {
  it('tagProblems — what is wrong, where, and nothing of a long name', () => {
    expect(tagProblems(['a', ' ', '\0', 'x'.repeat(256)])).toEqual([]);
    expect(tagProblems([])).toEqual([]);
    expect(tagProblems(undefined, 'options.tags')).toEqual([
      { path: 'options.tags', given: 'undefined', accepted: 'an array of strings' },
    ]);
    const accepted = 'a string of 1 to 256 characters';
    expect(tagProblems(['', 'x'.repeat(257), { a: 1 }])).toEqual([
      { path: 'tags[0]', given: "''", accepted },
      { path: 'tags[1]', given: 'a string of 257 characters', accepted },
      { path: 'tags[2]', given: 'a value of type object', accepted },
    ]);
  });

  it('tagProblems — a hole in the list → named', () => {
    const holed = Object.assign(Array<string>(3), { 0: 'a', 2: 'b' });
    expect(tagProblems(holed)).toMatchObject([{ path: 'tags[1]' }]);
  });

  it('assertTags — throws an error of the package that says where', () => {
    expect(() => assertTags('evictTags', ['a'])).not.toThrow();
    let thrown: unknown;
    try {
      assertTags('evictTags', [5]);
    } catch (error) {
      thrown = error;
    }
    expect(isCacheError(thrown)).toBe(true);
    expect((thrown as Error).message).toContain('evictTags');
  });

  it('memberOf — never one of the other members; half a pair as UTF-8 has it', () => {
    expect(['c', 'b', '*', 't:c', '🙂'].map(memberOf)).toEqual([
      't:c',
      't:b',
      't:*',
      't:t:c',
      't:🙂',
    ]);
    for (const half of ['\ud800', 'a\udc00b', '\ud83d\ud83d\ude42'])
      expect(memberOf(half)).toBe(`t:${Buffer.from(half).toString()}`);
  });
});
