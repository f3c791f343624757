import 'reflect-metadata';
import { firstTokens, parametersOf, type Fn } from '../keys/parameters.js';

/** Not as methods are written. */
const FUNCTION = /^(async\s*)?(function\b|\()/;

/** By wrap of ours: of the method that it stands for. */
const known = new WeakMap<Fn, number>();

/**
 * How many parameters a decorated method has, a rest parameter aside. What the compiler notes of it (`emitDecoratorMetadata`)
 * counts as well: `method` may be a function of another decorator, or of the compiler, that takes whatever it is given.
 */
export function methodParameters(target: object, name: string | symbol, method: Fn): number {
  const ofWrapped = known.get(method);
  if (ofWrapped !== undefined) return ofWrapped;
  const types: unknown = Reflect.getOwnMetadata('design:paramtypes', target, name);
  const noted = Array.isArray(types) ? types.length : 0;
  const takesRest = firstTokens(method).includes('...');
  const isItself = !FUNCTION.test(Function.prototype.toString.call(method));
  return Math.max(parametersOf(method), takesRest && isItself ? noted - 1 : noted);
}

/** A wrap of ours takes whatever it is given. */
export function standsFor(wrap: Fn, parameters: number): void {
  known.set(wrap, parameters);
}
