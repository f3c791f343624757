import { isDeepStrictEqual, types } from 'node:util';
import { CacheKeyError } from '../common/errors.js';
import { classOf, hasOwnJson, hiddenIn, isBuiltIn, isPlain } from './instances.js';

/**
 * The arguments of a call as text, such that two lists have the same text exactly if they hold equal data: of the same
 * types (`1` is not `'1'`, `0` not `-0`), with keys and members of sets and maps in any order, `undefined` told from what
 * is not there. What has a `toJSON` is what that gives; instances of other classes are their name and fields, with what a
 * date, map, set, array or bytes hold where they are derived from those.
 *
 * Throws `CacheKeyError` for what has no such text: functions, symbols, circles, and instances that keep state to themselves
 * (of built-in classes, of those with private members or a WeakMap, and with data that is not enumerable). `where` is for its
 * message: `@Cacheable on CatsService.find`.
 */
export function encodeArgs(args: readonly unknown[], where?: string): string {
  return new Encoding(where).list(args);
}

const PLAIN_NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

class Encoding {
  /** The way to the value at hand: `1`, `filter`, `tags`. */
  private readonly path: (string | number)[] = [];
  /** The objects on that way. */
  private readonly outer = new Set<object>();

  constructor(private readonly where?: string) {}

  list(values: readonly unknown[]): string {
    // A hole is no value; a loop by index sees it, and Array.from would fill it.
    const parts: string[] = [];
    for (let i = 0; i < values.length; i++)
      parts.push(i in values ? this.member(i, values[i]) : '~');
    return `[${parts.join(',')}]`;
  }

  private member(name: string | number, value: unknown): string {
    this.path.push(name);
    const text = this.value(value);
    this.path.pop();
    return text;
  }

  private value(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value);
      case 'bigint':
        return `${value}n`;
      case 'boolean':
      case 'undefined':
        return String(value);
      case 'object':
        return value === null ? 'null' : this.object(value);
      default:
        throw this.unusable(`a ${typeof value}`);
    }
  }

  private object(value: object): string {
    if (this.outer.has(value)) throw this.unusable('a circle');
    this.outer.add(value);
    const text = this.content(value);
    this.outer.delete(value);
    return text;
  }

  private content(value: object): string {
    if (Array.isArray(value) && isBuiltIn(value)) return this.array(value);
    // A plain object is none of the others, and by far the most frequent.
    if (isPlain(value)) {
      if (types.isArgumentsObject(value)) return `@Arguments${this.array(value as never)}`;
      return this.asJson(value) ?? this.fields(value);
    }
    const held = hasOwnJson(value) ? undefined : this.held(value);
    return held ?? this.asJson(value) ?? this.name(value, 'unknown') + this.fields(value);
  }

  private asJson(value: object): string | undefined {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON !== 'function') return undefined;
    return `${nameOf(value)}=${this.value(toJSON.call(value, ''))}`;
  }

  /** Of built-in classes and those derived from them, with what such a class adds. */
  private held(value: object): string | undefined {
    if (Array.isArray(value)) return this.name(value, 'known') + this.array(value);
    if (ArrayBuffer.isView(value)) return this.view(value);
    const held = this.heldByBase(value);
    if (held === undefined || (isBuiltIn(value) && !hasFields(value))) return held;
    return held + (isBuiltIn(value) ? '' : this.name(value, 'known')) + this.fields(value);
  }

  /** By the methods of the built-in class, whatever a derived one makes of them. */
  private heldByBase(value: object): string | undefined {
    if (types.isDate(value)) return `@Date(${Date.prototype.getTime.call(value)})`;
    if (types.isMap(value)) return `@Map${this.entries(Map.prototype.entries.call(value))}`;
    if (types.isSet(value)) return `@Set${this.members(Set.prototype.values.call(value))}`;
    if (types.isAnyArrayBuffer(value))
      return `@${classOf(value)}(${base64(new Uint8Array(value))})`;
    return undefined;
  }

  private view(value: ArrayBufferView): string {
    if (!isBuiltIn(value)) this.name(value, 'known');
    if (isMoreThanBytes(value)) throw this.unusable('bytes with properties of their own');
    return `@${classOf(value)}(${base64(value)})`;
  }

  private array(value: readonly unknown[]): string {
    const own = Object.keys(value).length;
    let present = 0;
    for (let i = 0; i < value.length; i++) if (i in value) present++;
    if (own !== present || hasSymbols(value))
      throw this.unusable('an array with properties of its own');
    return this.list(value);
  }

  private fields(value: object): string {
    if (hasSymbols(value)) throw this.unusable('an object with a symbol as a key');
    const fields = Object.keys(value)
      .toSorted()
      .map((name) => `${JSON.stringify(name)}:${this.member(name, Reflect.get(value, name))}`);
    return `(${fields.join(',')})`;
  }

  private entries(given: Iterable<[unknown, unknown]>): string {
    const entries = [...given].map(
      ([key, held], i) => `${this.member(`key ${i}`, key)}:${this.member(`value ${i}`, held)}`,
    );
    return `(${entries.toSorted().join(',')})`;
  }

  private members(given: Iterable<unknown>): string {
    const members = [...given].map((held, i) => this.member(i, held));
    return `(${members.toSorted().join(',')})`;
  }

  /** Of a class that shows all there is of it in its fields, and in what its built-in base holds. */
  private name(value: object, base: 'known' | 'unknown'): string {
    const hidden = hiddenIn(value, base);
    if (hidden) throw this.unusable(`an instance of ${classOf(value)} (${hidden})`);
    return nameOf(value);
  }

  private unusable(what: string): CacheKeyError {
    const [position, ...rest] = this.path;
    const within = rest.map((name) => `.${name}`).join('');
    const place = this.where === undefined ? '' : `${this.where}: `;
    return new CacheKeyError(
      `${place}Argument ${position}${within} is ${what}, of which no key can be made; give \`key\`, or \`args\` with the arguments that count`,
    );
  }
}

function nameOf(value: object): string {
  const name = classOf(value);
  return PLAIN_NAME.test(name) ? name : JSON.stringify(name);
}

const isEnumerable = (value: object, key: PropertyKey): boolean =>
  Object.prototype.propertyIsEnumerable.call(value, key);

const hasFields = (value: object): boolean =>
  Reflect.ownKeys(value).some((key) => isEnumerable(value, key));

const hasSymbols = (value: object): boolean =>
  Object.getOwnPropertySymbols(value).some((key) => isEnumerable(value, key));

/** To list the keys of a typed array takes a hundred times as long as to encode it; a comparison with a new view does not. */
function isMoreThanBytes(value: ArrayBufferView): boolean {
  if (isBuiltIn(value) && !types.isDataView(value))
    return !isDeepStrictEqual(value, (value as Uint8Array).subarray());
  const { length = 0 } = value as { length?: number };
  return Object.keys(value).length !== length || hasSymbols(value);
}

function base64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
