import type { Rule } from '../common/option-checks.js';
import { KeySpace } from '../keys/key-space.js';
import { tagProblems } from '../tags/tag-names.js';

/** What the options of decorators may be, beside what `option-checks` has. */

export const aKey: Rule = {
  accepted: 'a key, a template or a function',
  ok: (v) => typeof v === 'string' || typeof v === 'function' || Array.isArray(v),
};
export const someTags: Rule = {
  accepted: 'tags or templates of 1 to 256 characters, or a function',
  ok: (v) => typeof v === 'function' || isSomeTags([v].flat()),
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
