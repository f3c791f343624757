import { CacheOptionsError } from '../../common/errors.js';
import type { Rule } from '../../common/option-checks.js';
import { DEFAULT_CACHE } from '../../common/tokens.js';
import { KeySpace } from '../../keys/key-space.js';
import { tagProblems } from '../../tags/tag-names.js';

/** What the options of decorators may be, beside what `option-checks` has. */

/** The application has no cache of that name. */
export function notRegistered(where: string, cache: string): CacheOptionsError {
  const registration = cache === DEFAULT_CACHE ? '' : `{ name: '${cache}' }`;
  const accepted = `the name of a cache that is registered: RedisCacheModule.forRoot(${registration})`;
  return new CacheOptionsError(where, [{ path: 'cache', given: `'${cache}'`, accepted }]);
}

export const aKey: Rule = {
  accepted: 'a key, a template or a function',
  ok: (v) => typeof v === 'string' || typeof v === 'function' || Array.isArray(v),
};
export const someTags: Rule = {
  accepted: 'tags or templates of 1 to 256 characters, or a function',
  ok: (v) => typeof v === 'function' || isSomeTags([v].flat()),
};
export const someArguments: Rule = {
  accepted: 'the positions of arguments such as [0, 2], or a function',
  ok: (v) => typeof v === 'function' || (Array.isArray(v) && v.every(isPosition)),
};
export const aCacheName: Rule = {
  accepted: "the 'name' of a cache",
  ok: (v) => typeof v === 'string' && v !== '',
};
export const aNamespace: Rule = {
  accepted: '1 to 64 of the characters A-Z a-z 0-9 . _ -',
  ok: (v) => typeof v === 'string' && isName(v),
};

const isSomeTags = (list: unknown[]): boolean => list.length > 0 && tagProblems(list).length === 0;
const isPosition = (v: unknown): boolean => Number.isInteger(v) && (v as number) >= 0;

function isName(name: string): boolean {
  try {
    new KeySpace(name);
    return !name.includes('/');
  } catch {
    return false;
  }
}
