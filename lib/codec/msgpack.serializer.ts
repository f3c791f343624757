import { Decoder, Encoder, ExtData, type ExtensionCodecType } from '@msgpack/msgpack';
import { MAX_DEPTH, Packer } from './packer.js';
import type { Serializer } from './serializer.js';
import { SPECIAL_TYPES, type Reading } from './special-types.js';

/**
 * MessagePack of the very values that the JSON serializer takes, and with the same types kept. What MessagePack has no
 * words for is an extension: the type is the place in SPECIAL_TYPES, the data are the parts, as an array. Two more are for
 * what UTF-8 cannot say.
 */
export class MsgpackSerializer implements Serializer {
  serialize(value: unknown): Buffer {
    const packer = new MsgpackPacker();
    const bytes = packer.encoder.encodeSharedRef(packer.part(value));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  deserialize(bytes: Buffer): unknown {
    return decode(bytes);
  }
}

/** Text with half of a surrogate pair in it. */
const BROKEN_TEXT = 64;
/** An object with such a name in it. */
const BROKEN_NAMES = 65;

const TYPE_NUMBERS = new Map([...SPECIAL_TYPES.keys()].map((name, place) => [name, place]));
const TYPES = [...SPECIAL_TYPES.values()];

const CODEC: ExtensionCodecType<undefined> = {
  tryToEncode: (object) => (object instanceof ExtData ? object : null),
  decode(data, number) {
    if (number === BROKEN_TEXT) return Buffer.from(data).toString('utf16le');
    const parts = decode(data) as unknown[];
    if (number === BROKEN_NAMES) return withoutTraps(Object.fromEntries(parts as [string, any][]));
    const type = TYPES[number];
    if (!type) throw new TypeError('The value holds an extension that is not known');
    return type.read(parts, READING);
  },
};

/** Parts are decoded along with what they are part of; bytes are a view of the record. */
const READING: Reading = { part: (value) => value, bytes: (view) => Buffer.from(view) };

class MsgpackPacker extends Packer {
  readonly encoder = new Encoder({ extensionCodec: CODEC, maxDepth: MAX_DEPTH + 2 });

  protected override special(name: string, parts: unknown[]): ExtData {
    return new ExtData(TYPE_NUMBERS.get(name)!, this.encoder.encode(parts));
  }

  override bytes(bytes: Buffer): Buffer {
    return bytes;
  }

  protected override text(text: string): unknown {
    return isWellFormed(text) ? text : new ExtData(BROKEN_TEXT, Buffer.from(text, 'utf16le'));
  }

  protected override properties(object: Record<string, unknown>): unknown {
    if (Object.keys(object).every(isWellFormed)) return object;
    const entries = Object.entries(object).map(([name, value]) => [this.text(name), value]);
    return new ExtData(BROKEN_NAMES, this.encoder.encode(entries));
  }
}

/** Throws for `__proto__` among the names of an object, which is never written. */
function decode(bytes: Uint8Array): unknown {
  const value = new Decoder({ extensionCodec: CODEC }).decode(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('constructor')
    ? withoutTraps(value)
    : value;
}

/** Takes out what would reach a prototype when somebody merges the value into another object. */
function withoutTraps(value: unknown): unknown {
  if (Array.isArray(value)) value.forEach(withoutTraps);
  else if (isPlain(value)) {
    delete value['__proto__'];
    if (isPlain(value['constructor']) && Object.hasOwn(value['constructor'], 'prototype'))
      delete value['constructor'];
    Object.values(value).forEach(withoutTraps);
  }
  return value;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** In Node since 20, in the types of TypeScript since ES2024. */
const isWellFormed = (text: string): boolean =>
  (text as string & { isWellFormed(): boolean }).isWellFormed();
