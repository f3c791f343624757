import { beforeEach, describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { deferred } from '../../../lib/common/async.js';
import { CacheKeyError } from '../../../lib/common/errors.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const pending = (): Promise<never> => new Promise(() => undefined);

/** What is due expires two turns of the event loop after its timer. */
async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

describe('CallGuard', () => {
  let clock: ManualClock;
  let guard: CallGuard;
  let settled: string[];

  beforeEach(() => {
    clock = new ManualClock();
    guard = new CallGuard({ readMs: 100, writeMs: 200, clock });
    settled = [];
  });

  /** A call whose end shows up in `settled`. */
  function start(name: string, kind: 'read' | 'write', call: () => Promise<unknown> = pending) {
    guard.run(kind, name, call).then(
      () => settled.push(name),
      (error: { code: string }) => settled.push(`${name} ${error.code}`),
    );
  }

  it('run — answered in time → the answer, and no timer per call', async () => {
    const calls = Array.from({ length: 1000 }, (_, i) => guard.run('read', 'read', async () => i));
    expect(clock.pendingTimers).toBe(1);
    expect((await Promise.all(calls)).at(-1)).toBe(999);
    clock.advance(1000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('run — T8 each kind its own limit → CacheTimeoutError in the order of the calls', async () => {
    start('w', 'write');
    start('r1', 'read');
    clock.advance(50);
    start('r2', 'read');
    clock.advance(50);
    await turns();
    expect(settled).toEqual(['r1 ERR_CACHE_TIMEOUT']);
    clock.advance(49);
    await turns();
    expect(settled).toHaveLength(1);
    clock.advance(1);
    await turns();
    expect(settled).toEqual(['r1 ERR_CACHE_TIMEOUT', 'r2 ERR_CACHE_TIMEOUT']);
    clock.advance(50);
    await turns();
    expect(settled.at(-1)).toBe('w ERR_CACHE_TIMEOUT');
  });

  it('run — calls that end in any order → only those still out expire', async () => {
    const gates = Array.from({ length: 5 }, () => deferred<void>());
    gates.forEach((gate, i) => start(String(i), 'read', () => gate.promise));
    for (const i of [2, 0, 4]) gates[i]!.resolve();
    await turns();
    clock.advance(100);
    await turns();
    expect(settled).toEqual(['2', '0', '4', '1 ERR_CACHE_TIMEOUT', '3 ERR_CACHE_TIMEOUT']);
    start('later', 'read');
    clock.advance(100);
    await turns();
    expect(settled.at(-1)).toBe('later ERR_CACHE_TIMEOUT');
  });

  it('run — the answer is read in the turn in which its time is up → the answer', async () => {
    const gate = deferred<string>();
    const call = guard.run('read', 'read', () => gate.promise);
    clock.advance(100);
    setImmediate(() => gate.resolve('just in time'));
    await expect(call).resolves.toBe('just in time');
  });

  it('run — the timer is late because this process was busy → as much time again to read', async () => {
    const gate = deferred<void>();
    start('answered', 'read', () => gate.promise);
    start('never', 'read');
    clock.stall(400);
    await turns();
    clock.advance(299);
    await turns();
    gate.resolve();
    await turns();
    expect(settled).toEqual(['answered']);
    clock.advance(1);
    expect(settled).toEqual(['answered']);
    await turns();
    expect(settled).toEqual(['answered', 'never ERR_CACHE_TIMEOUT']);
    start('later', 'read');
    clock.advance(100);
    await turns();
    expect(settled.at(-1)).toBe('later ERR_CACHE_TIMEOUT');
  });

  it('run — an answer after the deadline, good or bad → nothing further', async () => {
    const [late, bad] = [deferred<void>(), deferred<void>()];
    start('late', 'read', () => late.promise);
    start('bad', 'read', () => bad.promise);
    clock.advance(100);
    await turns();
    late.resolve();
    bad.reject(new Error('too late'));
    await turns();
    expect(settled).toEqual(['late ERR_CACHE_TIMEOUT', 'bad ERR_CACHE_TIMEOUT']);
    start('next', 'read');
    clock.advance(100);
    await turns();
    expect(settled).toHaveLength(3);
  });

  it('run — times out → says what, where, how long, and by which option', async () => {
    const call = guard.run('write', 'evict', pending, 'cache-1:6379');
    clock.advance(200);
    await expect(call).rejects.toMatchObject({
      code: 'ERR_CACHE_TIMEOUT',
      message: expect.stringMatching(/evict .*cache-1:6379 .*200 ms \(timeouts\.write\)/),
    });
  });

  it.each([
    ['Connection is closed.', 'ERR_CACHE_CONNECTION'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'ERR_CACHE_CONNECTION'],
    ['Command timed out', 'ERR_CACHE_TIMEOUT'],
    ['connect ETIMEDOUT', 'ERR_CACHE_TIMEOUT'],
  ])('run — R2 fails with "%s" → %s with the cause', async (message, code) => {
    const cause = new Error(message);
    const call = guard.run('read', 'read', () => Promise.reject(cause), 'node-1');
    await expect(call).rejects.toMatchObject({
      code,
      cause,
      message: expect.stringContaining('read failed at node-1: '),
    });
  });

  it('run — the error carries the command → no payload anywhere in what is thrown', async () => {
    const secret = 'a secret payload';
    const causes = [
      Object.assign(new Error('ERR no'), { command: { name: 'set', args: ['k', secret] } }),
      new Error(`ERR unknown command 'evalsha', with args beginning with: '${secret}'`),
      new Error(`Command queue state error. Last reply: ${secret}`),
      Object.assign(new Error('Invalid URL'), { input: secret }),
    ];
    for (const cause of causes) {
      const error = await guard.run('write', 'write', () => Promise.reject(cause)).catch((e) => e);
      expect(error).toMatchObject({ code: 'ERR_CACHE_CONNECTION' });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
    }
  });

  it('run — R5 a programming error, thrown or rejected → itself', async () => {
    const bug = new TypeError('x is not a function');
    const throws = (): never => {
      throw bug;
    };
    await expect(guard.run('read', 'read', throws)).rejects.toBe(bug);
    await expect(guard.run('read', 'read', () => Promise.reject(bug))).rejects.toBe(bug);
    clock.advance(100);
    await turns();
  });

  it('run — an error of this package → itself', async () => {
    const error = new CacheKeyError('no key');
    await expect(guard.run('read', 'read', () => Promise.reject(error))).rejects.toBe(error);
  });
});
