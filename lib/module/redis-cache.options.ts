import { ValidateIf, ValidateNested } from 'class-validator';

import type { SerializerChoice } from '../codec/serializer.js';
import { MOST_GRACE_MS, type RefreshAhead } from '../cache/staleness.js';
import type { Duration } from '../common/duration.js';
import type { TransactionAdapter } from '../common/transaction.js';
import type { CacheErrorEvent } from '../observe/reporter.js';
import { InvalidationOptions, L1Options, LeaseOptions, TimeoutOptions } from './nested.options.js';
import {
  IsCallback,
  IsDuration,
  IsFlag,
  IsName,
  IsNumberFrom,
  IsOneOf,
  IsRefreshAhead,
  IsSerializer,
  IsTransactionAdapter,
} from './option-rules.js';
import { CompressionOptions, EncryptionOptions } from './payload.options.js';
import { MemoryTopologyOptions, type TopologyOptions } from './topology.options.js';

/*
 * Every option has its default, its validator and its meaning at one place, here. A field that is left out, or is
 * undefined, has its default; a field that is not here is an error. `resolveOptions` makes these classes out of what
 * the application gives, and `ResolvedCacheOptions` out of them.
 */

/** What `RedisCacheModule.forRoot` and the factories of `forRootAsync` take. Durations are ms, or '250ms', '5m', '1h30m'. */
export class RedisCacheOptions {
  /**
   * Where entries live.
   * @default { type: 'memory' }
   */
  @ValidateNested()
  topology?: TopologyOptions = new MemoryTopologyOptions();

  /**
   * First part of every key in Redis, 1 to 64 characters of A-Z a-z 0-9 . _ -. Applications with equal namespaces on
   * one Redis share their entries.
   * @default 'cache'
   */
  @IsName()
  namespace?: string = 'cache';

  /**
   * Life of an entry, unless the call or the decorator says otherwise. Infinity: until it is evicted.
   * @default '5m'
   */
  @IsDuration({ infinity: true })
  ttl?: Duration = '5m';

  /**
   * Each stored ttl is shortened by a random share up to this, 0 to 0.5, so that entries written together do not
   * expire together.
   * @default 0
   */
  @IsNumberFrom({ min: 0, max: 0.5 })
  ttlJitter?: number = 0;

  /**
   * How long a value is kept after its ttl, at most 49 days. It counts as absent then, and stands in when a load fails, or
   * takes longer than `softTimeout`; it is gone once it is evicted. An entry that does not expire has none.
   * @default none
   */
  @IsDuration({ minMs: 1, maxMs: MOST_GRACE_MS })
  grace?: Duration;

  /**
   * Whether `getOrSet` gives a value in grace at once, while it is loaded anew in the background, once in the cluster.
   * @default false
   */
  @IsFlag()
  staleWhileRevalidate?: boolean = false;

  /**
   * When a read has a value loaded anew in the background that is still fresh: `after` this share of its ttl, above 0 up to
   * 1; with a `beta` above 0 at random before that (XFetch); after so many `hits` in one process.
   * @default false
   */
  @IsRefreshAhead()
  refreshAhead?: false | RefreshAhead = false;

  /**
   * Life of a stored null, usually shorter than that of a value.
   * @default the ttl of the entry
   */
  @IsDuration()
  negativeTtl?: Duration;

  /**
   * Whether null is stored. With false it is returned, and loaded again by the next call. undefined is never stored.
   * @default true
   */
  @IsFlag()
  cacheNull?: boolean = true;

  /**
   * The copies kept in this process; false: none, every read asks Redis.
   * @default { maxEntries: 10000, isolation: 'freeze' }
   */
  @ValidateIf(({ l1 }: RedisCacheOptions) => l1 !== false)
  @ValidateNested()
  l1?: false | L1Options = new L1Options();

  @ValidateNested()
  invalidation?: InvalidationOptions = new InvalidationOptions();

  @ValidateNested()
  lease?: LeaseOptions = new LeaseOptions();

  /**
   * Longest run of a loader. After it the call rejects with CacheTimeoutError, and the loader's AbortSignal fires.
   * @default '30s'
   */
  @IsDuration()
  loaderTimeout?: Duration = '30s';

  /**
   * How long a call waits for a load where there is a value in grace. After it that value is given, and the load goes on.
   * @default as long as the load takes
   */
  @IsDuration()
  softTimeout?: Duration;

  /**
   * Loaders that run at a time in this process, a whole number from 1; further ones queue, and meanwhile a process that has room may
   * load in their place.
   * @default Infinity
   */
  @IsNumberFrom({ min: 1, max: Number.MAX_SAFE_INTEGER, whole: true, orInfinity: true })
  loaderConcurrency?: number = Infinity;

  /**
   * After a failed load nobody in the cluster loads that key again for so long.
   * @default none; '1s' where a value in grace stands in
   */
  @IsDuration()
  errorBackoff?: Duration;

  /**
   * How long the shutdown waits for running loads and queued writes before connections are closed.
   * @default '5s'
   */
  @IsDuration()
  shutdownTimeout?: Duration = '5s';

  @ValidateNested()
  timeouts?: TimeoutOptions = new TimeoutOptions();

  /**
   * What calls do when Redis cannot be reached: `open` lets reads miss and loaders run, `strict` rejects. Evicts and
   * counters never pretend to have worked, in either.
   * @default 'open'
   */
  @IsOneOf('open', 'strict')
  failure?: 'open' | 'strict' = 'open';

  /**
   * What an evict does that cannot reach Redis: `throw` CacheEvictError, or `queue` it silently. Either way it is reported,
   * retried, and bypassed in this process until done.
   * @default 'throw' for calls, 'queue' for decorators, whose method has already done its work; 'throw' for all with `failure: 'strict'`
   */
  @IsOneOf('throw', 'queue')
  evictFailure?: 'throw' | 'queue';

  /**
   * Knows the database transaction in which code runs: what `@CacheEvict` and `afterCommit` do inside of one waits for its commit, and
   * is left out after a rollback. For TypeORM: `typeOrmTransactions(dataSource)` of `nestjs-redis-cache/typeorm`.
   * @default none: they act at once
   */
  @IsTransactionAdapter()
  transaction?: TransactionAdapter;

  /**
   * Hears every failure of Redis, of calls that go on without it and of calls that reject; not what `nodes()` and health
   * checks have found, which is their answer. What it throws is logged.
   */
  @IsCallback()
  onError?: (event: CacheErrorEvent) => void;

  /**
   * How values become bytes. What `json` and `msgpack` have written every process reads; both keep Date, Map, Set, BigInt,
   * Buffer, typed arrays and undefined. One of your own has to be given to every process that reads its entries.
   * @default 'json'
   */
  @IsSerializer()
  serializer?: SerializerChoice = 'json';

  /**
   * Stores larger values compressed.
   * @default false
   */
  @ValidateIf(({ compression }: RedisCacheOptions) => compression !== false)
  @ValidateNested()
  compression?: false | CompressionOptions = false;

  /**
   * Stores values encrypted and bound to their keys.
   * @default false
   */
  @ValidateIf(({ encryption }: RedisCacheOptions) => encryption !== false)
  @ValidateNested()
  encryption?: false | EncryptionOptions = false;

  /**
   * Largest serialised value in bytes before compression, 1 to 512 MiB; a larger one is returned, but not stored.
   * @default 1048576 (1 MiB)
   */
  @IsNumberFrom({ min: 1, max: 512 * 1024 * 1024, whole: true })
  maxValueBytes?: number = 1024 * 1024;
}
