import { AsyncLocalStorage } from 'node:async_hooks';
import { Metadata } from '../../common/metadata.js';

/** On a method or a class: what is decorated there is not cached. */
export const noCache = new Metadata<true>('no-cache');

/** Stands for one decorated method, however many functions have been put around it. */
export const identity = new Metadata<object>('method');

/** By the prototype on which it is written, and the name of the method: `@Cacheable on CatsController.find`. */
export const places = new WeakMap<object, Readonly<Record<string | symbol, string>>>();

/** From an interceptor of ours to the handler that it acts for, and then what that handler does. */
export interface Way {
  readonly method: object | undefined;
  readonly isArrived: boolean;
  /** Of another interceptor of ours, further out. */
  readonly outer?: Way | undefined;
  /** What the handler has returned. */
  result?: unknown;
}

const ways = new AsyncLocalStorage<Way>();

/**
 * Runs what leads to a handler, an interceptor's `next.handle()`: in an HTTP request interceptors act for a decorated
 * handler, so the wraps of that very handler stand aside, and those of everything that it calls act.
 */
export function leadingTo<T>(handler: object, run: (way: Way) => T): T {
  const method = identity.get(handler);
  const outer = method && isExpected(method) ? ways.getStore() : undefined;
  const way = { method, isArrived: false, outer };
  return ways.run(way, () => run(way));
}

/** Whether an interceptor acts for this call of that method. */
export function isExpected(method: object): boolean {
  const way = ways.getStore();
  return way?.method === method && !way.isArrived;
}

/** Whether that method, for which an interceptor acts, is at work: what it calls by `super` is a part of it. */
export function isAtWork(method: () => object | undefined): boolean {
  const way = ways.getStore();
  return way?.method !== undefined && way.isArrived && way.method === method();
}

/** Runs the method itself: nothing that it calls, not even the method again, is what the interceptor has led to. */
export function arrive<T>(run: () => T): T {
  const way = ways.getStore();
  if (!way) return run();
  const result = ways.run({ method: way.method, isArrived: true }, run);
  for (let each: Way | undefined = way; each; each = each.outer) each.result = result;
  return result;
}
