import { describe, expect, it } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import { isolate, type Isolation } from '../../../lib/l1/isolation.js';

const MODES: Isolation[] = ['freeze', 'clone', 'reference'];

/** Hands out values of `make`, and says how often. */
function isolated(make: () => unknown, mode: Isolation) {
  const made: unknown[] = [];
  const again = (): unknown => {
    const value = make();
    made.push(value);
    return value;
  };
  return { made, entry: isolate(again(), mode, () => again) };
}

describe('isolate', () => {
  describe.each(MODES)('%s', (mode) => {
    it.each([null, 'text', 0, false, 7n])('B13 %p → itself, made once', (value) => {
      const { entry, made } = isolated(() => value, mode);
      expect([entry.take(), entry.take()]).toEqual([value, value]);
      expect(made).toHaveLength(1);
    });
  });

  it('B13 freeze — plain objects and arrays → one value for all, frozen to the bottom', () => {
    const { entry, made } = isolated(() => ({ a: [{ b: { c: 1 } }], d: [[]] }), 'freeze');
    const value = entry.take() as { a: { b: { c: number } }[]; d: unknown[][] };
    expect(entry.take()).toBe(value);
    expect(made).toHaveLength(1);
    for (const part of [value, value.a, value.a[0]!, value.a[0]!.b, value.d, value.d[0]!])
      expect(Object.isFrozen(part)).toBe(true);
    expect(() => (value.a[0]!.b.c = 2)).toThrow(TypeError);
    expect(() => value.d.push([])).toThrow(TypeError);
  });

  it('B13 promised — shared → one promise for all; copied → one copy in each', async () => {
    const shared = isolated(() => ({ a: 1 }), 'freeze').entry;
    expect(shared.promised()).toBe(shared.promised());
    expect(await shared.promised()).toBe(shared.take());
    const { entry, made } = isolated(() => ({ a: 1 }), 'clone');
    const taken = await Promise.all([entry.promised(), entry.promised()]);
    expect(taken).toEqual([{ a: 1 }, { a: 1 }]);
    expect(taken[0]).not.toBe(taken[1]);
    expect(made).toEqual(taken);
  });

  it('B13 promised — a copy that cannot be made → rejects', async () => {
    const own = new Error('no copy');
    const again = (): never => {
      throw own;
    };
    const entry = isolate({ a: 1 }, 'clone', () => again);
    expect(await entry.promised()).toEqual({ a: 1 });
    await expect(entry.promised()).rejects.toBe(own);
  });

  it.each<[string, () => unknown]>([
    ['Date', () => new Date(0)],
    ['Map', () => new Map([[1, 2]])],
    ['Set', () => new Set([1])],
    ['Buffer', () => Buffer.from('a')],
    ['typed array', () => new Float64Array(2)],
    ['ArrayBuffer', () => new ArrayBuffer(2)],
    ['RegExp', () => /a/g],
    [
      'instance of a class',
      () =>
        new (class User {
          name = 'a';
        })(),
    ],
    ['method', () => ({ call: () => 1 })],
    ['Date of another realm', () => runInNewContext('new Date(0)')],
  ])(
    'B13 freeze — %s, at the top or inside → one copy for each reader, nothing frozen',
    (_, make) => {
      for (const wrap of [(v: unknown) => v, (v: unknown) => ({ list: [1, { v }] })]) {
        const { entry, made } = isolated(() => wrap(make()), 'freeze');
        const taken = [entry.take(), entry.take(), entry.take()];
        expect(new Set(taken).size).toBe(3);
        expect(made).toEqual(taken);
        for (const value of taken) expect(Object.isFrozen(value)).toBe(false);
      }
    },
  );

  it('freeze — plain objects of another realm, without prototype, in a cycle → frozen', () => {
    const value = runInNewContext('({ list: [{ a: 1 }], bare: Object.create(null) })');
    value.self = value;
    const { entry } = isolated(() => value, 'freeze');
    expect(entry.take()).toBe(value);
    for (const part of [value, value.list, value.list[0], value.bare])
      expect(Object.isFrozen(part)).toBe(true);
  });

  it('freeze — 200 000 levels → frozen, without recursion', () => {
    let deep: unknown[] = [];
    for (let i = 0; i < 200_000; i++) deep = [deep];
    expect(Object.isFrozen(isolated(() => deep, 'freeze').entry.take())).toBe(true);
  });

  it('freeze — parts that are shared at each of 64 levels, a cycle of 5 000 → frozen, each walked once', () => {
    let shared: object = {};
    for (let i = 0; i < 64; i++) shared = { left: shared, right: shared };
    const ring: { next?: object }[] = Array.from({ length: 5_000 }, () => ({}));
    ring.forEach((each, i) => (each.next = ring[(i + 1) % ring.length]!));
    for (const value of [shared, ring[0]!])
      expect(Object.isFrozen(isolated(() => value, 'freeze').entry.take())).toBe(true);
    expect(ring.every(Object.isFrozen)).toBe(true);
  });

  it('clone → a copy for each reader, the first of them what was given', () => {
    const { entry, made } = isolated(() => ({ a: [1] }), 'clone');
    const taken = [entry.take(), entry.take(), entry.take()];
    expect(new Set(taken).size).toBe(3);
    expect(made).toEqual(taken);
    expect(made[0]).toBe(taken[0]);
  });

  it('reference → one value for all, as it is', () => {
    const { entry, made } = isolated(() => ({ a: new Date(0) }), 'reference');
    expect(entry.take()).toBe(entry.take());
    expect(Object.isFrozen(entry.take())).toBe(false);
    expect(made).toHaveLength(1);
  });
});
