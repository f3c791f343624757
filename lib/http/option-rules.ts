import {
  DURATION_ACCEPTED,
  DURATION_OR_INFINITY_ACCEPTED,
  durationProblem,
} from '../common/duration.js';
import type { OptionProblem } from '../common/errors.js';
import { KeySpace } from '../keys/key-space.js';
import { tagProblems } from '../tags/tag-names.js';

/** What one option of a decorator may be. */
export interface Rule {
  readonly accepted: string;
  ok(value: unknown): boolean;
}

export type Rules<Options> = { readonly [Name in keyof Options]-?: Rule };

/** Every wrong or unknown option; undefined is as good as absent. */
export function problemsOf<Options extends object>(
  given: unknown,
  rules: Rules<Options>,
  prefix = '',
): OptionProblem[] {
  if (typeof given !== 'object' || given === null)
    return [{ path: prefix || 'options', given: shown(given), accepted: 'an object' }];
  const names = Object.keys(rules).join(', ');
  return Object.entries(given).flatMap(([name, value]): OptionProblem[] => {
    const path = prefix ? `${prefix}.${name}` : name;
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof Options] : undefined;
    if (!rule) return [{ path, given: 'an unknown option', accepted: names }];
    if (value === undefined || rule.ok(value)) return [];
    return [{ path, given: shown(value), accepted: rule.accepted }];
  });
}

export const aBoolean: Rule = { accepted: 'true or false', ok: (v) => typeof v === 'boolean' };
export const aFunction: Rule = { accepted: 'a function', ok: (v) => typeof v === 'function' };
export const anObject: Rule = {
  accepted: 'an object',
  ok: (v) => typeof v === 'object' && v !== null,
};
export const aKey: Rule = {
  accepted: 'a key, a template or a function',
  ok: (v) => typeof v === 'string' || typeof v === 'function' || Array.isArray(v),
};
export const someTags: Rule = {
  accepted: 'tags or templates of 1 to 256 characters, or a function',
  ok: (v) => typeof v === 'function' || isSomeTags([v].flat()),
};
export const aDuration: Rule = { accepted: DURATION_ACCEPTED, ok: (v) => !durationProblem(v) };
export const aLife: Rule = {
  accepted: DURATION_OR_INFINITY_ACCEPTED,
  ok: (v) => !durationProblem(v, { infinity: true }),
};
export const aCacheName: Rule = {
  accepted: "the 'name' of a cache",
  ok: (v) => typeof v === 'string' && v !== '',
};
export const aNamespace: Rule = {
  accepted: '1 to 64 of the characters A-Z a-z 0-9 . _ -',
  ok: (v) => typeof v === 'string' && isName(v),
};

const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;

/** Of one connection, of one message, or of one user. */
const NEVER_STORED =
  /^(set-cookie2?|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-(length|encoding|range)|date|age|cache-status|x-cache|www-authenticate|access-control-.*)$/i;

export const headerNames: Rule = {
  accepted:
    'names of headers that belong to the representation, and not to one connection or one user',
  ok: (v) =>
    Array.isArray(v) &&
    v.every((n) => typeof n === 'string' && HEADER_NAME.test(n) && !NEVER_STORED.test(n)),
};
export const aHeaderValue: Rule = {
  accepted: 'the value of a header',
  ok: (v) => typeof v === 'string' && /^[\x21-\x7e][\x20-\x7e]*$/.test(v),
};

const isSomeTags = (list: unknown[]): boolean => list.length > 0 && tagProblems(list).length === 0;

function isName(name: string): boolean {
  try {
    new KeySpace(name);
    return !name.includes('/');
  } catch {
    return false;
  }
}

export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (Array.isArray(value)) return JSON.stringify(value.map(String)).slice(0, 80);
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
