import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import {
  DURATION_ACCEPTED,
  DURATION_OR_INFINITY_ACCEPTED,
  durationProblem,
  parseDuration,
  type Duration,
} from '../common/duration.js';
import { tagProblems } from '../tags/tag-names.js';
import type { CacheSettings } from './settings.js';

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
  readonly force: boolean;
  readonly waitTimeoutMs: number;
  readonly signal?: AbortSignal;
}

interface Check {
  readonly accepted: string;
  ok(value: unknown): boolean;
}

const life: Check = {
  accepted: DURATION_OR_INFINITY_ACCEPTED,
  ok: (v) => !durationProblem(v, { infinity: true }),
};
const duration: Check = { accepted: DURATION_ACCEPTED, ok: (v) => !durationProblem(v) };
const boolean: Check = { accepted: 'true or false', ok: (v) => typeof v === 'boolean' };

const tags: Check = {
  accepted: 'an array of strings of 1 to 256 characters',
  ok: (v) => tagProblems(v).length === 0,
};

const SET_OPTIONS: Record<keyof SetOptions, Check> = {
  ttl: life,
  tags,
  if: { accepted: "'absent' or 'present'", ok: (v) => v === 'absent' || v === 'present' },
};

const LOAD_OPTIONS: Record<keyof LoadOptions, Check> = {
  ttl: life,
  tags,
  negativeTtl: life,
  cacheNull: boolean,
  force: boolean,
  signal: {
    accepted: 'an AbortSignal',
    ok: (v) => typeof v === 'object' && v !== null && 'aborted' in v,
  },
  waitTimeout: duration,
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
  return writeSettings(where, options, { defaults, checks: { ttl: life, tags } });
}

function writeSettings(
  where: string,
  options: SetOptions | undefined,
  { defaults, checks }: { defaults: CacheSettings; checks: Record<string, Check> },
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
    force: options?.force ?? false,
    waitTimeoutMs: ms(options?.waitTimeout) ?? defaults.lease.waitTimeoutMs,
    signal: options?.signal,
  };
}

/** A life in ms, or Infinity. */
export function lifeMs(given: Duration, path: string): number {
  return parseDuration(given, { infinity: true }, path);
}

function check(where: string, options: object, checks: Record<string, Check>): void {
  const problems: OptionProblem[] = [];
  for (const [path, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(checks, path) ? checks[path] : undefined;
    if (!rule)
      problems.push({ path, given: 'an unknown option', accepted: Object.keys(checks).join(', ') });
    else if (!rule.ok(value)) problems.push({ path, given: shown(value), accepted: rule.accepted });
  }
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
