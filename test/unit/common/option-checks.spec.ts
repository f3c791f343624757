import { describe, expect, it } from '@jest/globals';
import { shown } from '../../../lib/common/option-checks.js';

describe('T12 what an error quotes', () => {
  it.each([
    ['a', '"a"'],
    [5, '5'],
    [[5, '5', null, undefined, true, 5n], '[5,"5",null,undefined,true,5]'],
    [[['a'], {}, () => 1], '[an array,an object,a function]'],
    [[], '[]'],
    ['x'.repeat(50), `"${'x'.repeat(40)}"`],
    [Array(100).fill('tag'), `[${'"tag",'.repeat(20)}`.slice(0, 80)],
  ])('%p → as it was given, shortened', (given, text) => {
    expect(shown(given)).toBe(text);
  });
});
