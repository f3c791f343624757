import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileGlob, escapeGlob } from '../../../lib/keys/glob.js';

const CASES: [glob: string, matches: string[], others: string[]][] = [
  ['user:1', ['user:1'], ['user:12', 'auser:1', 'user:', '']],
  ['user:*', ['user:', 'user:1', 'user:1:posts'], ['user', 'xuser:1']],
  ['*:posts', [':posts', 'user:1:posts'], ['user:1:posts:2', 'posts']],
  ['*:1:*', ['user:1:posts', ':1:'], ['user:12:posts', ':1']],
  ['*', ['a', ':', '🦄'], []],
  ['**a**', ['a', 'bab'], ['', 'b']],
  ['*a*b*c', ['abc', 'xaxbxc', 'abcabc'], ['acb', 'abcx']],
  ['*aab', ['aab', 'aaab', 'aabaab'], ['aaba', 'ab']],
  ['a?c', ['abc', 'a*c', 'a🦄c'], ['ac', 'abbc', 'a']],
  ['??', ['ab', '🦄🦄'], ['a', 'abc', '🦄']],
  ['*?🦄', ['x🦄', '🦄🦄'], ['🦄', '🦄x']],
  ['[a-c]1', ['a1', 'b1', 'c1'], ['d1', '1', 'aa1', '-1']],
  ['[c-a]', ['a', 'b', 'c'], ['d', '-']],
  ['[^a-c]', ['d', '^', '🦄'], ['a', 'b', 'c', '', 'dd']],
  ['[a^]', ['a', '^'], ['b']],
  ['[-a]', ['-', 'a'], ['b']],
  ['[a\\-c]', ['a', '-', 'c'], ['b', '\\']],
  ['[\\]\\\\]', [']', '\\'], ['[']],
  ['[*?[]', ['*', '?', '['], ['a', ']']],
  ['[α-γ🦄]', ['α', 'β', 'γ', '🦄'], ['δ', '\ud83e']],
  ['a]b', ['a]b'], ['ab']],
  ['\\*\\?\\[\\\\\\a', ['*?[\\a'], ['xx[\\a', '*?[\\\\a']],
  ['{a,b}', ['{a,b}'], ['a', 'b']],
  ['a.c+', ['a.c+'], ['abc', 'a.cc']],
  ['a\n*', ['a\n', 'a\nb\n'], ['a']],
];

describe('compileGlob', () => {
  it.each(CASES)('G2 %j — matches %j, and not %j', (text, matches, others) => {
    const glob = compileGlob(text);
    expect(matches.filter((key) => !glob.matches(key))).toEqual([]);
    expect(others.filter((key) => glob.matches(key))).toEqual([]);
  });

  it.each([
    ['user:1', 'user:1'],
    ['user:*', 'user:'],
    ['us?r', 'us'],
    ['us[e]r', 'us'],
    ['a\\*b\\?*', 'a*b?'],
    ['🦄\\🦄*', '🦄🦄'],
    ['*', ''],
  ])('literalPrefix of %j → %j', (glob, prefix) => {
    expect(compileGlob(glob).literalPrefix).toBe(prefix);
  });

  it.each([
    ['', 'an empty text'],
    ['a\\', 'a backslash at the end'],
    ['a[', 'no ] closes'],
    ['a[bc', 'no ] closes'],
    ['[a-]', 'no ] closes'],
    ['[a\\]', 'no ] closes'],
    ['[^', 'no ] closes'],
    ['a[]b', 'brackets with nothing in them'],
    ['[^]', 'brackets with nothing in them'],
    [undefined as unknown as string, 'a value of type undefined'],
  ])('wrong glob %j → CacheOptionsError that says so', (glob, given) => {
    expect(() => compileGlob(glob)).toThrow(
      expect.objectContaining({
        code: 'ERR_CACHE_OPTIONS',
        problems: [
          expect.objectContaining({ path: 'glob', given: expect.stringContaining(given) }),
        ],
      }),
    );
  });

  it('longer than 1024 characters → CacheOptionsError', () => {
    expect(compileGlob('a'.repeat(1024)).matches('a'.repeat(1024))).toBe(true);
    expect(() => compileGlob('a'.repeat(1025))).toThrow('1025 characters');
  });

  it.each([
    ['500 runs, no last character', '*a'.repeat(500) + '*b', 'a'.repeat(10_000)],
    ['runs behind each character', 'a*'.repeat(500) + 'b', 'a'.repeat(10_000)],
    ['one run, written 1000 times', '*'.repeat(1000) + 'b', 'a'.repeat(100_000)],
    ['any character, any run', '?*'.repeat(500) + 'b', 'a'.repeat(10_000)],
    ['a run and a class', '*[^b]'.repeat(200) + 'b', 'a'.repeat(10_000)],
    ['a long text behind a run', '*' + 'a'.repeat(1000) + 'b', 'a'.repeat(10_000)],
  ])('evil pattern: %s → answered within its bound', (_, glob, key) => {
    const compiled = compileGlob(glob);
    const begin = process.cpuUsage();
    expect(compiled.matches(key)).toBe(false);
    expect(compiled.matches(`${key}b`)).toBe(true);
    const { user } = process.cpuUsage(begin);
    // Backtracking into more than one run would take longer than anybody could wait.
    expect(user / 1000).toBeLessThan(2_000);
  });
});

describe('escapeGlob', () => {
  it('any text → a glob that matches it alone, whatever stands around it', () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from('ab*?[]^-\\🦄')), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (given, other) => {
        const glob = compileGlob(`<${escapeGlob(given)}>*`);
        expect(glob.literalPrefix).toBe(`<${given}>`);
        expect(glob.matches(`<${given}>${other}`)).toBe(true);
        expect(glob.matches(`<${other}>`)).toBe(given === other);
      }),
      { numRuns: 2_000 },
    );
  });
});
