import { types } from 'node:util';

/** How one notation writes what is within a special value; `part` is for what comes from the user. */
export interface Writing {
  part(value: unknown): unknown;
  bytes(bytes: Buffer): unknown;
}

/** The way back; the bytes have memory of their own. */
export interface Reading {
  part(written: unknown): unknown;
  bytes(written: any): Buffer;
}

/** A type that neither JSON nor MessagePack has a word for, written as a name and parts that they have words for. */
interface SpecialType {
  name: string;
  write(value: any, to: Writing): unknown[];
  read(parts: any[], from: Reading): unknown;
}

/** By internal slots, so that an object of another realm, or of a subclass, counts as well. */
interface SpecialObject extends SpecialType {
  is(value: object): boolean;
}

const OBJECTS: readonly SpecialObject[] = [
  {
    name: 'Date',
    is: types.isDate,
    write: (date: Date) => [date.getTime()],
    read: ([ms]) => new Date(ms ?? NaN), // JSON has null for the NaN of an invalid Date
  },
  {
    name: 'Map',
    is: types.isMap,
    write: (map: Map<unknown, unknown>, to) =>
      Array.from(map, ([key, value]) => [to.part(key), to.part(value)]),
    read: (entries, from) =>
      new Map(entries.map(([key, value]) => [from.part(key), from.part(value)])),
  },
  {
    name: 'Set',
    is: types.isSet,
    write: (set: Set<unknown>, to) => Array.from(set, (item) => to.part(item)),
    read: (items, from) => new Set(items.map((item) => from.part(item))),
  },
  {
    name: 'Buffer',
    is: Buffer.isBuffer,
    write: (bytes: Buffer, to) => [to.bytes(bytes)],
    read: ([bytes], from) => from.bytes(bytes),
  },
  {
    name: 'View',
    is: ArrayBuffer.isView,
    write: (view: ArrayBufferView & { [Symbol.toStringTag]: string }, to) => [
      view[Symbol.toStringTag],
      to.bytes(Buffer.from(view.buffer, view.byteOffset, view.byteLength)),
    ],
    read: ([name, bytes], from) =>
      new (VIEWS.find((view) => view.name === name)!)(memoryOf(from.bytes(bytes))),
  },
  {
    name: 'ArrayBuffer',
    is: types.isArrayBuffer,
    write: (bytes: ArrayBuffer, to) => [to.bytes(Buffer.from(bytes))],
    read: ([bytes], from) => memoryOf(from.bytes(bytes)),
  },
  {
    name: 'RegExp',
    is: types.isRegExp,
    write: (pattern: RegExp) => [pattern.source, pattern.flags],
    read: ([source, flags]) => new RegExp(source, flags),
  },
];

type View = new (bytes: ArrayBuffer) => ArrayBufferView;

const VIEWS: readonly View[] = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView],
  // In Node since 24.
  ...[(globalThis as { Float16Array?: View }).Float16Array].filter((view) => view !== undefined),
];

/** Exactly these bytes; a Buffer may share its memory with others. */
const memoryOf = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;

const PRIMITIVES: readonly SpecialType[] = [
  { name: 'undefined', write: () => [], read: () => undefined },
  { name: 'Number', write: (number) => [String(number)], read: ([text]) => Number(text) },
  { name: 'BigInt', write: (bigint) => [String(bigint)], read: ([text]) => BigInt(text) },
];

/** All of them by name, in an order that does not change: MessagePack says which one it is by its place. */
export const SPECIAL_TYPES: ReadonlyMap<string, SpecialType> = new Map(
  [...PRIMITIVES, ...OBJECTS].map((type) => [type.name, type]),
);

/** Undefined: an array, a plain object or an instance of a class. */
export const specialObject = (value: object): SpecialType | undefined =>
  OBJECTS.find((type) => type.is(value));
