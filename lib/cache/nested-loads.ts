import { AsyncLocalStorage } from 'node:async_hooks';
import { CacheError } from '../common/errors.js';

interface RunningLoad {
  readonly key: string;
  readonly outer: RunningLoad | undefined;
  /** False once the loader has ended, although callbacks it left behind still carry this context. */
  running: boolean;
}

const current = new AsyncLocalStorage<RunningLoad>();

/** Runs a loader so that a load of the same key from inside it is recognised. */
export async function runAsLoadOf<T>(key: string, loader: () => T | Promise<T>): Promise<T> {
  const load: RunningLoad = { key, outer: current.getStore(), running: true };
  try {
    return await current.run(load, loader);
  } finally {
    load.running = false;
  }
}

/** A loader that waits for its own result would wait for ever; it is told so at once. */
export function refuseNestedLoad(key: string, given: unknown): void {
  for (let load = current.getStore(); load; load = load.outer)
    if (load.running && load.key === key)
      throw new CacheError(
        'ERR_CACHE_NESTED_LOAD',
        'The loader of this key asks the cache for the same key, which would wait for itself; read the source directly, or use another key',
        { key: given },
      );
}
