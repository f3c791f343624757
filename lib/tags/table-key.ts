import { hashSlot, SLOTS } from '../keys/hash-slot.js';

/**
 * The Redis key of one copy of a namespace's table. Behind the path of a key of the cache's own comes a letter, so none is
 * an entry; the braces are there to put the copies of a cluster where their entries are.
 */
export function tableKeyOf(path: string, tag: string): string {
  return `${path}:{${tag}}:g`;
}

/** The Redis key of the head of that copy: its clock and floor, to be read together with entries. */
export function headKeyOf(path: string, tag: string): string {
  return `${path}:{${tag}}:v`;
}

/** The namespace of a key; a path holds no `:`. */
export function pathOf(redisKey: string): string {
  return redisKey.slice(0, redisKey.indexOf(':'));
}

/**
 * The copy that an entry belongs to, each with an equal part of a cluster's slots. Every process must choose alike, those
 * of another release too: a c0 means nothing in another copy.
 */
export function copyOf(redisKey: string, copies: number): number {
  return copies === 1 ? 0 : Math.floor((hashSlot(redisKey) * copies) / SLOTS);
}

/**
 * What tells copies apart: hash tags whose slots lie around the middle of the part of each. As masters have ranges of slots,
 * an entry and the copy that says whether it is valid are nearly always on one of them, and fail together.
 */
export function copyTags(copies: number): readonly string[] {
  if (copies === 1) return ['t0'];
  const part = SLOTS / copies;
  return Array.from({ length: copies }, (_, copy) => {
    for (let i = 0; ; i++) {
      const fromMiddle = hashSlot(`t${i}`) - (copy + 0.5) * part;
      if (Math.abs(fromMiddle) < part / 8) return `t${i}`;
    }
  });
}
