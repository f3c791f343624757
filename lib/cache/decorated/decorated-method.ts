import { AsyncLocalStorage } from 'node:async_hooks';
import { Metadata } from '../../common/metadata.js';

/** On a method or a class: what is decorated there is not cached. */
export const noCache = new Metadata<true>('no-cache');

/** Stands for one decorated method, however many functions have been put around it. */
export const identity = new Metadata<object>('method');

/** The method that an interceptor of ours is about to have called. */
const expected = new AsyncLocalStorage<object | undefined>();

/**
 * Runs what leads to a handler, an interceptor's `next.handle()`: in an HTTP request interceptors act for a decorated
 * handler, so the wraps of that very handler stand aside, and those of everything that it calls act.
 */
export function leadingTo<T>(handler: object, run: () => T): T {
  return expected.run(identity.get(handler), run);
}

/** Whether an interceptor acts for this call of that method. */
export const isExpected = (method: object): boolean => expected.getStore() === method;

/** Runs the method itself: nothing that it calls, not even the method again, is what the interceptor has led to. */
export function arrive<T>(run: () => T): T {
  return expected.getStore() === undefined ? run() : expected.run(undefined, run);
}
