import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EvictJournal, type PendingEvict } from '../../../lib/cache/evict-journal.js';
import { Flights } from '../../../lib/cache/flights.js';
import type { CacheParts } from '../../../lib/cache/parts.js';
import { Reporter } from '../../../lib/observe/reporter.js';
import { ManualClock } from '../../contract/support/manual-clock.js';
import { Gate } from '../../support/gate.js';

describe('EvictJournal', () => {
  let clock: ManualClock;
  let journal: EvictJournal;
  const clear = jest.fn(async () => undefined);

  beforeEach(() => {
    clock = new ManualClock();
    const reporter = new Reporter({ clock, log: { warn: () => undefined } });
    const parts = { clock, reporter } as Partial<CacheParts> as CacheParts;
    journal = new EvictJournal(parts, { flights: new Flights(), clear });
    clear.mockClear();
  });

  const ofKey = (redisKey: string, run: PendingEvict['run'] = async () => undefined) =>
    journal.add({ name: `key ${redisKey}`, blocks: { redisKey }, run });
  const retried = async (): Promise<void> => {
    clock.advance(1_000);
    await new Promise(setImmediate);
  };

  it('R6 the key is evicted again, in vain, while the first evict is tried again → that one is still to be done', async () => {
    const gate = new Gate();
    ofKey('cache:kx', () => gate.pass());
    await retried();
    await gate.arrived();
    const second = jest.fn(async () => undefined);
    ofKey('cache:kx', second);
    gate.open();
    await new Promise(setImmediate);
    expect([journal.size, journal.blocks('cache:kx')]).toEqual([1, true]);
    await retried();
    expect(second).toHaveBeenCalledTimes(1);
    expect([journal.size, journal.blocks('cache:kx')]).toEqual([0, false]);
  });

  it('R6 as many as are remembered → one of them again is no more; another one is a clear of its namespace', async () => {
    for (let i = 0; i < 10_000; i++) ofKey(`cache:k${i}`);
    ofKey('cache:k7');
    expect([journal.size, journal.blocks('cache:kother')]).toEqual([10_000, false]);
    for (const key of ['cache:kmore', 'cache:keven more']) ofKey(key);
    expect([journal.size, journal.blocks('cache:kother')]).toEqual([10_001, true]);
    expect(await journal.close()).toBe(0);
    expect(clear.mock.calls).toEqual([['cache']]);
    expect(journal.blocks('cache:kother')).toBe(false);
  });
});
