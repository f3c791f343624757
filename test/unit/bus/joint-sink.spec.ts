import { describe, expect, it } from '@jest/globals';
import { JointSink, type JoinedSink } from '../../../lib/bus/joint-sink.js';

function join(): { told: string[]; joint: JointSink; a: JoinedSink; b: JoinedSink } {
  const told: string[] = [];
  const joint = new JointSink({
    open: () => told.push('open'),
    shut: () => told.push('shut'),
    distrust: () => told.push('distrust'),
    apply: ({ reason }) => told.push(reason),
  });
  return { told, joint, a: joint.join(), b: joint.join() };
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

  it('C10 a third joins while open → shut at once, open again when that one is', () => {
    const { told, joint, a, b } = join();
    a.open();
    b.open();
    const c = joint.join();
    expect(told).toEqual(['open', 'shut']);
    b.shut();
    c.open();
    expect(told).toEqual(['open', 'shut']);
    b.open();
    expect(told).toEqual(['open', 'shut', 'open']);
  });

  it('C10 one that has never opened leaves → no longer waited for', () => {
    const { told, a, b } = join();
    a.open();
    b.leave();
    expect(told).toEqual(['open']);
  });

  it('C10 one that was open shuts and leaves → shut, then open', () => {
    const { told, a, b } = join();
    a.open();
    b.open();
    b.shut();
    b.leave();
    expect(told).toEqual(['open', 'shut', 'open']);
  });

  it('one opens twice → told once', () => {
    const { told, a, b } = join();
    b.open();
    a.open();
    a.open();
    expect(told).toEqual(['open']);
  });

  it('what one of them hears → passed on, open or not', () => {
    const { told, a, b } = join();
    a.apply({ reason: 'evict', keys: [] });
    b.distrust();
    expect(told).toEqual(['evict', 'distrust']);
  });
});
