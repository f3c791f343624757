import { types } from 'node:util';
import { Context } from '../../common/context.js';
import { Metadata } from '../../common/metadata.js';

/** On a method or a class: what is decorated there is not cached. */
export const noCache = new Metadata<true>('no-cache');

/** Stands for one decorated method, however many functions have been put around it. */
export const identity = new Metadata<object>('method');

/** Functions of ours around a method, and nobody's in between that could run it more than once. A copy of what is noted on one is none. */
export const wraps = new WeakSet<object>();

/** By the prototype on which it is written, and the name of the method: `@Cacheable on CatsController.find`. */
export const places = new WeakMap<object, Readonly<Record<string | symbol, string>>>();

/** From an interceptor of ours to the handler that it acts for, and then what that handler does. */
export class Way {
  /** What the handler has returned, once it has. */
  returned?: { readonly value: unknown };
  isOver = false;

  constructor(
    readonly method: object | undefined,
    /** Of another interceptor of ours, further out. */
    readonly outer?: Way,
  ) {}

  /** Nobody arrives by it any more. */
  end(): void {
    this.isOver = true;
    if (unreachable.unregister(this)) ways.release();
  }
}

/** The method itself at work, to which a way has led. */
class Work {
  isOver = false;

  constructor(readonly method: object) {}
}

const ways = new Context<Way | Work>();

/** Nobody can arrive any more by a way that nobody can reach, where its end is not told. */
const unreachable = new FinalizationRegistry<void>(() => ways.release());

/**
 * Runs what leads to a handler, an interceptor's `next.handle()`: in an HTTP request interceptors act for a decorated
 * handler, so the wraps of that very handler stand aside, and those of everything that it calls act.
 */
export function leadingTo<T>(handler: object, run: (way: Way) => T): T {
  const method = identity.get(handler);
  const around = ways.current;
  const way = new Way(method, method && isExpected(method) ? (around as Way) : undefined);
  if (!method && !around) return run(way);
  ways.need();
  unreachable.register(way, undefined, way);
  return ways.run(way, () => run(way));
}

/** Whether an interceptor acts for this call of that method. */
export function isExpected(method: object): boolean {
  const way = ways.current;
  return way instanceof Way && way.method === method && !way.isOver;
}

/** Whether that method, for which an interceptor acts, is at work: what it calls by `super` is a part of it. */
export function isAtWork(method: () => object | undefined): boolean {
  const work = ways.current;
  return work instanceof Work && !work.isOver && work.method === method();
}

/** Runs the method itself: nothing that it calls, not even the method again, is what the interceptor has led to. */
export function arrive<T>(run: () => T): T {
  const way = ways.current;
  if (!(way instanceof Way && way.method)) return run();
  const work = new Work(way.method);
  const end = (): void => void (work.isOver = true);
  let result: T | undefined;
  try {
    result = ways.run(work, run);
    for (let each: Way | undefined = way; each; each = each.outer)
      each.returned = { value: result };
    return result;
  } finally {
    // Of others that can be waited for, some begin only when somebody does.
    if (types.isPromise(result)) result.then(end, end);
    else end();
  }
}
