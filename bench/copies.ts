import type { Redis } from 'ioredis';

/** Copied by one call of the script: other clients wait meanwhile. */
const COPIED_AT_ONCE = 5_000;
const COPY = `
local copied = 0
for i = ARGV[2], ARGV[3], ARGV[4] do
  copied = copied + redis.call('COPY', KEYS[1], ARGV[1] .. i, 'REPLACE')
end
return copied`;

/**
 * Copies the keys `PREFIX0`, `PREFIX1` and so on, `originals` of them, in turn until there are `total`. So a cache is filled
 * fast with entries of its own: nothing in a record belongs to its key.
 */
export async function copyUpTo(
  redis: Redis,
  { prefix, originals, total }: { prefix: string; originals: number; total: number },
): Promise<void> {
  const stride = COPIED_AT_ONCE * originals;
  let there = originals;
  for (let original = 0; original < originals; original++)
    for (let from = original + originals; from < total; from += stride) {
      const to = Math.min(from + stride, total) - 1;
      there += Number(await redis.eval(COPY, 1, prefix + original, prefix, from, to, originals));
    }
  if (there !== total) throw new Error(`There are ${there} entries instead of ${total}`);
}
