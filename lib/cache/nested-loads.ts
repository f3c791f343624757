import { Context } from '../common/context.js';
import { CacheError } from '../common/errors.js';
import type { EntryKey } from '../keys/key-space.js';
import type { EntryStore } from '../store/entry-store.js';
import type { EntryKind } from './entry.js';

/** What is loaded, of which kind. */
interface Loads {
  readonly keys: ReadonlySet<string>;
  readonly kind: EntryKind;
  /** Of another one the same key is another entry. */
  readonly store: EntryStore;
}

class RunningLoad {
  /** False once the loader has ended, although callbacks it left behind still carry this context. */
  running = true;

  constructor(
    readonly loads: Loads,
    readonly outer: RunningLoad | undefined,
  ) {}
}

const within = new Context<RunningLoad | undefined>();

/**
 * Runs a loader so that a load of the same key, or one of the same keys, from inside it is recognised; `ended` is told what it
 * has given, or why it has failed. Told rather than promised: it is done for each load.
 */
export function runAsLoadOf<T>(
  loads: Loads,
  loader: () => T | Promise<T>,
  ended: { resolve: (value: T) => void; reject: (error: unknown) => void },
): void {
  const load = new RunningLoad(loads, innermost());
  within.need();
  const end = (): void => {
    load.running = false;
    within.release();
  };
  const reject = (error: unknown): void => {
    end();
    ended.reject(error);
  };
  const resolve = (value: T): void => {
    end();
    ended.resolve(value);
  };
  try {
    Promise.resolve(within.run(load, loader)).then(resolve, reject);
  } catch (error) {
    reject(error);
  }
}

/** Whether a loader that has not ended has called this. */
export const isWithinLoad = (): boolean => innermost() !== undefined;

/** The load that this code is part of. */
function innermost(): RunningLoad | undefined {
  let load = within.current;
  while (load && !load.running) load = load.outer;
  return load;
}

/** Runs what nobody waits for, so that it may load what those around it are loading. */
export function outsideLoads<T>(fn: () => T): T {
  return within.current ? within.run(undefined, fn) : fn();
}

interface Wanted {
  readonly key: Pick<EntryKey, 'redisKey' | 'given'>;
  readonly kind: EntryKind;
}

/**
 * A loader that waits for its own result would wait for ever; it is told so at once. True where the key is loaded around it as
 * another kind of entry: a handler that has the key of a method which it calls.
 */
export function isWithinOther({ key, kind }: Wanted, store: EntryStore): boolean {
  let isWithin = false;
  for (let load = innermost(); load; load = load.outer) {
    const { loads, running } = load;
    if (!running || loads.store !== store || !loads.keys.has(key.redisKey)) continue;
    if (loads.kind === kind)
      throw new CacheError(
        'ERR_CACHE_NESTED_LOAD',
        'The loader of this key asks the cache for the same key, which would wait for itself; read the source directly, or use another key',
        { key: key.given },
      );
    isWithin = true;
  }
  return isWithin;
}
