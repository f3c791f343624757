import 'reflect-metadata';

/** A comment, a text, a pattern, a sign, or a character of anything else. */
const TOKEN =
  /\/\*[^]*?\*\/|\/\/.*|(["'`])(?:\\[^]|(?!\1)[^\\])*\1|(?<=[=(,[{:?!&|>]\s*)\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[\n])+\/|\.\.\.|=>|[^]/g;
const NOTHING = /^(\s|\/[/*])/;
/** And not as methods are written. */
const FUNCTION = /^(async\s*)?(function\b|\()/;

type Fn = (...args: any[]) => unknown;

/**
 * How many parameters a function has, a rest parameter aside: `length` ends at the first one with a default. Read from its
 * text, since nothing else tells.
 */
export const parametersOf = (fn: Fn): number => Math.max(fn.length, named(firstTokens(fn)).length);

/** What each parameter begins with. */
function firstTokens(fn: Fn): string[] {
  const firsts: string[] = [];
  let depth = 0;
  let isInside = false;
  let isNext = true;
  for (const [token] of Function.prototype.toString.call(fn).matchAll(TOKEN)) {
    if (NOTHING.test(token)) continue;
    if (!isInside && token === '=>') return ['x']; // x => …
    if (isInside && depth === 0 && token === ')') break;
    // A computed name may have parentheses within.
    if (!isInside && depth === 0 && token === '(') isInside = true;
    else if (isInside && depth === 0 && token === ',') isNext = true;
    else {
      if (isInside && isNext) firsts.push(token);
      isNext &&= !isInside;
      if ('([{'.includes(token)) depth++;
      else if (')]}'.includes(token)) depth--;
    }
  }
  return firsts;
}

const named = (firsts: readonly string[]): string[] => firsts.filter((token) => token !== '...');

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
