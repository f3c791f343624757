import { DURATION_ACCEPTED, DURATION_OR_INFINITY_ACCEPTED, durationProblem } from './duration.js';
import { CacheOptionsError, type OptionProblem } from './errors.js';

/** What one option of a decorator or a call may be. */
export interface Rule {
  readonly accepted: string;
  ok(value: unknown): boolean;
}

export type Rules<Options> = { readonly [Name in keyof Options]-?: Rule };

/** Every wrong or unknown option; undefined is as good as absent. */
export function problemsOf(
  given: unknown,
  rules: Readonly<Record<string, Rule>>,
  prefix = '',
): OptionProblem[] {
  if (typeof given !== 'object' || given === null)
    return [{ path: prefix || 'options', given: shown(given), accepted: 'an object' }];
  const problems: OptionProblem[] = [];
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (value === undefined || rule?.ok(value)) continue;
    const path = prefix ? `${prefix}.${name}` : name;
    problems.push(
      rule
        ? { path, given: shown(value), accepted: rule.accepted }
        : { path, given: 'an unknown option', accepted: Object.keys(rules).join(', ') },
    );
  }
  return problems;
}

export const aBoolean: Rule = { accepted: 'true or false', ok: (v) => typeof v === 'boolean' };
export const aFunction: Rule = { accepted: 'a function', ok: (v) => typeof v === 'function' };
export const anObject: Rule = {
  accepted: 'an object',
  ok: (v) => typeof v === 'object' && v !== null,
};
export const aDuration: Rule = { accepted: DURATION_ACCEPTED, ok: (v) => !durationProblem(v) };
export const aLife: Rule = {
  accepted: DURATION_OR_INFINITY_ACCEPTED,
  ok: (v) => !durationProblem(v, { infinity: true }),
};
export const aSignal: Rule = {
  accepted: 'an AbortSignal',
  ok: (v) => typeof (v as Partial<AbortSignal> | null)?.throwIfAborted === 'function',
};

/** Throws one `CacheOptionsError` that lists every wrong option of a call; none at all are right. `of`: the call. */
export function assertOptions(
  of: string,
  given: object | null | undefined,
  rules: Readonly<Record<string, Rule>>,
): void {
  const problems = given == null ? [] : problemsOf(given, rules);
  if (problems.length > 0) throw new CacheOptionsError(of, problems);
}

/** Throws `CacheOptionsError` for what cannot be called. `of`: the call that it is given to. */
export function assertFunction(of: string, name: string, given: unknown): void {
  if (typeof given === 'function') return;
  const problem = { path: name, given: shown(given), accepted: aFunction.accepted };
  throw new CacheOptionsError(of, [problem]);
}

/** The pairs of key and value that were given; throws `CacheOptionsError`. A text is not quoted: it may be a value. */
export function pairsOf<Pair extends readonly unknown[]>(
  of: string,
  path: string,
  given: Iterable<Pair>,
): Pair[] {
  const refuse = (what: unknown, among = ''): never => {
    const text = typeof what === 'string' ? 'a text' : shown(what);
    const accepted = 'pairs of key and value, for instance a Map';
    throw new CacheOptionsError(of, [{ path, given: text + among, accepted }]);
  };
  const isText = typeof given === 'string';
  if (isText || typeof (given as Iterable<Pair> | undefined)?.[Symbol.iterator] !== 'function')
    refuse(given);
  const pairs = [...given];
  for (const pair of pairs) if (!Array.isArray(pair)) refuse(pair, ' among them');
  return pairs;
}

/** What was given, shortened. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (Array.isArray(value)) return `[${value.map(ofList).join(',')}]`.slice(0, 80);
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

function ofList(value: unknown): string {
  return Array.isArray(value) ? 'an array' : shown(value);
}
