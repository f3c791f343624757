import { wrapLocked, type LockedOptions } from '../methods/locked.method.js';
import type { LockShapes, MethodDecoratorFor } from '../methods/method-types.js';
import { placeOf } from '../methods/wrap-method.js';

type LiteralOptions = Omit<LockedOptions, 'key' | 'signal'> & {
  key?: string | readonly string[];
  signal?: undefined;
};

/**
 * Has a method run once at a time in the whole cluster, under a lock of the `LockProvider`; further calls wait for it, or
 * (`onBusy: 'skip'`) do nothing. In every context, HTTP requests included. The lock is renewed while the method runs; a
 * method that has to know when it is lost uses `LockProvider.withLock` instead.
 *
 * A call rejects with `LockTimeoutError` when `wait` is over, and while Redis cannot be reached with what the lock says; the
 * method has not run then. It never runs without the lock: an instance that Nest has not built rejects as well.
 *
 * Throws `CacheOptionsError` at decoration for wrong options, with everything that is wrong.
 *
 * @example
 * `@Cron('0 * * * *') @Locked({ key: 'report', onBusy: 'skip' }) async writeReport() { … }`
 *
 * @publicApi
 */
export function Locked<const Options extends LiteralOptions>(options?: Options): MethodDecorator;
export function Locked<const Options extends LockedOptions>(
  options: Options,
): MethodDecoratorFor<Options, LockShapes>;
export function Locked(options: LockedOptions = {}) {
  return (target: object, name: string | symbol, descriptor: PropertyDescriptor): any =>
    wrapLocked(placeOf('@Locked', target, name, descriptor), options);
}
