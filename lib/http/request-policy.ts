import { parseCacheControl } from './cache-control.js';
import type { CacheOutcome } from './cache-status.js';
import { userOf, type HttpExchange } from './http-exchange.js';
import type { CacheableRoute } from './http.options.js';

export type Bypass = Extract<CacheOutcome, { kind: 'bypass' }>;

/** The templates that tell one user from another. */
const OF_A_USER = ['headers.authorization', 'headers.cookie'];

/**
 * Why this request must not be answered from the cache, or undefined. The rule that cannot be switched off by accident:
 * a request that says who it is may be answered for that user alone (RFC 9111 §3.5 for `Authorization`; a cookie and
 * `request.user` say the same), unless the decorator says that the response is for everybody, or what it varies by.
 */
export function bypassOf(exchange: HttpExchange, route: CacheableRoute): Bypass | undefined {
  if (!isAnswered(exchange, route)) return { kind: 'bypass', why: 'method' };
  if (parseCacheControl(exchange.requestHeader('cache-control')).has('no-store'))
    return { kind: 'bypass', why: 'request', detail: 'no-store' };
  const detail = identifiedBy(exchange, route);
  return detail ? { kind: 'bypass', why: 'bypass', detail } : undefined;
}

/**
 * With a key of its own also a `POST` or `QUERY`, which may ask for something. Methods that mean to change something reach the handler
 * (RFC 9111 §4), whose response `@CachePut` may store.
 */
function isAnswered({ isSafe, request: { method } }: HttpExchange, route: CacheableRoute): boolean {
  if (isSafe) return true;
  return route.key !== undefined && (route.kind === 'put' || ['POST', 'QUERY'].includes(method));
}

/** By what the request says who it is, where the decorator says nothing of that; undefined: nothing forbids to share. */
export function identifiedBy(exchange: HttpExchange, route: CacheableRoute): Identity | undefined {
  return tellsUsersApart(route) ? undefined : identityOf(exchange);
}

type Identity = 'authorization' | 'cookie' | 'user';

function tellsUsersApart({ http, key }: CacheableRoute): boolean {
  if (http.shared || http.varyBy) return true;
  return (key?.paths ?? []).some(
    (path) => path[0] === 'user' || OF_A_USER.includes(path.join('.').toLowerCase()),
  );
}

function identityOf({ request }: HttpExchange): Identity | undefined {
  if (request.headers.authorization !== undefined) return 'authorization';
  if (request.headers.cookie !== undefined) return 'cookie';
  return userOf(request) != null ? 'user' : undefined;
}

const SHARED =
  "bypasses the cache, since the answer may be for one user alone: if it is the same for everybody, say http: { shared: true }; if not, give http.varyBy or a key like 'mine:{user.id}'";

/** Said once of each decorator, by what tells the user. */
export const IDENTIFIED: Readonly<Record<string, string>> = {
  authorization: `a request with an Authorization header ${SHARED}`,
  cookie: `a request with a Cookie header ${SHARED}`,
  user: `a request with a user ${SHARED}`,
};
