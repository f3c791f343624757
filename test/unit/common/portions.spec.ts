import { describe, expect, it } from '@jest/globals';
import { portionsOf } from '../../../lib/common/portions.js';

describe('portionsOf', () => {
  it.each([
    [[], []],
    [[1, 2], [[1, 2]]],
    [
      [1, 2, 3],
      [[1, 2], [3]],
    ],
    [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ])('%j, at most two → %j', (items, portions) => {
    expect([...portionsOf(items, 2)]).toEqual(portions);
  });
});
