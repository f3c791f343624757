import { compileCached } from '../cache/decorated/compile.js';
import type { CachedOptions } from '../cache/decorated/options.js';
import { parseDuration } from '../common/duration.js';
import type { OptionProblem } from '../common/errors.js';
import * as check from '../common/option-checks.js';
import type { Rules } from '../common/option-checks.js';
import type { KeySource } from '../keys/key-source.js';
import { parametersOf } from '../keys/parameters.js';
import type { CacheableHttpOptions, CacheableOptions, CacheableRoute } from './http.options.js';
import * as rule from './option-rules.js';

const CACHEABLE_HTTP: Rules<CacheableHttpOptions> = {
  shared: check.aBoolean,
  varyBy: check.aFunction,
  headers: rule.headerNames,
  etag: check.aBoolean,
  cacheControl: rule.aHeaderValue,
};

/** What `@Cacheable` and `@CachePut` may be given; functions take a request's context, or the arguments of a method. */
export type RouteOptions = CachedOptions & Pick<CacheableOptions, 'http'>;

/** What an interceptor acts on. Throws one `CacheOptionsError` that lists everything that is wrong. */
export function compileCacheable(
  where: string,
  options: RouteOptions,
  kind: CacheableRoute['kind'] = 'load',
): CacheableRoute {
  const further: OptionProblem[] = check.problemsOf(options?.http ?? {}, CACHEABLE_HTTP, 'http');
  const keyOf = kind === 'put' ? 'result' : 'call';
  const cached = compileCached(where, options, { keyOf, further });
  const { http } = options;
  const { ttl, waitTimeout, force, negativeTtl, cacheNull, version, sliding } = cached.options;
  return {
    ...cached,
    kind,
    isKeyOfResult: cached.key !== undefined && isOfResult(cached.key),
    load: { ttlMs: lifeMs(ttl), waitTimeoutMs: lifeMs(waitTimeout), force, version, sliding },
    negativeTtlMs: lifeMs(negativeTtl),
    cacheNull,
    http: { ...http, headers: http?.headers?.map((name) => name.toLowerCase()) },
  };
}

function isOfResult({ computed, paths }: KeySource): boolean {
  return computed ? parametersOf(computed) !== 1 : paths.some(([root]) => root === 'result');
}

function lifeMs(given: CacheableOptions['ttl']): number | undefined {
  // What a function says is not known before the response is.
  if (given === undefined || typeof given === 'function') return undefined;
  return parseDuration(given, { infinity: true });
}
