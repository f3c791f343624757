import { durationProblem, parseDuration, DURATION_ACCEPTED } from '../../common/duration.js';
import type { Duration } from '../../common/duration.js';
import { CacheOptionsError } from '../../common/errors.js';
import {
  aDuration,
  aFunction,
  problemsOf,
  type Rule,
  type Rules,
} from '../../common/option-checks.js';
import type { KeyOf } from '../../keys/typed-key.js';

/** The latest value of a key, on its way to the source. */
export interface QueuedWrite<K, V> {
  readonly key: K;
  readonly value: V;
}

/** Options of a {@link WriteBehind}. */
export interface WriteBehindOptions<K, V> {
  /**
   * Writes to the source; rejects if any of it may not have been written. It must do no harm if it is called again with the
   * same: a batch that failed is written again as a whole. No deadline is set for it, and only one runs at a time.
   */
  write: (batch: readonly QueuedWrite<K, V>[]) => void | Promise<void>;
  /** Where a key's value is cached. Default: at the key itself. */
  key?: (key: K) => KeyOf<V>;
  /** The most writes that are handed over at once, 1 to 100 000. Default 100. */
  batchSize?: number;
  /** The longest wait for a batch to become full. Default '1s'. */
  flushInterval?: Duration;
  /** The most keys that wait, 1 to 10 000 000. Default 10 000. */
  maxQueue?: number;
  /** When the queue is full: `put` rejects with `ERR_CACHE_QUEUE_FULL`, or waits. Default 'reject'. */
  onFull?: 'reject' | 'wait';
  /** How often a batch that failed is tried again, 0 to 1000. What still fails is then tried alone, and dropped. Default 5. */
  retries?: number;
  /** The pause after a batch has failed, doubled with each one that fails after it, up to 30 s. Default '100ms'. */
  backoff?: Duration;
  /**
   * What becomes of the cached value once the source has it. 'evict': the next read loads what the source made of it. 'keep': it
   * stays for the rest of its ttl; right where the source stores exactly what it is given and nobody else writes there. What the
   * cache did not take, for want of Redis for instance, is evicted all the same: what it has is older. Default 'evict'.
   */
  afterWrite?: 'evict' | 'keep';
  /** Hears of writes that will not reach the source, or of which nobody knows, and why. What it promises is waited for, by `flush` too. */
  onDropped?: (writes: readonly QueuedWrite<K, V>[], error: unknown) => unknown;
}

export interface WriteBehindSettings<K, V> {
  readonly write: WriteBehindOptions<K, V>['write'];
  readonly key: (key: K) => KeyOf<V>;
  readonly batchSize: number;
  readonly flushIntervalMs: number;
  readonly maxQueue: number;
  readonly onFull: 'reject' | 'wait';
  readonly retries: number;
  readonly backoffMs: number;
  readonly afterWrite: 'evict' | 'keep';
  readonly onDropped: NonNullable<WriteBehindOptions<K, V>['onDropped']>;
}

const anInteger = (min: number, max: number): Rule => ({
  accepted: `a whole number from ${min} to ${max}`,
  ok: (v) => Number.isInteger(v) && (v as number) >= min && (v as number) <= max,
});

const oneOf = (...accepted: readonly string[]): Rule => ({
  accepted: accepted.map((text) => `'${text}'`).join(' or '),
  ok: (v) => accepted.includes(v as string),
});

/** The longest pause between two tries. */
export const MAX_BACKOFF_MS = 30_000;

const RULES: Rules<WriteBehindOptions<unknown, unknown>> = {
  write: aFunction,
  key: aFunction,
  batchSize: anInteger(1, 100_000),
  flushInterval: aDuration,
  maxQueue: anInteger(1, 10_000_000),
  onFull: oneOf('reject', 'wait'),
  retries: anInteger(0, 1000),
  backoff: {
    accepted: `${DURATION_ACCEPTED}, at most 30 s`,
    ok: (v) => !durationProblem(v, { maxMs: MAX_BACKOFF_MS }),
  },
  afterWrite: oneOf('evict', 'keep'),
  onDropped: aFunction,
};

/** One `CacheOptionsError` lists every wrong option. */
export function writeBehindSettings<K, V>(
  given: WriteBehindOptions<K, V>,
): WriteBehindSettings<K, V> {
  const problems = problemsOf(given, RULES);
  if (problems.length === 0 && given.write === undefined)
    problems.push({ path: 'write', given: 'undefined', accepted: aFunction.accepted });
  if (problems.length > 0) throw new CacheOptionsError('WriteBehind', problems);
  return {
    write: given.write,
    key: given.key ?? ((key) => key as KeyOf<V>),
    batchSize: given.batchSize ?? 100,
    flushIntervalMs: parseDuration(given.flushInterval ?? '1s'),
    maxQueue: given.maxQueue ?? 10_000,
    onFull: given.onFull ?? 'reject',
    retries: given.retries ?? 5,
    backoffMs: parseDuration(given.backoff ?? '100ms'),
    afterWrite: given.afterWrite ?? 'evict',
    onDropped: given.onDropped ?? (() => undefined),
  };
}
