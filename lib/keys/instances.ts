import { Buffer } from 'node:buffer';

/** What the class of an object lets others see of its state. */

/** Of this realm or another, without a prototype, or with an empty one, as parsers of queries make them. */
export function isPlain(value: object): boolean {
  const prototype = prototypeOf(value);
  return prototype === Object.prototype || prototype === null || isRoot(prototype);
}

export const classOf = (value: object): string =>
  (prototypeOf(value)?.constructor as { name?: unknown } | undefined)?.name?.toString() || 'Object';

/** Of a built-in class itself, and of no class that is derived from it. */
export function isBuiltIn(value: object): boolean {
  const prototype = prototypeOf(value);
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
 * Whether there may be more to an instance than its enumerable fields. `base`: the state of a built-in class from which its
 * own is derived is known, or not.
 */
export function hidesState(value: object, base: 'known' | 'unknown'): boolean {
  if (Reflect.ownKeys(value).some((key) => isHidden(value, key))) return true;
  const isEmpty = Object.keys(value).length === 0;
  for (let p = prototypeOf(value); p !== null && !isRoot(p); p = prototypeOf(p)) {
    const kind = kindOf(p);
    if (kind === 'built-in') return base === 'unknown';
    if (kind === 'secretive' || (isEmpty && kind === 'takes what it does not show')) return true;
  }
  return false;
}

const prototypeOf = (value: object): object | null => Object.getPrototypeOf(value) as object | null;

function isRoot(prototype: object): boolean {
  if (prototypeOf(prototype) !== null) return false;
  return Object.hasOwn(prototype, 'isPrototypeOf') || Reflect.ownKeys(prototype).length === 0;
}

const isHidden = (value: object, key: PropertyKey): boolean =>
  !Object.prototype.propertyIsEnumerable.call(value, key) &&
  !(key === 'length' && Array.isArray(value));

/** `#name` where a class declares a member, and not within a text. */
const PRIVATE_MEMBER = /[\s{};*]#[\p{ID_Start}$_]/u;
/** What compilers make of it for older engines: a helper, and a WeakMap that knows the instance. */
const PRIVATE_HELPER =
  /_(class_?)?private_?(field|method|getter|setter)|\bclassPrivate|ClassBrand|__private(Add|Get|In|Method|Set|Wrapper)\d*\b/i;
const KEPT_ELSEWHERE = /\.(get|has)\(\s*this\s*\)|(?<!\b(Reflect|_|lodash))\.set\(\s*this\s*,/;
/** Or leaves that to the class from which its own is derived. */
const SETS_FIELDS = /\bthis\s*[.[]|\.(assign|call|apply)\(\s*this\b|super/i;

type Kind = 'open' | 'secretive' | 'takes what it does not show' | 'built-in';

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
  if (typeof constructor !== 'function') return 'secretive';
  const source = Function.prototype.toString.call(constructor);
  if (source.endsWith('{ [native code] }')) return 'built-in';
  const isSecretive = [PRIVATE_MEMBER, PRIVATE_HELPER, KEPT_ELSEWHERE].some((p) => p.test(source));
  if (isSecretive) return 'secretive';
  return constructor.length > 0 && !SETS_FIELDS.test(source)
    ? 'takes what it does not show'
    : 'open';
}
