/** What says something by its fields. `Module`: of `import * as config`. */
const WITH_FIELDS = new Set(['[object Object]', '[object Module]']);

/** Not an array, and no promise, Map, Date or the like, of which every field would be missing without a word. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    WITH_FIELDS.has(Object.prototype.toString.call(value)) &&
    !isPromise(value)
  );
}

export function isPromise(value: object): boolean {
  return typeof (value as { then?: unknown }).then === 'function';
}

/**
 * The fields of an object, as a plain one: also those that its class has as getters, or as methods where the name is `known`.
 * Other methods are its own affair.
 */
export function fieldsOf(
  given: object,
  known: { has(name: string): boolean } = new Set(),
): Record<string, unknown> {
  const fields = new Map<string, unknown>();
  for (let layer: object | null = given; isAboveRoot(layer); layer = Object.getPrototypeOf(layer))
    for (const name of Object.getOwnPropertyNames(layer)) {
      const { enumerable, get } = Object.getOwnPropertyDescriptor(layer, name)!;
      if (fields.has(name) || !(enumerable || get || known.has(name))) continue;
      const value = (given as Record<string, unknown>)[name];
      // It will be called without its object.
      const isMethod = !enumerable && !get && typeof value === 'function';
      fields.set(name, isMethod ? (value.bind(given) as unknown) : value);
    }
  return Object.fromEntries(fields);
}

/** By what it has: code of another realm, such as a test runner's, has an `Object.prototype` of its own. */
function isAboveRoot(layer: object | null): layer is object {
  return layer !== null && !Object.hasOwn(layer, 'isPrototypeOf');
}
