import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';

/** Blocks this process, and with it the reading of sockets and the running of timers. */
function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('CallGuard around a real connection', () => {
  const guard = new CallGuard({ readMs: 300, writeMs: 300, clock: systemClock });
  let server: TestServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startServer();
    client = new Redis(server.url);
    client.on('error', () => undefined);
    await client.ping();
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  it('this process is busy for longer than the limit → the answers, and no timeout', async () => {
    await client.set('k', 'x'.repeat(100_000));
    let plainTimerFired = false;
    setTimeout(() => (plainTimerFired = true), 300);
    const calls = Array.from({ length: 100 }, async () => {
      const value = await guard.run('read', 'read', () => client.get('k'));
      return { length: value?.length, afterTimer: plainTimerFired };
    });
    busy(400);
    const answers = await Promise.all(calls);
    // The plain timer shows that the time was up before anything had been read.
    expect(answers[0]).toEqual({ length: 100_000, afterTimer: true });
    expect(answers.every(({ length }) => length === 100_000)).toBe(true);
  });

  it('T8 the server hangs → CacheTimeoutError within the limit', async () => {
    await server.pause();
    const begin = performance.now();
    await expect(guard.run('read', 'read', () => client.get('k'))).rejects.toMatchObject({
      code: 'ERR_CACHE_TIMEOUT',
    });
    const tookMs = performance.now() - begin;
    expect(tookMs).toBeGreaterThan(295);
    expect(tookMs).toBeLessThan(600);
    await server.resume();
  });
});
