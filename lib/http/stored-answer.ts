import { of, type Observable } from 'rxjs';
import { jsonTypeOf } from './as-stored.js';
import type { CacheOutcome } from './cache-status.js';
import type { HttpExchange } from './http-exchange.js';
import { replay, report, takeBackOnError } from './replay.js';
import type { Route } from './route.js';
import { decodeResponse, holdsObject, valueOf, type DecodedResponse } from './stored-response.js';

/** A stored response, made ready for one request. */
export interface StoredAnswer {
  readonly response: DecodedResponse;
  /** What the handler returned, for whoever sees it. */
  readonly value?: unknown;
  /** Nobody but the platform will see it, and the JSON is sent as it is. */
  readonly contentType?: string | undefined;
}

/** Undefined: no version of this wrote these bytes, or they are damaged. */
export function openAnswer(
  { route, exchange }: { route: Route; exchange: HttpExchange },
  bytes: Buffer,
): StoredAnswer | undefined {
  const response = decodeResponse(bytes);
  if (!response) return undefined;
  const isBody = route.returnsBody && response.status !== 204 && holdsObject(response);
  if (route.isOutermost && isBody && exchange.sendsPlainJson) {
    const type = response.headers['content-type'] ?? exchange.header('content-type');
    const contentType = jsonTypeOf(type);
    if (contentType) return { response, contentType };
  }
  const body = valueOf(response);
  return body && { response, value: body.value };
}

/** Puts status and headers on the response, and gives what an interceptor emits. `from`: who has made it. */
export function answerWith(
  exchange: HttpExchange,
  { response, value, contentType }: StoredAnswer,
  { from, outcome }: { from: 'own' | 'others'; outcome: CacheOutcome },
): Observable<unknown> {
  replay(exchange, response, from);
  report(exchange, outcome);
  if (!contentType) {
    takeBackOnError(exchange, response);
    return of(value);
  }
  return of(exchange.status === 304 ? undefined : exchange.asStored(response.body!, contentType));
}
