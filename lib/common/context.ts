import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * What a call carries along to all that it calls, as an `AsyncLocalStorage` does. It is in use only while somebody needs it: until
 * Node 24 each storage in use costs every promise of the process a little.
 */
export class Context<T> {
  private readonly storage = new AsyncLocalStorage<T>();
  private needs = 0;

  /** Undefined where nothing is carried along, and where nobody needs it. */
  get current(): T | undefined {
    return this.storage.getStore();
  }

  /** Until it is given back by one {@link release}. */
  need(): void {
    this.needs++;
  }

  release(): void {
    if (--this.needs === 0) this.storage.disable();
  }

  /** To be needed by somebody for as long as `value` has to be known. */
  run<R>(value: T, fn: () => R): R {
    return this.storage.run(value, fn);
  }
}
