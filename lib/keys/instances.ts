import { Buffer } from 'node:buffer';

/** What the class of an object lets others see of its state. */

/** Of this realm or another, without a prototype, or with an empty one, as parsers of queries make them. */
export function isPlain(value: object): boolean {
  const prototype = prototypeOf(value);
  return prototype === Object.prototype || prototype === null || isRoot(prototype);
}

export const classOf = (value: object): string =>
  (classPrototypeOf(value)?.constructor as { name?: unknown } | undefined)?.name?.toString() ||
  'Object';

/** Of a built-in class itself, and of no class that is derived from it. */
export function isBuiltIn(value: object): boolean {
  const prototype = classPrototypeOf(value);
  return prototype !== null && kindOf(prototype) === 'built-in';
}

/** A `toJSON` of its own, and none of a built-in class from which its own is derived. */
export function hasOwnJson(value: object): boolean {
  for (let o: object | null = value; o !== null && !isRoot(o); o = prototypeOf(o)) {
    if (o !== value && kindOf(o) === 'built-in') return false;
    if (Object.hasOwn(o, 'toJSON')) return true;
  }
  return false;
}

/**
 * What there may be to an instance beside its enumerable fields; undefined: nothing. `base`: the state of a built-in class from
 * which its own is derived is known, or not.
 */
export function hiddenIn(value: object, base: 'known' | 'unknown'): string | undefined {
  const unseen = Reflect.ownKeys(value).find((key) => isHidden(value, key));
  if (unseen !== undefined) return `its property ${String(unseen)} is not enumerable`;
  const isEmpty = Object.keys(value).length === 0;
  for (let p = prototypeOf(value); p !== null && !isRoot(p); p = prototypeOf(p)) {
    const kind = kindOf(p);
    if (kind === 'built-in') return base === 'unknown' ? 'its class is a built-in one' : undefined;
    if (kind === 'unknown') return 'nothing says of which class';
    if (kind === 'private') return 'its class has private members';
    if (kind === 'elsewhere') return 'its class keeps state in a WeakMap';
    if (kind === 'shows nothing' && isEmpty) return 'its class takes what it does not show';
  }
  return undefined;
}

const prototypeOf = (value: object): object | null => Object.getPrototypeOf(value) as object | null;

/** Dates of fake timers are derived from `Date`, and say that they are not. */
function classPrototypeOf(value: object): object | null {
  const own = Object.getOwnPropertyDescriptor(value, 'constructor');
  return own?.enumerable === false && typeof own.value === 'function'
    ? (own.value.prototype as object | null)
    : prototypeOf(value);
}

function isRoot(prototype: object): boolean {
  if (prototypeOf(prototype) !== null) return false;
  return Object.hasOwn(prototype, 'isPrototypeOf') || Reflect.ownKeys(prototype).length === 0;
}

/** Data beside the fields: neither what is computed, as relations of entities are, nor a method that was bound. */
function isHidden(value: object, key: PropertyKey): boolean {
  const property = Object.getOwnPropertyDescriptor(value, key)!;
  if (property.enumerable || !('value' in property)) return false;
  return typeof property.value !== 'function' && !(key === 'length' && Array.isArray(value));
}

/** `#name` where a class declares a member, and not within a text. */
const PRIVATE_MEMBER = /[\s{};*]#[\p{ID_Start}$_]/u;
/** A call of what compilers make of it for older engines: TypeScript and Babel, SWC, esbuild. */
const PRIVATE_HELPER =
  /(?<![\w$])(__?classPrivate(Field|Method|Getter|Setter)\w*|_class_private_(field|method|getter|setter)\w*|__private(Add|Get|In|Method|Set|Wrapper)\d*|_(assert|check)ClassBrand\w*)(\.default\))?\(/;
/** A WeakMap that knows the instance, by hand. */
const KEPT_ELSEWHERE = [/\.set\(\s*this\s*,/, /\.get\(\s*this\s*\)/];
/** Or leaves that to the class from which its own is derived. */
const SETS_FIELDS = /\bthis\s*[.[]|\.(assign|call|apply)\(\s*this\b|super/i;

type Kind = 'open' | 'built-in' | 'unknown' | 'private' | 'elsewhere' | 'shows nothing';

/** By prototype; classes are few. */
const kinds = new WeakMap<object, Kind>();

function kindOf(prototype: object): Kind {
  let kind = kinds.get(prototype);
  if (kind === undefined) {
    kind = judge(prototype);
    kinds.set(prototype, kind);
  }
  return kind;
}

function judge(prototype: object): Kind {
  // Written in JavaScript, unlike what else is encoded by what it holds.
  if (prototype === Buffer.prototype) return 'built-in';
  const constructor: unknown = prototype.constructor;
  if (typeof constructor !== 'function') return 'unknown';
  const source = Function.prototype.toString.call(constructor);
  if (source.endsWith('{ [native code] }')) return 'built-in';
  if (PRIVATE_MEMBER.test(source) || PRIVATE_HELPER.test(source)) return 'private';
  if (KEPT_ELSEWHERE.every((use) => use.test(source))) return 'elsewhere';
  return constructor.length > 0 && !SETS_FIELDS.test(source) ? 'shows nothing' : 'open';
}
