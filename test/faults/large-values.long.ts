import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { JsonSerializer } from '../../lib/codec/json.serializer.js';
import { openCache } from '../support/caches.js';
import { quantile } from './load/judge-load.js';
import { Row } from './row.js';
import { PATIENT } from './support/states.js';

const PER_SECOND = 50;
const FOR_MS = 6_000;
const RESOLUTION_MS = 10;

/** JSON of nearly a MiB, the most that is stored. */
function large(i: number): object {
  const item = (n: number): object => ({
    id: n,
    name: `item ${i} ${n}`,
    tags: ['a', 'b'],
    ok: true,
  });
  return { i, items: Array.from({ length: 15_000 }, (_, n) => item(n)) };
}

it('values of 1 MiB, fifty times a second → the process goes on', async () => {
  const row = new Row('27', `JSON of 1 MiB, ${PER_SECOND} a second`);
  const serializer = new JsonSerializer();
  const bytes = Buffer.from(serializer.serialize(large(0)));
  row.note('size', `${(bytes.length / 2 ** 20).toFixed(2)} MiB`);
  const tookMs = Array.from({ length: 30 }, () => {
    const began = performance.now();
    serializer.deserialize(bytes);
    return performance.now() - began;
  });
  row.atMost('decoded within, p50', quantile(tookMs, 0.5), { bound: 15 });
  const { service, errors } = await openCache('single', { ...PATIENT, l1: false });
  const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
  for (const [i, key] of keys.entries()) await service.set(key, large(i));
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const running: Promise<void>[] = [];
  let wrong = 0;
  const read = async (i: number): Promise<void> => {
    const value = await service.get<{ i: number; items: object[] }>(keys[i]!);
    if (value?.i !== i || value.items.length !== 15_000) wrong++;
  };
  const began = performance.now();
  for (let n = 0; n < (PER_SECOND * FOR_MS) / 1_000; n++) {
    running.push(read(n % keys.length));
    await sleep(Math.max(0, began + ((n + 1) * 1_000) / PER_SECOND - performance.now()));
  }
  await Promise.all(running);
  delay.disable();
  row.is('wrong values, or none', wrong, 0, `${running.length}`);
  row.is('failures', errors.length, 0);
  row.atMost('event loop delay, p99', delay.percentile(99) / 1e6 - RESOLUTION_MS, { bound: 30 });
  expect(row.broken).toEqual([]);
});
