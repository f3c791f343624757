import { CacheOptionsError } from '../common/errors.js';

/**
 * Patterns over the keys as the caller gave them: `*` is any run of characters, `?` is one, `[a-z]` is one of these,
 * `[^a]` one that is none of these, and `\` takes the next character literally, also inside brackets. A character is a
 * Unicode code point; all else is as in `MATCH` of Redis, also that in brackets a `-` between two characters is always a
 * range, whichever end comes first, and that the first `]` closes them.
 */
export interface Glob {
  matches(key: string): boolean;
  /** What every key that matches begins with: the text in front of the first `*`, `?` or `[`, without its escapes. */
  readonly literalPrefix: string;
}

/** Bounds the work on a key: at most its length times this. */
const MAX_GLOB = 1024;

const SYNTAX = `1 to ${MAX_GLOB} characters; * ? [a-z] [^a] and \\ in front of what is meant literally`;

/** Throws `CacheOptionsError` for an empty glob or class, an unterminated class, a trailing backslash, and excessive length. */
export function compileGlob(glob: string): Glob {
  const steps = parse(glob);
  const isOpen = (step: Step): boolean => step === ANY_RUN || typeof step === 'object';
  const end = steps.findIndex(isOpen);
  const literals = (end < 0 ? steps : steps.slice(0, end)) as number[];
  const literalPrefix = literals.map((point) => String.fromCodePoint(point)).join('');
  const rest = steps.slice(literals.length);
  return {
    literalPrefix,
    matches: (key) => key.startsWith(literalPrefix) && matchRest(rest, key, literalPrefix.length),
  };
}

/** `text` as the glob that matches it alone. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}

const ANY_RUN = Symbol('*');

/** One character out of some ranges of code points, both ends included; or out of none of them. */
interface CharacterClass {
  readonly ranges: readonly (readonly [number, number])[];
  readonly negated: boolean;
}

/** A code point is itself. */
type Step = number | CharacterClass | typeof ANY_RUN;

const ANY_ONE: CharacterClass = { ranges: [], negated: true };

function parse(glob: string): Step[] {
  if (typeof glob !== 'string') throw wrong(glob, `a value of type ${typeof glob}`);
  if (glob === '') throw wrong(glob, 'an empty text');
  if (glob.length > MAX_GLOB) throw wrong(glob, `${glob.length} characters`);
  const text = Array.from(glob);
  const steps: Step[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '*') {
      if (steps.at(-1) !== ANY_RUN) steps.push(ANY_RUN);
    } else if (character === '?') steps.push(ANY_ONE);
    else if (character === '[') {
      const { step, end } = parseClass(text, at + 1, glob);
      steps.push(step);
      at = end;
    } else if (character !== '\\') steps.push(pointOf(character));
    else if (++at < text.length) steps.push(pointOf(text[at]!));
    else throw wrong(glob, 'a backslash at the end');
  }
  return steps;
}

/** The class whose first character is at `begin`; `end` is where its bracket closes. */
function parseClass(
  text: readonly string[],
  begin: number,
  glob: string,
): { step: CharacterClass; end: number } {
  const negated = text[begin] === '^';
  const ranges: [number, number][] = [];
  for (let at = negated ? begin + 1 : begin; at < text.length; at++) {
    if (text[at] === ']') {
      if (ranges.length === 0) throw wrong(glob, 'brackets with nothing in them');
      return { step: { ranges, negated }, end: at };
    }
    if (text[at] === '\\' && at + 1 < text.length) {
      const point = pointOf(text[++at]!);
      ranges.push([point, point]);
    } else if (text[at + 1] === '-' && at + 2 < text.length) {
      const ends = [pointOf(text[at]!), pointOf(text[at + 2]!)] as const;
      ranges.push([Math.min(...ends), Math.max(...ends)]);
      at += 2;
    } else ranges.push([pointOf(text[at]!), pointOf(text[at]!)]);
  }
  throw wrong(glob, 'a [ that no ] closes; in brackets \\- is a minus and \\] a bracket');
}

const pointOf = (character: string): number => character.codePointAt(0)!;

/**
 * Whether `steps` match `key` from `from` to its end. All but a run take exactly one character, so where a step fails only
 * the last run has to be made longer: none before it could help. Hence at most keys' length times steps.
 */
function matchRest(steps: readonly Step[], key: string, from: number): boolean {
  let at = from;
  let step = 0;
  /** Behind the last run: its step, and up to where the run reaches. */
  let retry: { step: number; at: number } | undefined;
  while (at < key.length) {
    const wanted = steps[step];
    const point = key.codePointAt(at)!;
    if (wanted === ANY_RUN) retry = { step: ++step, at };
    else if (wanted !== undefined && matchOne(wanted, point)) {
      at += lengthOf(point);
      step++;
    } else if (retry) {
      retry.at += lengthOf(key.codePointAt(retry.at)!);
      ({ at, step } = retry);
    } else return false;
    // Nothing comes behind a run at the end.
    if (retry && retry.step === steps.length) return true;
  }
  return step === steps.length || (step === steps.length - 1 && steps[step] === ANY_RUN);
}

function matchOne(wanted: number | CharacterClass, point: number): boolean {
  if (typeof wanted === 'number') return wanted === point;
  return wanted.negated !== wanted.ranges.some(([first, last]) => point >= first && point <= last);
}

const lengthOf = (point: number): number => (point > 0xffff ? 2 : 1);

function wrong(glob: unknown, given: string): CacheOptionsError {
  const where = typeof glob === 'string' && glob !== '' ? ` in '${glob.slice(0, 100)}'` : '';
  return new CacheOptionsError('a pattern of keys', [
    { path: 'glob', given: given + where, accepted: SYNTAX },
  ]);
}
