import type { ExecutionContext } from '@nestjs/common';
import type { Cached, Evicting } from '../cache/decorated/compile.js';
import type { CacheChoice, SharedLoadOptions } from '../cache/decorated/options.js';
import { Metadata } from '../common/metadata.js';
import type { Key } from '../keys/encode-key.js';
import type { HttpLoadOptions } from './http-cache.js';

/**
 * Options of `@Cacheable` on a controller's handler. Of those of a load, `ttl`, `sliding`, `negativeTtl`, `cacheNull`, `version`,
 * `force` and `waitTimeout` are for responses, too; with any other one the application does not start.
 */
export interface CacheableOptions extends CacheChoice, SharedLoadOptions {
  /**
   * A literal, a template such as `'user:{params.id}'` (`params`, `query`, `body`, `headers`, `user`), or a function. Where a
   * value is missing, the request bypasses the cache. Default: GET and HEAD only, by route, path and sorted query.
   */
  key?: Key | ((context: ExecutionContext) => Key | undefined);
  /**
   * The response goes when one of them is evicted: literals and templates such as `'country:{result.country}'`, or a
   * function. Where a value is missing, the response is not stored.
   */
  tags?:
    string | readonly string[] | ((context: ExecutionContext, result: any) => readonly string[]);
  /** False: this request goes to the handler, and nothing is stored. */
  condition?: (context: ExecutionContext) => boolean | Promise<boolean>;
  /** True: this result is answered and not stored. */
  unless?: (result: any, context: ExecutionContext) => boolean | Promise<boolean>;
  http?: CacheableHttpOptions;
}

export interface CacheableHttpOptions {
  /** The response is the same for everybody: requests with `Authorization`, `Cookie` or a user are answered from the cache, too. */
  shared?: boolean;
  /** Added to the key: one entry for each of its values. Undefined: the request bypasses the cache. */
  varyBy?: (context: ExecutionContext) => Key | undefined;
  /** Further response headers to store and replay. */
  headers?: readonly string[];
  /** A strong `ETag` of what is stored, and 304 for a request that has it. Default: unless an interceptor is outside, which may change it. */
  etag?: boolean;
  /** `Cache-Control` of a response that is stored, unless the handler sets one. Says nothing about how long it is stored. */
  cacheControl?: string;
}

/** Options of `@CachePut` on a controller's handler: as `@Cacheable`, and its key may be made of what the handler returns. */
export interface CachePutOptions extends Omit<CacheableOptions, 'key' | 'force' | 'waitTimeout'> {
  key: Key | ((context: ExecutionContext, result: any) => Key | undefined);
}

/** Options of `@CacheEvict` on a controller's handler: exactly one of `key`, `keys`, `tags`, `pattern` and `all`. */
export interface CacheEvictOptions extends CacheChoice {
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
  /**
   * Within a database transaction: evicts once that has committed, and not at all if it is rolled back. Default: true where the
   * module has the option `transaction`. With false at once.
   */
  afterCommit?: boolean;
  /** False: nothing is evicted. */
  condition?: (context: ExecutionContext, result: any) => boolean | Promise<boolean>;
}

/** `@Cacheable` or `@CachePut` on a handler, checked and made ready. */
export interface CacheableRoute extends Cached {
  /** 'put': the handler always runs, and its response replaces what is stored. */
  readonly kind: 'load' | 'put';
  /** Of a `put`: its key is not known before the handler has run. */
  readonly isKeyOfResult: boolean;
  readonly load: HttpLoadOptions;
  readonly negativeTtlMs: number | undefined;
  readonly cacheNull: boolean | undefined;
  readonly http: CacheableHttpOptions;
}

/** Of a handler; of a controller, for its handlers that have none of their own. */
export const cacheableRoute = new Metadata<CacheableRoute>('cacheable.http');
/** All of a handler's, in the order in which they are written. */
export const cacheEvictRoutes = new Metadata<readonly Evicting[]>('cache-evict.http');
