import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { deferred, untilAborted } from '../../../lib/common/async.js';

describe('untilAborted', () => {
  const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

  it('many wait for one signal → one listener, and none when nobody waits any more', async () => {
    const { signal } = new AbortController();
    for (let round = 0; round < 2; round++) {
      const gates = Array.from({ length: 20 }, () => deferred<number>());
      const waits = gates.map(({ promise }) => untilAborted(promise, signal));
      expect(listeners(signal)).toBe(1);
      gates.slice(1).forEach(({ resolve }, i) => resolve(i));
      await Promise.all(waits.slice(1));
      expect(listeners(signal)).toBe(1);
      gates[0]!.resolve(7);
      expect(await waits[0]).toBe(7);
      expect(listeners(signal)).toBe(0);
    }
  });

  it('the signal aborts → all who wait get its reason, those who have their result keep it', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const early = untilAborted(Promise.resolve(1), controller.signal);
    const never = [1, 2].map(() => untilAborted(new Promise(() => undefined), controller.signal));
    expect(await early).toBe(1);
    const ended = Promise.allSettled(never);
    controller.abort(reason);
    expect(await ended).toEqual(never.map(() => ({ status: 'rejected', reason })));
    await nextTurn();
    expect(listeners(controller.signal)).toBe(0);
    await expect(untilAborted(Promise.resolve(1), controller.signal)).rejects.toBe(reason);
  });
});
