import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import { compileGlob } from '../../../lib/keys/glob.js';
import { parseKeyTemplate } from '../../../lib/keys/key-template.js';
import { globsFrom } from '../../../lib/keys/sources.js';

/** The globs where these are the values of `{params.…}`. */
const globs = (pattern: string, params: Record<string, unknown>): readonly unknown[] =>
  globsFrom(pattern, ['params']).of({ lookup: ([, name]) => params[name!], call: () => undefined });

const keyOf = (template: string, params: Record<string, unknown>): string =>
  parseKeyTemplate(template).render(([, name]) => params[name!])!;

const matches = (pattern: string, params: Record<string, unknown>, key: string): boolean =>
  globs(pattern, params).some((glob) => compileGlob(glob as string).matches(key));

describe('globsFrom', () => {
  it.each([
    ['user:*', {}, ['user:*']],
    ['user:{params.id}:*', { id: 7 }, ['user:7:*']],
    ['user:{params.id}:*', { id: '*' }, ['user:\\*:*']],
    ['user:{params.id}', { id: 'a?[b]\\' }, ['user:a\\?\\[b\\]\\\\']],
    ['*:{params.id}', { id: 'a:b' }, ['*:a:b']],
    ['user:{params.id}:*', { id: 'a:b' }, ['user:a:b:*', 'user:a\\\\:b:*']],
    ['{params.a}:{params.b}', { a: 'x:*', b: 'y:*' }, ['x\\\\:\\*:y:\\*']],
    ['{{{params.id}}}*', { id: 1 }, ['{1}*']],
    ['user:{params.id}:*', {}, [undefined]],
  ])('%s with %j → %j', (pattern, params, expected) => {
    expect(globs(pattern, params)).toEqual(expected);
  });

  it('a NUL, which stands for values within → CacheOptionsError that says so', () => {
    const call = (): unknown => globs('a\0:{params.id}:*', { id: 7 });
    expect(call).toThrow(CacheOptionsError);
    expect(call).toThrow('a NUL character');
  });

  const value = fc.string({ unit: fc.constantFrom(':', '*', '?', '[', ']', '-', '^', '\\', 'a') });

  it('any values → the keys that have them, whatever follows in the key', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        const params = { a, b, c };
        const pattern = 'x:{params.a}:{params.b}:*';
        const two = keyOf('x:{params.a}:{params.b}:y', params);
        const three = keyOf('x:{params.a}:{params.b}:{params.c}', params);
        expect(matches(pattern, params, two)).toBe(true);
        expect(matches(pattern, params, three)).toBe(true);
      }),
    );
  });

  it('any value → no key without it', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        fc.pre(a !== b);
        const key = keyOf('x:{params.b}', { b });
        expect(matches('x:{params.a}', { a }, key)).toBe(false);
      }),
    );
  });
});
