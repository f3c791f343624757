import { describe, expect, it } from '@jest/globals';
import { ServerClock } from '../../../lib/bus/server-clock.js';

type Ways = readonly [number, number];

const AHEAD = 1_000_000;

/** An answer to a question of that moment, and what the ways there and back took. */
function ask(clock: ServerClock, askedAt: number, [there, back]: Ways, ahead = AHEAD): void {
  clock.answered(askedAt + there + ahead, { askedAt, answeredAt: askedAt + there + back });
}

describe('ServerClock', () => {
  it('nothing asked → nothing known', () => {
    expect(new ServerClock().aheadMs).toBeUndefined();
  });

  it('both ways took the same → exact', () => {
    const clock = new ServerClock();
    ask(clock, 500, [3, 3]);
    expect(clock.aheadMs).toBe(AHEAD);
  });

  it('later answers that took long, one way or the other → what is known stays', () => {
    const clock = new ServerClock();
    ask(clock, 0, [1, 1]);
    for (const ways of [
      [49, 0],
      [0, 49],
      [20, 5],
      [5, 20],
    ] as const) {
      ask(clock, 100, ways);
      expect(clock.aheadMs).toBe(AHEAD);
    }
  });

  it('a first answer that took long → wrong by half of that, until a quicker one says so', () => {
    const clock = new ServerClock();
    ask(clock, 0, [40, 0]);
    expect(clock.aheadMs).toBe(AHEAD + 20);
    ask(clock, 100, [1, 1]);
    expect(clock.aheadMs).toBe(AHEAD);
  });

  it('a first answer that took all its time one way → a later one that took as long, both ways alike, is believed', () => {
    const clock = new ServerClock();
    ask(clock, 0, [40, 0]);
    ask(clock, 100, [20, 20]);
    expect(clock.aheadMs).toBe(AHEAD);
  });

  it('all answers take long → within half of that', () => {
    const clock = new ServerClock();
    for (const ways of [
      [300, 0],
      [0, 300],
      [200, 50],
    ] as const)
      ask(clock, 0, ways);
    expect(Math.abs(clock.aheadMs! - AHEAD)).toBeLessThanOrEqual(150);
  });

  it('an answer that took long, and contradicts → believed', () => {
    const clock = new ServerClock();
    ask(clock, 0, [1, 1]);
    ask(clock, 100, [100, 100], AHEAD + 5_000);
    expect(clock.aheadMs).toBe(AHEAD + 5_000);
  });

  it.each([-5_000, 5_000])('the clock of the server jumps by %d ms → followed at once', (by) => {
    const clock = new ServerClock();
    ask(clock, 0, [1, 1]);
    ask(clock, 100, [10, 10], AHEAD + by);
    expect(clock.aheadMs).toBe(AHEAD + by);
  });

  it('the clocks drift apart → never wrong by more than a trip', () => {
    const clock = new ServerClock();
    for (let i = 0; i < 10_000; i++) {
      const ahead = AHEAD + i * 0.05;
      ask(clock, i * 1_000, [1, 2], ahead);
      expect(Math.abs(clock.aheadMs! - ahead)).toBeLessThan(2.001);
    }
  });
});
