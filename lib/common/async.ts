import { setImmediate as nextTurn } from 'node:timers/promises';
import { portionsOf } from './portions.js';

/** A promise that is settled from outside. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Whether there is something to wait for: what a handler gives may be a promise, whatever its type says. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

/** The same promise, which may reject although nobody waits for it in the end. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** `promise`, or the reason of `signal` as soon as it aborts; the promise itself goes on. */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return promise;
  if (signal.aborted) {
    promise.catch(() => undefined);
    throw signal.reason;
  }
  const aborted = deferred<never>();
  const forget = onceAborted(signal, () => aborted.reject(signal.reason));
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    forget();
  }
}

/** Those who wait for a signal, all by one listener: of more than ten Node says that they will be a leak. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** What this gives is to be called when nobody waits any more. */
function onceAborted(signal: AbortSignal, action: () => void): () => void {
  let actions = waiting.get(signal);
  if (!actions) {
    waiting.set(signal, (actions = new Set()));
    signal.addEventListener('abort', tellAll);
  }
  actions.add(action);
  return () => {
    actions.delete(action);
    if (actions.size > 0) return;
    waiting.delete(signal);
    signal.removeEventListener('abort', tellAll);
  };
}

function tellAll(this: AbortSignal): void {
  for (const action of waiting.get(this) ?? []) action();
}

/** Runs `step` before the event loop turns, after all promise jobs that are due: a tick callback set from one of them runs when none is left. */
export function atEndOfTick(step: () => void): void {
  queueMicrotask(() => process.nextTick(step));
}

/** Of a long list, so many are worked on before the event loop turns. */
const SLICE = 128;

/** `step` for each, the event loop turning now and then; settles for every one, in the order given. */
export async function inSlices<T, R>(
  items: readonly T[],
  step: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const running: Promise<PromiseSettledResult<R>[]>[] = [];
  for (const slice of portionsOf(items, SLICE)) {
    if (running.length > 0) await nextTurn();
    running.push(Promise.allSettled(slice.map(step)));
  }
  return (await Promise.all(running)).flat();
}

/** Of a list of any length, so many are under way at a time. */
const AT_A_TIME = 1_000;

/** The same for what would else be more than a server is sent at a time: each thousand waits for the one before it. */
export async function inTurns<T, R>(
  items: readonly T[],
  step: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const settled: PromiseSettledResult<R>[] = [];
  for (const some of portionsOf(items, AT_A_TIME))
    settled.push(...(await Promise.allSettled(some.map(step))));
  return settled;
}
