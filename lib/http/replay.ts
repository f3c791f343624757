import { systemClock } from '../common/clock.js';
import { cacheStatus, xCache, type CacheOutcome } from './cache-status.js';
import { ifNoneMatch } from './etag.js';
import type { HttpExchange } from './http-exchange.js';
import { listOf } from './response-policy.js';
import type { DecodedResponse, StoredResponse } from './stored-response.js';

/** What a 304 may repeat of the response that it stands for (RFC 9110 §15.4.5). */
const OF_NOT_MODIFIED = [
  'cache-control',
  'content-location',
  'etag',
  'expires',
  'last-modified',
  'vary',
];

/**
 * Status and headers of a stored response, on the response to this request: the same whether it was stored just now, a
 * while ago, or by a request that came at the same time. A client that has it already gets 304. Its value still goes the
 * way of any other, since interceptors further out expect one; a 304 is sent without it.
 */
export function replay(
  exchange: HttpExchange,
  stored: DecodedResponse,
  from: 'own' | 'others',
): void {
  const etag = stored.headers['etag'];
  const isOk = stored.status >= 200 && stored.status < 300;
  const isKnown =
    isOk &&
    exchange.isSafe &&
    typeof etag === 'string' &&
    ifNoneMatch(exchange.requestHeader('if-none-match'), etag);
  exchange.status = isKnown ? 304 : stored.status;
  exchange.cacheControl = stored.headers['cache-control']?.toString();
  for (const [name, value] of Object.entries(stored.headers))
    if (!isKnown || OF_NOT_MODIFIED.includes(name))
      exchange.setHeader(name, name === 'vary' ? mergedVary(exchange, String(value)) : value);
  if (from === 'others') {
    const nowMs = systemClock.now();
    // The clock of another process may be ahead of ours.
    const isAhead = stored.storedAtMs > nowMs;
    const ageMs = isAhead ? 0 : nowMs - stored.storedAtMs;
    exchange.setHeader('age', String(Math.floor(ageMs / 1000)));
    // Of its origination, as `Age` is: counted from a new one, what `Expires` leaves would lose its age twice (RFC 9111 §4.2).
    exchange.setHeader('date', isAhead ? new Date(nowMs).toUTCString() : stored.date);
  }
}

/** Of the answer that is stored, and not of another one. */
const OF_THE_ANSWER = ['age', 'cache-control', 'etag', 'expires', 'last-modified'];

/** An interceptor further out may make an error of the answer: whoever gets that must not keep it for as long as the answer. */
export function takeBackOnError(exchange: HttpExchange, stored: StoredResponse): void {
  const said = OF_THE_ANSWER.filter((name) => name === 'age' || name in stored.headers).map(
    (name) => [name, exchange.headerList(name)] as const,
  );
  exchange.onHead((status) => {
    if (status < 400 || status === stored.status) return;
    for (const [name, value] of said)
      if (exchange.headerList(name) === value) exchange.replaceHeader(name);
    // Removed, Node would send none.
    exchange.replaceHeader('date', new Date(systemClock.now()).toUTCString());
  });
}

/** Says what the cache did; behind what a cache further in has said, as the RFC orders it. */
export function report(exchange: HttpExchange, outcome: CacheOutcome): void {
  if (exchange.isSent) return;
  const further = exchange.headerList('cache-status');
  const own = cacheStatus(outcome);
  exchange.setHeader('cache-status', further ? `${further}, ${own}` : own);
  exchange.setHeader('x-cache', xCache(outcome));
}

function mergedVary(exchange: HttpExchange, stored: string): string {
  const present = exchange.headerList('vary');
  const missing = listOf(stored).filter((name) => !listOf(present).includes(name));
  return [...(present ? [present] : []), ...missing].join(', ');
}
