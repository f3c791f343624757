import { describe, expect, it } from '@jest/globals';
import { routedPartOf } from '../../../lib/keys/hash-tag.js';

describe('routedPartOf', () => {
  it.each([
    ['plain', 'plain'],
    ['', ''],
    ['a{b}c', 'b'],
    ['{user}:1', 'user'],
    ['{user}{other}', 'user'],
    ['a{{b}}c', '{b'],
    ['{}', '{}'],
    ['a{}b{c}', 'a{}b{c}'],
    ['a}b{c}', 'c'],
    ['a{b', 'a{b'],
    ['a}', 'a}'],
    ['a{b{c}', 'b{c'],
    ['{ü}x', 'ü'],
  ])('T4 T5 %j → %j', (key, part) => {
    expect(routedPartOf(key)).toBe(part);
  });
});
