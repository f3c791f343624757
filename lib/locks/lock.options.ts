import {
  durationProblem,
  parseDuration,
  DURATION_ACCEPTED,
  type Duration,
  type DurationRule,
} from '../common/duration.js';
import { CacheKeyError } from '../common/errors.js';
import { aLife, aSignal, assertOptions, type Rules } from '../common/option-checks.js';

/** Options of one acquisition. */
export interface LockOptions {
  /**
   * How long the lock outlives a process that dies while holding it, at most 7 days; default '10s'. It is renewed every
   * third of it, so it needs to be longer than the longest pause of this process and of Redis, not than the work.
   */
  ttl?: Duration;
  /** The longest wait for a lock that others hold, default '10s'; Infinity: until it is ours, or `signal` fires. */
  wait?: Duration;
  /** Stops the waiting, with the signal's reason; a lock that is held already is not affected. */
  signal?: AbortSignal;
}

export interface LockSettings {
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

const TTL: DurationRule = { maxMs: 7 * 86_400_000 };
const WAIT: DurationRule = { infinity: true };
const DEFAULT_TTL_MS = 10_000;
const DEFAULT_WAIT_MS = 10_000;

export const LOCK_OPTIONS: Rules<LockOptions> = {
  ttl: { accepted: `${DURATION_ACCEPTED}, at most 7 days`, ok: (v) => !durationProblem(v, TTL) },
  wait: aLife,
  signal: aSignal,
};

/** One `CacheOptionsError` lists every wrong option, before anything runs. `known` are the ones that this call has. */
export function lockSettings(
  where: string,
  given: LockOptions | undefined,
  known: readonly (keyof LockOptions)[] = ['ttl', 'wait', 'signal'],
): LockSettings {
  const options = given ?? {};
  const rules = Object.fromEntries(known.map((name) => [name, LOCK_OPTIONS[name]]));
  assertOptions(where, options, rules);
  const { ttl, wait, signal } = options;
  return {
    ttlMs: ttl === undefined ? DEFAULT_TTL_MS : parseDuration(ttl, TTL),
    waitMs: wait === undefined ? DEFAULT_WAIT_MS : parseDuration(wait, WAIT),
    signal,
  };
}

/** The ttl that a lock is extended by. */
export function extensionMs(ttl: Duration): number {
  return lockSettings('Lock.extend', { ttl: ttl ?? null }, ['ttl']).ttlMs;
}

/** Each name once, sorted, so that whoever wants several wants them in the same order and none waits in a circle. */
export function lockNames(given: string | readonly string[]): string[] {
  const names = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(names) || names.length === 0 || !names.every(isName))
    throw new CacheKeyError(
      'A lock needs a name: accepted are a non-empty string, or a non-empty array of them',
    );
  return [...new Set(names)].toSorted((a, b) => (a < b ? -1 : 1));
}

const isName = (name: unknown): boolean => typeof name === 'string' && name !== '';
