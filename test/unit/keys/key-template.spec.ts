import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import { parseKeyTemplate } from '../../../lib/keys/key-template.js';

/** Renders with the values in the order of the placeholders. */
function render(text: string, ...values: unknown[]): string | undefined {
  return parseKeyTemplate(text).render(() => values.shift());
}

describe('parseKeyTemplate', () => {
  it('D4 placeholders → their paths, in order', () => {
    const { paths, text } = parseKeyTemplate('{0.id}-{headers.accept-language}:{user.id}');
    expect(paths).toEqual([
      ['0', 'id'],
      ['headers', 'accept-language'],
      ['user', 'id'],
    ]);
    expect(text).toBe('{0.id}-{headers.accept-language}:{user.id}');
  });

  it('no placeholder → the text itself', () => {
    expect(parseKeyTemplate('users:all').paths).toEqual([]);
    expect(render('users:all')).toBe('users:all');
  });

  it.each([
    ...[
      '',
      '{',
      '}',
      'a{b',
      'a}b',
      '{}',
      '{a{b}',
      '{ a }',
      '{a.}',
      '{.a}',
      '{a..b}',
      '{a b}',
      '{{a}',
    ],
    ...['{a}{b}', '{a}\\{b}', 'x{a}{b}y'],
  ])('D4 %p → CacheOptionsError', (text) => {
    expect(() => parseKeyTemplate(text)).toThrow(CacheOptionsError);
  });

  it('bad syntax → the error says where and what is accepted', () => {
    expect(() => parseKeyTemplate('user:{id')).toThrow(
      /key: given a lone \{ in 'user:\{id', accepted text with placeholders like 'user:\{params\.id\}'/,
    );
  });
});

describe('KeyTemplate.render', () => {
  it('D4 lookup → gets the path of each placeholder', () => {
    const request = { params: { id: 7 }, query: { page: 'last' } } as Record<string, any>;
    const template = parseKeyTemplate('user:{params.id}:{query.page}');
    expect(template.render(([root, name]) => request[root!]?.[name!])).toBe('user:7:last');
  });

  it.each<[unknown, string]>([
    [7, 'user:7'],
    [-0, 'user:0'],
    ['7', 'user:7'],
    [7n, 'user:7'],
    [false, 'user:false'],
    ['', 'user:'],
    ['a:b\\c{d}', 'user:a:b\\c{d}'],
  ])('%p → the very key that evict would be given', (value, key) => {
    expect(render('user:{params.id}', value)).toBe(key);
  });

  it.each([undefined, null, NaN, Infinity, {}, ['a'], Symbol('a'), () => 1, new Date(0)])(
    '%p → missing',
    (value) => {
      expect(render('user:{a}', value)).toBeUndefined();
      expect(render('{a}:{b}', 'x', value)).toBeUndefined();
    },
  );

  it('nothing at all rendered → missing, as an empty key is none', () => {
    expect(render('{a}', '')).toBeUndefined();
  });

  it('doubled braces → literal, also around a placeholder, so that it is a hash tag', () => {
    expect(render('{{a}}')).toBe('{a}');
    expect(render('{{{tenant}}}:users', 'acme')).toBe('{acme}:users');
  });

  it('a value with what ends it → escaped; the last value → as it is', () => {
    expect(render('{a}:{b}', 'a:b', 'c')).toBe('a\\:b:c');
    expect(render('{a}:{b}', 'a', 'b:c')).toBe('a:b:c');
    expect(render('{a}:{b}', 'a\\', 'b')).toBe('a\\\\:b');
    expect(render('{a}$&{b}', '$&', '$&')).toBe('\\$&$&$&');
  });

  it.each(['{a}:{b}', 'x{a}::{b}:', '{a}\u{1f600}{b}', '{a}{{{b}}}', '{a}:{b}-{c}'])(
    'row 20 %p with values that imitate it → no two share a key',
    (text) => {
      const template = parseKeyTemplate(text);
      const value = fc
        .array(fc.constantFrom(':', '\\', '-', '{', '}', 'x', '\u{1f600}', '\ud83d', '\ude00'), {
          maxLength: 3,
        })
        .map((list) => list.join(''));
      const seen = new Map<string, string>();
      for (const values of fc.sample(fc.tuple(value, value, value), 20_000)) {
        const used = JSON.stringify(values.slice(0, template.paths.length));
        const key = template.render(() => values.shift())!;
        if ((seen.get(key) ?? used) !== used)
          throw new Error(`${used} and ${seen.get(key)} meet at ${key}`);
        seen.set(key, used);
      }
      expect(seen.size).toBeGreaterThan(1000);
    },
  );
});
