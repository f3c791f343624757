import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { EntryStore } from '../../lib/store/entry-store.js';
import { memoryBackend } from './support/memory-backend.js';
import { barrier, bodyOf, bodyWith, factsWith, lease, value } from './support/records.js';
import { redisBackend } from './support/redis-backend.js';
import type { StoreBackend } from './support/store-backend.js';

/** One step of a sequence, done to both stores. */
type Step = (backend: StoreBackend, key: string) => Promise<unknown>;

/** Few and alike, so that sequences meet each other's ids. */
const id = fc.constantFrom('a'.repeat(20), `${'a'.repeat(19)}b`, 'b'.repeat(20), '.'.repeat(20));
/** Far apart, so that what has passed in between is no difference. */
const lifeMs = fc.constantFrom(1_000_000, 2_000_000, 3_000_000.5);
const endless = fc.oneof(lifeMs, fc.constant(0));
const body = fc
  .tuple(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(0, 1, 2 ** 32 - 1))
  .map(([payload, graceMs]) => bodyOf({ payload: Buffer.from(payload), graceMs }));
const softAt = fc.constantFrom(0, 1, -1, NaN, 1e13);
const facts = fc.constantFrom(
  factsWith(),
  factsWith({ mark: 1 }),
  factsWith({ graceMs: 2_000_000 }),
  Buffer.concat([factsWith(), Buffer.from('a field')]),
);
const MOST = Number.MAX_SAFE_INTEGER;
const counts = fc.constantFrom(0, 1, -7, 12_345, MOST, -MOST);
/** Also what no counter holds. */
const counted = fc.oneof(
  counts.map(String),
  fc.constantFrom(
    '',
    '-',
    '-0',
    '1.5',
    '1e3',
    ' 1',
    '1\n',
    '0x1',
    'nan',
    `${MOST}9`,
    '9'.repeat(16),
  ),
  fc.constantFrom('0'.repeat(15) + '5', '0'.repeat(16) + '5', `-${'0'.repeat(15)}5`),
);

const writer = fc.constantFrom('w1', 'w2', 'w3').map(writerId);

const record = fc.oneof(
  fc.tuple(id, body, softAt).map(([i, b, s]) => value(i, b, s)),
  fc.tuple(id, body).map(([i, b]) => value(i, b).subarray(0, 35)),
  {
    weight: 6,
    arbitrary: fc
      .tuple(id, facts, counted, softAt)
      .map(([i, f, text, s]) => value(i, bodyWith(f, text), s)),
  },
  fc.tuple(id, fc.subarray(['one', 'two', 'instance-A'])).map(([i, who]) => lease(i, ...who)),
  fc.constantFrom('0', '1').map((taint) => barrier({ taint })),
  id.map((i) => Buffer.from('B' + i)),
  fc.subarray(['w1', 'w2']).map((writers) => barrier({ writers: writers.map(writerId) })),
  fc
    .constantFrom(
      'Lorem ipsum dolor sit amet',
      'Be it known to all men by',
      'Value for money, at last',
    )
    .map((text) => Buffer.from(text)),
  id.map((i) => Buffer.from('X' + i)),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
);

function call(act: (store: EntryStore, key: string) => Promise<unknown>): Step {
  return (backend, key) => act(backend.store, key);
}

