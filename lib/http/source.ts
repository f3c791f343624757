import type { ExecutionContext } from '@nestjs/common';
import { CacheOptionsError } from '../common/errors.js';
import type { Key } from '../keys/encode-key.js';
import { compileGlob, escapeGlob } from '../keys/glob.js';
import { keysOf } from '../keys/key-list.js';
import type { KeyTemplate } from '../keys/key-template.js';
import type { HttpRequest } from './http-exchange.js';
import { compileTemplate, type KeySource } from './key-source.js';
import { lookupIn } from './lookup.js';

/** The keys, tags or globs that an option stands for in one request; undefined among them: a value is missing. */
export type Source = (context: ExecutionContext, result: unknown) => readonly unknown[];

/** What a key's function gives may be several. */
export function keysFrom(sources: readonly KeySource<[ExecutionContext, unknown]>[]): Source {
  return (context, result) => {
    const lookup = lookupOf(context, result);
    return sources.flatMap((source): readonly unknown[] => {
      const given = source.of(lookup, [context, result]);
      return source.isComputed && given != null ? keysOf(given as Key) : [given];
    });
  };
}

export function tagsFrom(templates: readonly KeyTemplate[]): Source {
  return (context, result) => {
    const lookup = lookupOf(context, result);
    return templates.map((template) => template.render(lookup));
  };
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
  return (context, result) => {
    const lookup = lookupOf(context, result);
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
}

/** A value as a key has it in front of that text and another placeholder. */
function ended(value: string, behind: string): string {
  const end = behind.replace(/^\\/, '')[0];
  if (end === undefined) return value;
  return value.replaceAll('\\', '\\\\').replaceAll(end, `\\${end}`);
}

function lookupOf(context: ExecutionContext, result: unknown): ReturnType<typeof lookupIn> {
  return lookupIn(context.switchToHttp().getRequest<HttpRequest>(), result);
}
