import { unescape } from 'node:querystring';
import type { Key, KeyPart } from '../keys/encode-key.js';
import type { EntryKey } from '../keys/key-space.js';
import type { HttpExchange, HttpRequest } from './http-exchange.js';

/** More pairs than this are not sorted: parsers drop those beyond a limit of theirs, so their order matters. */
const MOST_SORTED = 100;

/** What a route's own key is made of, beside the URL. */
interface KeyedRoute {
  readonly name: string;
  versionOf(request: HttpRequest): string | undefined;
}

/**
 * The key of a route without one: method (HEAD shares with GET), handler, host, path and sorted query. Host and path are
 * those that the client sent (RFC 9111 §2: what is asked for is the whole URI), with global prefix, version and mount path;
 * whatever else is a part of it is added where it makes a difference: the scheme, if a proxy says another than the connection
 * has; the version of a header; the URL that a middleware made of it.
 */
export function requestKey(exchange: HttpExchange, route: KeyedRoute): Key {
  const { request } = exchange;
  const { path, query } = splitUrl(request.originalUrl);
  const routed = routedUrl(request);
  const key = ['GET', route.name, request.hostname ?? '', path, sortQuery(query)];
  const version = route.versionOf(request);
  const scheme = proxiedScheme(request);
  if (scheme !== undefined) key.push(`scheme=${scheme}`);
  if (version !== undefined) key.push(`version=${version}`);
  if (routed !== request.originalUrl) key.push(`url=${routed}`);
  return key;
}

/** URLs of one route whose keys are remembered, and how long each may be. */
const MOST_KNOWN = 500;
const LONGEST_KNOWN = 200;

/** The keys of one route without a key, by host and URL: most requests are for few of them. */
export class KnownKeys {
  private readonly keys = new Map<string, EntryKey>();

  /** Where the key is made of the URL alone. */
  constructor(private readonly isOfUrl: (request: HttpRequest) => boolean) {}

  of({ request }: HttpExchange, make: () => EntryKey): EntryKey {
    // A proxy may say nothing at all, as ''.
    const scheme = proxiedScheme(request);
    const url = `${scheme === undefined ? '' : `${scheme}:`} ${request.hostname} ${request.originalUrl}`;
    const isKnowable = url.length <= LONGEST_KNOWN && this.isOfUrl(request);
    let key = isKnowable ? this.keys.get(url) : undefined;
    if (key) return key;
    key = make();
    if (isKnowable) {
      if (this.keys.size >= MOST_KNOWN) this.keys.clear();
      this.keys.set(url, key);
    }
    return key;
  }
}

/** Undefined where it is that of the connection, which is the same for all clients of a server. */
function proxiedScheme({ protocol, socket }: HttpRequest): string | undefined {
  const own = socket && 'encrypted' in socket && socket.encrypted ? 'https' : 'http';
  return protocol === own ? undefined : protocol;
}

const routedUrl = ({ baseUrl, url }: HttpRequest): string => (baseUrl ? `${baseUrl}${url}` : url);

/** No middleware has made another URL of it. */
export const isAsSent = (request: HttpRequest): boolean =>
  routedUrl(request) === request.originalUrl;

/**
 * `key` and what it varies by: `[...key, vary]`, or `[...key, ...vary, n]` for an array of n parts. The count, which is the
 * only number that can stand there, keeps a longer key with a shorter `vary` apart from the reverse.
 */
export function varied(key: Key, vary: Key): Key {
  const parts: readonly KeyPart[] = typeof key === 'string' ? [key] : key;
  return typeof vary === 'string' ? [...parts, vary] : [...parts, ...vary, vary.length];
}

/**
 * The query with its pairs in the order of their names. Pairs that a parser may see as one parameter (`a`, `%61`, `a[]`,
 * `a.b`) keep their order. Nothing is decoded, so what the handler could tell apart stays apart.
 */
export function sortQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '');
  if (pairs.length > MOST_SORTED) return query;
  return pairs
    .map((pair) => ({ pair, name: parameterOf(pair) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ pair }) => pair)
    .join('&');
}

function splitUrl(url: string): { path: string; query: string } {
  const mark = url.indexOf('?');
  return mark < 0
    ? { path: url, query: '' }
    : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function parameterOf(pair: string): string {
  const name = pair.split('=', 1)[0]!;
  return unescape(name.replaceAll('+', ' ')).split(/[[.]/, 1)[0]!;
}
