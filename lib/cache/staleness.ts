import { DURATION_ACCEPTED, durationProblem } from '../common/duration.js';
import type { Rule, Rules } from '../common/option-checks.js';

/** When a value that is still fresh is loaded anew in the background. */
export interface RefreshAhead {
  /** The share of its ttl after which a read of it has it refreshed: above 0, up to 1. */
  after: number;
  /**
   * Above 0: sooner as well, at random, the likelier the nearer its end is and the longer its load took (XFetch). 1 is what
   * the theory asks for, more is earlier. Default 0.
   */
  beta?: number;
  /** So many hits of one value in one process have it refreshed, however young it is; a whole number from 1. Default: none. */
  hits?: number;
}

/** What a value says of its own life. */
export interface Life {
  /** From when it was stored until it is not fresh any more, in ms. */
  readonly lifeMs: number;
  /** What is left of that. */
  readonly freshMs: number;
  /** What its load took; undefined: nobody has noted it. */
  readonly costMs: number | undefined;
}

/** Whether a read of this value should have it refreshed. */
export function isDue(
  life: Life,
  { after, beta = 0 }: RefreshAhead,
  random: () => number = Math.random,
): boolean {
  const { lifeMs, freshMs, costMs = 0 } = life;
  if (freshMs === Infinity) return false;
  if (lifeMs - freshMs >= after * lifeMs) return true;
  return beta > 0 && headStartMs(costMs, beta, random) >= freshMs;
}

/**
 * How long before its end this one read would refresh a value: an exponential variable with the mean `beta` times what a load
 * takes. Many readers then refresh it early, seldom more than one of them, and with a dear load sooner; that no other
 * distribution does better is shown by Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede
 * Prevention", VLDB 2015, where this is called XFetch.
 */
export function headStartMs(costMs: number, beta: number, random: () => number): number {
  // 1 - random() is above 0, and so its logarithm finite.
  return -costMs * beta * Math.log(1 - random());
}

const FIELDS: Rules<RefreshAhead> = {
  after: { accepted: '', ok: (v) => typeof v === 'number' && v > 0 && v <= 1 },
  beta: { accepted: '', ok: (v) => typeof v === 'number' && v >= 0 && v < Infinity },
  hits: { accepted: '', ok: (v) => Number.isSafeInteger(v) && (v as number) >= 1 },
};

export const aRefreshAhead: Rule = {
  accepted:
    'false, or { after, beta?, hits? }: after above 0 and up to 1, beta a number from 0, hits a whole number from 1',
  ok: (v) => v === false || isRefreshAhead(v),
};

function isRefreshAhead(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || !('after' in given)) return false;
  return Object.entries(given).every(
    ([name, value]) =>
      Object.hasOwn(FIELDS, name) &&
      ((value === undefined && name !== 'after') || FIELDS[name as keyof RefreshAhead].ok(value)),
  );
}

/** As long as the record of an entry can say. */
export const MOST_GRACE_MS = 49 * 86_400_000;

export const aGrace: Rule = {
  accepted: `false, or ${DURATION_ACCEPTED}, at most 49 days`,
  ok: (v) => v === false || !durationProblem(v, { maxMs: MOST_GRACE_MS }),
};
