import { beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deferred } from '../../../lib/common/async.js';
import { BatchedReads } from '../../../lib/redis/batched-reads.js';
import { BatchedCalls } from '../../../lib/redis/batched-calls.js';
import type { Shard } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

/** What a server may leave unanswered of them. */
const MOST = 1_024;

const kinds = { acquire: { name: 'acquire' }, fill: { name: 'fill' } };

describe('BatchedCalls', () => {
  const shard = { name: 'one', client: { status: 'wait' } } as Shard;
  let clock: ManualClock;
  let guard: CallGuard;
  let batched: BatchedCalls<{ name: string }, number>;
  /** What was told of as failed. */
  let lost: number[];
  /** Of the calls that are sent and not answered. */
  let sent: { operation: string; answer: () => void }[];

  beforeEach(() => {
    clock = new ManualClock();
    const ping = (): Promise<never> => new Promise(() => undefined);
    guard = new CallGuard({ readMs: 100, writeMs: 200, clock, ping });
    const send = (_: Shard, { name: operation }: { name: string }, calls: readonly number[]) =>
      Promise.allSettled(
        calls.map((i) => {
          const gate = deferred<number>();
          sent.push({ operation, answer: () => gate.resolve(i) });
          return gate.promise;
        }),
      );
    const failed = (calls: readonly number[]): unknown => lost.push(...calls);
    const reads = new BatchedReads(guard);
    batched = new BatchedCalls({
      guard,
      most: 32,
      reads,
      first: new Set(['fill']),
      send,
      failed,
    });
    lost = [];
    sent = [];
  });

  /** So many calls in one tick; what they give or reject with, in order. */
  function call(count: number, operation: keyof typeof kinds = 'acquire'): Promise<unknown[]> {
    const kind = kinds[operation];
    const calls = Array.from({ length: count }, (_, i) => batched.run(shard, kind, i));
    return Promise.all(calls.map((each) => each.catch((error: { code: string }) => error.code)));
  }

  async function answer(count: number): Promise<void> {
    for (const each of sent.splice(0, count)) each.answer();
    await nextTurn();
  }

  const distinct = (results: unknown[]): unknown[] => [...new Set(results)];

  it('row 25 run — thousands in a tick → a thousand is sent, the others when those are answered', async () => {
    const results = call(2_500);
    await nextTurn();
    expect(sent).toHaveLength(MOST);
    await answer(31);
    expect(sent).toHaveLength(MOST - 31);
    // That was the rest of what waits for its answers together.
    await answer(1);
    expect(sent).toHaveLength(MOST);
    await answer(MOST);
    expect(sent).toHaveLength(MOST);
    await answer(MOST);
    await answer(MOST);
    expect(await results).toEqual(Array.from({ length: 2_500 }, (_, i) => i));
  });

  it('row 25 run — in line for longer than a call may take → sent all the same, with a deadline of its own', async () => {
    const results = call(2 * MOST);
    await nextTurn();
    clock.advance(150);
    await answer(MOST);
    clock.advance(150);
    await answer(MOST);
    expect(await results).not.toContain('ERR_CACHE_TIMEOUT');
  });

  it('row 25 run — what goes first → before all others in line, in its order', async () => {
    const begun = call(2 * MOST);
    await nextTurn();
    const filled = call(150, 'fill');
    await nextTurn();
    expect(sent.every(({ operation }) => operation === 'acquire')).toBe(true);
    await answer(192);
    const next = sent.slice(MOST - 192).map(({ operation }) => operation);
    expect(next.slice(0, 150)).toEqual(Array(150).fill('fill'));
    expect(distinct(next.slice(150))).toEqual(['acquire']);
    for (let i = 0; i < 4; i++) await answer(MOST);
    expect(await filled).toEqual(Array.from({ length: 150 }, (_, i) => i));
    expect((await begun).length).toBe(2 * MOST);
  });

  it('run — the server does not answer → what waits is refused with it, and never sent', async () => {
    const results = call(3 * MOST);
    await nextTurn();
    clock.advance(200);
    for (let i = 0; i < 10; i++) await nextTurn();
    const codes = await results;
    expect(distinct(codes.slice(0, MOST))).toEqual(['ERR_CACHE_TIMEOUT']);
    expect(distinct(codes.slice(MOST))).toEqual(['ERR_CACHE_CONNECTION']);
    expect(lost).toHaveLength(3 * MOST);
    expect(sent).toHaveLength(MOST);
  });

  it('run — 100 000 in line → more are refused at once', async () => {
    const many = call(MOST + 100_000);
    const more = call(100);
    expect(distinct(await more)).toEqual(['ERR_CACHE_CONNECTION']);
    while (sent.length > 0) await answer(MOST);
    expect(await many).toHaveLength(MOST + 100_000);
    const others = call(1);
    await nextTurn();
    await answer(1);
    expect(await others).toEqual([0]);
  });
});
