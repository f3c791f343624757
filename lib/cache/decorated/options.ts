import * as check from '../../common/option-checks.js';
import type { Key } from '../../keys/encode-key.js';
import type { KeyOption } from '../../keys/key-source.js';
import { LOAD_OPTIONS, type LoadOptions } from '../entry.options.js';
import * as rule from './option-rules.js';

/** What decorators are given, whoever acts on it: an interceptor, or a wrap of the method. */

export type Callback = (...args: any[]) => any;

/** Which cache, and which part of it. */
export interface CacheChoice {
  /** The `name` of the cache. Default: the unnamed one. */
  cache?: string;
  /** A namespace within that cache. */
  namespace?: string;
}

/** The options of a load that mean the same for every call; one moment for all of them would pass. */
export type SharedLoadOptions = Omit<LoadOptions, 'tags' | 'signal' | 'expiresAt'>;

/** `@Cacheable` and `@CachePut`, on whatever: functions get a request's context, or the arguments of a method. */
export interface CachedOptions extends CacheChoice, SharedLoadOptions {
  key?: KeyOption;
  tags?: string | readonly string[] | Callback;
  args?: readonly number[] | Callback;
  condition?: Callback;
  unless?: Callback;
  http?: object;
}

export interface EvictOptions extends CacheChoice {
  key?: Key | Callback;
  keys?: readonly (Key | Callback)[] | Callback;
  tags?: string | readonly string[] | Callback;
  pattern?: string | Callback;
  all?: true;
  when?: 'after' | 'before';
  afterCommit?: boolean;
  condition?: Callback;
}

const { tags: _tags, signal: _signal, expiresAt: _expiresAt, ...LOADS } = LOAD_OPTIONS;

export const CACHED: check.Rules<CachedOptions> = {
  ...LOADS,
  key: rule.aKey,
  tags: rule.someTags,
  args: rule.someArguments,
  condition: check.aFunction,
  unless: check.aFunction,
  cache: rule.aCacheName,
  namespace: rule.aNamespace,
  http: check.anObject,
};

export const EVICT: check.Rules<EvictOptions> = {
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
  afterCommit: check.aBoolean,
  condition: check.aFunction,
  cache: rule.aCacheName,
  namespace: rule.aNamespace,
};
