import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Heartbeat } from '../../../lib/bus/heartbeat.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

describe('Heartbeat', () => {
  let clock: ManualClock;
  let heartbeat: Heartbeat;
  const sent: number[] = [];
  const onSilence = jest.fn();
  /** What becomes of a beat that is sent. */
  let deliver: (beat: string) => void;

  beforeEach(() => {
    sent.length = 0;
    onSilence.mockClear();
    clock = new ManualClock();
    deliver = (beat) => heartbeat.heard(beat);
    const send = (beat: string): void => {
      sent.push(clock.monotonic());
      deliver(beat);
    };
    heartbeat = new Heartbeat({ clock, send, onSilence });
  });

  /** Lets time pass in small steps, with turns of the event loop, after which what is due expires. */
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      for (let i = 0; i < 4; i++) await turn();
    }
  }

  it('start — beats come back → at first in quick succession, then one a second, never silence', async () => {
    heartbeat.start();
    await pass(10_000);
    expect(sent).toEqual([
      0, 50, 150, 350, 750, 1550, 2550, 3550, 4550, 5550, 6550, 7550, 8550, 9550,
    ]);
    expect(onSilence).not.toHaveBeenCalled();
  });

  it('start — no beat ever comes back → silence three seconds later, once, and no beat afterwards', async () => {
    deliver = () => undefined;
    heartbeat.start();
    await pass(2_990);
    expect(onSilence).not.toHaveBeenCalled();
    await pass(20);
    const beats = sent.length;
    await pass(10_000);
    expect(onSilence).toHaveBeenCalledTimes(1);
    expect(sent).toHaveLength(beats);
    expect(clock.pendingTimers).toBe(0);
  });

  it('heard — beats stop coming back → silence three seconds after the last one was sent', async () => {
    deliver = (beat) => void (clock.monotonic() <= 5_000 && heartbeat.heard(beat));
    heartbeat.start();
    await pass(4_550 + 2_990);
    expect(onSilence).not.toHaveBeenCalled();
    await pass(20);
    expect(onSilence).toHaveBeenCalledTimes(1);
  });

  it('heard — every beat comes back late by less than two seconds → no silence', async () => {
    deliver = (beat) => void clock.setTimer(1_900, () => heartbeat.heard(beat));
    heartbeat.start();
    await pass(20_000);
    expect(onSilence).not.toHaveBeenCalled();
  });

  it('heard — every beat comes back, but after more than three seconds → silence', async () => {
    deliver = (beat) => void clock.setTimer(3_100, () => heartbeat.heard(beat));
    heartbeat.start();
    await pass(3_100);
    expect(onSilence).toHaveBeenCalledTimes(1);
  });

  it('O10 heard — each beat comes back later than the one before → what the last one took', async () => {
    let tookMs = 0;
    deliver = (beat) => void clock.setTimer((tookMs += 70), () => heartbeat.heard(beat));
    heartbeat.start();
    await pass(60);
    expect(heartbeat.lagMs).toBeUndefined();
    await pass(10);
    expect(heartbeat.lagMs).toBe(70);
    await pass(120);
    expect(heartbeat.lagMs).toBe(140);
  });

  it('heard — a beat from before the last start → proves nothing', () => {
    deliver = () => undefined;
    heartbeat.start();
    heartbeat.start();
    expect(heartbeat.heard('!0')).toBe(false);
    expect(heartbeat.heard('!1')).toBe(true);
    expect(heartbeat.heard('!01')).toBe(false);
  });

  it('heard — the process was busy while the beats came back → no silence', async () => {
    const unread: string[] = [];
    deliver = (beat) => void unread.push(beat);
    heartbeat.start();
    await pass(2_000);
    clock.stall(1_500);
    for (const beat of unread) heartbeat.heard(beat);
    for (let i = 0; i < 4; i++) await turn();
    expect(onSilence).not.toHaveBeenCalled();
  });

  it('stop — twice, and before the start → no beat, no silence', async () => {
    heartbeat.stop();
    heartbeat.start();
    heartbeat.stop();
    heartbeat.stop();
    await pass(5_000);
    expect(sent).toEqual([0]);
    expect(onSilence).not.toHaveBeenCalled();
  });
});
