import { describe, expect, it } from '@jest/globals';
import type { InvalidationSink } from '../../../lib/bus/invalidation-sink.js';
import { JointSink } from '../../../lib/bus/joint-sink.js';

function join(): { told: string[]; a: InvalidationSink; b: InvalidationSink } {
  const told: string[] = [];
  const joint = new JointSink({
    open: () => told.push('open'),
    shut: () => told.push('shut'),
    distrust: () => told.push('distrust'),
    apply: ({ reason }) => told.push(reason),
  });
  return { told, a: joint.join(), b: joint.join() };
}

describe('JointSink', () => {
  it('C4 one of two opens → not open; both → open; one shuts → shut, once', () => {
    const { told, a, b } = join();
    a.open();
    expect(told).toEqual([]);
    b.open();
    expect(told).toEqual(['open']);
    b.shut();
    a.shut();
    expect(told).toEqual(['open', 'shut']);
    a.open();
    b.open();
    expect(told).toEqual(['open', 'shut', 'open']);
  });

  it('C4 one comes and goes while the other has never opened → never open', () => {
    const { told, a } = join();
    for (let i = 0; i < 2; i++) {
      a.open();
      a.shut();
    }
    expect(told).toEqual([]);
  });

  it('what one of them hears → passed on, open or not', () => {
    const { told, a, b } = join();
    a.apply({ reason: 'evict', keys: [] });
    b.distrust();
    expect(told).toEqual(['evict', 'distrust']);
  });
});
