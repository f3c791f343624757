import { isPlain } from '../keys/instances.js';

/** Whether a view sees the same of a model and of its JSON. */
export function looksAlike(model: unknown, json: unknown): boolean {
  if (!isObject(model) || !isObject(json)) return Object.is(model, json);
  const isSameKind = Array.isArray(json)
    ? Object.getPrototypeOf(model) === Object.getPrototypeOf(json)
    : showsFieldsOnly(model);
  const names = Reflect.ownKeys(model);
  return (
    isSameKind &&
    names.length === Reflect.ownKeys(json).length &&
    names.every((name) => looksAlike(model[name], json[name]))
  );
}

const isObject = (value: unknown): value is Record<PropertyKey, unknown> =>
  typeof value === 'object' && value !== null;

/** An object, or an instance of a class that has no methods and no getters, which JSON would leave out. */
function showsFieldsOnly(model: object): boolean {
  for (let o = model; !isPlain(o);) {
    o = Object.getPrototypeOf(o) as object;
    if (Reflect.ownKeys(o).some((name) => name !== 'constructor')) return false;
  }
  return true;
}
