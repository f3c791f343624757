import { describe, expect, it } from '@jest/globals';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PassingMap } from '../../../lib/common/passing-map.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;

interface Table {
  set(key: number, value: object): unknown;
  delete(key: number): unknown;
}

/** Bytes that are kept until the next full collection. */
function kept(): number {
  const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
  return old!.space_used_size;
}

/** What grows old of objects that are each in the table for a moment, after a while in which nothing was done. */
function keptBy(table: Table): number {
  table.set(-1, {});
  for (let i = 0; i < 4; i++) collect({ type: 'minor' });
  const before = kept();
  for (let i = 0; i < 20_000; i++) {
    table.set(i, { text: Array.from({ length: 20 }, () => i) });
    table.delete(i - 8);
    if (i % 1_000 === 0) collect({ type: 'minor' });
  }
  return kept() - before;
}

describe('PassingMap', () => {
  it('is a map', () => {
    const map = new PassingMap<string, number>();
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 3);
    map.delete('c');
    expect([map.get('a'), map.get('c'), map.has('b'), map.has('c'), map.size]).toEqual([
      3,
      undefined,
      true,
      false,
      2,
    ]);
    expect([map.entries(), map.values()]).toEqual([
      [
        ['a', 3],
        ['b', 2],
      ],
      [3, 2],
    ]);
    map.delete('a');
    map.delete('b');
    expect([map.size, map.entries()]).toEqual([0, []]);
  });

  it('has what was put in and not taken out, in its order, however much has passed', () => {
    const map = new PassingMap<number, number>();
    const control = new Map<number, number>();
    for (let i = 0; i < 5_000; i++) {
      for (const each of [map, control]) {
        each.set(i, i * 2);
        if (i % 7 !== 0) each.delete(i - 3);
      }
    }
    expect(map.entries()).toEqual([...control]);
    expect(map.size).toBe(control.size);
  });

  it('gives what was in it when it was asked', () => {
    const map = new PassingMap<number, number>();
    for (let i = 0; i < 1_000; i++) map.set(i, i);
    const seen: number[] = [];
    for (const [key] of map.entries()) {
      seen.push(key);
      map.delete(key);
      map.set(key, key);
    }
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
    expect(map.size).toBe(1_000);
  });

  it('leaves nothing that has passed to a full collection, as a Map does', () => {
    // In this order: V8 puts what a place in the code makes among the old at once, where most of it has grown old.
    const ofPassingMap = keptBy(new PassingMap());
    const ofMap = keptBy(new Map());
    expect(ofMap).toBeGreaterThan(1_000_000);
    expect(ofPassingMap).toBeLessThan(ofMap / 4);
  });
});
