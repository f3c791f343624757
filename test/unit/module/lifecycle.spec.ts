import { describe, expect, it } from '@jest/globals';

import type { Clock } from '../../../lib/common/clock.js';
import { CacheLifecycle } from '../../../lib/module/lifecycle.js';
import { Gate } from '../../support/gate.js';

/** Timers that fire when the test says so. */
function handClock(): Clock & { timers: Map<() => void, number>; fire(): void } {
  const timers = new Map<() => void, number>();
  return {
    timers,
    now: () => 0,
    monotonic: () => 0,
    setTimer: (ms, fn) => (timers.set(fn, ms), fn),
    clearTimer: (timer) => timers.delete(timer as () => void),
    fire: () => timers.forEach((_, fn) => fn()),
  };
}

function setUp(): {
  connecting: Gate;
  closing: Gate;
  clock: ReturnType<typeof handClock>;
  lifecycle: CacheLifecycle;
} {
  const connecting = new Gate();
  const closing = new Gate();
  const clock = handClock();
  const cache = {
    connect: () => connecting.pass(),
    flush: async () => undefined,
    close: () => closing.pass(),
  };
  return { connecting, closing, clock, lifecycle: new CacheLifecycle(cache, 2_000, clock) };
}

describe('CacheLifecycle', () => {
  it('T10 constructor — made → nothing is opened', () => {
    expect(setUp().connecting.arrivals).toBe(0);
  });

  it('onModuleInit — connected → done, and no timer left', async () => {
    const { connecting, clock, lifecycle } = setUp();
    connecting.open();
    await lifecycle.onModuleInit();
    expect(clock.timers.size).toBe(0);
  });

  it('T10 onModuleInit — connecting never ends → goes on after the connect timeout', async () => {
    const { connecting, clock, lifecycle } = setUp();
    const init = lifecycle.onModuleInit();
    await connecting.arrived();
    expect([...clock.timers.values()]).toEqual([2_000]);
    clock.fire();
    await init;
    expect(clock.timers.size).toBe(0);
  });

  it('onModuleInit — connecting refuses → the start fails with that error', async () => {
    const { connecting, clock, lifecycle } = setUp();
    connecting.fail(new Error('refused'));
    await expect(lifecycle.onModuleInit()).rejects.toThrow('refused');
    expect(clock.timers.size).toBe(0);
  });

  it('T11 onApplicationShutdown — twice, at once and later → closed once', async () => {
    const { closing, lifecycle } = setUp();
    const both = Promise.all([
      lifecycle.onApplicationShutdown(),
      lifecycle.onApplicationShutdown(),
    ]);
    closing.open();
    await both;
    await lifecycle.onApplicationShutdown();
    expect(closing.arrivals).toBe(1);
  });
});
