import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { isCacheError } from '../../lib/common/errors.js';
import { compileGlob, escapeGlob, type Glob } from '../../lib/keys/glob.js';

/** One byte each in UTF-8, so that a character of ours is one of Redis', and all that means something in a pattern. */
const KEY_CHARACTERS = Array.from('abcd-^]*?[\\!');
const GLOB_PIECES = [
  ...KEY_CHARACTERS,
  '*',
  '*',
  '?',
  '[a-c]',
  '[^a-c]',
  '[',
  ']',
  '[ab]',
  '[^',
  '\\',
];

describe('globs, against MATCH of Redis', () => {
  const namespace = `glob-${randomUUID()}:`;
  const texts = new Set(
    fc.sample(fc.string({ unit: fc.constantFrom(...KEY_CHARACTERS), minLength: 1, maxLength: 6 }), {
      numRuns: 400,
      seed: 1,
    }),
  );
  let redis: Redis;

  beforeAll(async () => {
    redis = new Redis(process.env.TEST_REDIS_URL!);
    // A set of its own: SSCAN matches as SCAN does, and looks at nothing else.
    await redis.sadd(namespace, ...texts);
    await redis.expire(namespace, 60);
  });
  afterAll(async () => {
    await redis.del(namespace);
    redis.disconnect();
  });

  async function matchedByRedis(glob: string): Promise<string[]> {
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, some] = await redis.sscan(namespace, cursor, 'MATCH', glob, 'COUNT', 1000);
      found.push(...some);
      cursor = next;
    } while (cursor !== '0');
    return found.toSorted();
  }

  /** Undefined where we refuse what Redis takes in some way. */
  function compiled(glob: string): Glob | undefined {
    try {
      return compileGlob(glob);
    } catch (error) {
      if (isCacheError(error)) return undefined;
      throw error;
    }
  }

  it('G6 any glob, any key → the same keys', async () => {
    const globs = fc.array(fc.constantFrom(...GLOB_PIECES), { minLength: 1, maxLength: 8 });
    let compared = 0;
    let matches = 0;
    await fc.assert(
      fc.asyncProperty(globs, async (pieces) => {
        const text = pieces.join('');
        const glob = compiled(text);
        if (!glob) return;
        const found = await matchedByRedis(text);
        expect([...texts].filter((key) => glob.matches(key)).toSorted()).toEqual(found);
        compared++;
        matches += found.length;
      }),
      { numRuns: 2_000 },
    );
    expect(compared).toBeGreaterThan(800);
    expect(matches).toBeGreaterThan(1_000);
  });

  it('escapeGlob — any key → Redis, too, matches it alone', async () => {
    for (const text of texts) expect(await matchedByRedis(escapeGlob(text))).toEqual([text]);
  });
});
