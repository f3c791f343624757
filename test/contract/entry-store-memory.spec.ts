import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryEntryStore } from '../../lib/store/memory-entry-store.js';
import { ManualClock } from './support/manual-clock.js';
import { bodyOf, newId } from './support/records.js';

const stored = { body: bodyOf(), softMs: 0, ttlMs: 1_000 };

describe('MemoryEntryStore and time', () => {
  let clock: ManualClock;
  let store: MemoryEntryStore;

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryEntryStore({ clock, instance: 'me', onWake: () => undefined });
  });

  it('a value — lives exactly as long as its ttl', async () => {
    await store.write('k', { ...stored, newId: newId() });
    clock.advance(999);
    expect((await store.inspect('k'))!.ttlMs).toBe(1);
    clock.advance(1);
    expect(await store.read('k')).toBeNull();
    expect(await store.inspect('k')).toBeNull();
    expect(await store.evict('k')).toBe(false);
  });

  it('the wall clock jumps — no key dies or lives longer; softAt is wall time', async () => {
    await store.write('k', { ...stored, newId: newId(), softMs: 500 });
    expect((await store.read('k'))!.readDoubleBE(24)).toBe(clock.now() + 500);
    for (const jumpMs of [3_600_000, -7_200_000]) {
      clock.wallOffsetMs += jumpMs;
      expect((await store.inspect('k'))!.ttlMs).toBe(1_000);
    }
  });

  it('a lease — runs out without its renewal, and is then lost', async () => {
    const token = newId();
    await store.acquire('k', { token, leaseMs: 100, reject: '' });
    clock.advance(99);
    expect(await store.renew('k', { token, leaseMs: 100 })).toBe(true);
    clock.advance(99);
    expect((await store.inspect('k'))!.ttlMs).toBe(1);
    clock.advance(1);
    expect(await store.renew('k', { token, leaseMs: 100 })).toBe(false);
    expect(await store.fill('k', { ...stored, expectId: token, newId: token })).toBe(false);
  });

  it('dead keys that nobody touches — are swept, and the timer ends with the last', async () => {
    for (let i = 0; i < 25_000; i++) await store.write(`k${i}`, { ...stored, newId: newId() });
    clock.advance(5_000);
    expect(clock.pendingTimers).toBe(0);
    await store.write('later', { ...stored, newId: newId() });
    expect(clock.pendingTimers).toBe(1);
  });

  it('close — forgets everything, and leaves no timer', async () => {
    await store.write('k', { ...stored, newId: newId() });
    store.close();
    expect(await store.read('k')).toBeNull();
    expect(clock.pendingTimers).toBe(0);
  });
});
