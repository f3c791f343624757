import type { ExecutionContext } from '@nestjs/common';
import { parseDuration, type Duration } from '../common/duration.js';
import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import { DEFAULT_CACHE } from '../common/tokens.js';
import type {
  CacheableHttpOptions,
  CacheableOptions,
  CacheableRoute,
  CacheEvictOptions,
  CacheEvictRoute,
} from './http.options.js';
import { compileKey, type KeyOption, type KeySource } from './key-source.js';
import * as rule from './option-rules.js';
import type { Rules } from './option-rules.js';

/** From what a decorator was given to what an interceptor acts on; at decoration, so that a mistake stops the start. */

const REQUEST_ROOTS = ['params', 'query', 'body', 'headers', 'user'];

const CACHEABLE: Rules<CacheableOptions> = {
  key: rule.aKey,
  ttl: rule.aLife,
  negativeTtl: rule.aLife,
  cacheNull: rule.aBoolean,
  condition: rule.aFunction,
  unless: rule.aFunction,
  cache: rule.aCacheName,
  namespace: rule.aNamespace,
  force: rule.aBoolean,
  waitTimeout: rule.aDuration,
  http: rule.anObject,
};

const CACHEABLE_HTTP: Rules<CacheableHttpOptions> = {
  shared: rule.aBoolean,
  varyBy: rule.aFunction,
  headers: rule.headerNames,
  etag: rule.aBoolean,
  cacheControl: rule.aHeaderValue,
};

const CACHE_EVICT: Rules<CacheEvictOptions> = {
  key: rule.aKey,
  keys: {
    accepted: 'an array of keys, templates and functions, or a function',
    ok: (v) => typeof v === 'function' || (Array.isArray(v) && v.length > 0),
  },
  when: { accepted: "'after' or 'before'", ok: (v) => v === 'after' || v === 'before' },
  condition: rule.aFunction,
  cache: rule.aCacheName,
  namespace: rule.aNamespace,
};

/** Throws one `CacheOptionsError` that lists everything that is wrong. */
export function compileCacheable(where: string, options: CacheableOptions): CacheableRoute {
  const problems = [
    ...rule.problemsOf(options, CACHEABLE),
    ...rule.problemsOf(options?.http ?? {}, CACHEABLE_HTTP, 'http'),
  ];
  const key =
    options?.key !== undefined && rule.aKey.ok(options.key)
      ? tryKey<[ExecutionContext]>(options.key, { roots: REQUEST_ROOTS, path: 'key', problems })
      : undefined;
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
  return {
    where,
    cache: options.cache ?? DEFAULT_CACHE,
    namespace: options.namespace,
    key,
    load: {
      ttlMs: lifeMs(options.ttl),
      waitTimeoutMs: lifeMs(options.waitTimeout),
      force: options.force,
    },
    negativeTtlMs: lifeMs(options.negativeTtl),
    cacheNull: options.cacheNull,
    condition: options.condition,
    unless: options.unless,
    http: { ...options.http, headers: options.http?.headers?.map((name) => name.toLowerCase()) },
  };
}

/** Throws one `CacheOptionsError` that lists everything that is wrong. */
export function compileEvict(where: string, options: CacheEvictOptions): CacheEvictRoute {
  const problems = rule.problemsOf(options, CACHE_EVICT);
  const { key, keys, when = 'after' } = options ?? {};
  if ((key === undefined) === (keys === undefined))
    problems.push({
      path: 'key',
      given: key === undefined ? 'neither key nor keys' : 'both key and keys',
      accepted: 'exactly one of them',
    });
  const roots = when === 'before' ? REQUEST_ROOTS : [...REQUEST_ROOTS, 'result'];
  const sources: KeySource<[ExecutionContext, unknown]>[] = [];
  const add = (option: unknown, path: string): void => {
    if (!rule.aKey.ok(option))
      problems.push({ path, given: rule.shown(option), accepted: rule.aKey.accepted });
    const source = rule.aKey.ok(option) && tryKey(option as never, { roots, path, problems });
    if (source) sources.push(source);
  };
  if (key !== undefined && rule.aKey.ok(key)) add(key, 'key');
  if (typeof keys === 'function') add(keys, 'keys');
  else if (Array.isArray(keys)) keys.forEach((option, i) => add(option, `keys[${i}]`));
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
  return {
    where,
    cache: options.cache ?? DEFAULT_CACHE,
    namespace: options.namespace,
    keys: sources,
    when,
    condition: options.condition,
  };
}

/** Adds to `problems` what is wrong with a key. */
function tryKey<Args extends readonly unknown[]>(
  option: KeyOption<Args>,
  { roots, path, problems }: { roots: readonly string[]; path: string; problems: OptionProblem[] },
): KeySource<Args> | undefined {
  try {
    return compileKey(option, roots);
  } catch (error) {
    if (!(error instanceof CacheOptionsError)) throw error;
    problems.push(...error.problems.map((problem) => ({ ...problem, path })));
    return undefined;
  }
}

function lifeMs(given: Duration | undefined): number | undefined {
  return given === undefined ? undefined : parseDuration(given, { infinity: true });
}
