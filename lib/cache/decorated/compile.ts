import { CacheOptionsError, type OptionProblem } from '../../common/errors.js';
import * as check from '../../common/option-checks.js';
import { DEFAULT_CACHE } from '../../common/tokens.js';
import {
  ARGUMENT,
  compileKey,
  compileTemplate,
  isArgument,
  type KeyOption,
  type KeySource,
} from '../../keys/key-source.js';
import { computedFrom, globsFrom, keysFrom, textsFrom, type Source } from '../../keys/sources.js';
import * as rule from './option-rules.js';
import {
  CACHED,
  EVICT,
  type CachedOptions,
  type Callback,
  type EvictOptions,
  type SharedLoadOptions,
} from './options.js';

/**
 * From what a decorator was given to what is acted on, be it by an interceptor or by a wrap of the method; at decoration, so
 * that a mistake stops the start. Each throws one `CacheOptionsError` that lists everything that is wrong.
 */

interface Decorated {
  /** For messages: `@Cacheable on CatsService.find`. */
  readonly where: string;
  readonly cache: string;
  readonly namespace: string | undefined;
}

export interface Cached extends Decorated {
  readonly key: KeySource | undefined;
  readonly tags: Source | undefined;
  readonly args: CachedOptions['args'];
  readonly condition: Callback | undefined;
  readonly unless: Callback | undefined;
  readonly options: SharedLoadOptions;
}

/** What an evict takes. */
export type EvictTarget =
  { readonly kind: 'keys' | 'tags' | 'patterns'; readonly of: Source } | { readonly kind: 'all' };

export interface Evicting extends Decorated {
  readonly target: EvictTarget;
  readonly when: 'after' | 'before';
  /** Undefined: where the cache knows of transactions. */
  readonly afterCommit: boolean | undefined;
  readonly condition: Callback | undefined;
}

/** What placeholders may begin with: parts of a request, or the arguments of a method. */
export const REQUEST_ROOTS = ['params', 'query', 'body', 'headers', 'user'];
const ROOTS = [...REQUEST_ROOTS, ARGUMENT];
const WITH_RESULT = [...ROOTS, 'result'];

/** What an evict takes is said by exactly one of these. */
const TARGETS = ['key', 'keys', 'tags', 'pattern', 'all'] as const;

/** What placeholders may begin with, and the list of all that is wrong. */
interface Compilation {
  readonly roots: readonly string[];
  readonly problems: OptionProblem[];
}

/** `further`: what is wrong with options that are not known here. */
export function compileCached(
  where: string,
  options: CachedOptions,
  { keyOf, further = [] }: { keyOf: 'call' | 'result'; further?: OptionProblem[] },
): Cached {
  const problems = [...check.problemsOf(options, CACHED), ...further];
  const { key, tags, args, condition, unless, cache, namespace, ...rest } = options ?? {};
  const { http: _http, ...load } = rest;
  const keyed = { roots: keyOf === 'result' ? WITH_RESULT : ROOTS, problems };
  const compiled = {
    where,
    cache: cache ?? DEFAULT_CACHE,
    namespace,
    key: key !== undefined && rule.aKey.ok(key) ? compileOneKey('key', key, keyed) : undefined,
    tags: tags === undefined ? undefined : compileTags(tags, { roots: WITH_RESULT, problems }),
    args,
    condition,
    unless,
    options: load,
  };
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
  return compiled;
}

export function compileEvicting(where: string, options: EvictOptions): Evicting {
  const problems = check.problemsOf(options, EVICT);
  const { when = 'after', cache = DEFAULT_CACHE, namespace, condition } = options ?? {};
  const { afterCommit } = options ?? {};
  const roots = when === 'before' ? ROOTS : WITH_RESULT;
  const target = compileTarget(options ?? {}, { roots, problems });
  if (afterCommit && when === 'before')
    problems.push({ path: 'afterCommit', given: 'true', accepted: "false with when: 'before'" });
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
  return { where, cache, namespace, target, when, afterCommit, condition };
}

function compileTarget(options: EvictOptions, compilation: Compilation): EvictTarget {
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
function compileKeys(given: Record<string, unknown>, compilation: Compilation): Source {
  const sources = Object.entries(given).flatMap(([path, option]) => {
    if (rule.aKey.ok(option)) return compileOneKey(path, option as KeyOption, compilation) ?? [];
    if (path.endsWith(']'))
      compilation.problems.push({
        path,
        given: check.shown(option),
        accepted: rule.aKey.accepted,
      });
    return [];
  });
  return keysFrom(sources);
}

function compileOneKey(
  path: string,
  option: KeyOption,
  { roots, problems }: Compilation,
): KeySource | undefined {
  return attempt(path, problems, () => ofOneKind(compileKey(option, roots)));
}

function compileTags(
  given: NonNullable<CachedOptions['tags']>,
  { roots, problems }: Compilation,
): Source {
  if (typeof given === 'function') return computedFrom(given);
  if (!rule.someTags.ok(given)) return textsFrom([]);
  const templates = [given].flat().map((text, i) => {
    const path = Array.isArray(given) ? `tags[${i}]` : 'tags';
    return attempt(path, problems, () => ofOneKind(compileTemplate(text, roots))) ?? [];
  });
  return textsFrom(templates.flat());
}

function compilePattern(
  given: NonNullable<EvictOptions['pattern']>,
  { roots, problems }: Compilation,
): Source {
  if (typeof given === 'function') return computedFrom(given);
  const nothing = textsFrom([]);
  if (typeof given !== 'string') return nothing;
  return attempt('pattern', problems, () => ofOneKind(globsFrom(given, roots))) ?? nothing;
}

/** No call is that of a method with arguments and a request at once, so such a template would never have a value. */
function ofOneKind<T extends Pick<Source, 'paths'>>(compiled: T): T {
  const roots = (compiled.paths ?? []).map(([root]) => root!);
  if (!roots.some(isArgument) || !roots.some((root) => REQUEST_ROOTS.includes(root)))
    return compiled;
  throw new CacheOptionsError('a key template', [
    {
      path: 'key',
      given: `the placeholders {${roots.join('…}, {')}…}`,
      accepted: "those of a method's arguments, or those of a request",
    },
  ]);
}

/** What `compile` gives; if it throws, what it found wrong is added to `problems`. */
export function attempt<T>(
  path: string,
  problems: OptionProblem[],
  compile: () => T,
): T | undefined {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof CacheOptionsError)) throw error;
    problems.push(...error.problems.map((problem) => ({ ...problem, path })));
    return undefined;
  }
}
