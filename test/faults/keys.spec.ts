import { expect, it } from '@jest/globals';
import { openCache, plainClient } from '../support/caches.js';
import { Row } from './row.js';
import { PATIENT } from './support/states.js';

const STRANGE = [
  ' ',
  '\0',
  '\r\n',
  'a\r\nDEL b',
  '*',
  '?[a-z]\\',
  '{',
  '}',
  '{}',
  '{}{a}',
  'a{b}c{d}',
  '%7B',
  '😀',
  '\ud800',
  '\udc00',
  '__proto__',
  'x'.repeat(200),
  'x'.repeat(201),
  `{${'x'.repeat(500)}}`,
  'é'.repeat(500_000),
];

it('strange keys → each is itself, short in Redis, and fast', async () => {
  const row = new Row('18', `${STRANGE.length} strange keys, one of them of 1 MB`);
  const { service, engine, namespace } = await openCache('single', { ...PATIENT, l1: false });
  const raw = plainClient();
  for (const [i, key] of STRANGE.entries()) await service.set(key, i);
  const read = [...(await service.getMany(STRANGE)).entries()];
  row.is(
    'keys with their own value',
    read.filter(([key, value]) => STRANGE[value as number] === key).length,
    STRANGE.length,
  );
  const redisKeys = STRANGE.map((key) => engine.keySpace().entry(key).redisKey);
  row.is('of which Redis has', await raw.exists(...redisKeys), STRANGE.length);
  const longest = Math.max(...redisKeys.map((key) => Buffer.byteLength(key)));
  row.atMost('the longest, beside its namespace', longest - Buffer.byteLength(namespace), {
    bound: 300,
    unit: 'bytes',
    slack: 1,
  });
  const times = Array.from({ length: 9 }, () => {
    const began = performance.now();
    engine.keySpace().entry(STRANGE.at(-1)!);
    return performance.now() - began;
  }).toSorted((a, b) => a - b);
  row.atMost('1 MB is encoded within', times[4]!, { bound: 5 });
  for (const [i, key] of STRANGE.entries()) {
    await service.evict(key);
    const left = await service.getMany(STRANGE);
    if (left.size !== STRANGE.length - i - 1) row.is(`left after ${i + 1} evicts`, left.size, 0);
  }
  row.is('left after all evicts', await raw.exists(...redisKeys), 0);
  expect(row.broken).toEqual([]);
});
