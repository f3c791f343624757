import { types } from 'node:util';
import { CacheKeyError } from '../common/errors.js';

/**
 * The arguments of a call as text, such that two lists have the same text exactly if they hold equal data: of the same
 * types (`1` is not `'1'`, `0` not `-0`), with keys and members of sets and maps in any order, `undefined` told from what
 * is not there. What has a `toJSON` is what that gives; instances of other classes are their name and fields.
 *
 * Throws `CacheKeyError` for what has no such text: functions, symbols, circles, and classes that keep their state to
 * themselves (built-in ones and those with `#private` members).
 */
export function encodeArgs(args: readonly unknown[]): string {
  return new Encoding().list(args);
}

/** `#name` where a class declares a member, and not within a text. */
const PRIVATE_MEMBER = /[\s{};*]#[\p{ID_Start}$_]/u;
const PLAIN_NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

class Encoding {
  /** The way to the value at hand: `1`, `filter`, `tags`. */
  private readonly path: (string | number)[] = [];
  /** The objects on that way. */
  private readonly outer = new Set<object>();

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
    if (Array.isArray(value)) return this.array(value);
    const plain = isPlain(value);
    // A plain object is none of these, and by far the most frequent.
    const special = plain ? undefined : this.special(value);
    if (special !== undefined) return special;
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function')
      return `${this.name(value)}=${this.value(toJSON.call(value, ''))}`;
    return (plain ? '' : this.name(value, 'fields')) + this.fields(value);
  }

  private special(value: object): string | undefined {
    if (types.isDate(value)) return `@Date(${value.getTime()})`;
    if (types.isMap(value)) return `@Map${this.entries(value)}`;
    if (types.isSet(value)) return `@Set${this.members(value)}`;
    if (ArrayBuffer.isView(value)) return `@${classOf(value)}(${base64(value)})`;
    if (types.isAnyArrayBuffer(value))
      return `@${classOf(value)}(${base64(new Uint8Array(value))})`;
    return undefined;
  }

  private array(value: readonly unknown[]): string {
    const own = Object.keys(value).length;
    let present = 0;
    for (let i = 0; i < value.length; i++) if (i in value) present++;
    if (own !== present) throw this.unusable('an array with properties of its own');
    return this.list(value);
  }

  private fields(value: object): string {
    if (Object.getOwnPropertySymbols(value).some((key) => isEnumerable(value, key)))
      throw this.unusable('an object with a symbol as a key');
    const fields = Object.keys(value)
      .toSorted()
      .map((name) => `${JSON.stringify(name)}:${this.member(name, Reflect.get(value, name))}`);
    return `(${fields.join(',')})`;
  }

  private entries(value: Map<unknown, unknown>): string {
    const entries = [...value].map(
      ([key, held], i) => `${this.member(`key ${i}`, key)}:${this.member(`value ${i}`, held)}`,
    );
    return `(${entries.toSorted().join(',')})`;
  }

  private members(value: Set<unknown>): string {
    const members = [...value].map((held, i) => this.member(i, held));
    return `(${members.toSorted().join(',')})`;
  }

  /** Of a class that shows all there is of it: by its `toJSON`, or in its fields. */
  private name(value: object, by?: 'fields'): string {
    if (by && hidesState(value)) throw this.unusable(`an instance of ${classOf(value)}`);
    const name = classOf(value);
    return PLAIN_NAME.test(name) ? name : JSON.stringify(name);
  }

  private unusable(what: string): CacheKeyError {
    const [position, ...rest] = this.path;
    const where = rest.map((name) => `.${name}`).join('');
    return new CacheKeyError(
      `Argument ${position}${where} is ${what}, of which no key can be made; give \`key\`, or \`args\` with the arguments that count`,
    );
  }
}

const classOf = (value: object): string =>
  (value.constructor as { name?: unknown } | undefined)?.name?.toString() || 'Object';

const isEnumerable = (value: object, key: PropertyKey): boolean =>
  Object.prototype.propertyIsEnumerable.call(value, key);

function base64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

/** Of this realm or another, without a prototype, or with an empty one, as parsers of queries make them. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === Object.prototype || prototype === null || isRoot(prototype);
}

function isRoot(prototype: object): boolean {
  if (Object.getPrototypeOf(prototype) !== null) return false;
  return Object.hasOwn(prototype, 'isPrototypeOf') || Reflect.ownKeys(prototype).length === 0;
}

/** By prototype; classes are few. */
const hiding = new WeakMap<object, boolean>();

function hidesState(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object;
  let hides = hiding.get(prototype);
  if (hides === undefined) {
    const constructor: unknown = prototype.constructor;
    const source =
      typeof constructor === 'function' ? Function.prototype.toString.call(constructor) : undefined;
    hides =
      source === undefined ||
      PRIVATE_MEMBER.test(source) ||
      source.endsWith('{ [native code] }') ||
      (!isPlain(prototype) && !isPlain(value) && hidesState(prototype));
    hiding.set(prototype, hides);
  }
  return hides;
}
