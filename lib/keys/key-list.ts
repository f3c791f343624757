import type { Key } from './encode-key.js';

/**
 * What is to be evicted: one key, or a list. An array of nothing but strings is both, since to evict one entry too many
 * does no harm.
 */
export function keysOf(given: Key | readonly Key[]): readonly Key[] {
  if (!Array.isArray(given)) return [given as Key];
  if (given.length === 0) return [];
  if (given.every((part) => typeof part === 'string')) return [...given, given];
  return given.some((part) => Array.isArray(part)) ? given : [given as Key];
}
