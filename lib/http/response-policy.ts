import type { ExecutionContext } from '@nestjs/common';
import { types } from 'node:util';
import { systemClock } from '../common/clock.js';
import { forbiddenBy, parseCacheControl, sharedMaxAge } from './cache-control.js';
import { strongEtag } from './etag.js';
import type { HttpExchange } from './http-exchange.js';
import type { CacheableRoute } from './http.options.js';
import { identifiedBy } from './request-policy.js';
import type { Route } from './route.js';
import type { StoredResponse } from './stored-response.js';
import { looksAlike } from './view-model.js';

/** Stored with every response that has them; `headers` of the decorator adds to these. */
const STORED_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-language',
  'content-location',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'link',
  'location',
  'vary',
];

/** Answers that mean the same to the next one who asks. A part (206) does not; an error is thrown, and never gets here. */
const STORED_STATUS = [200, 201, 202, 203, 204, 301, 308, 404, 410];

export interface Refusal {
  /** For `Cache-Status`. */
  readonly refusal: string;
  /** For the log, once, where the author of the handler will not have meant it. */
  readonly warning?: string | undefined;
  /** What was thrown; it may differ each time. */
  readonly cause?: unknown;
}

const UNSERIALIZED =
  'it returns an instance of a class, which ClassSerializerInterceptor must see as such: write @UseInterceptors(ClassSerializerInterceptor) above @Cacheable on the method, or return a plain object';

const NOT_KEPT =
  "a view, or the application's own replacer or serializer, makes something else of it than of its JSON, which is what would be stored: return plain JSON values";

const unkeyed = (name: string): string =>
  `the response varies by ${name}, and the key does not: name it in the key as {headers.${name}}, or give http.varyBy`;

const LATE_USER =
  "the request got a user when the cache had been asked already: set it in a guard or a middleware, and say http: { shared: true }, http.varyBy or a key like 'mine:{user.id}'";

const LATE =
  'was set when the response had been stored already, and it is removed from the cache again: give the handler @NoCache(), or keep what sets it away from it';

export interface Storable {
  readonly response: StoredResponse;
  /** `s-maxage`: the longest that a shared cache may keep it, whatever its `ttl`. */
  readonly sharedMaxAgeMs?: number | undefined;
  /** Undefined: the module's. */
  readonly ttlMs?: number | undefined;
  readonly tags?: readonly string[] | undefined;
}

interface Answer {
  readonly value: unknown;
  readonly exchange: HttpExchange;
  readonly context: ExecutionContext;
  readonly route: Route;
  readonly cacheable: CacheableRoute;
  /** `Vary` before the handler ran. */
  readonly varyBefore: string | undefined;
}

/** What a handler has answered, as it is to be stored; or why it is not. */
export async function storable(answer: Answer): Promise<Storable | Refusal> {
  const { value, exchange, cacheable, context } = answer;
  if (exchange.isSent) return { refusal: 'sent' };
  if (exchange.setsCookie) return { refusal: 'set-cookie' };
  if (identifiedBy(exchange, cacheable)) return { refusal: 'user', warning: LATE_USER };
  const directives = parseCacheControl(exchange.headerList('cache-control'));
  const refusal = forbiddenBy(directives);
  if (refusal) return { refusal };
  const status = statusOf(answer);
  if (status === undefined) return { refusal: 'status' };
  const vary = uncovered(answer);
  if (vary) return { refusal: 'vary', warning: vary === '*' ? undefined : unkeyed(vary) };
  if (isStream(value)) return { refusal: 'stream' };
  const body = toJson(value, status);
  if (body === 'no-json') return { refusal: 'no-json' };
  if (answer.route.serializes && holdsInstance(value))
    return { refusal: 'serializer', warning: UNSERIALIZED };
  if (await cacheable.unless?.(value, context)) return { refusal: 'unless' };
  if (body && !isKept(answer, body)) return { refusal: 'no-json', warning: NOT_KEPT };
  const maxAge = sharedMaxAge(directives);
  return {
    response: {
      status,
      headers: headersOf(answer, body),
      storedAtMs: systemClock.now(),
      body,
    },
    sharedMaxAgeMs: maxAge === undefined ? undefined : maxAge * 1000,
  };
}

