import {
  isSerializerChoice,
  SERIALIZER_ACCEPTED,
  type SerializerChoice,
} from '../codec/serializer.js';
import type { Duration } from '../common/duration.js';
import { CacheOptionsError } from '../common/errors.js';
import {
  aBoolean,
  aDuration,
  aLife,
  aSignal,
  assertOptions,
  problemsOf,
  type Rule,
  type Rules,
} from '../common/option-checks.js';
import { tagProblems } from '../tags/tag-names.js';
import {
  LIFE_RULES,
  lifeMs,
  lifeOf,
  lifeOfLoaded,
  lifeOfNull,
  lifeProblems,
  type LifeOf,
  type LifeOptions,
} from './life.options.js';
import { aSchema, type StandardSchema } from './schema.js';
import type { CacheSettings } from './settings.js';
import { aGrace, aRefreshAhead, type RefreshAhead } from './staleness.js';

/** Options of one read. */
export interface ReadOptions {
  /**
   * A value of another version is a miss, and what is loaded or set in its place gets this one: `1` and `'1'` are the same. Reads
   * without one take any. At most 256 characters.
   */
  version?: string | number;
  /** A serializer that reads what was written with it, or one of its `name`, in a call; without it such a value is a miss. */
  serializer?: SerializerChoice;
  /** A value that does not match is a miss; of one that does, what the schema makes of it is given. It may be asynchronous. */
  schema?: StandardSchema;
}

/** Options of one write. */
export interface SetOptions extends ReadOptions, LifeOptions {
  /** The value goes when one of them is evicted: at most 256 characters each. */
  tags?: readonly string[];
  /** Store only if there is no value yet, or only if there is one; otherwise `set` gives false. */
  if?: 'absent' | 'present';
}

/** Options of one load; of how long the value is kept, the loader may say otherwise. */
export interface LoadOptions extends ReadOptions, LifeOptions {
  /** The value goes when one of them is evicted; the loader may say otherwise by `setTags`. */
  tags?: readonly string[];
  /** How long a loaded null is kept. Default: the module's `negativeTtl`, or the call's fixed `ttl` or `expiresAt` where that is sooner. */
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

export interface ReadSettings {
  readonly version?: string | number | undefined;
  readonly serializer?: SerializerChoice | undefined;
  readonly schema?: StandardSchema | undefined;
}

/** What such a read gets is not what others would get. */
export const hasOwnReading = (reads: ReadSettings | undefined): boolean =>
  reads?.schema !== undefined || reads?.serializer !== undefined || reads?.version !== undefined;

export interface WriteSettings extends ReadSettings {
  readonly ttlMs: number;
  readonly sliding?: boolean | undefined;
  /** Goes before `ttlMs`. */
  readonly lifeOf?: LifeOf | undefined;
  readonly tags?: readonly string[];
  readonly only?: 'absent' | 'present';
}

export interface LoadSettings extends ReadSettings {
  readonly ttlMs: number;
  readonly sliding?: boolean | undefined;
  /** Goes before `ttlMs` and `negativeTtlMs`. */
  readonly lifeOf?: LifeOf | undefined;
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

/** Characters. */
const MOST_VERSION = 256;

const tags: Rule = {
  accepted: 'an array of strings of 1 to 256 characters',
  ok: (v) => tagProblems(v).length === 0,
};

const READ_OPTIONS: Rules<ReadOptions> = {
  version: { accepted: 'a string of 1 to 256 characters, or a finite number', ok: isVersion },
  serializer: { accepted: SERIALIZER_ACCEPTED, ok: isSerializerChoice },
  schema: aSchema,
};

const THROUGH_OPTIONS: Rules<Omit<SetOptions, 'if'>> = { ...READ_OPTIONS, ...LIFE_RULES, tags };

export const SET_OPTIONS: Rules<SetOptions> = {
  ...READ_OPTIONS,
  ...LIFE_RULES,
  tags,
  if: { accepted: "'absent' or 'present'", ok: (v) => v === 'absent' || v === 'present' },
};

export const LOAD_OPTIONS: Rules<LoadOptions> = {
  ...READ_OPTIONS,
  ...LIFE_RULES,
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
export function readSettings(
  where: string,
  options: ReadOptions | undefined,
): ReadSettings | undefined {
  assertOptions(where, options, READ_OPTIONS);
  return options;
}

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
  return writeSettings(where, options, { defaults, checks: THROUGH_OPTIONS });
}

function writeSettings(
  where: string,
  options: SetOptions | undefined,
  { defaults, checks }: { defaults: CacheSettings; checks: Readonly<Record<string, Rule>> },
): WriteSettings {
  if (options == null) return { ttlMs: defaults.ttlMs };
  check(where, options, checks);
  const { sliding, version, serializer, schema } = options;
  const life = { ttlMs: fixedMs(options) ?? defaults.ttlMs, lifeOf: lifeOf(options) };
  // The list is the caller's, who may change it while this is under way; so it is with loads.
  const tags = options.tags && [...options.tags];
  return { ...life, sliding, tags, version, serializer, schema, only: options.if };
}

/** Of calls without options: one for all of them, so that they are seen to be alike. */
const plainSettings = new WeakMap<CacheSettings, LoadSettings>();

export function loadSettings(
  where: string,
  options: LoadOptions | undefined,
  defaults: CacheSettings,
): LoadSettings {
  if (options != null) {
    check(where, options, LOAD_OPTIONS);
    return filledIn(options, defaults);
  }
  let plain = plainSettings.get(defaults);
  if (!plain) plainSettings.set(defaults, (plain = filledIn({}, defaults)));
  return plain;
}

function filledIn(options: LoadOptions, defaults: CacheSettings): LoadSettings {
  const ms = (given: Duration | undefined): number | undefined =>
    given === undefined ? undefined : lifeMs(given, 'ttl');
  const ownMs = fixedMs(options);
  const ttlMs = ownMs ?? defaults.ttlMs;
  const ofNull = { ownMs: ms(options.negativeTtl), moduleMs: defaults.negativeTtlMs };
  return {
    ttlMs,
    lifeOf: lifeOfLoaded(options, ofNull),
    sliding: options.sliding,
    tags: options.tags && [...options.tags],
    negativeTtlMs: lifeOfNull({ ...ofNull, longestMs: ownMs }) ?? ttlMs,
    cacheNull: options.cacheNull ?? defaults.cacheNull,
    graceMs: options.grace === false ? 0 : (ms(options.grace) ?? defaults.graceMs),
    staleWhileRevalidate: options.staleWhileRevalidate ?? defaults.staleWhileRevalidate,
    refreshAhead: (options.refreshAhead ?? defaults.refreshAhead) || undefined,
    force: options.force ?? false,
    waitTimeoutMs: ms(options.waitTimeout) ?? defaults.lease.waitTimeoutMs,
    signal: options.signal,
    version: options.version,
    serializer: options.serializer,
    schema: options.schema,
  };
}

function isVersion(given: unknown): boolean {
  return typeof given === 'string'
    ? given.length > 0 && given.length <= MOST_VERSION
    : Number.isFinite(given);
}

/** Undefined: it is not given, or takes the value to know. */
function fixedMs(options: LifeOptions | undefined): number | undefined {
  const ttl = options?.ttl;
  return ttl === undefined || typeof ttl === 'function' ? undefined : lifeMs(ttl, 'ttl');
}

function check(where: string, options: LifeOptions, checks: Readonly<Record<string, Rule>>): void {
  const problems = problemsOf(options, checks);
  problems.push(...lifeProblems(options));
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
}
