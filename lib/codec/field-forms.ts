import { ALGORITHMS, type Compressed } from './compression.js';

export const LENGTH_BYTES = 4;
/** Stands for a length that takes more than a byte. */
const LONG = 255;

/** How an optional field of an entry is written. */
export interface Form<T> {
  pack(value: T): Buffer;
  /** Undefined: malformed. */
  unpack(bytes: Buffer): T | undefined;
}

export const TEXT: Form<string> = {
  pack: (text) => Buffer.from(text),
  unpack: (bytes) => bytes.toString(),
};

export const NUMBER: Form<number> = {
  pack: (number) => {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleBE(number);
    return bytes;
  },
  unpack: (bytes) => (bytes.length === 8 ? bytes.readDoubleBE() : undefined),
};

/** Each with its length in one byte, or, from 255 bytes on, in four behind a byte of that value. */
export const TEXTS: Form<readonly string[]> = {
  pack: (texts) =>
    Buffer.concat(
      texts.flatMap((text) => {
        const bytes = TEXT.pack(text);
        return bytes.length < LONG
          ? [Buffer.of(bytes.length), bytes]
          : [Buffer.of(LONG), ...lengthed(bytes)];
      }),
    ),
  unpack: (bytes) => {
    const texts: string[] = [];
    for (let at = 0; at < bytes.length;) {
      const isLong = bytes[at] === LONG;
      const begin = at + 1 + (isLong ? LENGTH_BYTES : 0);
      const text = isLong ? readLengthed(bytes, at + 1) : bytes.subarray(begin, begin + bytes[at]!);
      if (!text || (!isLong && text.length < bytes[at]!)) return undefined;
      texts.push(text.toString());
      at = begin + text.length;
    }
    return texts;
  },
};

export const SET: Form<true> = {
  pack: () => Buffer.alloc(0),
  unpack: (bytes) => bytes.length === 0 || undefined,
};

/** The algorithm by its place in the list, in a byte, and the bytes before compression. */
export const COMPRESSED: Form<Compressed> = {
  pack: ({ algorithm, from }) => {
    const bytes = Buffer.of(ALGORITHMS.indexOf(algorithm), 0, 0, 0, 0);
    bytes.writeUInt32BE(from, 1);
    return bytes;
  },
  unpack: (bytes) => {
    const algorithm = bytes.length === 5 ? ALGORITHMS[bytes[0]!] : undefined;
    return algorithm && { algorithm, from: bytes.readUInt32BE(1) };
  },
};

export function lengthed(bytes: Buffer): [Buffer, Buffer] {
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

export function readLengthed(bytes: Buffer, at: number): Buffer | undefined {
  if (at + LENGTH_BYTES > bytes.length) return undefined;
  const begin = at + LENGTH_BYTES;
  const end = begin + bytes.readUInt32BE(at);
  return end <= bytes.length ? bytes.subarray(begin, end) : undefined;
}
