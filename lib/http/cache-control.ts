/**
 * `Cache-Control` (RFC 9111 §5.2), as far as a cache on the server's side obeys it.
 *
 * Of a response it obeys what forbids a shared cache to store it, and `s-maxage`, which speaks to shared caches alone.
 * `max-age` speaks to browsers; how long this cache keeps a response is the `ttl` of the decorator, as a targeted field
 * would say it (RFC 9213). Of a request it obeys `no-store`. All other request directives are advisory (§5.2.1), and
 * obeying `no-cache` or `max-age=0` would hand every client the means to run the handler as often as it likes.
 */

/** A token, and perhaps `=` with a token or a quoted string, which may hold commas. */
const DIRECTIVE = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,;"]*))?/g;

const NONE: ReadonlyMap<string, string> = new Map();

/** The directives by their name in lower case; one without a value has ''. */
export function parseCacheControl(header: string | undefined): ReadonlyMap<string, string> {
  if (header === undefined) return NONE;
  const directives = new Map<string, string>();
  for (const [, name, value] of header.matchAll(DIRECTIVE))
    directives.set(
      name!.toLowerCase(),
      value?.startsWith('"') ? value.slice(1, -1) : (value ?? ''),
    );
  return directives;
}

/** A `no-cache` response may be kept, but only a handler could revalidate it; so it is not stored either. */
const FORBIDDING = ['no-store', 'private', 'no-cache'];

/** The directive by which a response forbids to store it, or undefined. */
export function forbiddenBy(directives: ReadonlyMap<string, string>): string | undefined {
  const name = FORBIDDING.find((directive) => directives.has(directive));
  return name ?? (sharedMaxAge(directives) === 0 ? 's-maxage' : undefined);
}

/** `s-maxage` in seconds; one that is no number counts as 0, since a cache may only err towards stale (§4.2.1). */
export function sharedMaxAge(directives: ReadonlyMap<string, string>): number | undefined {
  const value = directives.get('s-maxage');
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Number(value) : 0;
}
