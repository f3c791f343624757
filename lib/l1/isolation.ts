/**
 * How readers get a cached value. `freeze`: plain objects and arrays are deep-frozen and shared; a value that holds anything
 * else (Date, Map, Set, Buffer, typed array, an instance of a class) cannot be frozen, and is copied for each reader.
 * `clone`: copied for each reader. `reference`: shared as it is.
 */
export type Isolation = 'freeze' | 'clone' | 'reference';

export interface Isolated {
  /** The value for one more reader. */
  take(): unknown;
  /** The same in a promise: one for all readers, where they share the value. */
  promised(): Promise<unknown>;
}

/**
 * From here on `value` belongs to the readers. `copier` is called at once, and only where each reader gets a copy of its
 * own: what it gives makes another value that is equal to this one.
 */
export function isolate(value: unknown, mode: Isolation, copier: () => () => unknown): Isolated {
  if (typeof value !== 'object' || value === null || mode === 'reference') return new Shared(value);
  return mode === 'freeze' && deepFreeze(value) ? new Shared(value) : copied(value, copier());
}

/** Apart from the other form, whose copier may hold on to far more memory than the value. */
export class Shared implements Isolated {
  private promise: Promise<unknown> | undefined;

  constructor(private readonly value: unknown) {}

  take(): unknown {
    return this.value;
  }

  promised(): Promise<unknown> {
    return (this.promise ??= Promise.resolve(this.value));
  }
}

function copied(value: unknown, again: () => unknown): Isolated {
  let first: unknown = value;
  const take = (): unknown => {
    if (first === undefined) return again();
    const taken = first;
    first = undefined;
    return taken;
  };
  return { take, promised: async () => take() };
}

/** From here on each object is walked once: before, most values have ended, and a set costs as much as all the rest. */
const MANY_OBJECTS = 1_000;

/** Freezes `value` and all within it; false, with nothing frozen, if part of it could still change. */
function deepFreeze(value: object): boolean {
  const found = [value]; // grows while it is walked
  let known: Set<object> | undefined; // ends what goes round in circles
  for (const node of found) {
    if (!isPlain(node)) return false;
    if (found.length > MANY_OBJECTS) known ??= new Set(found);
    for (const child of Array.isArray(node) ? node : Object.values(node)) {
      if (typeof child === 'function') return false;
      if (typeof child !== 'object' || child === null || known?.has(child)) continue;
      known?.add(child);
      found.push(child);
    }
  }
  for (const node of found) Object.freeze(node);
  return true;
}

/** An array or a plain object, also of another realm, whose Object.prototype is not ours but has no prototype either. */
function isPlain(node: object): boolean {
  if (Array.isArray(node)) return true;
  const prototype: unknown = Object.getPrototypeOf(node);
  return (
    prototype === null ||
    prototype === Object.prototype ||
    Object.getPrototypeOf(prototype) === null
  );
}
