import { describe, expect, it } from '@jest/globals';
import { fmix32, murmur3 } from '../../../lib/common/hash.js';

describe('murmur3', () => {
  /** Published results of other implementations: the empty text, each length of the tail, text beyond ASCII. */
  it.each([
    ['', 0, 0x00000000],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['abc', 0, 0xb3dd93fa],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
  ])('%j with seed %i → as published', (text, seed, hash) => {
    expect(murmur3(text, seed)).toBe(hash);
  });

  it('without a seed → seed 0', () => {
    expect(murmur3('test')).toBe(0xba6bd213);
  });
});

describe('fmix32', () => {
  it.each([
    [0, 0],
    [1, 0x514e28b7],
    [0xffffffff, 0x81f16f39],
    [-1, 0x81f16f39],
  ])('%i → as published', (hash, mixed) => {
    expect(fmix32(hash)).toBe(mixed);
  });
});
