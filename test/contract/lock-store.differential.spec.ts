import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { memoryLocks, redisLocks, type LockBackend } from './support/lock-backends.js';

/** Far apart, so that what really passes in between is no difference. */
const CLAIM_MS = 1_000_000;
const ttlMs = fc.constantFrom(1_000_000, 3_000_000);

const id = fc
  .tuple(fc.constantFrom('A', 'B', 'C'), fc.constantFrom('1', '2'))
  .map(([instance, number]) => instance.padEnd(10, '0') + number.padStart(10, '0'));

/** What one store has answered and given so far. */
interface Run {
  backend: LockBackend;
  key: string;
  /** The highest token that anybody has seen. */
  highest: bigint;
}

type Step = (run: Run) => Promise<unknown>;

const step: fc.Arbitrary<[string, Step]> = fc.oneof(
  named(
    'acquire',
    fc.record({ id, ttlMs, ifHeld: fc.constantFrom('queue' as const, 'leave' as const) }),
    (request) => async (run) => {
      const reply = await run.backend.store.acquire(run.key, request);
      if (reply.state === 'held') return `held ${rounded(reply.ttlMs)}`;
      const order = reply.token > run.highest ? 'higher' : reply.token < run.highest ? 'lower' : '';
      run.highest = reply.token;
      return `granted ${order}`;
    },
  ),
  named(
    'extend',
    fc.record({ id, ttlMs, raise: fc.constantFrom(0n, 5_000_000_000n) }),
    (request) => async (run) => {
      const token = run.highest + request.raise;
      const isHeld = await run.backend.store.extend(run.key, { ...request, token });
      if (isHeld) run.highest = token;
      return isHeld;
    },
  ),
  named(
    'release',
    id,
    (given) =>
      ({ backend, key }) =>
        backend.store.release(key, { id: given }),
  ),
  named(
    'force',
    fc.constant(0),
    () =>
      ({ backend, key }) =>
        backend.store.release(key, {}),
  ),
  named(
    'isHeld',
    fc.constant(0),
    () =>
      ({ backend, key }) =>
        backend.store.isHeld(key),
  ),
  named(
    'pass',
    fc.constantFrom(600_000, 2_100_000),
    (ms) =>
      ({ backend, key }) =>
        backend.pass(key, ms),
  ),
);

function named<T>(
  name: string,
  request: fc.Arbitrary<T>,
  make: (request: T) => Step,
): fc.Arbitrary<[string, Step]> {
  return request.map((r) => [`${name} ${fc.stringify(r)}`, make(r)]);
}

function rounded(ms: number): number {
  return Math.round(ms / 100_000);
}

describe('LockStore, memory against Redis', () => {
  let backends: LockBackend[];

  beforeAll(async () => {
    backends = await Promise.all([memoryLocks(CLAIM_MS), redisLocks(CLAIM_MS)]);
  });
  afterAll(() => Promise.all(backends.map((backend) => backend.close())));

  it('any sequence of steps → the same answers, records and wakes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const key = `differential:${randomUUID()}`;
        const [memory, redis] = await Promise.all(
          backends.map(async (backend) => {
            const run: Run = { backend, key, highest: 0n };
            const seen: unknown[] = [];
            for (const [name, act] of steps) {
              const answer = await act(run);
              const { leftMs, ...left } = await backend.look(key);
              seen.push({ name, answer, ...left, left: rounded(leftMs) });
            }
            const wakes = (await backend.wakes()).filter((wake) => wake.includes(key));
            return { seen, wakes };
          }),
        );
        expect(memory).toEqual(redis);
      }),
      { numRuns: 400 },
    );
  }, 60_000);
});
