import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { giveUpWhenSilent } from '../../../lib/redis/silence.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

class Stream extends EventEmitter {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

describe('giveUpWhenSilent', () => {
  let clock: ManualClock;
  let client: EventEmitter & { stream: Stream; commandQueue: { length: number } };

  beforeEach(() => {
    clock = new ManualClock();
    client = Object.assign(new EventEmitter(), {
      stream: new Stream(),
      commandQueue: { length: 0 },
    });
    giveUpWhenSilent(client as unknown as Redis, { clock });
    client.emit('connect');
  });

  /** Time passes, and sockets are read all the while. */
  async function pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i += 50) {
      clock.advance(50);
      await new Promise(setImmediate);
    }
  }

  it('a command waits and nothing arrives → given up between 1 and 1.25 s after it was sent', async () => {
    await pass(400);
    client.commandQueue.length = 1;
    await pass(1_050);
    expect(client.stream.destroyed).toBe(false);
    await pass(200);
    expect(client.stream.destroyed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('nobody waits for anything → kept, however silent', async () => {
    await pass(5_000);
    expect(client.stream.destroyed).toBe(false);
  });

  it('commands wait, and something arrives now and then → kept', async () => {
    client.commandQueue.length = 100;
    for (let i = 0; i < 5; i++) {
      await pass(900);
      client.stream.emit('data');
    }
    expect(client.stream.destroyed).toBe(false);
  });

  it('this process stands still for ten seconds, and the answer is there → kept', async () => {
    client.commandQueue.length = 1;
    await pass(1_000);
    clock.stall(10_000);
    client.stream.emit('data');
    await pass(900);
    expect(client.stream.destroyed).toBe(false);
  });

  it('the connection ends → no timer; the next one is watched like the first', async () => {
    client.stream.destroy();
    expect(clock.pendingTimers).toBe(0);
    client.stream = new Stream();
    client.commandQueue.length = 1;
    client.emit('connect');
    await pass(1_300);
    expect(client.stream.destroyed).toBe(true);
  });
});
