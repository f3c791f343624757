import { types } from 'node:util';
import { CacheSerializationError } from '../common/errors.js';
import { SPECIAL_TYPES, specialObject, type Writing } from './special-types.js';

/** Deeper values are refused: walking them, here or at a reader, could overflow the stack. */
export const MAX_DEPTH = 1000;

/**
 * One walk over a value: gives back the value itself where the notation can say it, and otherwise a copy in which every
 * special value is written by the notation. It decides what can be stored, for all notations alike: an instance of a class
 * becomes what its `toJSON` or its own enumerable properties give; functions, symbols, promises and cycles are refused.
 */
export abstract class Packer implements Writing {
  /** The objects around the current one; at most {@link MAX_DEPTH}. */
  private readonly around: object[] = [];

  /** A special value of that name; its parts are packed. */
  protected abstract special(name: string, parts: unknown[]): unknown;
  abstract bytes(bytes: Buffer): unknown;

  readonly part = (value: unknown): unknown => {
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'boolean':
        return value;
      case 'number':
        return this.number(value);
      case 'object':
        return value === null ? null : this.object(value);
      case 'undefined':
        return this.special('undefined', []);
      case 'bigint':
        return this.special('BigInt', SPECIAL_TYPES.get('BigInt')!.write(value, this));
      default:
        throw refusal(`a ${typeof value}`);
    }
  };

  protected text(text: string): unknown {
    return text;
  }

  protected number(number: number): unknown {
    return number;
  }

  /** Its items are packed. */
  protected array(items: unknown[]): unknown {
    return items;
  }

  /** A plain object, its properties packed. */
  protected properties(object: Record<string, unknown>): unknown {
    return object;
  }

  private object(value: object): unknown {
    if (this.around.length === MAX_DEPTH) throw refusal(`more than ${MAX_DEPTH} levels`);
    if (this.around.includes(value)) throw refusal('a cycle');
    this.around.push(value);
    const packed = this.content(value);
    this.around.pop();
    return packed;
  }

  private content(value: object): unknown {
    if (Array.isArray(value)) return this.array(this.packedItems(value));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      const type = specialObject(value);
      if (type) return this.special(type.name, type.write(value, this));
      if (types.isBoxedPrimitive(value)) return this.part(value.valueOf());
      if (isOpaque(value))
        throw refusal('a promise, an iterator, or something else that cannot be copied');
    }
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      const json: unknown = value.toJSON('');
      const isWhole = this.around.length === 1;
      if (isWhole && json === undefined) throw refusal('a value whose toJSON gives undefined');
      return this.part(json === value ? { ...value } : json);
    }
    return this.properties(this.packedProperties(value as Record<string, unknown>));
  }

  private packedItems(items: unknown[]): unknown[] {
    let copy: unknown[] | undefined;
    for (let i = 0; i < items.length; i++) {
      const packed = this.part(items[i]);
      if (packed !== items[i]) (copy ??= [...items])[i] = packed;
    }
    return copy ?? items;
  }

  /** Without an own `__proto__`: it would reach a prototype when somebody merges the value into another object. */
  private packedProperties(source: Record<string, unknown>): Record<string, unknown> {
    let copy: Record<string, unknown> | undefined;
    for (const name of Object.keys(source)) {
      const value = source[name];
      if (name === '__proto__') delete (copy ??= { ...source })[name];
      else {
        const packed = this.part(value);
        if (packed !== value) (copy ??= { ...source })[name] = packed;
      }
    }
    return copy ?? source;
  }
}

/** Objects whose content nobody can read, or not without changing it: JSON would make `{}` of them. */
const isOpaque = (value: object): boolean =>
  types.isPromise(value) ||
  types.isWeakMap(value) ||
  types.isWeakSet(value) ||
  value instanceof WeakRef ||
  types.isSharedArrayBuffer(value) ||
  isIterator(value);

/** Generators, cursors, what `values()` of a collection gives: by their protocol, for Node tells only some of the kinds. */
const isIterator = (value: object): boolean =>
  'next' in value &&
  typeof value.next === 'function' &&
  (Symbol.iterator in value || Symbol.asyncIterator in value) &&
  !('toJSON' in value);

const refusal = (what: string): CacheSerializationError =>
  new CacheSerializationError(
    `The value holds ${what}; return plain data, or give it a toJSON method`,
  );
