import { randomBytes, randomInt } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { openCache, plainClient, type TestCache } from '../support/caches.js';
import { startServer } from '../support/start-server.js';
import { Row, WHOLE } from './row.js';
import { owned } from './support/owned.js';
import { PATIENT } from './support/states.js';

const redisKeyOf = ({ engine }: TestCache, key: string): string =>
  engine.keySpace().entry(key).redisKey;

function cycle(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}

class Stubborn {
  toJSON(): never {
    throw new Error('not me');
  }
}

it('a value that cannot be stored → the caller gets it, the lease is free, it is told', async () => {
  const row = new Row('15', 'values that cannot be serialised');
  const cache = await openCache('single', PATIENT);
  const raw = plainClient();
  const values = [cycle(), () => 1, new Stubborn(), Symbol('s')];
  let returned = 0;
  for (const [i, value] of values.entries())
    if ((await cache.service.getOrSet(`k${i}`, () => value)) === value) returned++;
  row.is('returned', returned, values.length);
  const keys = values.map((_, i) => redisKeyOf(cache, `k${i}`));
  row.is('left in Redis, leases included', await raw.exists(...keys), 0);
  row.is('told to onError', cache.errors.length, values.length);
  const codes = cache.errors.map(({ error }) => (error as { code?: string }).code);
  row.is('  as', [...new Set(codes)], ['ERR_CACHE_SERIALIZATION']);
  expect(row.broken).toEqual([]);
});

/** A read that goes round and round is given up. */
const READ_MS = 10_000;

type Damage = (bytes: Buffer) => Buffer;
const DAMAGES: Record<string, Damage> = {
  'one bit flipped': (bytes) => {
    const flipped = Buffer.from(bytes);
    flipped[randomInt(flipped.length)]! ^= 1 << randomInt(8);
    return flipped;
  },
  truncated: (bytes) => bytes.subarray(0, randomInt(bytes.length)),
  'random bytes': () => randomBytes(randomInt(200)),
  'random bytes behind the head of a value': (bytes) =>
    Buffer.concat([bytes.subarray(0, 21), randomBytes(randomInt(200))]),
  // Ids are text; these bytes are none, and not the same ones once they have been read as such.
  'an id of other bytes, a body of any': () =>
    Buffer.concat([Buffer.from('V'), Buffer.alloc(20, 0xe9), randomBytes(randomInt(200))]),
  'the JSON of another program': () => Buffer.from('{"name":"another program"}'),
  'one value behind another': (bytes) => Buffer.concat([bytes, bytes]),
};

it('foreign and damaged bytes → a miss, and never another value', async () => {
  const times = WHOLE ? 1_000 : 150;
  const row = new Row('16', `damaged bytes, ${times} times`);
  const cache = await openCache('single', { ...PATIENT, l1: false });
  const reader = await openCache('single', { ...PATIENT, namespace: cache.namespace });
  const raw = plainClient();
  const before = { name: 'before', when: new Date(0), list: [1, 2, 3] };
  const after = { ...before, name: 'after' };
  const count = { thrown: 0, wrong: 0, loaded: 0, loadedAgain: 0 };
  const damages = Object.values(DAMAGES);
  for (let i = 0; i < times; i++) {
    const key = `k${i}`;
    await cache.service.set(key, before);
    const redisKey = redisKeyOf(cache, key);
    const bytes = (await raw.getBuffer(redisKey))!;
    await raw.set(redisKey, damages[i % damages.length]!(bytes));
    let loads = 0;
    const load = (): object => (loads++, after);
    const settings = { signal: AbortSignal.timeout(READ_MS) };
    try {
      const first = await cache.service.getOrSet(key, load, settings);
      const second = await reader.service.getOrSet(key, load, settings);
      // A bit of the time until which it is fresh changes no value.
      const expected = JSON.stringify(loads > 0 ? after : before);
      if ([first, second].some((value) => JSON.stringify(value) !== expected)) count.wrong++;
    } catch {
      count.thrown++;
      await cache.service.evict(key);
    }
    if (count.thrown > 3) break;
    count.loaded += Math.min(loads, 1);
    count.loadedAgain += Math.max(0, loads - 1);
  }
  row.is('thrown', count.thrown, 0, `${times}`);
  row.is('wrong values', count.wrong, 0, `${times}`);
  row.is('loads beyond the first', count.loadedAgain, 0, `${count.loaded} loaded`);
  row.is('most were noticed', count.loaded > times / 2, true, `${count.loaded} of ${times}`);
  expect(row.broken).toEqual([]);
});

it('a key of another type → a miss, then a hit', async () => {
  const row = new Row('16', 'a list at the key');
  const cache = await openCache('single', { ...PATIENT, l1: false });
  const raw = plainClient();
  await raw.lpush(redisKeyOf(cache, 'k'), 'x');
  let loads = 0;
  for (let i = 0; i < 3; i++) await cache.service.getOrSet('k', () => ++loads);
  row.is('loads', loads, 1);
  expect(row.broken).toEqual([]);
});

it('a value that is too large → returned, and never sent', async () => {
  const row = new Row('17', '2 MiB, with maxValueBytes 1 MiB');
  const server = owned(await startServer(), (started) => started.stop());
  const raw = owned(new Redis(server.url), (client) => client.disconnect());
  const cache = await openCache({ type: 'single', url: server.url }, PATIENT);
  const received = async (): Promise<number> =>
    Number(/total_net_input_bytes:(\d+)/.exec(await raw.info('stats'))![1]);
  const value = 'x'.repeat(2 * 2 ** 20);
  const before = await received();
  row.is('returned', (await cache.service.getOrSet('k', () => value)) === value, true);
  row.atMost('sent to Redis', (await received()) - before, {
    bound: 20_000,
    unit: 'bytes',
    slack: 1,
  });
  row.is('left in Redis, the lease included', await raw.exists(redisKeyOf(cache, 'k')), 0);
  row.is('told to onError', cache.errors.length, 1);
  expect(row.broken).toEqual([]);
});
