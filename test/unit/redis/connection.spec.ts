import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { connectOnce, reportOnce, type ConnectionContext } from '../../../lib/redis/connection.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

describe('a connection of ours', () => {
  let clock: ManualClock;
  let context: ConnectionContext;
  let errors: string[];

  beforeEach(() => {
    clock = new ManualClock();
    errors = [];
    const onError = ({ message }: Error): void => void errors.push(message);
    context = { clock, connectTimeoutMs: 100, onError };
  });

  const clientThatIs = (status: string) =>
    Object.assign(new EventEmitter(), { status }) as unknown as Redis;

  it.each<[string, (client: Redis) => unknown]>([
    ...['ready', 'error', 'close', 'end'].map((event): [string, (client: Redis) => unknown] => [
      event,
      (client) => client.emit(event),
    ]),
    ['the connect timeout', () => clock.advance(100)],
  ])('T10 connectOnce — first comes %s → resolves, and leaves nothing behind', async (_, come) => {
    const client = clientThatIs('connecting');
    const connected = connectOnce(client, context);
    expect(clock.pendingTimers).toBe(1);
    come(client);
    await connected;
    expect(clock.pendingTimers).toBe(0);
    expect(client.eventNames()).toEqual([]);
  });

  it.each(['ready', 'end'])('T10 connectOnce — it is %s already → resolves at once', async (is) => {
    await connectOnce(clientThatIs(is), context);
    expect(clock.pendingTimers).toBe(0);
  });

  it('R8 reportOnce — messages that are ever others → few are remembered', () => {
    const report = reportOnce(context);
    for (let i = 0; i < 32; i++) report(new Error(`message ${i}`));
    report(new Error('message 0'));
    expect(errors).toHaveLength(32);
    report(new Error('one more'));
    report(new Error('message 0'));
    expect(errors.slice(32)).toEqual(['one more', 'message 0']);
  });
});