/** What its headers, as it was sent, say against that it was stored. */
export function lateRefusal(exchange: HttpExchange): string | undefined {
  if (exchange.setsCookie) return `a cookie ${LATE}`;
  const header = exchange.headerList('cache-control');
  if (header === exchange.cacheControl) return undefined;
  const directive = forbiddenBy(parseCacheControl(header));
  return directive && `Cache-Control: ${directive} ${LATE}`;
}

/**
 * The status with which it is given to others; undefined: it is not. What a write answers with is what it has written: a 200 to
 * whoever reads that, and where there is no content, nothing.
 */
function statusOf({ exchange: { status }, cacheable }: Answer): number | undefined {
  if (!STORED_STATUS.includes(status)) return undefined;
  if (cacheable.kind !== 'put' || status < 201 || status > 204) return status;
  return status === 204 ? undefined : 200;
}

/** The `Vary` of the key itself: the headers that its template names. */
function varyOf(cacheable: CacheableRoute): string[] {
  return (cacheable.key?.paths ?? [])
    .filter(([root]) => root === 'headers')
    .map(([, ...name]) => name.join('.').toLowerCase());
}

/**
 * The first header that the response varies by and the key does not. What is outside of us may say `Accept-Encoding`
 * (we store what is not encoded yet) and, before the handler ran, `Origin` (CORS, whose headers are not stored).
 */
function uncovered({ exchange, cacheable, varyBefore }: Answer): string | undefined {
  if (cacheable.http.varyBy && !listOf(exchange.headerList('vary')).includes('*')) return undefined;
  const covered = [...varyOf(cacheable), 'accept-encoding'];
  if (listOf(varyBefore).includes('origin')) covered.push('origin');
  return listOf(exchange.headerList('vary')).find((name) => !covered.includes(name));
}

export function listOf(header: string | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
}

function headersOf(
  { exchange, cacheable, route }: Answer,
  body: Buffer | undefined,
): StoredResponse['headers'] {
  const headers: Record<string, string | string[]> = {};
  for (const name of [...STORED_HEADERS, ...(cacheable.http.headers ?? [])]) {
    const value = exchange.header(name);
    if (value !== undefined) headers[name] = value;
  }
  const vary = [...new Set([...listOf(exchange.headerList('vary')), ...varyOf(cacheable)])];
  if (vary.length > 0) headers['vary'] = vary.join(', ');
  if (cacheable.http.cacheControl) headers['cache-control'] ??= cacheable.http.cacheControl;
  // What others outside make of it has another tag.
  const isAsSent = route.returnsBody && (cacheable.http.etag ?? route.isOutermost);
  if (body && isAsSent) headers['etag'] ??= strongEtag(body);
  return headers;
}

/** Everything that Nest would send as something else than JSON or text. */
function isStream(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return true;
  const { pipe, getReader, getStream } = value as Record<string, unknown>;
  return (
    [pipe, getReader, getStream].some((method) => typeof method === 'function') ||
    Symbol.asyncIterator in value ||
    types.isGeneratorObject(value) ||
    ['[object Response]', '[object Blob]', '[object File]'].includes(
      Object.prototype.toString.call(value),
    )
  );
}

/**
 * The body as Nest would send it; undefined for one that has none. A value that does not come back from JSON as the same
 * kind of thing would be sent otherwise on a hit, so it is not stored; nor is undefined, but for a status without a body.
 */
function toJson(value: unknown, status: number): Buffer | undefined | 'no-json' {
  if (value === undefined) return status === 204 ? undefined : 'no-json';
  if (types.isNativeError(value) || (typeof value === 'number' && !Number.isFinite(value)))
    return 'no-json';
  let json: string | undefined;
  try {
    json = JSON.stringify(value) as string | undefined;
  } catch {
    return 'no-json'; // a circle, or a bigint within
  }
  const isObject = typeof value === 'object' && value !== null;
  if (json === undefined || isObject !== /^[[{]/.test(json)) return 'no-json';
  return Buffer.from(json);
}

/** Whether what is stored is sent as what was returned: JSON makes JSON of both, but there are views, replacers and serializers. */
function isKept({ value, route, exchange }: Answer, body: Buffer): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (route.returnsBody) return exchange.sendsAlike(value, body);
  return !route.renders || looksAlike(value, JSON.parse(body.toString()));
}

function holdsInstance(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || types.isDate(value)) return false;
  if (Array.isArray(value)) return value.some(holdsInstance);
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  // By name: an object of another realm is as plain as one of ours.
  if (prototype !== null && prototype.constructor?.name !== 'Object') return true;
  return Object.values(value).some(holdsInstance);
}
