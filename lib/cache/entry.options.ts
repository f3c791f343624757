import { parseDuration, type Duration } from '../common/duration.js';
import { CacheOptionsError } from '../common/errors.js';
import {
  aBoolean,
  aDuration,
  aLife,
  aSignal,
  problemsOf,
  type Rule,
  type Rules,
} from '../common/option-checks.js';
import { tagProblems } from '../tags/tag-names.js';
import type { CacheSettings } from './settings.js';
import { aGrace, aRefreshAhead, type RefreshAhead } from './staleness.js';

/** Options of one write. */
export interface SetOptions {
  /** How long the value is kept: ms, or '250ms' '30s' '5m' '1h30m'; Infinity: it does not expire. Default: the module's `ttl`. */
  ttl?: Duration;
  /** The value goes when one of them is evicted: at most 256 characters each. */
  tags?: readonly string[];
  /** Store only if there is no value yet, or only if there is one; otherwise `set` gives false. */
  if?: 'absent' | 'present';
}

/** Options of one load. */
export interface LoadOptions {
  /** How long the loaded value is kept; the loader may say otherwise by `setTtl`. Default: the module's `ttl`. */
  ttl?: Duration;
  /** The value goes when one of them is evicted; the loader may say otherwise by `setTags`. */
  tags?: readonly string[];
  /** How long a loaded null is kept. Default: the module's `negativeTtl`, and without one the `ttl`. */
  negativeTtl?: Duration;
  /** False: a loaded null is returned and not stored. Default: the module's `cacheNull`. */
  cacheNull?: boolean;
  /**
   * How long the value is kept after its ttl, to stand in when a load fails; false: not at all, and a value that others keep
   * is not taken either. Default: the module's `grace`.
   */
  grace?: Duration | false;
  /** A value in grace is given at once, and refreshed in the background. Default: the module's. */
  staleWhileRevalidate?: boolean;
  /** When a value that is still fresh is refreshed in the background. Default: the module's. */
  refreshAhead?: false | RefreshAhead;
  /** Load even if there is a value; it stays in place until the new one is there. */
  force?: boolean;
  /** Stops this caller's waiting, with the signal's reason; a load that has begun goes on. */
  signal?: AbortSignal;
  /** The longest wait for a load that somebody else runs. Default: the module's `lease.waitTimeout`. */
  waitTimeout?: Duration;
}

export interface WriteSettings {
  readonly ttlMs: number;
  readonly tags?: readonly string[];
  readonly only?: 'absent' | 'present';
}

export interface LoadSettings {
  readonly ttlMs: number;
  readonly tags?: readonly string[];
  readonly negativeTtlMs: number;
  readonly cacheNull: boolean;
  readonly graceMs: number;
  readonly staleWhileRevalidate: boolean;
  readonly refreshAhead?: RefreshAhead;
  readonly force: boolean;
  readonly waitTimeoutMs: number;
  readonly signal?: AbortSignal;
}

const tags: Rule = {
  accepted: 'an array of strings of 1 to 256 characters',
  ok: (v) => tagProblems(v).length === 0,
};

export const SET_OPTIONS: Rules<SetOptions> = {
  ttl: aLife,
  tags,
  if: { accepted: "'absent' or 'present'", ok: (v) => v === 'absent' || v === 'present' },
};

export const LOAD_OPTIONS: Rules<LoadOptions> = {
  ttl: aLife,
  tags,
  negativeTtl: aLife,
  cacheNull: aBoolean,
  grace: aGrace,
  staleWhileRevalidate: aBoolean,
  refreshAhead: aRefreshAhead,
  force: aBoolean,
  signal: aSignal,
  waitTimeout: aDuration,
};

/** Each throws one `CacheOptionsError` that lists every wrong option, before anything runs. */
export function setSettings(
  where: string,
  options: SetOptions | undefined,
  defaults: CacheSettings,
): WriteSettings {
  return writeSettings(where, options, { defaults, checks: SET_OPTIONS });
}

/** For writes that cannot be refused. */
export function throughSettings(
  where: string,
  options: Omit<SetOptions, 'if'> | undefined,
  defaults: CacheSettings,
): WriteSettings {
  return writeSettings(where, options, { defaults, checks: { ttl: aLife, tags } });
}

function writeSettings(
  where: string,
  options: SetOptions | undefined,
  { defaults, checks }: { defaults: CacheSettings; checks: Readonly<Record<string, Rule>> },
): WriteSettings {
  if (!options) return { ttlMs: defaults.ttlMs };
  check(where, options, checks);
  const ttlMs = options.ttl === undefined ? defaults.ttlMs : lifeMs(options.ttl, 'ttl');
  return { ttlMs, tags: options.tags, only: options.if };
}

export function loadSettings(
  where: string,
  options: LoadOptions | undefined,
  defaults: CacheSettings,
): LoadSettings {
  check(where, options ?? {}, LOAD_OPTIONS);
  const ms = (given: Duration | undefined): number | undefined =>
    given === undefined ? undefined : lifeMs(given, 'ttl');
  const ttlMs = ms(options?.ttl) ?? defaults.ttlMs;
  return {
    ttlMs,
    tags: options?.tags,
    negativeTtlMs: ms(options?.negativeTtl) ?? defaults.negativeTtlMs ?? ttlMs,
    cacheNull: options?.cacheNull ?? defaults.cacheNull,
    graceMs: options?.grace === false ? 0 : (ms(options?.grace) ?? defaults.graceMs),
    staleWhileRevalidate: options?.staleWhileRevalidate ?? defaults.staleWhileRevalidate,
    refreshAhead: (options?.refreshAhead ?? defaults.refreshAhead) || undefined,
    force: options?.force ?? false,
    waitTimeoutMs: ms(options?.waitTimeout) ?? defaults.lease.waitTimeoutMs,
    signal: options?.signal,
  };
}

/** A life in ms, or Infinity. */
export function lifeMs(given: Duration, path: string): number {
  return parseDuration(given, { infinity: true }, path);
}

function check(where: string, options: object, checks: Readonly<Record<string, Rule>>): void {
  const problems = problemsOf(options, checks);
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
}
