import * as fc from 'fast-check';

/** What every serializer of this package keeps. */
export const SPECIAL: [string, unknown][] = [
  ['Date', new Date(1_700_000_000_123)],
  [
    'Map',
    new Map<unknown, unknown>([
      ['a', 1],
      [{ b: 2 }, new Map([[1n, undefined]])],
    ]),
  ],
  [
    'Map with a key like a tag',
    new Map([
      ['$Date', 5],
      ['$', 6],
    ]),
  ],
  ['Set', new Set<unknown>(['$Set', [1], new Set([NaN])])],
  ['bigint', 2n ** 200n],
  ['negative bigint', -1n],
  ['Buffer', Buffer.from([0, 1, 255])],
  ['empty Buffer', Buffer.alloc(0)],
  ['Uint8Array', new Uint8Array([1, 2])],
  ['Uint8ClampedArray', new Uint8ClampedArray([300])],
  ['Int8Array', new Int8Array([-1])],
  ['Int16Array', new Int16Array([-300])],
  ['Uint16Array', new Uint16Array([300])],
  [
    'Uint16Array of a part of its memory',
    new Uint16Array(Uint8Array.of(1, 2, 3, 4, 5, 6).buffer, 2, 1),
  ],
  ['Int32Array', new Int32Array([-70_000])],
  ['Uint32Array', new Uint32Array([70_000])],
  ['Float32Array', new Float32Array([1.5, NaN, -0])],
  ['Float64Array', new Float64Array([Math.PI, -Infinity])],
  ['BigInt64Array', new BigInt64Array([-(2n ** 60n)])],
  ['BigUint64Array', new BigUint64Array([2n ** 63n])],
  ['DataView', new DataView(new Uint8Array([1, 2, 3]).buffer)],
  ['ArrayBuffer', new Uint8Array([1, 2, 3]).buffer],
  ...newerViews(),
  ['RegExp', /a\/b"/giu],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['undefined in an object', { a: undefined, b: 1 }],
  ['undefined in an array', [undefined, 1]],
];

/** Typed arrays of a Node that is newer than the oldest one that this package runs on. */
function newerViews(): [string, unknown][] {
  const known = 'Uint8ClampedArray Float32Array Float64Array BigInt64Array BigUint64Array';
  return Object.getOwnPropertyNames(globalThis)
    .filter(
      (name) => /^\w+\d\w*Array$/.test(name) && !`${known} Int8Array Uint8Array`.includes(name),
    )
    .map((name) => [name, new (Reflect.get(globalThis, name) as typeof Int8Array)([1, 2])]);
}

/** Nested in objects and arrays. */
export const nested = (depth: number): unknown => {
  let value: unknown = 'innermost';
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { value };
  return value;
};

/** What none takes, by what the error names. */
export function refused(): [string, unknown][] {
  const cycle: unknown[] = [1];
  cycle.push({ deep: [cycle] });
  const map = new Map<string, unknown>();
  map.set('self', { map });

  return [
    ['function', () => 1],
    ['function', { on: { click: () => 1 } }],
    ['function', new Map([['a', [() => 1]]])],
    ['symbol', Symbol('hunter2')],
    ['symbol', { a: Symbol.iterator }],
    ['cycle', cycle],
    ['cycle', map],
    ['promise', { a: Promise.resolve(1) }],
    ['promise', new WeakMap()],
    ['promise', [new WeakSet()]],
    ['promise', new Map([[1, 2]]).values()],
    ['promise', [new Set([1])[Symbol.iterator]()]],
    ['promise', (function* () {})()],
    ['promise', (async function* () {})()],
    ['promise', ['a'].values()],
    ['promise', { all: 'abc'.matchAll(/b/g) }],
    ['promise', new URLSearchParams('a=1').keys()],
    ['promise', { a: new SharedArrayBuffer(4) }],
    ['promise', new WeakRef({})],
    ['1000 levels', nested(1001)],
    ['1000 levels', nested(10_000)],
    ['1000 levels', nested(200_000)],
  ];
}

const rich = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.string({ unit: fc.constantFrom('$', '~', 'Date', 'a', '"', '\ud800') }),
    fc.constantFrom(null, undefined, NaN, Infinity, true, 0, 1.5, 12n),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 5 }),
    fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
    fc.float64Array({ maxLength: 3 }),
  ),
  node: fc.oneof(
    { maxDepth: 5 },
    tie('leaf'),
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('$Date', '$', 'a', 'b', 'constructor'), tie('node'), {
      noNullPrototype: true,
    }),
    fc.array(fc.tuple(tie('node'), tie('node')), { maxLength: 3 }).map((list) => new Map(list)),
    fc.array(tie('node'), { maxLength: 3 }).map((list) => new Set(list)),
  ),
})).node;

export const anyRichValue = rich.filter((value) => value !== undefined);
