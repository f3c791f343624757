/** A comment, a text, a pattern, a sign, or a character of anything else. */
const TOKEN =
  /\/\*[^]*?\*\/|\/\/.*|(["'`])(?:\\[^]|(?!\1)[^\\])*\1|(?<=[=(,[{:?!&|>]\s*)\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[\n])+\/|\.\.\.|=>|[^]/g;
const NOTHING = /^(\s|\/[/*])/;

export type Fn = (...args: any[]) => unknown;

/**
 * How many parameters a function has, a rest parameter aside: `length` ends at the first one with a default. Read from its
 * text, since nothing else tells.
 */
export const parametersOf = (fn: Fn): number => Math.max(fn.length, named(firstTokens(fn)).length);

/** What each parameter begins with. */
export function firstTokens(fn: Fn): string[] {
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
