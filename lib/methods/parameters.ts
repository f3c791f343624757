import 'reflect-metadata';
import { firstTokens, parametersOf, type Fn } from '../keys/parameters.js';

/** Not as methods are written. */
const FUNCTION = /^(async\s*)?(function\b|\()/;

/** By wrap of ours: the method that it stands for. */
const known = new WeakMap<Fn, Fn>();
const ownOf = (method: Fn): Fn => known.get(method) ?? method;
const textOf = (method: Fn): string => Function.prototype.toString.call(method);

/**
 * How many parameters a decorated method has, a rest parameter aside. What the compiler notes of it (`emitDecoratorMetadata`)
 * counts as well: `method` may be a function of another decorator, or of the compiler, that takes whatever it is given.
 */
export function methodParameters(target: object, name: string | symbol, method: Fn): number {
  const own = ownOf(method);
  const types: unknown = Reflect.getOwnMetadata('design:paramtypes', target, name);
  const noted = Array.isArray(types) ? types.length : 0;
  const isItself = !FUNCTION.test(textOf(own));
  return Math.max(parametersOf(own), takesRest(own) && isItself ? noted - 1 : noted);
}

/** Whether a method may take more than that: by a rest parameter, or by `arguments`, or because it is a function of others. */
export function takesMore(method: Fn): boolean {
  const own = ownOf(method);
  const text = textOf(own);
  return takesRest(own) || FUNCTION.test(text) || /\barguments\b/.test(text);
}

const takesRest = (own: Fn): boolean => firstTokens(own).includes('...');

/** A wrap of ours takes whatever it is given. */
export function standsFor(wrap: Fn, method: Fn): void {
  known.set(wrap, ownOf(method));
}
