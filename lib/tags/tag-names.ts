import { CacheOptionsError, type OptionProblem } from '../common/errors.js';

/** Bounds what one tag costs in each entry and in the table. */
const MAX_CHARACTERS = 256;

const ACCEPTED = `a string of 1 to ${MAX_CHARACTERS} characters`;

/** Members of a table beside the tags, whose names all begin with `t:`. */
export const MEMBERS = { clock: 'c', base: 'b', clear: '*' } as const;

/** What is wrong with `tags`, for whoever checks them together with other options. */
export function tagProblems(tags: unknown, path = 'tags'): OptionProblem[] {
  if (!Array.isArray(tags)) return [{ path, given: shown(tags), accepted: 'an array of strings' }];
  return [...(tags as unknown[])].flatMap((tag, i) =>
    typeof tag === 'string' && tag.length > 0 && tag.length <= MAX_CHARACTERS
      ? []
      : [{ path: `${path}[${i}]`, given: shown(tag), accepted: ACCEPTED }],
  );
}

/** Throws `CacheOptionsError` that lists everything that is no tag. */
export function assertTags(where: string, tags: unknown): void {
  const problems = tagProblems(tags);
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
}

/**
 * A tag as it comes back from Redis: half a surrogate pair has no UTF-8 and becomes U+FFFD. Tags that differ in nothing else are
 * evicted together.
 */
export const asStored = (tag: string): string => tag.replace(/\p{Surrogate}/gu, '\ufffd');

/** The member that stands for a tag. */
export const memberOf = (tag: string): string => `t:${asStored(tag)}`;

function shown(value: unknown): string {
  if (typeof value === 'string')
    return value === '' ? "''" : `a string of ${value.length} characters`;
  return value === null || value === undefined ? String(value) : `a value of type ${typeof value}`;
}
