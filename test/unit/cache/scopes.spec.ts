import { beforeEach, describe, expect, it } from '@jest/globals';
import { CallModes } from '../../../lib/cache/call-mode.js';
import { RequestMemos } from '../../../lib/cache/request-memo.js';
import { systemClock } from '../../../lib/common/clock.js';
import { Meter } from '../../../lib/observe/meter.js';

describe('scopes of calls', () => {
  let modes: CallModes;
  let memos: RequestMemos;
  let meter: Meter;

  beforeEach(() => {
    modes = new CallModes();
    memos = new RequestMemos();
    meter = new Meter(systemClock);
  });

  const within = <T>(fn: () => T): Promise<T> =>
    modes.run('bypass', () => memos.run(() => meter.scoped(fn))).then(({ result }) => result);

  const look = () => ({ mode: modes.mode, hasMemo: memos.current !== undefined });

  it('close — within a scope → nothing of it is known any more', async () => {
    await within(async () => {
      expect(look()).toEqual({ mode: 'bypass', hasMemo: true });
      for (const each of [modes, memos, meter]) each.close();
      expect(look()).toEqual({ mode: 'normal', hasMemo: false });
    });
  });

  it('close — never used, closed twice → nothing happens', () => {
    for (const each of [modes, memos, meter, modes, memos, meter]) each.close();
    expect(look()).toEqual({ mode: 'normal', hasMemo: false });
  });
});
