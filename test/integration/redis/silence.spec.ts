import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { closeConnection } from '../../../lib/redis/closing.js';
import { createConnection } from '../../../lib/redis/connection.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

describe('a connection on which nothing is answered', () => {
  let server: TestServer;
  let client: Redis;
  let errors: string[];
  let open: (more?: { answerMs?: number }) => Redis;

  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    errors = [];
    const onError = (error: Error): void => void errors.push(error.message);
    const context = { clock: systemClock, connectTimeoutMs: 2_000, onError };
    open = (more = {}) => createConnection({ url: server.url }, { ...context, ...more });
    client = open();
  });
  afterEach(async () => {
    await server.resume();
    await closeConnection(client, systemClock);
  });

  it('the server freezes → given up after a second, and made anew when it is back', async () => {
    await client.connect();
    await server.pause();
    const begin = performance.now();
    await expect(client.get('k')).rejects.toThrow(/max retries|closed/i);
    expect(performance.now() - begin).toBeGreaterThan(990);
    expect(errors[0]).toMatch('nothing was answered for 1000 ms');
    await server.resume();
    await waitFor(() => client.status === 'ready');
    expect(await client.ping()).toBe('PONG');
  });

  it('calls may take longer than that → given up after as long', async () => {
    const patient = open({ answerMs: 1_600 });
    await patient.connect();
    await server.pause();
    const begin = performance.now();
    await expect(patient.get('k')).rejects.toThrow(/max retries|closed/i);
    expect(performance.now() - begin).toBeGreaterThan(1_590);
    await server.resume();
    await closeConnection(patient, systemClock);
  });

  it('the server accepts and does not answer → given up before it is ready, again and again', async () => {
    await server.pause();
    let attempts = 0;
    client.on('connecting', () => attempts++);
    client.connect().catch(() => undefined);
    await waitFor(() => attempts > 1);
    expect(errors[0]).toMatch('nothing was answered');
  });

  it('this process is busy for longer → the answers, over the same connection', async () => {
    await client.connect();
    const { stream } = client;
    const answers = Array.from({ length: 1_000 }, (_, i) => client.set(`k${i}`, 'x'.repeat(1_000)));
    const until = performance.now() + 1_500;
    while (performance.now() < until);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['OK']));
    expect(client.stream).toBe(stream);
    expect(errors).toEqual([]);
  });
});
