import { beforeEach, describe, expect, it } from '@jest/globals';
import { deferred, type Deferred } from '../../../lib/common/async.js';
import { CircuitBreaker, type CircuitChange } from '../../../lib/resilience/circuit-breaker.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const NO_ANSWER = new Error('read was not answered');

describe('CircuitBreaker', () => {
  let clock: ManualClock;
  let breaker: CircuitBreaker;
  let changes: CircuitChange[];
  let pings: Deferred<void>[];

  beforeEach(() => {
    clock = new ManualClock();
    changes = [];
    pings = [];
    breaker = new CircuitBreaker({
      node: 'cache-1:6379',
      clock,
      probe: () => {
        const ping = deferred<void>();
        pings.push(ping);
        return ping.promise;
      },
      onChange: (change) => changes.push(change),
    });
  });

  const fail = (count = 1, sentAt = clock.monotonic()): void => {
    for (let i = 0; i < count; i++) breaker.failed(sentAt, NO_ANSWER);
  };
  const answer = (count = 1, sentAt = clock.monotonic()): void => {
    for (let i = 0; i < count; i++) breaker.answered(sentAt);
  };
  /** Later than any jitter; the PING that is due has been sent. */
  const untilProbed = (): void => clock.advance(600);
  async function probeFails(error: Error): Promise<void> {
    breaker.failed(clock.monotonic(), error);
    pings.at(-1)!.reject(error);
    await new Promise(setImmediate);
  }

  it('failed — five in a row → open, told once', () => {
    fail(4);
    expect(breaker.state).toBe('closed');
    fail(4);
    expect(breaker.state).toBe('open');
    expect(changes).toEqual([
      {
        node: 'cache-1:6379',
        state: 'open',
        message: expect.stringMatching(/cache-1:6379 does not answer.*read was not answered/),
      },
    ]);
  });

  it('failed — an answer after every fourth, fewer than 20 calls in a second → closed', () => {
    for (let i = 0; i < 50; i++) {
      fail(4);
      answer();
      clock.advance(400);
    }
    expect(breaker.state).toBe('closed');
  });

  it('failed — half of 20 calls in a second → open', () => {
    for (let i = 0; i < 10; i++) {
      expect(breaker.state).toBe('closed');
      fail();
      answer();
      clock.advance(50);
    }
    fail();
    expect(breaker.state).toBe('open');
  });

  it('failed — three of ten calls, however many → closed', () => {
    for (let i = 0; i < 1_000; i++) {
      answer(7);
      fail(3);
      clock.advance(1);
    }
    expect(breaker.state).toBe('closed');
  });

  it('failed — the answers of seconds ago → do not count for the share', () => {
    fail();
    answer(10_000);
    clock.advance(2_000);
    for (let i = 0; i < 11; i++) {
      fail();
      answer();
    }
    expect(breaker.state).toBe('open');
  });

  it('failed — something sent later was answered → the node lives, and it does not count', () => {
    const sentAt = clock.monotonic();
    clock.advance(100);
    answer();
    clock.advance(200);
    fail(100, sentAt);
    expect(breaker.state).toBe('closed');
    fail(5);
    expect(breaker.state).toBe('open');
  });

  it('R1 answered — out of turn, as over several connections → what was sent before the latest of them does not count', () => {
    const sentAt = clock.monotonic();
    clock.advance(10);
    const before = clock.monotonic();
    clock.advance(10);
    answer();
    answer(1, sentAt);
    fail(5, before);
    expect(breaker.state).toBe('closed');
  });

  it('refusal — names the node, since when, and the last error, which is its cause', () => {
    clock.wallOffsetMs = Date.parse('2026-05-04T03:02:01Z');
    fail(5);
    clock.advance(100);
    const refusal = breaker.refusal('evict');
    expect(refusal).toMatchObject({ code: 'ERR_CACHE_CONNECTION', cause: NO_ANSWER });
    expect(refusal.message).toBe(
      'evict was not sent: cache-1:6379 has not answered since 2026-05-04T03:02:01.000Z; the last error: read was not answered',
    );
    expect(breaker.refused).toBe(1);
  });

  it('open — a PING each half second, give or take a fifth, until one is answered', async () => {
    fail(5);
    for (let asked = 1; asked <= 20; asked++) {
      clock.advance(399);
      expect([breaker.state, pings.length]).toEqual(['open', asked - 1]);
      clock.advance(202);
      expect([breaker.state, pings.length]).toEqual(['half-open', asked]);
      await probeFails(new Error('no connection'));
    }
    expect(breaker.refusal('read').message).toContain('the last error: no connection');
    untilProbed();
    answer();
    expect(breaker.state).toBe('closed');
    expect(changes.map(({ state }) => state)).toEqual(['open', 'closed']);
    expect(changes[1]!.message).toMatch(/cache-1:6379 answers again, after \d+ ms/);
    pings.at(-1)!.resolve();
    await new Promise(setImmediate);
    expect([breaker.state, clock.pendingTimers]).toEqual(['closed', 0]);
  });

  it('open — late answers and failures of what was sent before → nothing changes', () => {
    const sentAt = clock.monotonic();
    fail(5);
    answer(10, sentAt);
    expect(breaker.state).toBe('open');
    untilProbed();
    answer(10, sentAt);
    breaker.failed(sentAt, new Error('old news'));
    expect(breaker.state).toBe('half-open');
    expect(breaker.refusal('read').message).toContain('the last error: read was not answered');
    answer();
    fail(10, sentAt);
    expect(breaker.state).toBe('closed');
  });

  it('closed again — five failures → open again, and begun anew', async () => {
    fail(5);
    untilProbed();
    answer();
    pings[0]!.resolve();
    await new Promise(setImmediate);
    fail(4);
    expect(breaker.state).toBe('closed');
    fail();
    expect([breaker.state, breaker.opened, changes.length]).toEqual(['open', 2, 3]);
  });

  it('R1 closed again within the same second → the failures before do not count for the share', () => {
    fail(5);
    breaker.ask();
    answer();
    for (let i = 0; i < 5; i++) {
      answer(2);
      fail();
    }
    expect([breaker.state, breaker.opened]).toEqual(['closed', 1]);
  });

  it('open again while an earlier PING is on its way → what becomes of that one changes nothing', async () => {
    fail(5);
    untilProbed();
    answer();
    fail(5);
    untilProbed();
    pings[0]!.resolve();
    await new Promise(setImmediate);
    expect([breaker.state, pings.length, clock.pendingTimers]).toEqual(['half-open', 2, 0]);
  });

  it('ask — open → a PING at once, and in half a second again; closed, or one on its way → none', async () => {
    breaker.ask();
    fail(5);
    clock.advance(1);
    breaker.ask();
    breaker.ask();
    expect([breaker.state, pings.length]).toEqual(['half-open', 1]);
    await probeFails(new Error('not yet'));
    clock.advance(399);
    expect(pings).toHaveLength(1);
    clock.advance(202);
    expect(pings).toHaveLength(2);
    answer();
    breaker.ask();
    expect([breaker.state, pings.length]).toEqual(['closed', 2]);
  });

  it('stop — open, or while a PING is on its way → no further PING', async () => {
    fail(5);
    untilProbed();
    breaker.stop();
    await probeFails(new Error('closed'));
    breaker.ask();
    expect([breaker.state, pings.length, clock.pendingTimers]).toEqual(['open', 1, 0]);
    expect(changes).toHaveLength(1);
  });

  it('T11 stop — closed, and what was under way fails → no PING, nobody is told', () => {
    breaker.stop();
    fail(5);
    expect([breaker.state, clock.pendingTimers, changes.length]).toEqual(['closed', 0, 0]);
  });
});
