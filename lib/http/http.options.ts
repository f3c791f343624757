import type { ExecutionContext } from '@nestjs/common';
import type { Duration } from '../common/duration.js';
import { Metadata } from '../common/metadata.js';
import type { Key } from '../keys/encode-key.js';
import type { KeySource } from './key-source.js';
import type { Source } from './source.js';

/** Options of `@Cacheable`. */
export interface CacheableOptions {
  /**
   * A literal, a template such as `'user:{params.id}'` (`params`, `query`, `body`, `headers`, `user`), or a function. Where a
   * value is missing, the request bypasses the cache. Default: GET and HEAD only, by route, path and sorted query.
   */
  key?: Key | ((context: ExecutionContext) => Key | undefined);
  /** How long a response is kept: ms, or '250ms' '30s' '5m' '1h30m'; Infinity: it does not expire. Default: the module's. */
  ttl?: Duration;
  /**
   * The response goes when one of them is evicted: literals and templates such as `'country:{result.country}'`, or a
   * function. Where a value is missing, the response is not stored.
   */
  tags?:
    string | readonly string[] | ((context: ExecutionContext, result: any) => readonly string[]);
  /** How long a null is kept. Default: the module's `negativeTtl`, and without one the `ttl`. */
  negativeTtl?: Duration;
  /** False: a null is answered and not stored. Default: the module's `cacheNull`. */
  cacheNull?: boolean;
  /** False: this request goes to the handler, and nothing is stored. */
  condition?: (context: ExecutionContext) => boolean | Promise<boolean>;
  /** True: this result is answered and not stored. */
  unless?: (result: any, context: ExecutionContext) => boolean | Promise<boolean>;
  /** The `name` of the cache. Default: the unnamed one. */
  cache?: string;
  /** A namespace within that cache. */
  namespace?: string;
  /** Always runs the handler, and replaces what is stored. Default false. */
  force?: boolean;
  /** The longest wait for a request that runs the handler already. Default: the module's `lease.waitTimeout`. */
  waitTimeout?: Duration;
  http?: CacheableHttpOptions;
}

export interface CacheableHttpOptions {
  /** The response is the same for everybody: requests with `Authorization`, `Cookie` or a user are answered from the cache, too. */
  shared?: boolean;
  /** Added to the key: one entry for each of its values. Undefined: the request bypasses the cache. */
  varyBy?: (context: ExecutionContext) => Key | undefined;
  /** Further response headers to store and replay. */
  headers?: readonly string[];
  /** A strong `ETag`, and 304 for a request that has it. Default true. */
  etag?: boolean;
  /** `Cache-Control` of a response that is stored, unless the handler sets one. Says nothing about how long it is stored. */
  cacheControl?: string;
}

/** Options of `@CacheEvict`: exactly one of `key`, `keys`, `tags`, `pattern` and `all`. */
export interface CacheEvictOptions {
  /** As for `@Cacheable`; and `{result.id}`, and the result as the second argument. A function may give several keys. */
  key?: Key | ((context: ExecutionContext, result: any) => Key | readonly Key[] | undefined);
  keys?:
    | readonly (Key | ((context: ExecutionContext, result: any) => Key | undefined))[]
    | ((context: ExecutionContext, result: any) => readonly Key[] | undefined);
  /** Everything stored with one of these tags, in no time; as for `@Cacheable`. */
  tags?:
    string | readonly string[] | ((context: ExecutionContext, result: any) => readonly string[]);
  /**
   * Every string key that matches, as for `CacheService.evictPattern`: `'user:{params.id}:*'`. A value that is put in is
   * meant literally; what a function gives is the glob. It walks over all keys of the servers.
   */
  pattern?: string | ((context: ExecutionContext, result: any) => string | undefined);
  /** The whole namespace, without those nested in it. */
  all?: true;
  /** 'after': once the handler has succeeded, before the response is sent. 'before': whatever becomes of it. Default 'after'. */
  when?: 'after' | 'before';
  /** False: nothing is evicted. */
  condition?: (context: ExecutionContext, result: any) => boolean | Promise<boolean>;
  /** The `name` of the cache. Default: the unnamed one. */
  cache?: string;
  /** A namespace within that cache. */
  namespace?: string;
}

/** `@Cacheable` on a handler, checked and made ready. */
export interface CacheableRoute {
  /** For messages: `@Cacheable on CatsController.find`. */
  readonly where: string;
  readonly cache: string;
  readonly namespace: string | undefined;
  readonly key: KeySource<[ExecutionContext]> | undefined;
  readonly tags: Source | undefined;
  readonly load: { ttlMs?: number; waitTimeoutMs?: number; force?: boolean };
  readonly negativeTtlMs: number | undefined;
  readonly cacheNull: boolean | undefined;
  readonly condition: CacheableOptions['condition'];
  readonly unless: CacheableOptions['unless'];
  readonly http: CacheableHttpOptions;
}

/** What an evict takes. */
export type EvictTarget =
  { readonly kind: 'keys' | 'tags' | 'patterns'; readonly of: Source } | { readonly kind: 'all' };

/** `@CacheEvict` on a handler, checked and made ready. */
export interface CacheEvictRoute {
  readonly where: string;
  readonly cache: string;
  readonly namespace: string | undefined;
  readonly target: EvictTarget;
  readonly when: 'after' | 'before';
  readonly condition: CacheEvictOptions['condition'];
}

export const cacheableRoute = new Metadata<CacheableRoute>('cacheable.http');
/** All of a handler's, in the order in which they are written. */
export const cacheEvictRoutes = new Metadata<readonly CacheEvictRoute[]>('cache-evict.http');
export const noCache = new Metadata<true>('no-cache');
