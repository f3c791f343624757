import type { Duration } from '../common/duration.js';
import type { Isolation } from '../l1/isolation.js';
import { IsDuration, IsNumberFrom, IsOneOf } from './option-rules.js';

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
