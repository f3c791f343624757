import { CacheOptionsError } from './errors.js';

/** Milliseconds, or a text such as `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'2d'`, `'1h30m'`. */
export type Duration = number | string;

export interface DurationRule {
  /** Accept `Infinity`, which then means "for ever", whatever `maxMs`. */
  infinity?: boolean;
  /** Bounds, both accepted themselves. */
  minMs?: number;
  maxMs?: number;
}

/** What is accepted as a {@link Duration}, for messages of validators. */
export const DURATION_ACCEPTED =
  "a positive number of milliseconds, or a text like '250ms', '30s', '5m', '1h', '2d' or '1h30m'";
export const DURATION_OR_INFINITY_ACCEPTED = `${DURATION_ACCEPTED}, or Infinity`;

const UNITS = /^(?:([\d.]+)d)?(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?(?:([\d.]+)ms)?$/;
const UNIT_MS = [86_400_000, 3_600_000, 60_000, 1000, 1];

/** In ms, fractions rounded up. Throws `CacheOptionsError` for everything that is no duration within `rule`; `of`: the call, in its text. */
export function parseDuration(
  value: Duration,
  rule: DurationRule = {},
  path = 'duration',
  of = 'a duration',
): number {
  const ms = toMs(value, rule);
  if (ms !== undefined) return ms;
  throw new CacheOptionsError(of, [{ path, given: describe(value), accepted: accepted(rule) }]);
}

/** What was given instead of a duration within `rule`; undefined if it is one. For validators that collect problems. */
export function durationProblem(value: unknown, rule: DurationRule = {}): string | undefined {
  return toMs(value, rule) === undefined ? describe(value) : undefined;
}

function accepted({ infinity, minMs, maxMs }: DurationRule): string {
  let text = DURATION_ACCEPTED;
  if (minMs !== undefined) text += `, at least ${minMs} ms`;
  if (maxMs !== undefined) text += `, at most ${maxMs} ms`;
  return infinity ? `${text}, or Infinity` : text;
}

function toMs(value: unknown, rule: DurationRule): number | undefined {
  const { infinity, minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = rule;
  if (value === Infinity) return infinity ? Infinity : undefined;
  const exact = typeof value === 'string' ? sumOfUnits(value) : value;
  if (typeof exact !== 'number' || !(exact > 0)) return undefined;
  // Rounded to a nanosecond first: 1.07 m is 64200.00000000001 ms in floating point, and not 64201 ms.
  const ms = Math.max(1, Math.ceil(Math.round(exact * 1e6) / 1e6));
  return ms >= minMs && ms <= maxMs ? ms : undefined;
}

function sumOfUnits(text: string): number {
  const amounts = UNITS.exec(text)?.slice(1) ?? [];
  // Number() refuses what the pattern lets through, such as '1.2.3'.
  return amounts.reduce((sum, amount, i) => sum + Number(amount ?? 0) * UNIT_MS[i]!, 0);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (typeof value === 'number' || value === null || value === undefined) return String(value);
  return `a value of type ${typeof value}`;
}
