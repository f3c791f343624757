import { describe, expect, it } from '@jest/globals';
import { Meter } from '../../../lib/observe/meter.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

describe('Meter', () => {
  it('O2 wait — what is waited for fails → its time counts all the same', async () => {
    const clock = new ManualClock();
    const meter = new Meter(clock);
    const failing = async (): Promise<never> => {
      clock.advance(7);
      throw new Error('the load failed');
    };
    const key = { given: 'k', redisKey: 'shop:kk' };
    await expect(meter.wait('process', key, failing)).rejects.toThrow('the load failed');
    expect([meter.total.joins, meter.total.waitMs]).toEqual([1, 7]);
  });

  it('O5 close — within a scope → it counts no more', async () => {
    const meter = new Meter(new ManualClock());
    const { counters } = await meter.scoped(() => {
      meter.count('misses');
      meter.close();
      meter.count('misses');
    });
    expect([counters.misses, meter.total.misses]).toEqual([1, 2]);
  });
});
