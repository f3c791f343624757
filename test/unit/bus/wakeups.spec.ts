import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Wakeups } from '../../../lib/bus/wakeups.js';

describe('Wakeups', () => {
  async function isWoken(woken: Promise<void>): Promise<boolean> {
    return Promise.race([woken.then(() => true), turn(false)]);
  }

  it('wake — several parties wait for the key, one for another → all of that key and nobody else', async () => {
    const wakeups = new Wakeups();
    const [first, second, other] = [
      wakeups.expect('a'),
      wakeups.expect('a'),
      wakeups.expect('b'),
    ] as const;
    wakeups.wake('a');
    expect(await isWoken(first.woken)).toBe(true);
    expect(await isWoken(second.woken)).toBe(true);
    expect(await isWoken(other.woken)).toBe(false);
    expect(wakeups.size).toBe(1);
  });

  it('L3 wake — a party waits by then → it is woken', async () => {
    const wakeups = new Wakeups();
    const { woken } = wakeups.expect('a');
    wakeups.wake('a');
    expect(await isWoken(woken)).toBe(true);
  });

  it('wake — nobody waits → nothing is kept for those who come later', async () => {
    const wakeups = new Wakeups();
    wakeups.wake('a');
    expect(wakeups.size).toBe(0);
    expect(await isWoken(wakeups.expect('a').woken)).toBe(false);
  });

  it('wakeAll — parties of several keys → all', async () => {
    const wakeups = new Wakeups();
    const expectations = ['a', 'b', 'c'].map((key) => wakeups.expect(key));
    wakeups.wakeAll();
    for (const { woken } of expectations) expect(await isWoken(woken)).toBe(true);
    expect(wakeups.size).toBe(0);
  });

  it('cancel — the last party, twice → the key is gone, and a new one is not taken for it', () => {
    const wakeups = new Wakeups();
    const [first, second] = [wakeups.expect('a'), wakeups.expect('a')] as const;
    first.cancel();
    first.cancel();
    expect(wakeups.size).toBe(1);
    second.cancel();
    expect(wakeups.size).toBe(0);
    wakeups.expect('a');
    second.cancel();
    expect(wakeups.size).toBe(1);
  });

  it('cancel — after the wake, while others wait anew → they still wait', async () => {
    const wakeups = new Wakeups();
    const before = wakeups.expect('a');
    wakeups.wake('a');
    const after = wakeups.expect('a');
    before.cancel();
    wakeups.wake('a');
    expect(await isWoken(after.woken)).toBe(true);
  });
});
