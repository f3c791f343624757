import { describe, expect, it } from '@jest/globals';
import { PassingList, type Link } from '../../../lib/common/passing-list.js';

class Item implements Link<Item> {
  before: Item | undefined;
  after: Item | undefined;

  constructor(readonly name: string) {}
}

const named = (names: string): Item[] => names.split('').map((name) => new Item(name));
const namesIn = (list: PassingList<Item>): string =>
  list
    .items()
    .map(({ name }) => name)
    .join('');

describe('PassingList', () => {
  it('delete — in any order → the others stay in the order in which they came', () => {
    for (const order of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']) {
      const list = new PassingList<Item>();
      const items = named('abc');
      for (const item of items) list.add(item);
      let left = 'abc';
      for (const name of order) {
        list.delete(items.find((item) => item.name === name)!);
        left = left.replace(name, '');
        expect(namesIn(list)).toBe(left);
        expect(list.first?.name ?? '').toBe(left.slice(0, 1));
        expect(list.size).toBe(left.length);
      }
    }
  });

  it('add — once more, after it has been taken out → the last', () => {
    const list = new PassingList<Item>();
    const [a, b, c] = named('abc');
    for (const item of [a!, b!]) list.add(item);
    list.delete(a!);
    list.add(c!);
    list.add(a!);
    expect(namesIn(list)).toBe('bca');
  });

  it('delete — what has been taken out → holds on to none of the others', () => {
    const list = new PassingList<Item>();
    const [a, b, c] = named('abc');
    for (const item of [a!, b!, c!]) list.add(item);
    list.delete(b!);
    expect([b!.before, b!.after]).toEqual([undefined, undefined]);
  });

  it('items — while they are taken out → all that were there', () => {
    const list = new PassingList<Item>();
    for (const item of named('abc')) list.add(item);
    const seen: string[] = [];
    for (const item of list.items()) {
      list.delete(item);
      seen.push(item.name);
    }
    expect(seen.join('')).toBe('abc');
    expect(list.size).toBe(0);
  });
});
