import { describe, expect, it, jest } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';

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
  flushing: Gate;
  closing: Gate;
  clock: ReturnType<typeof handClock>;
  lifecycle: CacheLifecycle;
} {
  const connecting = new Gate();
  const flushing = new Gate();
  const closing = new Gate();
  const clock = handClock();
  const cache = {
    connect: () => connecting.pass(),
    flush: () => flushing.pass(),
    close: () => closing.pass(),
  };
  const lifecycle = new CacheLifecycle(cache, 2_000, clock);
  return { connecting, flushing, closing, clock, lifecycle };
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

  it.each([
    ['beforeApplicationShutdown', 'flushing'],
    ['onApplicationShutdown', 'closing'],
  ] as const)('T11 %s → over when %s is', async (hook, name) => {
    const { lifecycle, [name]: gate } = setUp();
    const over = jest.fn();
    const end = lifecycle[hook]().then(over);
    await gate.arrived();
    await setImmediate();
    expect(over).not.toHaveBeenCalled();
    gate.open();
    await end;
  });

  it('T11 onApplicationShutdown — closing fails → with that error, and nothing keeps the process alive', async () => {
    const { closing, lifecycle } = setUp();
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    const before = timers();
    closing.fail(new Error('stuck'));
    await expect(lifecycle.onApplicationShutdown()).rejects.toThrow('stuck');
    expect(timers()).toBe(before);
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
