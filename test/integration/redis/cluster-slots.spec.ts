import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import type { Key } from '../../../lib/keys/encode-key.js';
import { hashSlot } from '../../../lib/keys/hash-slot.js';
import { KeySpace, lockKeyOf, refreshKeyOf } from '../../../lib/keys/key-space.js';
import { copyTags, tableKeyOf } from '../../../lib/tags/table-key.js';
import { sharedCluster } from '../../support/cluster.js';

/** How the client routes, unless it is told otherwise. */
const clientSlot = createRequire(createRequire(import.meta.url).resolve('ioredis'))(
  'cluster-key-slot',
) as (key: string) => number;

/** Everything that braces, escapes and bytes beyond ASCII could do to a slot. */
const CHARACTERS = [...Array.from('{}{}{}%:/ab \0\x7fé東😀'), '\ud800', '\udc00'];
const texts = fc
  .array(fc.constantFrom(...CHARACTERS), { minLength: 1, maxLength: 12 })
  .map((list) => list.join(''));
const keys = fc.oneof<fc.Arbitrary<Key>[]>(
  texts,
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
  texts.map((text) => text.padEnd(300, text)),
  fc.array(fc.oneof<fc.Arbitrary<string | number>[]>(texts, fc.integer()), {
    minLength: 1,
    maxLength: 3,
  }),
);

describe('slots', () => {
  let node: Redis;

  beforeAll(async () => {
    const [seed] = await sharedCluster();
    node = new Redis(`redis://${seed}`);
  }, 60_000);
  afterAll(() => node.disconnect());

  async function serverSlots(redisKeys: readonly string[]): Promise<number[]> {
    const pipeline = node.pipeline();
    for (const key of redisKeys) pipeline.cluster('KEYSLOT', key);
    return (await pipeline.exec())!.map(([, slot]) => slot as number);
  }

  it('T3 100 000 keys of ours → the server, the client and we name the same slot', async () => {
    const space = new KeySpace('shop/users');
    const redisKeys = fc
      .sample(keys, { numRuns: 33_334, seed: 16_384 })
      .map((key) => space.entry(key))
      .flatMap((key) => [key.redisKey, refreshKeyOf(key), lockKeyOf(key)]);
    expect(redisKeys.length).toBeGreaterThan(100_000);
    const expected = await serverSlots(redisKeys);
    expect(redisKeys.map(hashSlot)).toEqual(expected);
    expect(redisKeys.map(clientSlot)).toEqual(expected);
    expect(new Set(expected).size).toBeGreaterThan(10_000);
  }, 60_000);

  it('T3 keys of others → the server and we name the same slot', async () => {
    const redisKeys = fc
      .sample(texts, { numRuns: 20_000, seed: 1 })
      .map((text) => Buffer.from(text).toString());
    const expected = await serverSlots(redisKeys);
    expect(redisKeys.map(hashSlot)).toEqual(expected);
    // What the encoding protects from: a client that finds another slot for some of them.
    expect(redisKeys.map(clientSlot)).not.toEqual(expected);
  }, 60_000);

  it('T5 a lock and the lease of a refresh → on the slot of their key’s tag; tables on slots of their own', () => {
    const key = new KeySpace('shop').entry('{acme}:users');
    expect(hashSlot(refreshKeyOf(key))).toBe(hashSlot(key.redisKey));
    expect(hashSlot(lockKeyOf(key))).toBe(hashSlot(key.redisKey));
    const tables = copyTags(16).map((tag) => hashSlot(tableKeyOf('shop', tag)));
    expect(new Set(tables).size).toBe(16);
  });
});
