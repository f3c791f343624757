import { describe, expect, it } from '@jest/globals';
import { hashSlot } from '../../../lib/keys/hash-slot.js';

describe('hashSlot', () => {
  // The first is the check value of CRC16/XMODEM, the others are what a server answers to CLUSTER KEYSLOT.
  it.each([
    ['123456789', 0x31c3 % 16_384],
    ['', 0],
    ['foo', 12_182],
    ['cache:kZürich%20東京%20😀', 9_441],
  ])('T3 %p → %p', (key, slot) => {
    expect(hashSlot(key)).toBe(slot);
  });

  it.each([
    ['{user1000}.following', 3_443],
    ['foo{bar}{zap}', 5_061],
    ['}{bar}', 5_061],
    ['foo{{bar}}zap', 4_015],
    ['foo{}{bar}', 8_363],
    ['foo{bar', 15_278],
  ])('T4 braces in %p → %p', (key, slot) => {
    expect(hashSlot(key)).toBe(slot);
  });
});
