import { isObservable } from 'rxjs';
import { types } from 'node:util';
import {
  arrive,
  identity,
  isAtWork,
  isExpected,
  places,
  wraps,
} from '../cache/decorated/decorated-method.js';
import { isPromiseLike } from '../common/async.js';
import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import { log } from './injection.js';
import { methodParameters, standsFor, takesMore } from './parameters.js';

/** Where a decorator is written. */
export interface Place {
  readonly target: object;
  readonly name: string | symbol;
  readonly descriptor: PropertyDescriptor;
  /** For messages: `@Cacheable on CatsService.find`. */
  readonly where: string;
}

/** One call of a decorated method. */
export interface Call {
  /** What `this` is. */
  readonly instance: any;
  readonly args: unknown[];
  /** How many the method declares, a rest parameter aside; a call may give less, or more. */
  readonly parameters: number;
  /** The method may take those as well. */
  readonly takesMore: boolean;
  /** Runs the method, or the wrap below; may be called once. */
  run(): unknown;
  /** The instance has a method of its own over this one, and has called it by `super`. */
  readonly isSuper: () => boolean;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** What a decorator puts around a method. */
export type Layer = (call: Call) => unknown;

/** Throws `CacheOptionsError` unless a method of instances is decorated. */
export function placeOf(
  decorator: string,
  target: object,
  name: string | symbol,
  descriptor?: PropertyDescriptor,
): Place {
  const isStatic = typeof target === 'function';
  const owner = isStatic ? (target as { name: string }) : target.constructor;
  const where = `${decorator} on ${owner.name}.${String(name)}`;
  const problem = misplaced(descriptor?.value, isStatic);
  if (problem) throw new CacheOptionsError(where, [problem]);
  return { target, name, descriptor: descriptor!, where };
}

function misplaced(value: unknown, isStatic: boolean): OptionProblem | undefined {
  const path = 'the method';
  if (typeof value !== 'function')
    return { path, given: 'a property or an accessor', accepted: 'a method' };
  if (isStatic)
    return { path, given: 'static', accepted: 'a method of instances, which Nest makes and injects the cache into' }; // prettier-ignore
  return undefined;
}

/**
 * Puts `layer` around the method. The wrap keeps its name, length, `this` and what other decorators have noted on it, so those
 * above and below do not see the difference.
 *
 * `inHttp`: on a controller's handler an interceptor may act instead, and then the wrap stands aside.
 */
export function wrapMethod(
  { target, descriptor, name, where }: Place,
  layer: Layer,
  inHttp: 'acts' | 'stands-aside' = 'stands-aside',
): void {
  const method = descriptor.value as Method;
  const declared = {
    parameters: methodParameters(target, name, method),
    takesMore: takesMore(method),
  };
  const known = identity.get(method);
  const self = known ?? {};
  const isGenerator = types.isGeneratorFunction(method);
  function wrapped(this: any, ...args: unknown[]): unknown {
    const run = (): unknown => method.apply(this, args);
    if (inHttp === 'stands-aside' && isExpected(self)) return known ? run() : arrive(run);
    const own = (): object | undefined => {
      const outermost: unknown = this?.[name];
      return typeof outermost === 'function' ? identity.get(outermost) : undefined;
    };
    const isSuper = (): boolean => own() !== self;
    if (inHttp === 'stands-aside' && isAtWork(own) && isSuper()) return run();
    if (isGenerator) throw severalResults(where, 'a generator');
    return layer({ instance: this, args, ...declared, run, isSuper });
  }
  descriptor.value = like(method, wrapped);
  standsFor(wrapped, method);
  if (!known || wraps.has(method)) wraps.add(wrapped);
  if (inHttp === 'stands-aside') {
    identity.set(wrapped, self);
    places.set(target, { ...places.get(target), [name]: where });
  }
}

function like(method: Method, wrapped: Method): Method {
  for (const key of Reflect.ownKeys(method)) {
    // A function's own; those of an old-fashioned one cannot be set.
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue;
    Object.defineProperty(wrapped, key, Object.getOwnPropertyDescriptor(method, key)!);
  }
  for (const key of Reflect.getOwnMetadataKeys(method) as unknown[])
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), wrapped);
  return wrapped;
}

/** What other decorators leave on a method that something else than our own code calls, and awaits. */
const OURS = /^(Symbol\(nestjs-redis-cache\.|__interceptors__)/;
const isHandler = (method: object): boolean =>
  Reflect.getMetadataKeys(method).some((key) => !OURS.test(String(key)));

const warned = new WeakSet<Place>();

/**
 * The method's result. Throws `CacheOptionsError` where that comes in several pieces, of which no end is known here; says
 * once where callers that did not expect a promise get one.
 */
export async function resultOf(place: Place, { run }: Call): Promise<unknown> {
  const result = run();
  if (isObservable(result)) throw severalResults(place.where, 'an Observable');
  const isValue = result !== undefined && !isPromiseLike(result);
  if (isValue && !warned.has(place) && !isHandler(place.descriptor.value as object)) {
    warned.add(place);
    log.warn(
      `${place.where}: the method returns a value, and its callers get a promise of it; declare it async`,
    );
  }
  return result;
}

/** The method's result, which is to be stored. Throws `CacheOptionsError` for what can only be read once. */
export async function valueOf(place: Place, call: Call): Promise<unknown> {
  const value = await resultOf(place, call);
  const isObject = typeof value === 'object' && value !== null;
  if (isObject && (Symbol.asyncIterator in value || types.isGeneratorObject(value)))
    throw severalResults(place.where, 'a stream or an iterator');
  return value;
}

function severalResults(where: string, given: string): CacheOptionsError {
  const accepted = 'a promise of one value, such as firstValueFrom(…)';
  return new CacheOptionsError(where, [{ path: 'what the method returns', given, accepted }]);
}
