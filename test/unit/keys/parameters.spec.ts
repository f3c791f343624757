import { describe, expect, it } from '@jest/globals';
import { parametersOf, type Fn } from '../../../lib/keys/parameters.js';

// As it stands, whatever compiles the tests.
// oxlint-disable-next-line no-implied-eval
const written = (text: string): Fn => new Function(`return ${text}`)() as Fn;
const method = (text: string): Fn => Object.values(written(`{ ${text} }`) as object)[0] as Fn;

describe('parametersOf', () => {
  it.each<[number, string]>([
    [0, '() => 1'],
    [1, 'x => x'],
    [1, 'async x => x(1, 2)'],
    [2, '(a, b) => 1'],
    [2, '(a, b = 1) => 1'],
    [3, "(a, b = 'main', c) => 1"],
    [3, '(a = 1, b = 2, c = 3,) => 1'],
    [1, '(a, ...all) => 1'],
    [0, '(...all) => 1'],
    [2, 'async (a, b = (x, y) => [x, y]) => 1'],
    [2, "function (a, { b, c: [d, e] } = { b: 1, c: [')', `,${1}`] }) {}"],
    [2, '(a /* , x */, b = "\\"," // , y)\n) => 1'],
    [2, '(a = /[,)/]\\/,/, b) => 1'],
    [3, '(a, b = a / 2, c = b / 3) => 1'],
    [2, 'async function* name(a, b = 1) { f(1, 2, 3) }'],
  ])('D4 → %i: %s', (count, text) => {
    expect(parametersOf(written(text))).toBe(count);
  });

  it.each<[number, string]>([
    [2, "remove(id, tenant = 'main') { return f(1, 2, 3); }"],
    [1, "async ['remove'.concat('d', 'e')](id) {}"],
    [1, "async *'a(b, c'(id) {}"],
    [1, 'remove(id, ...others) {}'],
  ])('D4 method → %i: %s', (count, text) => {
    expect(parametersOf(method(text))).toBe(count);
  });

  it('D4 a function without a text of its own → its length', () => {
    expect(parametersOf(((_a: number, _b: number) => 1).bind(undefined))).toBe(2);
  });
});
