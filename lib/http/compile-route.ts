import type { ExecutionContext } from '@nestjs/common';
import { parseDuration, type Duration } from '../common/duration.js';
import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import * as check from '../common/option-checks.js';
import type { Rules } from '../common/option-checks.js';
import { DEFAULT_CACHE } from '../common/tokens.js';
import type {
  CacheableHttpOptions,
  CacheableOptions,
  CacheableRoute,
  CacheEvictOptions,
  CacheEvictRoute,
  EvictTarget,
} from './http.options.js';
import { compileKey, compileTemplate, type KeyOption } from './key-source.js';
import * as rule from './option-rules.js';
import { globsFrom, keysFrom, tagsFrom, type Source } from './source.js';

/** From what a decorator was given to what an interceptor acts on; at decoration, so that a mistake stops the start. */

const REQUEST_ROOTS = ['params', 'query', 'body', 'headers', 'user'];
const WITH_RESULT = [...REQUEST_ROOTS, 'result'];

const CACHEABLE: Rules<CacheableOptions> = {
  key: rule.aKey,
  ttl: check.aLife,
  tags: rule.someTags,
  negativeTtl: check.aLife,
  cacheNull: check.aBoolean,
  condition: check.aFunction,
  unless: check.aFunction,
  cache: rule.aCacheName,
  namespace: rule.aNamespace,
  force: check.aBoolean,
  waitTimeout: check.aDuration,
  http: check.anObject,
};

const CACHEABLE_HTTP: Rules<CacheableHttpOptions> = {
  shared: check.aBoolean,
  varyBy: check.aFunction,
  headers: rule.headerNames,
  etag: check.aBoolean,
  cacheControl: rule.aHeaderValue,
};

const CACHE_EVICT: Rules<CacheEvictOptions> = {
  key: rule.aKey,
  keys: {
    accepted: 'an array of keys, templates and functions, or a function',
    ok: (v) => typeof v === 'function' || (Array.isArray(v) && v.length > 0),
  },
  tags: rule.someTags,
  pattern: {
    accepted: "a glob such as 'user:{params.id}:*', or a function",
    ok: (v) => typeof v === 'string' || typeof v === 'function',
  },
  all: { accepted: 'true', ok: (v) => v === true },
  when: { accepted: "'after' or 'before'", ok: (v) => v === 'after' || v === 'before' },
  condition: check.aFunction,
  cache: rule.aCacheName,
  namespace: rule.aNamespace,
};

/** The context, and what the handler has returned. */
type EvictArgs = [ExecutionContext, unknown];

/** What an evict takes is said by exactly one of these. */
const TARGETS = ['key', 'keys', 'tags', 'pattern', 'all'] as const;

/** What placeholders may begin with, and the list of all that is wrong. */
interface Compilation {
  readonly roots: readonly string[];
  readonly problems: OptionProblem[];
}

/** Throws one `CacheOptionsError` that lists everything that is wrong. */
export function compileCacheable(where: string, options: CacheableOptions): CacheableRoute {
  const problems = [
    ...check.problemsOf(options, CACHEABLE),
    ...check.problemsOf(options?.http ?? {}, CACHEABLE_HTTP, 'http'),
  ];
  const { key: givenKey, tags: givenTags } = options ?? {};
  const key =
    givenKey !== undefined && rule.aKey.ok(givenKey)
      ? attempt('key', problems, () => compileKey<[ExecutionContext]>(givenKey, REQUEST_ROOTS))
      : undefined;
  const tags =
    givenTags === undefined ? undefined : compileTags(givenTags, { roots: WITH_RESULT, problems });
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
  return {
    where,
    cache: options.cache ?? DEFAULT_CACHE,
    namespace: options.namespace,
    key,
    tags,
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
  const problems = check.problemsOf(options, CACHE_EVICT);
  const when = options?.when ?? 'after';
  const roots = when === 'before' ? REQUEST_ROOTS : WITH_RESULT;
  const target = compileTarget(options ?? {}, { roots, problems });
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
  return {
    where,
    cache: options.cache ?? DEFAULT_CACHE,
    namespace: options.namespace,
    target,
    when,
    condition: options.condition,
  };
}

function compileTarget(options: CacheEvictOptions, compilation: Compilation): EvictTarget {
  const given = TARGETS.filter((name) => options[name] !== undefined);
  if (given.length !== 1)
    compilation.problems.push({
      path: given[0] ?? 'key',
      given: given.join(' and ') || 'none of them',
      accepted: `exactly one of ${TARGETS.join(', ')}`,
    });
  const { key, keys, tags, pattern } = options;
  if (tags !== undefined) return { kind: 'tags', of: compileTags(tags, compilation) };
  if (pattern !== undefined) return { kind: 'patterns', of: compilePattern(pattern, compilation) };
  if (options.all) return { kind: 'all' };
  const list: Record<string, unknown> = Array.isArray(keys)
    ? Object.fromEntries(keys.map((option, i) => [`keys[${i}]`, option]))
    : { key, keys };
  return { kind: 'keys', of: compileKeys(list, compilation) };
}

/** By their path in the options. */
function compileKeys(given: Record<string, unknown>, { roots, problems }: Compilation): Source {
  const sources = Object.entries(given).flatMap(([path, option]) => {
    if (rule.aKey.ok(option))
      return attempt(path, problems, () => compileKey(option as KeyOption<EvictArgs>, roots)) ?? [];
    if (path.endsWith(']'))
      problems.push({ path, given: check.shown(option), accepted: rule.aKey.accepted });
    return [];
  });
  return keysFrom(sources);
}

function compileTags(
  given: NonNullable<CacheableOptions['tags']>,
  { roots, problems }: Compilation,
): Source {
  if (typeof given === 'function') return (...of) => [given(...of)].flat();
  if (!rule.someTags.ok(given)) return tagsFrom([]);
  const templates = [given].flat().map((text, i) => {
    const path = Array.isArray(given) ? `tags[${i}]` : 'tags';
    return attempt(path, problems, () => compileTemplate(text, roots)) ?? [];
  });
  return tagsFrom(templates.flat());
}

function compilePattern(
  given: NonNullable<CacheEvictOptions['pattern']>,
  { roots, problems }: Compilation,
): Source {
  if (typeof given === 'function') return (...of) => [given(...of)];
  if (typeof given !== 'string') return () => [];
  return attempt('pattern', problems, () => globsFrom(given, roots)) ?? (() => []);
}

/** What `compile` gives; if it throws, what it found wrong is added to `problems`. */
function attempt<T>(path: string, problems: OptionProblem[], compile: () => T): T | undefined {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof CacheOptionsError)) throw error;
    problems.push(...error.problems.map((problem) => ({ ...problem, path })));
    return undefined;
  }
}

function lifeMs(given: Duration | undefined): number | undefined {
  return given === undefined ? undefined : parseDuration(given, { infinity: true });
}
