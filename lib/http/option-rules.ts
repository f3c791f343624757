import type { Rule } from '../common/option-checks.js';

/** What the options of handlers alone may be. */

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
