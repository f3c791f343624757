import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openCache, type TestCache } from '../support/caches.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';
import { Row } from './row.js';
import { PATIENT } from './support/states.js';

const LOADS = 100;
const SHUTDOWN_MS = 1_000;

describe('the application closes while it loads', () => {
  let server: TestServer;

  beforeEach(async () => {
    server = await startServer();
  });
  afterEach(() => server.stop());

  async function loading(
    loadMs: number,
    options: Parameters<typeof openCache>[1] = {},
  ): Promise<{ closing: TestCache; staying: TestCache; calls: Promise<unknown> }> {
    const topology = { type: 'single', url: server.url } as const;
    const closing = await openCache(topology, { shutdownTimeout: SHUTDOWN_MS, ...options });
    const staying = await openCache(topology, { ...options, namespace: closing.namespace });
    await waitFor(() => staying.buses[0]!.live);
    const load = async ({ signal }: { signal: AbortSignal }): Promise<number> => {
      await sleep(loadMs, undefined, { signal, ref: false });
      return 1;
    };
    const one = (_: unknown, i: number): Promise<unknown> =>
      closing.service.getOrSet(`k${i}`, load).catch(String);
    const calls = Promise.all(Array.from({ length: LOADS }, one));
    await waitFor(() => closing.engine.pending().flights === LOADS);
    await sleep(50);
    return { closing, staying, calls };
  }

  async function judgeAfterwards(row: Row, { service }: TestCache): Promise<void> {
    row.is(
      'later: getOrSet',
      await service.getOrSet('later', () => 'loaded').catch(String),
      'loaded',
    );
    const told = await service.evict('later').then(String, (error: { code: string }) => error.code);
    row.is('later: evict', told, 'ERR_CACHE_CLOSED');
  }

  it('loads that end, server well → they are waited for, and stored', async () => {
    const row = new Row('28', `close, ${LOADS} loads of 300 ms`);
    const { closing, staying, calls } = await loading(300, { ...PATIENT, shutdownTimeout: '5s' });
    const began = performance.now();
    await closing.close();
    row.atMost('close takes', performance.now() - began, { bound: SHUTDOWN_MS });
    const values = (await calls) as unknown[];
    row.is('served', values.filter((value) => value === 1).length, LOADS);
    let loads = 0;
    for (let i = 0; i < LOADS; i++) await staying.service.getOrSet(`k${i}`, () => ++loads);
    row.is('loaded again by others', loads, 0);
    await judgeAfterwards(row, closing);
    expect(row.broken).toEqual([]);
  });

  it('loads that do not end → they are left, and others load at once', async () => {
    const row = new Row('28', `close, ${LOADS} loads that hang`);
    const { closing, staying } = await loading(2_500);
    const began = performance.now();
    await closing.close();
    row.atMost('close takes', performance.now() - began, { bound: SHUTDOWN_MS + 600, slack: 1.5 });
    const closedAt = performance.now();
    const one = (_: unknown, i: number): Promise<unknown> =>
      staying.service.getOrSet(`k${i}`, () => 1);
    await Promise.all(Array.from({ length: LOADS }, one));
    row.atMost('others have loaded after', performance.now() - closedAt, { bound: 50, slack: 6 });
    await judgeAfterwards(row, closing);
    await waitFor(() => closing.engine.pending().flights === 0, { timeoutMs: 15_000 });
    expect(row.broken).toEqual([]);
  });

  it('loads that end, server frozen → close does not wait for it', async () => {
    const row = new Row('28', `close, ${LOADS} loads of 200 ms, server frozen`);
    const { closing, staying, calls } = await loading(200);
    await server.pause();
    const began = performance.now();
    await closing.close();
    row.atMost('close takes', performance.now() - began, { bound: 1_000 });
    row.is('served', ((await calls) as unknown[]).filter((value) => value === 1).length, LOADS);
    await judgeAfterwards(row, closing);
    await server.resume();
    await waitFor(() => staying.service.set('probe', 1), { timeoutMs: 10_000 });
    expect(row.broken).toEqual([]);
  });
});