const step: fc.Arbitrary<[string, Step]> = fc.oneof(
  named('put', record, (bytes) => (backend, key) => backend.put(key, bytes)),
  named('expire', fc.constant(null), (none) => (backend, key) => backend.put(key, none)),
  named('read', fc.constant(0), () => call((store, key) => store.read(key))),
  named('inspect', fc.constant(0), () => call((store, key) => store.inspect(key))),
  named(
    'acquire',
    fc.record({ token: id, leaseMs: lifeMs, reject: fc.oneof(id, fc.constant('')) }),
    (request) => call((store, key) => store.acquire(key, request)),
  ),
  named(
    'fill',
    fc.record({ expectId: id, newId: id, body, softMs: endless, ttlMs: endless }),
    (request) => call((store, key) => store.fill(key, request)),
  ),
  named('renew', fc.record({ token: id, leaseMs: lifeMs }), (request) =>
    call((store, key) => store.renew(key, request)),
  ),
  named('release', fc.record({ token: id, holdMs: endless }), (request) =>
    call((store, key) => store.release(key, request)),
  ),
  named('evict', fc.constant(0), () => call((store, key) => store.evict(key))),
  named(
    'write',
    fc.record({
      newId: id,
      body,
      softMs: endless,
      ttlMs: endless,
      only: fc.constantFrom(undefined, 'absent' as const, 'present' as const),
      reject: fc.oneof(id, fc.constant('')),
    }),
    (request) => call((store, key) => store.write(key, request)),
  ),
  named(
    'increment',
    fc.record({
      newId: id,
      by: counts,
      ttlMs: endless,
      fresh: facts,
      seen: fc.option(fc.record({ id, count: counts, facts }), { nil: undefined }),
      reject: fc.oneof(id, fc.constant('')),
    }),
    (request) => call((store, key) => store.increment(key, request)),
  ),
  named('touch', fc.record({ facts, softMs: endless }), (request) =>
    call((store, key) => store.touch(key, request)),
  ),
  named(
    'take',
    fc.record({
      facts: fc.option(facts, { nil: undefined }),
      reject: fc.oneof(id, fc.constant('')),
    }),
    (request) => call((store, key) => store.take(key, request)),
  ),
  named('barrierBegin', fc.record({ writer, barrierMs: lifeMs }), (request) =>
    call((store, key) => store.barrierBegin(key, request)),
  ),
  named('barrierRenew', fc.record({ writer, barrierMs: lifeMs }), (request) =>
    call((store, key) => store.barrierRenew(key, request)),
  ),
  named(
    'barrierEnd',
    fc.record({
      writer,
      value: fc.option(fc.record({ newId: id, body, softMs: endless, ttlMs: endless }), {
        nil: undefined,
      }),
    }),
    (request) => call((store, key) => store.barrierEnd(key, request)),
  ),
);

function writerId(name: string): string {
  return name.padStart(20, '0');
}

function named<T>(
  name: string,
  request: fc.Arbitrary<T>,
  make: (request: T) => Step,
): fc.Arbitrary<[string, Step]> {
  return request.map((r) => [`${name} ${fc.stringify(r)}`, make(r)]);
}

/** What two stores may differ in: a few milliseconds. */
function comparable(given: unknown): unknown {
  if (Buffer.isBuffer(given)) return comparableBytes(given).toString('latin1');
  if (given === null || typeof given !== 'object') return given;
  return Object.fromEntries(
    Object.entries(given).map(([name, x]) => [name, name === 'ttlMs' ? rounded(x) : comparable(x)]),
  );
}

function comparableBytes(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length < 32 || copy[0] !== 'V'.charCodeAt(0)) return copy;
  const at = copy.readDoubleBE(24);
  if (Math.abs(at - Date.now()) < 1e9) copy.writeDoubleBE(rounded(at - Date.now()), 24);
  return copy;
}

function rounded(ms: number): number {
  return Math.round(ms / 100_000);
}

describe('EntryStore, memory against Redis', () => {
  let backends: StoreBackend[];

  beforeAll(async () => {
    backends = await Promise.all([memoryBackend(), redisBackend()]);
  });
  afterAll(() => Promise.all(backends.map((backend) => backend.close())));

  it('any sequence of steps → the same answers, bytes, lives and wakes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const key = `differential:${randomUUID()}`;
        const [memory, redis] = await Promise.all(
          backends.map(async (backend) => {
            const seen: unknown[] = [];
            for (const [name, act] of steps) {
              const answer = comparable(await act(backend, key));
              seen.push({ name, answer, left: comparable(await backend.store.inspect(key)) });
            }
            await backend.put(key, null);
            return { seen, wakes: (await backend.wakes()).filter((w) => w.endsWith(key)) };
          }),
        );
        expect(memory).toEqual(redis);
      }),
      { numRuns: 400 },
    );
  }, 60_000);
});
