import { EventEmitter } from 'node:events';
import { expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { ProvenSubscription } from '../../../lib/bus/proven-subscription.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

it('T14 the subscription is closed before a heartbeat has come back → none is sent any more, nor missed', async () => {
  const clock = new ManualClock();
  const errors: string[] = [];
  let beats = 0;
  const publish = async (): Promise<number> => ++beats;
  const client = Object.assign(new EventEmitter(), {
    options: {},
    status: 'ready',
    connect: async () => client.emit('ready'),
    subscribe: async () => 1,
    disconnect: () => client.emit('end'),
  });
  const subscription = new ProvenSubscription({
    shard: { name: 'cache-1', client: { status: 'ready', publish } as unknown as Redis },
    createClient: () => client as unknown as Redis,
    channel: 'shop:b:me',
    channels: [],
    guard: new CallGuard({ readMs: 100, writeMs: 100, clock }),
    clock,
    answerMs: 100,
    onMessage: () => undefined,
    onLive: () => undefined,
    onDown: () => undefined,
    onError: (operation, { message }) => errors.push(`${operation}: ${message}`),
  });
  subscription.start();
  await new Promise(setImmediate);
  expect(beats).toBe(1);
  await subscription.close();
  for (let i = 0; i < 5; i++) {
    clock.advance(1_000);
    for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
  }
  expect([beats, errors, clock.pendingTimers]).toEqual([1, [], 0]);
});
