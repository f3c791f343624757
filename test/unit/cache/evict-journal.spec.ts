import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EvictJournal, type PendingEvict } from '../../../lib/cache/evict-journal.js';
import { Flights } from '../../../lib/cache/flights.js';
import type { CacheParts } from '../../../lib/cache/parts.js';
import { Reporter } from '../../../lib/observe/reporter.js';
import { ManualClock } from '../../contract/support/manual-clock.js';
import { Gate } from '../../support/gate.js';

describe('EvictJournal', () => {
  let clock: ManualClock;
  let flights: Flights;
  let journal: EvictJournal;
  const clear = jest.fn(async () => undefined);

  beforeEach(() => {
    clock = new ManualClock();
    const reporter = new Reporter({ clock, log: { warn: () => undefined } });
    const parts = { clock, reporter } as Partial<CacheParts> as CacheParts;
    flights = new Flights();
    journal = new EvictJournal(parts, { flights, clear });
    clear.mockClear();
  });

  const ofKey = (redisKey: string, run: PendingEvict['run'] = async () => undefined) =>
    journal.add({ name: `key ${redisKey}`, blocks: { redisKey }, run });
  const ofTag = (tag: string, run: PendingEvict['run']) =>
    journal.add({ name: `tags cache ${tag}`, blocks: { path: 'cache' }, run });
  const down = (): Promise<never> => Promise.reject(new Error('down'));
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

  it('R6 evicts of one namespace, one of them called twice → it is bypassed until each has got through', async () => {
    const runs = { a: jest.fn(down), b: jest.fn(down) };
    for (const tag of ['a', 'a', 'b'] as const) ofTag(tag, runs[tag]);
    ofKey('another:kx', down);
    runs.a.mockImplementation(async () => undefined as never);
    await retried();
    expect([journal.size, journal.blocks('cache:kx'), journal.blocks('other:kx')]).toEqual([
      2,
      true,
      false,
    ]);
    runs.b.mockImplementation(async () => undefined as never);
    await retried();
    expect([journal.size, journal.blocks('cache:kx')]).toEqual([1, false]);
    expect([runs.a, runs.b].map((run) => run.mock.calls.length)).toEqual([1, 2]);
  });

  it('G4 an evict by tag fails while something is loaded → nobody joins that load, in this namespace alone', () => {
    const forever = () => new Promise<never>(() => undefined);
    for (const key of ['cache:kx', 'other:kx']) flights.lead(key, forever);
    ofTag('a', down);
    expect(flights.joinable('cache:kx')).toBeUndefined();
    expect(flights.joinable('other:kx')).toBeDefined();
  });

  it('R6 Redis stays away → tried less and less often; it has been there → as often as at first', async () => {
    const triedAt: number[] = [];
    const run = jest.fn(async () => {
      triedAt.push(clock.monotonic());
      if (triedAt.length < 8) await down();
    });
    const passes = async (ms: number): Promise<void> => {
      for (let i = 0; i < ms / 50; i++) {
        clock.advance(50);
        await new Promise(setImmediate);
      }
    };
    ofKey('cache:kx', run);
    await passes(6_000);
    expect(triedAt).toEqual([50, 150, 350, 750, 1_550, 2_550, 3_550, 4_550]);
    expect(clock.pendingTimers).toBe(0);
    ofKey('cache:kx', run);
    await passes(50);
    expect(triedAt.at(-1)).toBe(6_050);
  });

  it('R6 many wait → a few at a time are tried, and the others only where one of these gets through', async () => {
    const run = jest.fn(down);
    for (let i = 0; i < 200; i++) ofKey(`cache:k${i}`, run);
    await retried();
    expect(run).toHaveBeenCalledTimes(64);
    const isBack = jest.fn(async () => undefined);
    ofKey('cache:k0', isBack);
    await retried();
    expect([isBack.mock.calls.length, run.mock.calls.length]).toEqual([1, 64 + 63 + 64]);
    run.mockImplementation(async () => undefined as never);
    await retried();
    expect(journal.size).toBe(0);
  });

  it('K6 T11 close → waits for evicts that run, tries what is left once more, and no longer', async () => {
    const gate = new Gate();
    const run = jest.fn(down);
    const evicting = journal.run('x', () => gate.pass());
    ofKey('cache:kx', run);
    expect([journal.refuse(), journal.refuse()]).toEqual([true, false]);
    expect(() => journal.run('x', async () => undefined)).toThrow('nothing can be evicted');
    const closing = journal.close();
    await new Promise(setImmediate);
    expect(run).not.toHaveBeenCalled();
    gate.open();
    expect([await closing, run.mock.calls.length, clock.pendingTimers]).toEqual([1, 1, 0]);
    await evicting;
    await retried();
    expect([run.mock.calls.length, clock.pendingTimers]).toEqual([1, 0]);
  });

  it('K6 T11 close, while some are tried again in vain → not tried any more after that', async () => {
    const gate = new Gate();
    const run = jest.fn(() => gate.pass());
    ofKey('cache:kx', run);
    await retried();
    await gate.arrived();
    const closing = journal.close();
    await gate.arrived(2);
    gate.fail(new Error('down'));
    expect(await closing).toBe(1);
    await retried();
    expect([run.mock.calls.length, clock.pendingTimers]).toEqual([2, 0]);
  });

  it('K6 T11 close, evicts that have ended, however → not remembered', async () => {
    const failing = journal.run('x', down);
    await expect(failing).rejects.toThrow('down');
    await journal.run('x', async () => undefined);
    await new Promise(setImmediate);
    expect(journal['running'].size).toBe(0);
  });
});
