import { isPromiseLike } from '../common/async.js';

/** Not an array, and no promise, Map, Date or the like, of which every field would be missing without a word. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !isPromiseLike(value) &&
    (Object.prototype.toString.call(value) === '[object Object]' || Object.keys(value).length > 0)
  );
}

/**
 * The fields of an object, as a plain one: its own, and those of a `known` name that its class has as getters or methods. What else
 * a class has is its own affair.
 */
export function fieldsOf(
  given: object,
  known: { has(name: string): boolean },
): Record<string, unknown> {
  const fields = new Map(Object.entries(given));
  for (let layer = prototypeOf(given); isAboveRoot(layer); layer = prototypeOf(layer))
    for (const name of Object.getOwnPropertyNames(layer)) {
      if (fields.has(name) || !known.has(name)) continue;
      const value = (given as Record<string, unknown>)[name];
      // It will be called without its object.
      fields.set(name, typeof value === 'function' ? (value.bind(given) as unknown) : value);
    }
  return Object.fromEntries(fields);
}

const prototypeOf = (value: object): object | null => Object.getPrototypeOf(value) as object | null;

/** By what it has: code of another realm, such as a test runner's, has an `Object.prototype` of its own. */
function isAboveRoot(layer: object | null): layer is object {
  return layer !== null && !Object.hasOwn(layer, 'isPrototypeOf');
}
