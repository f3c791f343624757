import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { inspect } from 'node:util';
import { deferred } from '../../../lib/common/async.js';
import { CacheKeyError } from '../../../lib/common/errors.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { ManualClock } from '../../contract/support/manual-clock.js';
import { unconnected } from '../../../lib/resilience/redis-failure.js';

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
    const calls = Array.from({ length: 900 }, (_, i) => guard.run('read', 'read', async () => i));
    expect(clock.pendingTimers).toBe(1);
    expect((await Promise.all(calls)).at(-1)).toBe(899);
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
    start('never', 'read');
    start('answered', 'read', () => gate.promise);
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

  it('T8 run — the timer was late, and what was due is answered → what is due next has no more time for it', async () => {
    const gate = deferred<void>();
    start('answered', 'read', () => gate.promise);
    clock.advance(90);
    start('next', 'read');
    clock.stall(70);
    gate.resolve();
    await turns();
    clock.advance(30);
    await turns();
    expect(settled).toEqual(['answered', 'next ERR_CACHE_TIMEOUT']);
  });

  it('T8 run — a call falls due while the one before it expires → has its own time to be read', async () => {
    const asked = jest.spyOn(clock, 'setTimer');
    const gate = deferred<void>();
    start('never', 'read');
    clock.advance(1);
    start('answered', 'read', () => gate.promise);
    clock.advance(99);
    clock.standStill(5);
    await turns();
    gate.resolve();
    await turns();
    expect(settled).toEqual(['never ERR_CACHE_TIMEOUT', 'answered']);
    // Node warns of a timer that lies in the past.
    expect(Math.min(...asked.mock.calls.map(([ms]) => ms))).toBeGreaterThan(0);
  });

  it('run — after such a standstill answers come one by one → as much time again after each, five times', async () => {
    const gates = Array.from({ length: 8 }, () => deferred<void>());
    gates.forEach((gate, i) => start(String(i), 'read', () => gate.promise));
    clock.stall(150);
    await turns();
    for (const gate of gates.slice(0, 5)) {
      expect(settled.join()).not.toContain('TIMEOUT');
      gate.resolve();
      await turns();
      clock.advance(50);
      await turns();
    }
    expect(settled).toEqual([
      ...['0', '1', '2', '3', '4'],
      ...['5', '6', '7'].map((name) => `${name} ERR_CACHE_TIMEOUT`),
    ]);
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

  it.each(['MOVED 1 127.0.0.1:1', "CROSSSLOT Keys in request don't hash to the same slot"])(
    'run — R8 the server says %s → asks whether it is a cluster',
    async (message) => {
      await expect(
        guard.run('read', 'read', () => Promise.reject(new Error(message))),
      ).rejects.toThrow(`${message}; is it a Redis Cluster (topology.type 'cluster')?`);
    },
  );

  it('run — the error carries the command → no payload anywhere in what is thrown', async () => {
    const secret = 'a secret payload';
    const causes = [
      Object.assign(new Error('ERR no'), { command: { name: 'set', args: ['k', secret] } }),
      new Error(`ERR unknown command 'evalsha', with args beginning with: '${secret}'`),
      new Error(`Command queue state error. Last reply: ${secret}`),
      Object.assign(new Error('Invalid URL'), { input: secret }),
    ];
    for (const cause of causes) {
      // Written when it is first asked for, where source maps are; elsewhere when the error is made.
      expect(cause.stack).toContain(cause.message);
      const error = await guard.run('write', 'write', () => Promise.reject(cause)).catch((e) => e);
      expect(error).toMatchObject({ code: 'ERR_CACHE_CONNECTION' });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
    }
  });

  it.each<[string, Error]>([
    ['TypeError', new TypeError('x is not a function')],
    ['RangeError', new RangeError('Invalid array length')],
    ['ReferenceError', new ReferenceError('x is not defined')],
    ['SyntaxError', new SyntaxError('Unexpected token')],
  ])('run — R5 a programming error, thrown or rejected: %s → itself', async (_, bug) => {
    const throws = (): never => {
      throw bug;
    };
    await expect(guard.run('read', 'read', throws)).rejects.toBe(bug);
    await expect(guard.run('read', 'read', () => Promise.reject(bug))).rejects.toBe(bug);
    clock.advance(100);
    await turns();
  });

  it('run — R2 what is rejected is no error → CacheConnectionError that says what it is', async () => {
    const rejects = (): Promise<unknown> => Promise.reject('a text' as unknown as Error);
    await expect(guard.run('read', 'read', rejects)).rejects.toMatchObject({
      code: 'ERR_CACHE_CONNECTION',
      message: 'read failed at Redis: a text',
    });
  });

  it('run — an error of this package → itself', async () => {
    const error = new CacheKeyError('no key');
    await expect(guard.run('read', 'read', () => Promise.reject(error))).rejects.toBe(error);
  });

  describe('a node that does not answer', () => {
    const NODE = 'cache-1:6379';
    let pong: () => Promise<unknown>;
    let changes: string[];

    beforeEach(() => {
      pong = pending;
      const ping = (): Promise<unknown> => pong();
      changes = [];
      const onStateChange = ({ node, message }: { node: string; message: string }): void =>
        void changes.push(`${node}: ${message}`);
      guard = new CallGuard({ readMs: 100, writeMs: 200, clock, ping, onStateChange });
    });

    const replyError = (message: string): Error =>
      Object.assign(new Error(message), { name: 'ReplyError' });

    /** Calls that all end so. */
    const calls = (count: number, call: () => Promise<unknown>, node = NODE) =>
      Promise.allSettled(
        Array.from({ length: count }, () => guard.run('read', 'read', call, node)),
      );
    const down = (): Promise<unknown> => calls(5, () => Promise.reject(new Error('ECONNREFUSED')));

    /** The PING that is due is sent, and what becomes of it has happened. */
    async function probe(answer: () => Promise<unknown>): Promise<void> {
      pong = answer;
      clock.advance(600);
      await turns();
    }

    it('run — five calls without an answer → the next is refused at once and not sent', async () => {
      const first = calls(5, pending);
      clock.advance(100);
      await turns();
      await first;
      expect(guard.state(NODE)).toBe('open');
      let sent = 0;
      const call = async (): Promise<void> => void sent++;
      await expect(guard.run('write', 'evict', call, NODE)).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
        message: expect.stringMatching(/^evict was not sent: cache-1:6379 has not answered since/),
        cause: { code: 'ERR_CACHE_TIMEOUT' },
      });
      expect(sent).toBe(0);
      expect(guard.health().get(NODE)).toEqual({
        state: 'open',
        opened: 1,
        refused: { open: 1, full: 0 },
        inFlight: 5,
        waiting: 0,
      });
    });

    it('run — R1 the connection refused → that one alone is open, other nodes go on', async () => {
      await down();
      expect([guard.state(NODE), guard.state('cache-2:6379')]).toEqual(['open', 'closed']);
      await expect(guard.run('read', 'read', async () => 1, 'cache-2:6379')).resolves.toBe(1);
    });

    it.each([
      "OOM command not allowed when used memory > 'maxmemory'.",
      "READONLY You can't write against a read only replica.",
      'MISCONF Redis is configured to save RDB snapshots',
      'NOPERM this user has no permissions',
      'WRONGTYPE Operation against a key',
      'NOSCRIPT No matching script',
      'MOVED 1 127.0.0.1:1',
      'LOADING Redis is loading the dataset in memory',
    ])('run — R8 the server refuses: %s → it lives, calls are sent', async (message) => {
      await calls(100, () => Promise.reject(replyError(message)));
      expect(guard.state(NODE)).toBe('closed');
    });

    it('run — R5 errors of our own → say nothing of the node', async () => {
      await calls(20, () => Promise.reject(new TypeError('x is not a function')));
      await calls(20, () => Promise.reject(new CacheKeyError('no key')));
      expect(guard.state(NODE)).toBe('closed');
    });

    it('run — this process stands still for half a second, and the answers are there → closed', async () => {
      const gate = deferred<void>();
      const all = calls(50, () => gate.promise);
      clock.stall(500);
      await turns();
      gate.resolve();
      const settled = await all;
      expect(settled.every(({ status }) => status === 'fulfilled')).toBe(true);
      expect(guard.state(NODE)).toBe('closed');
    });

    it('ping — answered in time → calls are sent again', async () => {
      await down();
      await probe(async () => 'PONG');
      expect(guard.state(NODE)).toBe('closed');
      await expect(guard.run('read', 'read', async () => 1, NODE)).resolves.toBe(1);
    });

    it('ping — refused by the server, or none could be sent → lives; does not', async () => {
      await down();
      await probe(() => {
        throw unconnected('reconnecting');
      });
      expect(guard.state(NODE)).toBe('open');
      await expect(guard.run('read', 'read', pending, NODE)).rejects.toThrow(
        'the last error: ping failed at cache-1:6379: there is no connection',
      );
      await probe(() => Promise.reject(replyError('MISCONF Redis is configured to save')));
      expect(guard.state(NODE)).toBe('closed');
    });

    it('no connection → why it was lost, until there is one again', async () => {
      const refused = new Error('connect ECONNREFUSED 127.0.0.1:6379');
      const read = (): Promise<unknown> =>
        guard.run('read', 'read', () => Promise.reject(unconnected('reconnecting')), NODE);
      guard.disconnected(NODE, refused);
      await expect(read()).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
        message: `read failed at ${NODE}: there is no connection: ${refused.message}`,
        cause: refused,
      });
      guard.connected(NODE);
      await expect(read()).rejects.toThrow(/there is no connection$/);
    });

    it.each([
      ['the connection is wait', 'there is no connection'],
      ["Stream isn't writeable and enableOfflineQueue options is false", 'there is no connection'],
      ["Cluster isn't ready and enableOfflineQueue options is false", 'there is no connection'],
      [
        'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
        'the connection was lost',
      ],
    ])('R2 "%s", and no connection can be made in time → %s, and why', async (message, said) => {
      guard.disconnected(NODE, new Error('connect ETIMEDOUT'));
      const read = guard.run('read', 'read', () => Promise.reject(new Error(message)), NODE);
      await expect(read).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
        message: `read failed at ${NODE}: ${said}: connect ETIMEDOUT`,
        cause: { message: 'connect ETIMEDOUT' },
      });
    });

    it('R2 one of its connections is lost, and another one is told something → that', async () => {
      guard.disconnected(NODE, new Error('connect ECONNREFUSED'));
      const cause = replyError('OOM command not allowed');
      const write = guard.run('write', 'write', () => Promise.reject(cause), NODE);
      await expect(write).rejects.toMatchObject({
        message: `write failed at ${NODE}: OOM command not allowed`,
        cause,
      });
    });

    it('ping — answered later than a call may take → open as before', async () => {
      await down();
      const gate = deferred<void>();
      await probe(() => gate.promise);
      clock.advance(100);
      await turns();
      gate.resolve();
      await turns();
      expect(guard.state(NODE)).toBe('open');
    });

    it('connected — that node alone is asked at once', async () => {
      await down();
      pong = async () => 'PONG';
      guard.connected('cache-2:6379');
      await turns();
      expect(guard.state(NODE)).toBe('open');
      guard.connected(NODE);
      await turns();
      expect(guard.state(NODE)).toBe('closed');
    });

    it('run — late answers → the node is as slow as before, and does not answer after five', async () => {
      const gates = Array.from({ length: 4 }, () => deferred<void>());
      const late = gates.map(({ promise }) => calls(1, () => promise));
      clock.advance(100);
      await turns();
      await Promise.all(late);
      for (const gate of gates) gate.resolve();
      await turns();
      const last = calls(1, pending);
      clock.advance(100);
      await turns();
      await last;
      expect(guard.state(NODE)).toBe('open');
    });

    it('R1 run — late failures → those of calls that have failed already, and count once', async () => {
      const gates = Array.from({ length: 4 }, () => deferred<void>());
      const late = gates.map(({ promise }) => calls(1, () => promise));
      clock.advance(100);
      await turns();
      await Promise.all(late);
      for (const gate of gates) gate.reject(new Error('ECONNRESET'));
      await turns();
      expect(guard.state(NODE)).toBe('closed');
    });

    it('T13 forgetOthers — a server that has gone → asked no more, and said once where it was waited for', async () => {
      await down();
      await calls(1, async () => 1, 'cache-2:6379');
      changes = [];
      let asked = 0;
      pong = async () => void asked++;
      guard.forgetOthers(new Set());
      clock.advance(10_000);
      await turns();
      expect([asked, guard.health().size]).toEqual([0, 0]);
      expect(changes).toEqual([
        `${NODE}: ${NODE} is none of the servers any more, and is not waited for`,
      ]);
    });

    it('T13 forgetOthers — a server that stays → is waited for as before', async () => {
      await down();
      changes = [];
      guard.forgetOthers(new Set([NODE]));
      expect([guard.state(NODE), changes]).toEqual(['open', []]);
      await probe(async () => 'PONG');
      expect(guard.state(NODE)).toBe('closed');
    });

    it('R7 run — while the PING is not answered → refused at once and not sent', async () => {
      await down();
      guard.connected(NODE);
      expect(guard.state(NODE)).toBe('half-open');
      let sent = 0;
      await expect(guard.run('read', 'read', async () => sent++, NODE)).rejects.toThrow(
        'read was not sent',
      );
      expect(sent).toBe(0);
    });

    it('close — no further PING', async () => {
      await down();
      guard.close();
      expect(clock.pendingTimers).toBeLessThanOrEqual(1);
      let asked = false;
      await probe(async () => void (asked = true));
      expect(asked).toBe(false);
    });
  });

  describe('more calls than a node may leave unanswered', () => {
    let gates: { operation: string; gate: ReturnType<typeof deferred<void>> }[];

    beforeEach(() => {
      gates = [];
      const ping = pending;
      guard = new CallGuard({ readMs: 100, writeMs: 200, clock, maxInFlight: 11, ping });
    });

    const call = (operation: string) => () => {
      const gate = deferred<void>();
      gates.push({ operation, gate });
      return gate.promise;
    };
    const begin = (count: number, operation: string, kind: 'read' | 'write' = 'write'): void => {
      for (let i = 0; i < count; i++) start(operation, kind, call(operation));
    };
    const sent = (): string[] => gates.map(({ operation }) => operation);
    const health = () => guard.health().get('Redis')!;
    async function answer(count: number): Promise<void> {
      for (const { gate } of gates.splice(0, count)) gate.resolve();
      await turns();
    }

    it('run — a read → in line before fills and behind evicts', async () => {
      begin(9, 'fill');
      begin(2, 'fill');
      begin(2, 'read', 'read');
      begin(2, 'evict');
      await answer(4);
      expect(sent().slice(-4)).toEqual(['evict', 'evict', 'read', 'read']);
      await answer(9);
      expect(sent()).toEqual(['fill', 'fill']);
    });

    it('run — an evict beside reads and fills → sent at once, one place in ten is kept for it', () => {
      begin(20, 'fill');
      begin(2, 'evict');
      expect(sent()).toEqual([...Array<string>(9).fill('fill'), 'evict']);
      expect(health()).toMatchObject({ inFlight: 10, waiting: 12 });
    });

    it.each(['bumpTags', 'barrierBegin', 'barrierRenew', 'barrierEnd', 'publish', 'heartbeat'])(
      'R1 run — %s beside reads and fills → a place as for an evict',
      (operation) => {
        begin(20, 'fill');
        begin(1, operation);
        expect(sent().at(-1)).toBe(operation);
      },
    );

    it('R1 run — sent after it was in line, and not answered → counts, whatever was answered in between', async () => {
      begin(9, 'read', 'read');
      clock.advance(10);
      begin(9, 'read', 'read');
      clock.advance(10);
      begin(1, 'evict');
      await answer(10);
      expect(sent()).toEqual(Array<string>(9).fill('read'));
      clock.advance(90);
      await turns();
      expect(health().state).toBe('open');
    });

    it('run — evicts, fills in line → each takes the place of an answered one, evicts first', async () => {
      begin(20, 'fill');
      begin(3, 'evict');
      await answer(3);
      expect(sent()).toEqual([...Array<string>(6).fill('fill'), ...Array<string>(3).fill('evict')]);
      await answer(9);
      expect(sent()).toEqual(Array<string>(9).fill('fill'));
      await answer(9);
      await answer(9);
      expect(settled).toHaveLength(23);
      expect(health()).toMatchObject({ inFlight: 0, waiting: 0, refused: { full: 0 } });
    });

    it('run — in line until its deadline → CacheConnectionError, never sent', async () => {
      guard = new CallGuard({ readMs: 100, writeMs: 200, clock, maxInFlight: 11 });
      begin(9, 'evict');
      begin(1, 'fill');
      clock.advance(200);
      await turns();
      expect(settled.at(-2)).toBe('evict ERR_CACHE_TIMEOUT');
      expect(settled.at(-1)).toBe('fill ERR_CACHE_CONNECTION');
      await answer(9);
      expect(sent()).toEqual([]);
      expect(health()).toMatchObject({ inFlight: 0, waiting: 0 });
    });

    it('run — given up by its caller, its command not settled → keeps its slot, ten seconds at most', async () => {
      begin(4, 'fill');
      clock.advance(200);
      await turns();
      expect(settled).toHaveLength(4);
      expect(health()).toMatchObject({ state: 'closed', inFlight: 4 });
      await answer(1);
      expect(health().inFlight).toBe(3);
      clock.advance(10_000);
      await turns();
      expect(health().inFlight).toBe(0);
      await answer(3);
      expect(health().inFlight).toBe(0);
    });

    it('run — R1 10 000 in line → refused at once, saying so, and not sent; an evict is', async () => {
      begin(9 + 10_000, 'fill');
      await expect(guard.run('read', 'read', call('read'))).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
        message:
          'read was not sent: Redis has 9 calls to answer, as many as it gets, and 10000 wait',
      });
      expect(sent()).toHaveLength(9);
      expect(health()).toMatchObject({
        state: 'closed',
        refused: { open: 0, full: 1 },
        waiting: 10_000,
      });
      begin(1, 'evict');
      expect(sent().at(-1)).toBe('evict');
    });

    it('run — the node does not answer → those in line are refused with it', async () => {
      begin(9, 'read', 'read');
      begin(50, 'fill');
      clock.advance(100);
      await turns();
      expect(settled.filter((name) => name === 'fill ERR_CACHE_CONNECTION')).toHaveLength(50);
      expect(health()).toMatchObject({ state: 'open', inFlight: 9, waiting: 0 });
      await answer(9);
      expect(sent()).toEqual([]);
      guard.close();
      for (const ms of [200, 10_000]) {
        clock.advance(ms);
        await turns();
      }
      expect(health()).toMatchObject({ inFlight: 0, waiting: 0 });
    });
  });
});
