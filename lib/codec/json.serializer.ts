import { parse } from 'secure-json-parse';
import { Packer } from './packer.js';
import type { Serializer } from './serializer.js';
import { SPECIAL_TYPES, type Reading } from './special-types.js';

/** In front of JSON that holds tags; no JSON text begins with it. */
const TAGGED = '~';

/**
 * What JSON has no words for is an array: `["$Date", 0]`, `["$Map", [key, value], …]`. An array of the user that begins with
 * a string in `$` gets a lone `"$"` in front, so that it is never taken for one of these; objects and strings never are.
 */
const MARK = '$';

/**
 * JSON that also keeps Date, Map, Set, BigInt, Buffer, typed arrays, ArrayBuffer, RegExp, undefined, NaN and Infinity,
 * anywhere in the value. -0 is 0, a hole in an array is undefined; see {@link Packer} for the rest.
 *
 * A value without any of these is written and read by the engine's own JSON, with nothing in between but one walk that finds that out.
 */
export class JsonSerializer implements Serializer {
  serialize(value: unknown): Buffer {
    const packer = new JsonPacker();
    const text = JSON.stringify(packer.part(value));
    return Buffer.from(packer.tagged ? TAGGED + text : text);
  }

  deserialize(bytes: Buffer): unknown {
    if (bytes[0] !== TAGGED.charCodeAt(0)) return parseSafely(bytes.toString());
    return revive(parseSafely(bytes.toString('utf8', 1)));
  }
}

class JsonPacker extends Packer {
  tagged = false;

  protected override special(name: string, parts: unknown[]): unknown[] {
    this.tagged = true;
    return [MARK + name, ...parts];
  }

  override bytes(bytes: Buffer): string {
    return bytes.toString('base64');
  }

  protected override number(number: number): unknown {
    return Number.isFinite(number) ? number : this.special('Number', [String(number)]);
  }

  protected override array(items: unknown[]): unknown[] {
    return isMarked(items) ? this.special('', items) : items;
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

/** Puts values in the place of their tags, in the very tree that was parsed; whatever is no object stays without a call. */
function revive(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (isMarked(value)) return reviveTag(value);
    for (let i = 0; i < value.length; i++)
      if (typeof value[i] === 'object') value[i] = revive(value[i]);
    return value;
  }
  const properties = value as Record<string, unknown>;
  for (const name of Object.keys(properties))
    if (typeof properties[name] === 'object') properties[name] = revive(properties[name]);
  return properties;
}

const READING: Reading = { part: revive, bytes: (base64) => Buffer.from(base64, 'base64') };

function reviveTag(items: [string, ...unknown[]]): unknown {
  const [tag] = items;
  const parts = items.slice(1);
  if (tag === MARK) return parts.map(revive);
  const type = SPECIAL_TYPES.get(tag.slice(MARK.length));
  if (!type) throw new TypeError('The value holds a tag that is not known');
  return type.read(parts, READING);
}

const isMarked = (items: unknown[]): items is [string, ...unknown[]] =>
  typeof items[0] === 'string' && items[0].startsWith(MARK);
