import { CacheOptionsError } from '../common/errors.js';
import type { Key } from './encode-key.js';
import { compileGlob, escapeGlob } from './glob.js';
import { keysOf } from './key-list.js';
import { compileTemplate, type Given, type KeySource } from './key-source.js';
import type { KeyTemplate } from './key-template.js';

/** The keys, tags or globs that an option stands for in one call. */
export interface Source {
  /** What its templates name; undefined where a function may look at everything. */
  readonly paths: readonly (readonly string[])[] | undefined;
  /** Undefined among them: a value is missing. */
  of(given: Given): readonly unknown[];
}

/** What a key's function gives may be several. */
export function keysFrom(sources: readonly KeySource[]): Source {
  return {
    paths: sources.some((source) => source.computed)
      ? undefined
      : sources.flatMap((source) => source.paths),
    of: (given) =>
      sources.flatMap((source): readonly unknown[] => {
        const key = source.of(given);
        return source.computed && key != null ? keysOf(key as Key) : [key];
      }),
  };
}

export function textsFrom(templates: readonly KeyTemplate[]): Source {
  return {
    paths: templates.flatMap((template) => template.paths),
    of: ({ lookup }) => templates.map((template) => template.render(lookup)),
  };
}

export function computedFrom(fn: (...args: any[]) => unknown): Source {
  return { paths: undefined, of: ({ call }) => [call(fn)].flat() };
}

/** Stands for a value where only the text around it is wanted. */
const SLOT = '\0';
const NUL = { path: 'pattern', given: 'a NUL character', accepted: 'a glob without one' };

/**
 * A glob with placeholders, whose values are meant literally, as they are in a key with the same text. There a value has
 * `\` in front of what ends it if another placeholder follows. Whether one follows the last value, the wildcard in its
 * place does not tell; so where that makes a difference there are two globs.
 *
 * Throws `CacheOptionsError` for what is no glob, and for a placeholder in brackets or behind a `\`.
 */
export function globsFrom(text: string, roots: readonly string[]): Source {
  const template = compileTemplate(text, roots);
  if (text.includes(SLOT)) throw new CacheOptionsError('a pattern of keys', [NUL]);
  const around = template.render(() => SLOT)!.split(SLOT);
  // Each by itself: no value may become a part of brackets or of an escape.
  for (const glob of around) if (glob !== '') compileGlob(glob);
  const of = ({ lookup }: Given): readonly unknown[] => {
    if (template.render(lookup) === undefined) return [undefined];
    const values = template.paths.map((path) => String(lookup(path)));
    const globOf = (lastIsFollowed: boolean): string =>
      values.reduce((glob, value, i) => {
        const behind = around[i + 1]!;
        const isFollowed = i < values.length - 1 || lastIsFollowed;
        return glob + escapeGlob(isFollowed ? ended(value, behind) : value) + behind;
      }, around[0]!);
    return [...new Set([globOf(false), globOf(true)])];
  };
  return { paths: template.paths, of };
}

/** A value as a key has it in front of that text and another placeholder. */
function ended(value: string, behind: string): string {
  const end = behind.replace(/^\\/, '')[0];
  if (end === undefined) return value;
  return value.replaceAll('\\', '\\\\').replaceAll(end, `\\${end}`);
}

/** Where a path leads from `value`; undefined: nowhere. */
export function walk(value: unknown, path: readonly string[]): unknown {
  for (const name of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
