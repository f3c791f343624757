import { types } from 'node:util';
import { parseDuration, type Duration } from '../common/duration.js';
import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import { aBoolean, aLife, shown, type Rule } from '../common/option-checks.js';

/** How long a value is kept: one of these. */
export interface LifeOptions {
  /**
   * How long the value is kept: ms, or '250ms' '30s' '5m' '1h30m'; Infinity: it does not expire; or a function of the value that
   * says so. Default: the module's `ttl`.
   */
  ttl?: Duration | ((value: any) => Duration);
  /** Until when, instead of `ttl`: a Date, or ms since 1970. */
  expiresAt?: Date | number;
  /** Reads begin the life anew: by the first that finds a tenth of it over, in the background. Default false. */
  sliding?: boolean;
}

/** How long this value is kept from now on, in ms; Infinity: for ever; 0 or less: its time is over. */
export type LifeOf = (value: unknown, now: number) => number;

/** 1973. What is less is seconds, of about any year to come. */
const LEAST_MS = 1e11;
/** As far as a Date goes. */
const MOST_MS = 8.64e15;

export const LIFE_RULES: Record<keyof LifeOptions, Rule> = {
  ttl: {
    accepted: `${aLife.accepted}; or a function of the value that gives one`,
    ok: (v) => typeof v === 'function' || aLife.ok(v),
  },
  expiresAt: {
    accepted: 'a valid Date, or ms since 1970 (a number below 1e11 would be seconds)',
    ok: (v) => momentOf(v) !== undefined,
  },
  sliding: aBoolean,
};

/** What no rule for a single option can say. */
export function lifeProblems({ ttl, expiresAt, sliding }: LifeOptions): OptionProblem[] {
  if (expiresAt === undefined) return [];
  const beside = [ttl !== undefined && 'ttl', sliding && 'sliding'].filter((name) => !!name);
  return beside.map((name) => ({
    path: 'expiresAt',
    given: `beside ${name}`,
    accepted: `one of ${name} and expiresAt`,
  }));
}

/** Undefined: it takes neither the value nor the time to know. */
export function lifeOf({ ttl, expiresAt }: LifeOptions): LifeOf | undefined {
  if (typeof ttl === 'function') return (value) => lifeMs(ttl(value), 'ttl (of the function)');
  const until = momentOf(expiresAt);
  return until === undefined ? undefined : (_, now) => until - now;
}

/**
 * How long a null that was loaded is kept: for the call's own `negativeTtl`, else for the module's and no longer than its own life.
 * Undefined: as any other value.
 */
export function lifeOfNull({
  ownMs,
  moduleMs,
  longestMs = Infinity,
}: {
  ownMs: number | undefined;
  moduleMs: number | undefined;
  longestMs?: number | undefined;
}): number | undefined {
  return ownMs ?? (moduleMs === undefined ? undefined : Math.min(moduleMs, longestMs));
}

/** As `lifeOf`, of a load. A function is about values: of a null it is asked only where there is no `negativeTtl`. */
export function lifeOfLoaded(
  options: LifeOptions,
  ofNull: { ownMs: number | undefined; moduleMs: number | undefined },
): LifeOf | undefined {
  const life = lifeOf(options);
  if (!life) return undefined;
  const isFixed = typeof options.ttl !== 'function';
  const nullMs = (now: number): number | undefined =>
    lifeOfNull({ ...ofNull, longestMs: isFixed ? life(null, now) : undefined });
  return (value, now) => (value === null ? nullMs(now) : undefined) ?? life(value, now);
}

/** A life that a loader or a writer has said of its value. */
export type Life = { readonly ttlMs: number } | { readonly expiresAt: number };

/** How long this value is kept from now on, as was said of it, else by the options of its call; 0 or less: not at all. */
export function keptMs(
  value: unknown,
  life: Life | undefined,
  settings: { ttlMs: number; negativeTtlMs?: number; lifeOf?: LifeOf | undefined },
  now: number,
): number {
  if (life) return 'ttlMs' in life ? life.ttlMs : life.expiresAt - now;
  if (settings.lifeOf) return settings.lifeOf(value, now);
  return (value === null ? settings.negativeTtlMs : undefined) ?? settings.ttlMs;
}

/** Whether reads prolong it: not beyond a moment that was named. */
export function slides({ sliding }: { sliding?: boolean | undefined }, life?: Life): boolean {
  return sliding === true && !(life && 'expiresAt' in life);
}

/** A life in ms, or Infinity. Throws `CacheOptionsError` that names the option, and the call that it is `of`. */
export function lifeMs(given: Duration, path: string, of?: string): number {
  return parseDuration(given, { infinity: true }, path, of);
}

/** A moment in ms since 1970; throws `CacheOptionsError`. */
export function momentMs(given: Date | number, path: string): number {
  const ms = momentOf(given);
  if (ms !== undefined) return ms;
  const { accepted } = LIFE_RULES.expiresAt;
  throw new CacheOptionsError('a moment', [{ path, given: shown(given), accepted }]);
}

function momentOf(given: unknown): number | undefined {
  const ms = types.isDate(given) ? given.getTime() : given;
  return typeof ms === 'number' && ms >= LEAST_MS && ms <= MOST_MS ? ms : undefined;
}
