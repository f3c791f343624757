import { ValidateIf, ValidateNested } from 'class-validator';

import type { Serializer } from '../codec/serializer.js';
import type { Duration } from '../common/duration.js';
import type { Isolation } from '../l1/isolation.js';
import type { CacheErrorEvent } from '../observe/reporter.js';
import {
  IsCallback,
  IsDuration,
  IsFlag,
  IsName,
  IsNumberFrom,
  IsOneOf,
  IsSerializer,
} from './option-rules.js';
import { MemoryTopologyOptions, type TopologyOptions } from './topology.options.js';

export {
  MemoryTopologyOptions,
  SingleTopologyOptions,
  type TopologyOptions,
} from './topology.options.js';

/*
 * Every option has its default, its validator and its meaning at one place, here. A field that is left out, or is
 * undefined, has its default; a field that is not here is an error. `resolveOptions` makes these classes out of what
 * the application gives, and `ResolvedCacheOptions` out of them.
 */

/** The lease of a miss: who holds it loads, all others in the cluster wait for what comes of it. */
export class LeaseOptions {
  /**
   * How long a lease outlives the process that holds it, 10 ms to 10 min. It is renewed while the loader runs, so it
   * does not bound the load: a longer one keeps the others waiting longer after a crash, a shorter one is sooner lost
   * by a process that was held up, and its load is then done twice.
   * @default '3s'
   */
  @IsDuration({ minMs: 10, maxMs: 600_000 })
  ttl?: Duration = '3s';

  /**
   * How long a call waits for somebody else's load.
   * @default the value of `loaderTimeout`
   */
  @IsDuration()
  waitTimeout?: Duration;

  /**
   * What happens then: `load` runs one further load in this process, shared by all who wait in it, and stores nothing;
   * `throw` rejects with CacheTimeoutError.
   * @default 'load'
   */
  @IsOneOf('load', 'throw')
  onWaitTimeout?: 'load' | 'throw' = 'load';
}

/** The copies that this process keeps, in front of Redis: a hit there costs no round trip. */
export class L1Options {
  /**
   * Most copies kept, 1 to 10 million; the least recently used goes first.
   * @default 10000
   */
  @IsNumberFrom({ min: 1, max: 10_000_000, whole: true })
  maxEntries?: number = 10_000;

  /**
   * Most bytes of keys and values kept, as they are stored in Redis; larger values alone are not kept.
   * @default no bound but maxEntries
   */
  @IsNumberFrom({ min: 1, max: Number.MAX_SAFE_INTEGER, whole: true })
  maxBytes?: number;

  /**
   * Longest life of a copy; it never outlives its entry.
   * @default the life of the entry
   */
  @IsDuration()
  ttl?: Duration;

  /**
   * How readers get a value: `freeze` shares plain objects and arrays, frozen, and copies a value that holds anything
   * else; `clone` copies for each reader; `reference` shares as it is, and a reader that changes it changes it for all.
   * @default 'freeze'
   */
  @IsOneOf('freeze', 'clone', 'reference')
  isolation?: Isolation = 'freeze';
}

/** How the copies of this process are kept true. */
export class InvalidationOptions {
  /**
   * `pubsub`: by messages of the processes that share the namespace. `tracking`: also by what Redis itself tells of its
   * keys (CLIENT TRACKING), so that expiry, FLUSHALL and the writes of other programs count as well; it takes one more
   * connection to each server, which tells of every change below the namespace.
   * @default 'pubsub'
   */
  @IsOneOf('pubsub', 'tracking')
  mode?: 'pubsub' | 'tracking' = 'pubsub';
}

/** Deadlines around every call to Redis. A call that is late counts as Redis not being there. */
export class TimeoutOptions {
  /**
   * For a connection to be ready. Also the longest that the start of the application waits for Redis.
   * @default '2s'
   */
  @IsDuration()
  connect?: Duration = '2s';

  /** @default '300ms' */
  @IsDuration()
  read?: Duration = '300ms';

  /** @default '300ms' */
  @IsDuration()
  write?: Duration = '300ms';
}

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
   * Loaders that run at a time in this process, a whole number from 1; further ones queue.
   * @default Infinity
   */
  @IsNumberFrom({ min: 1, max: Number.MAX_SAFE_INTEGER, whole: true, orInfinity: true })
  loaderConcurrency?: number = Infinity;

  /**
   * After a failed load nobody in the cluster loads that key again for so long.
   * @default none
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
   * @default 'throw' for calls, 'queue' for decorators, whose method has already done its work
   */
  @IsOneOf('throw', 'queue')
  evictFailure?: 'throw' | 'queue';

  /** Hears every failure that the cache answers with something else than an error. What it throws is logged. */
  @IsCallback()
  onError?: (event: CacheErrorEvent) => void;

  /**
   * How values become bytes. Processes that share a namespace need the same one.
   * @default 'json'
   */
  @IsSerializer()
  serializer?: 'json' | Serializer = 'json';

  /**
   * Largest serialised value in bytes, 1 to 512 MiB; a larger one is returned, but not stored.
   * @default 1048576 (1 MiB)
   */
  @IsNumberFrom({ min: 1, max: 512 * 1024 * 1024, whole: true })
  maxValueBytes?: number = 1024 * 1024;
}
