/**
 * The Redis key of one copy of a namespace's table. Behind the path of a key of the cache's own comes a letter, so none is
 * an entry; the braces are there to spread the copies over a cluster's slots.
 */
export function tableKeyOf(path: string, copy: number): string {
  return `${path}:{t${copy}}:g`;
}

/** The namespace of a key; a path holds no `:`. */
export function pathOf(redisKey: string): string {
  return redisKey.slice(0, redisKey.indexOf(':'));
}

/**
 * The copy that an entry belongs to. Every process must choose alike, those of another release too: a c0 means nothing in
 * another copy. FNV-1a over the UTF-16 units, folded.
 */
export function copyOf(redisKey: string, copies: number): number {
  if (copies === 1) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < redisKey.length; i++)
    hash = Math.imul(hash ^ redisKey.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 16)) & 0xffff) % copies;
}
