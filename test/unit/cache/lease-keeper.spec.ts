import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { deferred } from '../../../lib/common/async.js';
import { CacheTimeoutError } from '../../../lib/common/errors.js';
import { Flight } from '../../../lib/cache/flights.js';
import type { CacheParts } from '../../../lib/cache/parts.js';
import { KeptLease, LeaseKeeper } from '../../../lib/cache/read/lease-keeper.js';
import type { EntryStore } from '../../../lib/store/entry-store.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const TTL_MS = 3_000;
const PERIOD_MS = TTL_MS / 3;

describe('LeaseKeeper', () => {
  let clock: ManualClock;
  let keeper: LeaseKeeper;
  const renew = jest.fn<EntryStore['renew']>();
  const release = jest.fn<EntryStore['release']>();
  const onLost = jest.fn<(flight: Flight) => void>();

  beforeEach(() => {
    clock = new ManualClock();
    renew.mockReset().mockResolvedValue(true);
    release.mockReset().mockResolvedValue(true);
    onLost.mockReset();
    const parts = { clock, store: { renew, release }, settings: { lease: { ttlMs: TTL_MS } } };
    keeper = new LeaseKeeper(parts as unknown as CacheParts, onLost);
  });

  function kept(key = 'k'): KeptLease {
    const lease = new KeptLease(key, `token of ${key}`, new Flight(key));
    keeper.keep(lease);
    return lease;
  }
  const renewed = (): string[] => renew.mock.calls.splice(0).map(([key]) => key);
  const answered = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('L6 leases of loads that run → each is prolonged every third of its life, those taken at once together', () => {
    kept('first');
    clock.advance(0.05 * PERIOD_MS);
    kept('at once');
    clock.advance(0.45 * PERIOD_MS);
    kept('later');
    for (let i = 0; i < 3; i++) {
      clock.advance(0.5 * PERIOD_MS);
      expect(renewed()).toEqual(['first', 'at once']);
      clock.advance(0.5 * PERIOD_MS);
      expect(renewed()).toEqual(['later']);
    }
    expect(clock.pendingTimers).toBe(1);
  });

  it('L6 the load has ended → its lease is not prolonged, and no timer is left', () => {
    const [first, second] = [kept('first'), kept('second')];
    keeper.stop(first);
    clock.advance(PERIOD_MS);
    expect(renewed()).toEqual(['second']);
    keeper.stop(second);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(0.5 * PERIOD_MS);
    kept('third');
    expect(clock.pendingTimers).toBe(1);
    clock.advance(PERIOD_MS);
    expect(renewed()).toEqual(['third']);
  });

  it('L6 the lease is lost → its load is told once, and it is not prolonged any more', async () => {
    renew.mockResolvedValueOnce(false);
    const { flight } = kept();
    clock.advance(PERIOD_MS);
    await answered();
    clock.advance(TTL_MS);
    await answered();
    expect(onLost.mock.calls).toEqual([[flight]]);
    expect(renewed()).toEqual(['k']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('L6 the load has ended before the answer → nobody is told that its lease is gone', async () => {
    const answer = deferred<boolean>();
    renew.mockReturnValueOnce(answer.promise);
    const lease = kept();
    clock.advance(PERIOD_MS);
    keeper.stop(lease);
    answer.resolve(false);
    await answered();
    expect(onLost).not.toHaveBeenCalled();
  });

  it('L6 R6 Redis does not answer → prolonged when it is due again, and nothing is unhandled', async () => {
    renew.mockRejectedValueOnce(new CacheTimeoutError('late'));
    kept();
    clock.advance(PERIOD_MS);
    await answered();
    clock.advance(PERIOD_MS);
    await answered();
    expect(renewed()).toEqual(['k', 'k']);
    expect(onLost).not.toHaveBeenCalled();
  });

  it('L4 given back → released at once, by its token and only once, and its load is told', async () => {
    release.mockRejectedValueOnce(new CacheTimeoutError('late'));
    const lease = kept();
    await keeper.giveBack(lease);
    await keeper.giveBack(lease);
    expect(release.mock.calls).toEqual([['k', { token: 'token of k', holdMs: 0 }]]);
    expect(onLost.mock.calls).toEqual([[lease.flight]]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('T11 given up → all are given back before it is over, and none is to be taken any more', async () => {
    const answer = deferred<boolean>();
    release.mockReturnValueOnce(answer.promise);
    for (const key of ['first', 'second']) kept(key);
    let isOver = false;
    const givenUp = keeper.giveUp().then(() => (isOver = true));
    expect(keeper.hasGivenUp).toBe(true);
    await answered();
    expect(release.mock.calls.map(([key]) => key)).toEqual(['first', 'second']);
    expect(isOver).toBe(false);
    answer.resolve(true);
    await givenUp;
  });
});
