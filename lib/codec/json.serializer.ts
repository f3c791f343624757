import { types } from 'node:util';
import { parse } from 'secure-json-parse';
import { CacheSerializationError } from '../common/errors.js';
import { MARK, readTag, writeTag } from './json-tags.js';
import type { Serializer } from './serializer.js';

/** In front of JSON that holds tags; no JSON text begins with it. */
const TAGGED = '~';

/** Deeper values are refused: walking them, here or at a reader, could overflow the stack. */
const MAX_DEPTH = 1000;

/**
 * JSON that also keeps Date, Map, Set, BigInt, Buffer, typed arrays, ArrayBuffer, RegExp, undefined, NaN and Infinity,
 * anywhere in the value. -0 is 0, a hole in an array is undefined, and an instance of a class becomes what its `toJSON` or
 * its own enumerable properties give. Functions, symbols, promises and cycles are refused: JSON would lose them in silence.
 *
 * A value without any of these is written and read by the engine's own JSON, with nothing in between but one walk that finds that out.
 */
export class JsonSerializer implements Serializer {
  serialize(value: unknown): Buffer {
    const packer = new Packer();
    const text = JSON.stringify(packer.pack(value));
    return Buffer.from(packer.tagged ? TAGGED + text : text);
  }

  deserialize(bytes: Buffer): unknown {
    if (bytes[0] !== TAGGED.charCodeAt(0)) return parseSafely(bytes.toString());
    return revive(parseSafely(bytes.toString('utf8', 1)));
  }
}

/** One walk over a value: gives back the value itself where plain JSON can say it, and otherwise a copy with tags. */
class Packer {
  tagged = false;
  /** The objects around the current one; at most {@link MAX_DEPTH}. */
  private readonly around: object[] = [];

  readonly pack = (value: unknown): unknown => {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return Number.isFinite(value) ? value : this.tag(['$Number', String(value)]);
      case 'object':
        return value === null ? null : this.packObject(value);
      case 'undefined':
        return this.tag(['$undefined']);
      case 'bigint':
        return this.tag(['$BigInt', String(value)]);
      default:
        throw refusal(`a ${typeof value}`);
    }
  };

  private packObject(value: object): unknown {
    if (this.around.length === MAX_DEPTH) throw refusal(`more than ${MAX_DEPTH} levels`);
    if (this.around.includes(value)) throw refusal('a cycle');
    this.around.push(value);
    const packed = this.packContent(value);
    this.around.pop();
    return packed;
  }

  private packContent(value: object): unknown {
    if (Array.isArray(value)) return this.packArray(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      const tagged = writeTag(value, this.pack);
      if (tagged) return this.tag(tagged);
      if (types.isBoxedPrimitive(value)) return this.pack(value.valueOf());
      if (isOpaque(value)) throw refusal('a promise, or something else that cannot be copied');
    }
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      const json: unknown = value.toJSON('');
      return this.pack(json === value ? { ...value } : json);
    }
    return this.packProperties(value as Record<string, unknown>);
  }

  private packArray(items: unknown[]): unknown[] {
    let copy: unknown[] | undefined;
    for (let i = 0; i < items.length; i++) {
      const packed = this.pack(items[i]);
      if (packed !== items[i]) (copy ??= [...items])[i] = packed;
    }
    const [first] = items;
    if (typeof first === 'string' && first.startsWith(MARK))
      return this.tag([MARK, ...(copy ?? items)]);
    return copy ?? items;
  }

  private packProperties(source: Record<string, unknown>): object {
    let copy: Record<string, unknown> | undefined;
    for (const name of Object.keys(source)) {
      const value = source[name];
      const packed = this.pack(value);
      if (packed !== value) (copy ??= { ...source })[name] = packed;
    }
    return copy ?? source;
  }

  private tag(written: unknown[]): unknown[] {
    this.tagged = true;
    return written;
  }
}

/** Without keys that would reach a prototype when somebody merges the value into another object. */
function parseSafely(text: string): unknown {
  // A search for the names, or for an escape that may hide one, is several times faster than the patterns of `parse`.
  const isSuspect =
    text.includes('__proto__') || text.includes('"constructor"') || text.includes('\\u');
  if (!isSuspect) return JSON.parse(text);
  return parse(text, { protoAction: 'remove', constructorAction: 'remove' });
}

/** Puts values in the place of their tags, in the very tree that was parsed. */
function revive(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const first: unknown = value[0];
    if (typeof first === 'string' && first.startsWith(MARK)) return readTag(value, revive);
    for (let i = 0; i < value.length; i++) value[i] = revive(value[i]);
    return value;
  }
  const properties = value as Record<string, unknown>;
  for (const name of Object.keys(properties)) properties[name] = revive(properties[name]);
  return properties;
}

/** Objects whose content nobody can read: JSON would make `{}` of them. */
const isOpaque = (value: object): boolean =>
  types.isPromise(value) || types.isWeakMap(value) || types.isWeakSet(value);

const refusal = (what: string): CacheSerializationError =>
  new CacheSerializationError(
    `The value holds ${what}; return plain data, or give it a toJSON method`,
  );
