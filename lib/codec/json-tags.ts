import { types } from 'node:util';

/**
 * What JSON has no words for, as arrays: `["$Date", 0]`, `["$Map", [key, value], …]`. An array of the user that begins with
 * a string in `$` gets a lone `"$"` in front, so that it is never taken for one of these; objects and strings never are.
 */
export const MARK = '$';

type Walk = (part: unknown) => unknown;

/** `write` and `read` have the array without its name; `walk` is for parts that come from the user. */
interface Tag {
  name: string;
  is(value: object): boolean;
  write(value: any, walk: Walk): unknown[];
  read(parts: any[], walk: Walk): unknown;
}

/** Objects with a tag of their own. By internal slots, so that one of another realm, or of a subclass, counts as well. */
const OBJECT_TAGS: readonly Tag[] = [
  {
    name: '$Date',
    is: types.isDate,
    write: (date: Date) => [date.getTime()],
    read: ([ms]) => new Date(ms ?? NaN), // JSON has null for the NaN of an invalid Date
  },
  {
    name: '$Map',
    is: types.isMap,
    write: (map: Map<unknown, unknown>, pack) =>
      Array.from(map, ([key, value]) => [pack(key), pack(value)]),
    read: (entries, revive) => new Map(entries.map(([key, value]) => [revive(key), revive(value)])),
  },
  {
    name: '$Set',
    is: types.isSet,
    write: (set: Set<unknown>, pack) => Array.from(set, (item) => pack(item)),
    read: (items, revive) => new Set(items.map((item) => revive(item))),
  },
  {
    name: '$Buffer',
    is: Buffer.isBuffer,
    write: (bytes: Buffer) => [bytes.toString('base64')],
    read: ([base64]) => Buffer.from(base64, 'base64'),
  },
  {
    name: '$View',
    is: ArrayBuffer.isView,
    write: (view: ArrayBufferView & { [Symbol.toStringTag]: string }) => [
      view[Symbol.toStringTag],
      Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64'),
    ],
    read: ([name, base64]) => new (VIEWS.find((view) => view.name === name)!)(bytesOf(base64)),
  },
  {
    name: '$ArrayBuffer',
    is: types.isArrayBuffer,
    write: (bytes: ArrayBuffer) => [Buffer.from(bytes).toString('base64')],
    read: ([base64]) => bytesOf(base64),
  },
  {
    name: '$RegExp',
    is: types.isRegExp,
    write: (pattern: RegExp) => [pattern.source, pattern.flags],
    read: ([source, flags]) => new RegExp(source, flags),
  },
];

const VIEWS: readonly (new (bytes: ArrayBuffer) => ArrayBufferView)[] = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView],
];

/** An own copy of the bytes; a Buffer made from base64 may share its memory with others. */
const bytesOf = (base64: string): ArrayBuffer =>
  new Uint8Array(Buffer.from(base64, 'base64')).buffer;

const READERS = new Map<unknown, Tag['read']>([
  [MARK, (items, revive) => items.map((item) => revive(item))],
  ['$undefined', () => undefined],
  ['$Number', ([text]) => Number(text)],
  ['$BigInt', ([text]) => BigInt(text)],
  ...OBJECT_TAGS.map((tag) => [tag.name, tag.read] as const),
]);

/** What `value` is written as; undefined: it has no tag, being an array, a plain object or an instance of a class. */
export function writeTag(value: object, pack: Walk): unknown[] | undefined {
  const tag = OBJECT_TAGS.find((row) => row.is(value));
  return tag && [tag.name, ...tag.write(value, pack)];
}

/** The value that a tagged array stands for. Throws for a tag that this version does not know. */
export function readTag([name, ...parts]: unknown[], revive: Walk): unknown {
  const read = READERS.get(name);
  if (!read) throw new TypeError('The value holds a tag that is not known');
  return read(parts, revive);
}
