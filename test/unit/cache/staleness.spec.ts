import { describe, expect, it } from '@jest/globals';
import { headStartMs, isDue, type RefreshAhead } from '../../../lib/cache/staleness.js';
import { seeded } from '../../support/seeded.js';

const DRAWS = 20_000;

/** The share of reads that refresh a value of 100 s whose load took `costMs`, `freshMs` before its end. */
function rate(freshMs: number, costMs: number, ahead: RefreshAhead, seed = 1): number {
  const random = seeded(seed);
  let due = 0;
  for (let i = 0; i < DRAWS; i++)
    if (isDue({ lifeMs: 100_000, freshMs, costMs }, ahead, random)) due++;
  return due / DRAWS;
}

/** Five standard deviations of a share of so many draws: by chance not once in a million. */
const fiveSigma = (share: number): number => 5 * Math.sqrt((share * (1 - share)) / DRAWS) + 1e-9;

describe('E2 isDue — beta', () => {
  it.each([
    [10_000, 1_000, 1],
    [1_000, 1_000, 1],
    [100, 1_000, 1],
    [5_000, 1_000, 3],
    [1_000, 1_000, 0.25],
    [2_000, 20_000, 1],
  ])(
    '%d ms before the end, a load of %d ms, beta %d → exp(-left / (beta * cost))',
    (left, cost, beta) => {
      const share = Math.exp(-left / (beta * cost));
      for (const seed of [1, 2])
        expect(Math.abs(rate(left, cost, { after: 1, beta }, seed) - share)).toBeLessThan(
          fiveSigma(share),
        );
    },
  );

  it('at the end → certain; without a cost, or with beta 0 → never before it', () => {
    expect(rate(0, 1_000, { after: 1, beta: 1 })).toBe(1);
    expect(rate(1, 0, { after: 1, beta: 1 })).toBe(0);
    expect(rate(1, 1_000, { after: 1 })).toBe(0);
    const unknown = { lifeMs: 100, freshMs: 1, costMs: undefined };
    expect(isDue(unknown, { after: 1, beta: 1 }, () => 0.999_999)).toBe(false);
  });

  it('after → certain from there on, whatever beta says', () => {
    const ahead = { after: 0.8, beta: 1 };
    expect(rate(20_000, 1, ahead)).toBe(1);
    expect(rate(20_001, 1, ahead)).toBe(0);
  });

  it('a value that does not expire → never', () => {
    const life = { lifeMs: 100, freshMs: Infinity, costMs: 1e9 };
    expect(isDue(life, { after: 0.01, beta: 9 }, () => 0.999_999)).toBe(false);
  });

  it('a thousand readers at random moments → refreshed early, by few of them', () => {
    const random = seeded(7);
    const costMs = 500;
    const due = (at: number): boolean =>
      isDue({ lifeMs: 100_000, freshMs: 100_000 - at, costMs }, { after: 1, beta: 1 }, random);
    let refreshes = 0;
    const rounds = 100;
    for (let round = 0; round < rounds; round++) {
      const reads = Array.from({ length: 1_000 }, () => random() * 100_000).sort((a, b) => a - b);
      const first = reads.find(due);
      if (first === undefined) continue;
      // Those who come while it loads would begin another one, were there no lease.
      refreshes += 1 + reads.filter((at) => at > first && at < first + costMs).filter(due).length;
    }
    expect(refreshes / rounds).toBeGreaterThan(0.9);
    expect(refreshes / rounds).toBeLessThan(3);
  });
});

describe('E2 headStartMs', () => {
  it('its mean → beta times the cost; never negative, never infinite', () => {
    const random = seeded(3);
    const draws = Array.from({ length: DRAWS }, () => headStartMs(200, 1.5, random));
    const mean = draws.reduce((sum, ms) => sum + ms, 0) / DRAWS;
    // The deviation of an exponential variable is its mean.
    expect(Math.abs(mean - 300)).toBeLessThan((5 * 300) / Math.sqrt(DRAWS));
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect([headStartMs(200, 1, () => 0), headStartMs(0, 1, random)].map(Math.abs)).toEqual([0, 0]);
    expect(headStartMs(1, 1, () => 1 - 2 ** -53)).toBeLessThan(40);
  });
});
